"""Floor 3: from scores or vectors to the k best rows, under filters. Knows no model."""
