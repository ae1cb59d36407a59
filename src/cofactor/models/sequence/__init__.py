"""Sequence models: they use the order of a history."""
