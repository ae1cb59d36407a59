"""Floor 4: the models. One contract (`base`), one list (`registry`); knows no evaluation,
artifact or service.
"""
