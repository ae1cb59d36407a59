"""Models made of any models: their scores in one list."""
