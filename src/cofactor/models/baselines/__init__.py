"""Models without personal taste: the floors that every other model has to beat."""
