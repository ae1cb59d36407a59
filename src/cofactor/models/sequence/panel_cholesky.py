"""Cholesky factorisation of a large symmetric matrix, kept as panels of its lower triangle, which
take half the memory of the square."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

_LINES = 1024  # of the right-hand side, solved at a time


def panel_rows(n: int) -> int:
    """Return the rows of a panel: enough for products at full speed, at most a sixteenth of all
    beyond that, as what stands right of the diagonal is wasted.
    """
    return max(64, min(512, n // 16))


def factorise(rows: Callable[[int, int], np.ndarray], n: int) -> list[np.ndarray]:
    """Return L of ``G = L L'``, panel by panel.

    Parameters
    ----------
    rows
        Called with ``first, end``, ascending and without gaps: the rows of G from ``first`` to
        ``end``, float32 [end - first, at least end] whose columns up to the diagonal count. It is
        not kept.
    n
        Side of G.

    Returns
    -------
    list of float32 [end - first, end]
        The rows of L, zero right of the diagonal.

    Raises
    ------
    ArithmeticError
        If G isn't positive definite; the text names the row.
    """
    from scipy.linalg.blas import strsm
    from scipy.linalg.lapack import spotrf

    panels: list[np.ndarray] = []
    height = panel_rows(n)
    for first in range(0, n, height):
        end = min(first + height, n)
        own = np.ascontiguousarray(rows(first, end)[:, :end])
        for before, low, high in _bounds(panels):
            block = own[:, low:high]
            block -= own[:, :low] @ before[:, :low].T
            # X L' = B, which Fortran reads as L X' = B'.
            block[:] = strsm(1.0, before[:, low:].T, block.T, lower=0, trans_a=1).T
        corner = own[:, first:]
        corner -= own[:, :first] @ own[:, :first].T
        made, info = spotrf(corner, lower=1, clean=1)
        if info != 0:
            raise ArithmeticError(f"row {first + info - 1}")
        corner[:] = made
        panels.append(own)
    return panels


def solve_lines(panels: list[np.ndarray], lines: np.ndarray) -> None:
    """Replace each line y by the x of ``L L' x = y``, in place.

    Parameters
    ----------
    panels
        L, as `factorise` returns it.
    lines
        float32 [B, n], C-contiguous.
    """
    from scipy.linalg.blas import strsm

    bounds = list(_bounds(panels))
    for at in range(0, len(lines), _LINES):
        part = lines[at : at + _LINES]
        for own, low, high in bounds:
            block = part[:, low:high]
            block -= part[:, :low] @ own[:, :low].T
            block[:] = strsm(1.0, own[:, low:].T, block.T, lower=0, trans_a=1).T
        for n in range(len(bounds) - 1, -1, -1):
            own, low, high = bounds[n]
            block = part[:, low:high]
            for later, first, end in bounds[n + 1 :]:
                block -= part[:, first:end] @ later[:, low:high]
            block[:] = strsm(1.0, own[:, low:].T, block.T, lower=0).T


def _bounds(panels: list[np.ndarray]) -> Iterator[tuple[np.ndarray, int, int]]:
    """Each panel with its first row and the row after its last."""
    for own in panels:
        yield own, own.shape[1] - own.shape[0], own.shape[1]
