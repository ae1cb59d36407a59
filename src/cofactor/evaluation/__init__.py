"""Floor 5: how good a model is, and how sure that is. Ask `evaluate.evaluate`; compare with
`significance.compare`.
"""
