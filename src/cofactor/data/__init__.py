"""Floor 2: from raw tables to rows. Readers, id maps, interactions, catalogues, splits; knows no
model.
"""
