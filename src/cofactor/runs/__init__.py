"""Floor 6: one verb a file, from a source to a result. What the command line and notebooks call."""
