"""Score normalisation: how widely an item's scores spread over users, and bringing new items to
the spread of those with interactions.

What content says of an item is loud where much is known of it and faint where little is: a
regression shrinks what it isn't sure of. For one user that decides which new items stand at the
top, whoever the user is. Dividing each item's scores by a power of their spread over users lets the
faint ones be heard."""

from __future__ import annotations

import numpy as np

# No item is made louder than so many times (to the power).
_FAINTEST = 0.05


def levels(spreads: np.ndarray, typical: float, power: float) -> np.ndarray:
    """Return what the scores of items are multiplied by, ``(σ_i / σ̄)^-q`` with σ_i / σ̄ at least
    0.05, float32 [n].

    Parameters
    ----------
    spreads
        float [n]: σ_i, the standard deviation of an item's scores over users; items of spread 0 are
        left alone.
    typical
        σ̄, the median spread of items with interactions; 0 leaves all as they are.
    power
        q in 0..1: 0 leaves all as they are, 1 gives all items the same spread.
    """
    if power == 0 or typical <= 0:
        return np.ones(len(spreads), np.float32)
    shares = np.where(spreads > 0, np.maximum(spreads / typical, _FAINTEST), 1.0)
    return np.asarray(shares**-power, np.float32)


def spreads_of_vectors(vectors: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Return ``σ_i = sqrt(y_i' C y_i)``, the spread of ``x·y_i`` over users with covariance C
    [f, f], of vectors [n, f].
    """
    squares = np.einsum("nf,nf->n", vectors @ covariance, vectors, dtype=np.float64)
    return np.sqrt(np.maximum(squares, 0))


def covariance_of(vectors: np.ndarray) -> np.ndarray:
    """Return the covariance of vectors [n, f], float32 [f, f]; rows of zeros, of whom nothing is
    known, are left out.
    """
    known = vectors[np.any(vectors != 0, axis=1)]
    if len(known) < 2:
        return np.zeros((vectors.shape[1], vectors.shape[1]), np.float32)
    return np.atleast_2d(np.cov(known, rowvar=False)).astype(np.float32)
