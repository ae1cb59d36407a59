"""Floor 3: from scores or vectors to the k best rows, with filters. It knows no model."""
