"""From a caller's ids and descriptions to rows, and from rows to answers."""
