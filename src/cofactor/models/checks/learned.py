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
# What may help, by the setting that it needs.
_STEADIER = {"learning_rate": "lower learning_rate", "regularization": "raise regularization"}
_SMALLER = _STEADIER | {"init_scale": "lower init_scale"}
_LIVELIER = {
    "regularization": "lower regularization",
    "unobserved_weight": "lower unobserved_weight",
    "init_scale": "raise init_scale",
    "confidence": (
        "scale the values, beside whose weights float32 loses everything else (confidence='log', or"
        " 'ones' to leave them out)"
    ),
}


def check_learned(
    name: str,
    arrays: Mapping[str, np.ndarray],
    specs: Mapping[str, ArraySpec] = MappingProxyType({}),
    *,
    rates: bool,
    settings: Collection[str] = tuple(_STEADIER),
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
                f"{name} ended with {beyond} in {key};"
                f" {_either(_STEADIER, settings, 'look for extreme values in the data')}."
            )
        if key.endswith("_factors"):
            factors[key] = max(float(array.max()), -float(array.min()))
    if rates or not factors:
        return
    key, largest = max(factors.items(), key=lambda found: found[1])
    if largest > LARGEST:
        raise TrainingError(
            f"{name} diverged: {key} holds numbers as large as {largest:.3g}, where those of a good"
            f" fit are below 10; {_either(_SMALLER, settings)}."
        )
    if largest == 0:
        raise TrainingError(
            f"{name} learned nothing: every vector is 0; {_either(_LIVELIER, settings)}."
        )


def _either(cures: Mapping[str, str], settings: Collection[str], *more: str) -> str:
    """What may help of some cures, with the settings that there are."""
    found = [*(cure for name, cure in cures.items() if name in settings), *more]
    found = found or ["look for extreme values in the data"]
    return " or ".join(part for part in (", ".join(found[:-1]), found[-1]) if part)
