"""Checks of what was learned, after each fit: numbers that aren't finite, vectors that diverged
or came to nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

import numpy as np

from cofactor.base.errors import TrainingError
from cofactor.models.traits import ANY_ARRAY, ArraySpec

# No sensible fit of an implicit model comes near it: scores are inner products of the vectors, and
# a gap of some tens between two of them is certainty.
LARGEST = 1e3
_CURES = {"learning_rate": "lower learning_rate", "regularization": "raise regularization"}


def check_learned(
    name: str,
    arrays: Mapping[str, np.ndarray],
    specs: Mapping[str, ArraySpec] = MappingProxyType({}),
    *,
    rates: bool,
    settings: Collection[str] = tuple(_CURES),
) -> None:
    """Refuse a fit whose numbers left what float32 or sense can hold.

    Parameters
    ----------
    name
        The model's, for the message.
    arrays
        Its state.
    specs
        What its arrays must be, so that it could be saved and loaded.
    rates
        Whether it predicts ratings: its vectors then grow with the ratings, and may be zero.
    settings
        The names of its settings, of which the message names those that may help.

    Raises
    ------
    TrainingError
        If an array isn't finite, or holds numbers beyond those it may hold; or, of a model that
        doesn't predict ratings, if vectors are larger than `LARGEST` or all zero.
    """
    factors = {}
    for key, array in arrays.items():
        if array.dtype.kind != "f" or not array.size:
            continue
        spec = specs.get(key, ANY_ARRAY)
        if not spec.holds(array):
            plain = bool(np.isfinite(array).all())
            beyond = f"numbers beyond {spec.most:g}" if plain else "NaN or infinity"
            raise TrainingError(
                f"{name} ended with {beyond} in {key}; {_cure(settings)}look for extreme values in"
                " the data."
            )
        if key.endswith("_factors"):
            factors[key] = max(float(array.max()), -float(array.min()))
    if rates or not factors:
        return
    key, largest = max(factors.items(), key=lambda found: found[1])
    if largest > LARGEST:
        raise TrainingError(
            f"{name} diverged: {key} holds numbers as large as {largest:.3g}, where those of a good"
            " fit are below 10; lower the learning rate or raise the regularization."
        )
    if largest == 0:
        raise TrainingError(
            f"{name} learned nothing: every vector is 0. Either the regularization is far too"
            " strong, or the values are so large that float32 loses everything else; scale"
            " them, e.g. with confidence='log', or leave them out."
        )


def _cure(settings: Collection[str]) -> str:
    known = [cure for name, cure in _CURES.items() if name in settings]
    return "".join(f"{cure}, " for cure in known) + ("or " if known else "")
