"""Implicit ALS by conjugate gradients on all rows of a side at once, where the other side's vectors
are in several places.

Each place adds up what its own vectors X give; the sums of all places are the right sides and
products that a step of every row needs. The steps are those of `ials_cg`."""

from __future__ import annotations

import numpy as np


def right_sides(
    indptr: np.ndarray, indices: np.ndarray, weights: np.ndarray, vectors: np.ndarray
) -> np.ndarray:
    """Return X_i' W_i 1 of each row i.

    Parameters
    ----------
    indptr, indices, weights
        The rows' interactions with the vectors, as CSR: int64 [n + 1], int32 [nnz], float32 [nnz].
    vectors
        float32 [m, f].

    Returns
    -------
    numpy.ndarray
        float32 [n, f].
    """
    return products(indptr, indices, weights, vectors, None)


def products(
    indptr: np.ndarray,
    indices: np.ndarray,
    weights: np.ndarray,
    vectors: np.ndarray,
    directions: np.ndarray | None,
) -> np.ndarray:
    """Return X_i' W_i X_i p_i of each row i.

    Parameters
    ----------
    indptr, indices, weights, vectors
        See `right_sides`.
    directions
        p, float32 [n, f]; None: 1 in place of X_i p_i.

    Returns
    -------
    numpy.ndarray
        float32 [n, f].
    """
    out = np.zeros((len(indptr) - 1, vectors.shape[1]))
    for i in range(len(out)):
        part = slice(indptr[i], indptr[i + 1])
        x, w = vectors[indices[part]].astype(np.float64), weights[part].astype(np.float64)
        out[i] = x.T @ (w if directions is None else w * (x @ directions[i]))
    return out.astype(np.float32)


def squares(
    indptr: np.ndarray,
    indices: np.ndarray,
    weights: np.ndarray,
    vectors: np.ndarray,
    directions: np.ndarray,
) -> np.ndarray:
    """Return p_i' X_i' W_i X_i p_i of each row i, float32 [n]; see `products`."""
    found = products(indptr, indices, weights, vectors, directions)
    return np.einsum("nf,nf->n", found, directions)


def first_directions(
    residual: np.ndarray, diagonal: np.ndarray, ridge: np.ndarray, direction: np.ndarray
) -> np.ndarray:
    """Begin at x = 0: set p_i = D_i^-1 r_i.

    Parameters
    ----------
    residual
        r, the right sides, float32 [n, f].
    diagonal, ridge
        D_i = diagonal + ridge_i: float32 [f], float32 [n].
    direction
        p, float32 [n, f]; written.

    Returns
    -------
    numpy.ndarray
        r_i . p_i, float32 [n]; 0 for a row without interactions.
    """
    direction[...] = 0
    np.divide(residual, diagonal + ridge[:, None], out=direction, where=residual != 0)
    return np.einsum("nf,nf->n", residual, direction)


def take_step(
    found: np.ndarray,
    diagonal: np.ndarray,
    ridge: np.ndarray,
    solution: np.ndarray,
    residual: np.ndarray,
    direction: np.ndarray,
    rz: np.ndarray,
) -> None:
    """Move each x_i along p_i, and find the next direction; all in place.

    Parameters
    ----------
    found
        X_i' W_i X_i p_i, summed over all places, float32 [n, f].
    diagonal, ridge
        See `first_directions`.
    solution, residual, direction, rz
        x, r, p: float32 [n, f], and r . D^-1 r, float32 [n]. Rows with nothing left stay.
    """
    rows = rz > 1e-30
    d = (diagonal + ridge[:, None])[rows]
    p, before = direction[rows], rz[rows]
    product = d * p + found[rows]
    a = before / np.einsum("nf,nf->n", p, product)
    solution[rows] += a[:, None] * p
    residual[rows] -= a[:, None] * product
    z = residual[rows] / d
    rz[rows] = np.einsum("nf,nf->n", residual[rows], z)
    direction[rows] = z + (rz[rows] / before)[:, None] * p


def take_last_step(
    found: np.ndarray,
    diagonal: np.ndarray,
    ridge: np.ndarray,
    solution: np.ndarray,
    direction: np.ndarray,
    rz: np.ndarray,
) -> None:
    """Move each x_i along p_i, in place, given the sums p_i' X_i' W_i X_i p_i, float32 [n]."""
    rows = rz > 1e-30
    p = direction[rows]
    q = found[rows] + np.einsum("nf,nf->n", (diagonal + ridge[:, None])[rows] * p, p)
    solution[rows] += (rz[rows] / q)[:, None] * p
