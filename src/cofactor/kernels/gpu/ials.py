"""Implicit ALS on a device: a half-epoch of all rows at once, by preconditioned conjugate gradient.

The same steps as in `kernels.cpu.ials`, each for a block of rows: what is one row's dot product or
sum of vectors there is a batch of them here."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cofactor.base.errors import TrainingError
from cofactor.base.offsets import row_blocks

PARTS = 8  # partial Gram matrices in float32, summed in float64
GATHERED = 1 << 26  # numbers of gathered vectors in one block: 256 MB


class SideOnDevice(NamedTuple):
    """One side's interactions with the other, as CSR on a device."""

    indptr: np.ndarray  # int64 [rows + 1], on the host: it says how rows are divided into blocks
    indices: Tensor  # int64 [n]
    weights: Tensor  # float32 [n]
    ridge: Tensor  # float32 [rows]


def side_on_device(
    indptr: np.ndarray,
    indices: np.ndarray,
    weights: np.ndarray,
    ridge: np.ndarray,
    device: str,
) -> SideOnDevice:
    """Copy a side to a device; see the reference's `half_epoch` for the parameters."""
    return SideOnDevice(
        indptr,
        torch.as_tensor(indices, device=device).long(),
        torch.as_tensor(weights, device=device),
        torch.as_tensor(ridge, device=device),
    )


def half_epoch(
    side: SideOnDevice,
    fixed: Tensor,
    solved: Tensor,
    unobserved_weight: float,
    steps: int,
    shares: Tensor | None = None,
    tolerance: float = 0.0,
) -> None:
    """Solve one side given the other, both in place; see the reference for the parameters (its
    solver "cg").

    Raises
    ------
    TrainingError
        If a row's solution isn't finite.
    """
    basis, diagonal = _eigenbasis(fixed, unobserved_weight, shares)
    fixed.copy_(fixed @ basis)
    # A block's gathered vectors stay within `GATHERED`, or it is one row.
    for first, end in row_blocks(side.indptr, max(1, GATHERED // fixed.shape[1])):
        solved[first:end] = _solve(side, first, end, fixed, diagonal, steps, tolerance)
    failed = torch.nonzero(~torch.isfinite(solved.sum(1)))
    if len(failed):
        row = int(failed[0])
        raise TrainingError(
            f"implicit ALS: the system of row {row} ({side.indptr[row + 1] - side.indptr[row]}"
            " interactions) is singular or holds NaN. Raise the regularization (its weight there is"
            f" {float(side.ridge[row]):.3g}) and check the weights."
        )


def _eigenbasis(
    fixed: Tensor, unobserved_weight: float, shares: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The eigenbasis and the eigenvalues of the weighted Gram matrix."""
    scaled = fixed if shares is None else fixed * shares.sqrt()[:, None]
    parts = [part.T @ part for part in scaled.tensor_split(PARTS)]
    # Decomposed on the host: it is small, and some devices have no float64.
    gram = unobserved_weight * torch.stack(parts).cpu().double().sum(0)
    if not torch.isfinite(gram).all():
        raise TrainingError(
            "implicit ALS: the fixed factors hold NaN or infinity. Raise the regularization or"
            " check the data."
        )
    values, basis = torch.linalg.eigh((gram + gram.T) / 2)
    floor = len(values) * float(np.finfo(np.float32).eps) * max(float(values[-1]), 0.0)
    return basis.float().to(fixed.device), values.clamp(min=floor).float().to(fixed.device)


def _solve(
    side: SideOnDevice,
    first: int,
    end: int,
    fixed: Tensor,
    diagonal: Tensor,
    steps: int,
    tolerance: float,
) -> Tensor:
    """Letters as in `kernels.cpu.ials_cg`: x the solution, r its residual, p the direction."""
    start, stop = int(side.indptr[first]), int(side.indptr[end])
    lengths = torch.as_tensor(np.diff(side.indptr[first : end + 1]), device=fixed.device)
    owner = torch.repeat_interleave(torch.arange(end - first, device=fixed.device), lengths)
    y, w = fixed[side.indices[start:stop]], side.weights[start:stop]
    d = diagonal + side.ridge[first:end, None]
    x = torch.zeros((end - first, fixed.shape[1]), device=fixed.device)
    r = torch.zeros_like(x).index_add_(0, owner, y * w[:, None])
    p = r / d
    rz = (r * p).sum(1)
    enough = (tolerance**2 * rz).clamp(min=1e-30)
    for _ in range(steps):
        going = rz > enough
        if not going.any():
            break
        dots = w * (y * p[owner]).sum(1)
        product = (d * p).index_add_(0, owner, y * dots[:, None])
        a = torch.where(going, rz / (p * product).sum(1), 0.0)[:, None]
        x += a * p
        r -= a * product
        z = r / d
        rz, last = torch.where(going, (r * z).sum(1), rz), rz
        p = torch.where(going[:, None], z + (rz / last)[:, None] * p, p)
    return x.masked_fill_((lengths == 0)[:, None], 0.0)
