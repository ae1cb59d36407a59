"""Features: from a catalogue's columns (text, categories, lists, numbers, dates) to a sparse
matrix, aligned to rows.
"""

from cofactor.data.features.spec import FeatureSpec
from cofactor.data.features.token_blocks import Weights

__all__ = ["FeatureSpec", "Weights"]
