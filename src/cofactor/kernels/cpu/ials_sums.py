"""Implicit ALS by conjugate gradients on all rows of a side at once, where the other side's vectors
are in several places: sums over one place's vectors, and steps of all rows given whole sums.

Letters as in `ials_cg`: x the solution, r its residual, p the direction, D + X' W X the matrix."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cofactor.kernels.cpu._ials_rows import F, accumulate, dots
from cofactor.kernels.cpu.jit import kernel, on_parts

_NONE_LEFT = F(1e-30)  # of a residual, as in `ials_cg`


def right_sides(
    indptr: np.ndarray, indices: np.ndarray, weights: np.ndarray, vectors: np.ndarray
) -> np.ndarray:
    """Return the sums of rows' weighted vectors; see the reference."""
    out = np.zeros((len(indptr) - 1, vectors.shape[1]), F)
    on_parts(
        lambda a, b: _right_sides(indptr[a : b + 1], indices, weights, vectors, out[a:b]), len(out)
    )
    return out


def products(
    indptr: np.ndarray,
    indices: np.ndarray,
    weights: np.ndarray,
    vectors: np.ndarray,
    directions: np.ndarray,
) -> np.ndarray:
    """Return rows' matrices times their directions; see the reference."""
    out = np.zeros((len(indptr) - 1, vectors.shape[1]), F)
    return _by_rows(_products, indptr, indices, weights, vectors, directions, out)


def squares(
    indptr: np.ndarray,
    indices: np.ndarray,
    weights: np.ndarray,
    vectors: np.ndarray,
    directions: np.ndarray,
) -> np.ndarray:
    """Return what rows' matrices give for their directions, p' X' W X p; see the reference."""
    out = np.zeros(len(indptr) - 1, F)
    return _by_rows(_squares, indptr, indices, weights, vectors, directions, out)


def _by_rows(
    work: Callable[..., None],
    indptr: np.ndarray,
    indices: np.ndarray,
    weights: np.ndarray,
    vectors: np.ndarray,
    directions: np.ndarray,
    out: np.ndarray,
) -> np.ndarray:
    on_parts(
        lambda a, b: work(indptr[a : b + 1], indices, weights, vectors, directions[a:b], out[a:b]),
        len(out),
    )
    return out


@kernel(allocates=True)
def _longest_row(indptr):
    """Return room for a number of each interaction of the longest row."""
    longest = 0
    for i in range(len(indptr) - 1):
        longest = max(longest, indptr[i + 1] - indptr[i])
    return np.empty(longest, F)


@kernel
def _right_sides(indptr, indices, weights, vectors, out) -> None:
    for i in range(len(out)):
        a, b = indptr[i], indptr[i + 1]
        if b > a:
            accumulate(vectors, indices[a:b], b - a, weights[a:b], out[i])


@kernel(allocates=True)
def _products(indptr, indices, weights, vectors, directions, out) -> None:
    s = _longest_row(indptr)
    for i in range(len(out)):
        a, b = indptr[i], indptr[i + 1]
        if b > a:
            dots(vectors, indices[a:b], b - a, directions[i], s)
            for t in range(b - a):
                s[t] *= weights[a + t]
            accumulate(vectors, indices[a:b], b - a, s, out[i])


@kernel(allocates=True)
def _squares(indptr, indices, weights, vectors, directions, out) -> None:
    s = _longest_row(indptr)
    for i in range(len(out)):
        a, b = indptr[i], indptr[i + 1]
        if b > a:
            dots(vectors, indices[a:b], b - a, directions[i], s)
            total = F(0)
            for t in range(b - a):
                total += weights[a + t] * s[t] * s[t]
            out[i] = total


@kernel(allocates=True)
def first_directions(
    residual: np.ndarray, diagonal: np.ndarray, ridge: np.ndarray, direction: np.ndarray
) -> np.ndarray:
    """Set p = D^-1 r, and return r . p of each row; see the reference."""
    rz = np.zeros(len(residual), F)
    for i in range(len(residual)):
        total = F(0)
        for k in range(residual.shape[1]):
            r = residual[i, k]
            direction[i, k] = r / (diagonal[k] + ridge[i]) if r != F(0) else F(0)
            total += r * direction[i, k]
        rz[i] = total
    return rz


@kernel
def take_step(
    found: np.ndarray,
    diagonal: np.ndarray,
    ridge: np.ndarray,
    solution: np.ndarray,
    residual: np.ndarray,
    direction: np.ndarray,
    rz: np.ndarray,
) -> None:
    """Take a step, in place, given X' W X p; see the reference."""
    for i in range(len(solution)):
        if rz[i] <= _NONE_LEFT:
            continue
        q = F(0)
        for k in range(solution.shape[1]):
            p = direction[i, k]
            q += p * ((diagonal[k] + ridge[i]) * p + found[i, k])
        a, after = rz[i] / q, F(0)
        for k in range(solution.shape[1]):
            d = diagonal[k] + ridge[i]
            solution[i, k] += a * direction[i, k]
            r = residual[i, k] - a * (d * direction[i, k] + found[i, k])
            residual[i, k] = r
            after += r * r / d
        turn = after / rz[i]
        for k in range(solution.shape[1]):
            d = diagonal[k] + ridge[i]
            direction[i, k] = residual[i, k] / d + turn * direction[i, k]
        rz[i] = after


@kernel
def take_last_step(
    found: np.ndarray,
    diagonal: np.ndarray,
    ridge: np.ndarray,
    solution: np.ndarray,
    direction: np.ndarray,
    rz: np.ndarray,
) -> None:
    """Take the last step, in place, given p' X' W X p; see the reference."""
    for i in range(len(solution)):
        if rz[i] <= _NONE_LEFT:
            continue
        q = found[i]
        for k in range(solution.shape[1]):
            q += (diagonal[k] + ridge[i]) * direction[i, k] * direction[i, k]
        a = rz[i] / q
        for k in range(solution.shape[1]):
            solution[i, k] += a * direction[i, k]
