"""How fast SGD learns ratings by default."""

from __future__ import annotations

from cofactor.data.interactions import Interactions
from cofactor.models.defaults.noise import relative_noise

# The relative noise of ratings that the usual rates are for, and how many times as fast vectors of
# sparser ones are learned at the most. Settled on validation parts (benchmarks/panel.py).
_USUAL_NOISE, _MOST = 0.2, 2.0


def faster_by(data: Interactions) -> float:
    """Return ``(e / .2)²``, from 1 to 2, with e the `relative_noise`: by how much the usual
    learning rate of vectors is multiplied.

    An epoch takes a step for each rating of a row. e² is about one over their number, so the steps
    of a row in an epoch come to as much with few ratings as with many; otherwise vectors that start
    near 0 are hardly learned when the rate has run out.
    """
    return min(max((relative_noise(data) / _USUAL_NOISE) ** 2, 1.0), _MOST)
