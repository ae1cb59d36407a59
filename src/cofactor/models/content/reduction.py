"""The main directions of sparse features: randomised truncated singular value decomposition,
seeded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_ROUNDS = 2  # of power iteration, which is good for text


def main_directions(features: Any, count: int, generator: np.random.Generator) -> np.ndarray:
    """Return the right singular vectors of the largest singular values, float32 [width, count];
    fewer where the rank is lower.

    Parameters
    ----------
    features
        SciPy CSR float32 [n, width].
    count
        How many.
    generator
        Draws the first directions.

    Notes
    -----
    Halko, Martinsson and Tropp. 2011. Finding Structure with Randomness. SIAM Review 53(2),
    algorithms 4.4 and 5.1."""
    count = max(1, min(count, *features.shape))
    extra = min(count + 10, *features.shape)
    turned = features.T.tocsr()
    basis = np.asarray(
        features @ generator.standard_normal((features.shape[1], extra), dtype=np.float32)
    )
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(np.asarray(turned @ np.linalg.qr(basis)[0]))[0]
        basis = np.asarray(features @ basis)
    small = np.asarray(turned @ np.linalg.qr(basis)[0])
    left, _, _ = np.linalg.svd(small, full_matrices=False)
    # The sign of a direction is free; the largest entry is made positive, so that it is the same
    # everywhere.
    directions = left[:, :count]
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])])
    return np.ascontiguousarray(directions * np.where(signs == 0, 1, signs), np.float32)
