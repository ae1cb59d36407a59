"""What `cofactor.runs.auto` is made of: families, the race between them, the blend, the words."""
