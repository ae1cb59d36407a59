"""Floor 5: models as folders. Named arrays, ids and catalogue in open formats; loading can't run
code.
"""
