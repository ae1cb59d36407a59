"""Floor 5: how good a model is, with intervals and tests. See `evaluate.evaluate` and
`significance.compare`.
"""
