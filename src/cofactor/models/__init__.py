"""Floor 4: the models: one contract (`model`, `recommender`) and one list (`registry`). It knows no
evaluation, artifact or service.
"""
