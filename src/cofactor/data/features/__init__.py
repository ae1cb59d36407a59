"""Features: from a catalogue's columns (text, categories, lists, numbers, dates) to a sparse
matrix, aligned to rows.
"""

from cofactor.data.features.spec import FeatureSpec, Weights

__all__ = ["FeatureSpec", "Weights"]
