"""Alternating least squares with rows regularized towards a prior of their own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# A prior enters the row's system as one more interaction, with the vector t·p and the weight r / t:
# it adds r p to the right side and only r t p p' to the left. t is small enough for the latter to
# vanish, and large enough for float32.
_T = 1e-3


class Side(NamedTuple):
    """The rows that are solved: CSR (indptr, indices, weights), their L2, and the weights of the
    other side's rows (None: all alike).
    """

    indptr: np.ndarray
    indices: np.ndarray
    weights: np.ndarray
    ridge: np.ndarray
    shares: np.ndarray | None = None


def half_epoch_with_prior(
    side: Side,
    fixed: np.ndarray,
    solved: np.ndarray,
    prior: np.ndarray | None,
    alpha0: float,
    how: tuple[str, int, int],
) -> None:
    """Solve one side, with each row regularized to its prior [n_rows, factors] if there is one."""
    from cofactor.kernels.cpu.ials import half_epoch

    rows, ridge, shares = side[:3], side.ridge, side.shares
    if prior is None:
        half_epoch(*rows, fixed, solved, alpha0, ridge, *how, shares)
        return
    grown = with_prior(*rows, fixed, prior, ridge)
    if shares is not None:
        shares = np.concatenate((shares, np.ones(len(prior), np.float32)))
    half_epoch(*grown, solved, alpha0, ridge, *how, shares)
    # The fixed side was turned into another basis; that of its copy is what the solved side now
    # stands in.
    fixed[:] = grown[3][: len(fixed)]


def with_prior(
    indptr: np.ndarray,
    indices: np.ndarray,
    weights: np.ndarray,
    fixed: np.ndarray,
    prior: np.ndarray,
    ridge: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows with one more interaction each, the last: the vector t·p_row with the weight
    r_row / t.
    """
    n = len(indptr) - 1
    grown_indptr = indptr + np.arange(n + 1)
    places = grown_indptr[1:] - 1
    grown, heavier = np.empty(len(indices) + n, np.int32), np.empty(len(indices) + n, np.float32)
    old = np.ones(len(grown), bool)
    old[places] = False
    grown[old], heavier[old] = indices, weights
    grown[places] = len(fixed) + np.arange(n)
    heavier[places] = ridge / _T
    return (
        grown_indptr,
        grown,
        heavier,
        np.ascontiguousarray(np.concatenate((fixed, np.float32(_T) * prior)), np.float32),
    )
