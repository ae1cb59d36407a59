"""Ridge regression from sparse features to dense vectors, by conjugate gradients, in whichever
space is the smaller.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def sparse_ridge(
    features: Any,
    targets: np.ndarray,
    ridge: float,
    weights: np.ndarray | None = None,
    *,
    tolerance: float = 1e-3,
    steps: int = 60,
) -> np.ndarray:
    """Return the map W [width, f] that minimises ``Σ_i w_i |t_i - W'f_i|² + λ |W|²``.

    Solved by conjugate gradients on all columns at once: ``(F'DF + λ I) W = F'D T``, or, where
    there are fewer rows than features, ``W = F'D^½ A`` with ``(D^½ F F' D^½ + λ I) A = D^½ T``.

    Parameters
    ----------
    features
        SciPy CSR float32 [n, width].
    targets
        float32 [n, f].
    ridge
        λ, above 0.
    weights
        float32 [n], or None for ones.
    tolerance
        The residual's length at which it ends, beside that of the right side.
    steps
        At most.
    """
    root = (
        np.ones(len(targets), np.float32)
        if weights is None
        else np.sqrt(weights).astype(np.float32)
    )
    from scipy import sparse

    scaled = (sparse.diags(root) @ features).tocsr()
    turned = scaled.T.tocsr()
    wanted = (root[:, None] * targets).astype(np.float32)
    if features.shape[0] < features.shape[1]:
        return np.asarray(
            turned
            @ _conjugate(lambda v: scaled @ (turned @ v) + ridge * v, wanted, tolerance, steps),
            np.float32,
        )
    return _conjugate(
        lambda v: turned @ (scaled @ v) + ridge * v, np.asarray(turned @ wanted), tolerance, steps
    )


def _conjugate(system: Any, right: np.ndarray, tolerance: float, steps: int) -> np.ndarray:
    """Solve ``system(X) = right`` column by column, float32; letters as in Shewchuk's paper: r
    residual, d direction.
    """
    x = np.zeros_like(right, np.float32)
    r = right.astype(np.float32)
    d = r.copy()
    rho = np.einsum("nf,nf->f", r, r, dtype=np.float64)
    enough = tolerance**2 * np.maximum(rho, 1e-30)
    for _ in range(steps):
        if (rho <= enough).all():
            break
        q = np.asarray(system(d), np.float32)
        bend = np.einsum("nf,nf->f", d, q, dtype=np.float64)
        alpha = np.where(bend > 0, rho / np.maximum(bend, 1e-300), 0).astype(np.float32)
        x += alpha * d
        r -= alpha * q
        new = np.einsum("nf,nf->f", r, r, dtype=np.float64)
        d = r + np.where(rho > 0, new / np.maximum(rho, 1e-300), 0).astype(np.float32) * d
        rho = new
    return x
