"""Pieces of implicit ALS whose users never move (`ials_reduced`): sums over some users for blocks
of items, and steps of a block's items given the sums over all users.

All are functions of arrays without side effects, which an engine runs anywhere, or again."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from cofactor.base.errors import TrainingError
from cofactor.base.memory import aligned
from cofactor.base.offsets import offsets
from cofactor.data.sorting import by_item
from cofactor.models.implicit.ials_sharded import Shard, gram, pair_weights
from cofactor.models.implicit.normal_equations import NormalEquations

Span = tuple[int, int]  # the first shard of some, and the one behind the last


class Transposed(NamedTuple):
    """The interactions of a shard of users, by item."""

    indptr: np.ndarray  # int64 [items + 1]; giants are empty
    indices: np.ndarray  # int32: rows of the shard
    weights: np.ndarray  # float32
    giants: list[tuple[np.ndarray, np.ndarray]]  # rows and weights of each giant item


class ItemBlock(NamedTuple):
    """Some items who follow each other."""

    first: int
    counts: np.ndarray  # int64 [items]: their interactions
    ridge: np.ndarray  # float32 [items]
    giants: np.ndarray  # int64: places in the block of those that are solved exactly
    giant_numbers: np.ndarray  # int64: which of all giant items those are
    spans: list[Span]  # over which shards of users the sums that it is given are
    cuts: list[int]  # of the block, where Gram sums are cut
    shares: list[np.ndarray | None]  # c of the items of each part


def whole_spans(start: int, end: int) -> list[Span]:
    """Return the largest parts of a range of shards that are whole branches of the tree of sums.

    A branch is 2^k shards from a multiple of 2^k on."""
    found = []
    while start < end:
        size = start & -start or end
        while size > end - start or size & (size - 1):
            size = 1 << (min(size, end - start).bit_length() - 1)
        found.append((start, start + size))
        start += size
    return found


def tree_sum(found: dict[Span, np.ndarray], start: int, end: int) -> np.ndarray:
    """Return the sum over a branch, from those of branches that it consists of."""
    if (start, end) in found:
        return found[start, end]
    middle = (start + end) // 2
    return tree_sum(found, start, middle) + tree_sum(found, middle, end)


def transposed(how: tuple[NormalEquations, np.ndarray], shard: Shard, n_items: int) -> Transposed:
    """Return a shard's interactions by item; ``how`` holds the equations, and the giant items."""
    equations, giants = how
    indptr, rows, positions = by_item(shard.indptr, shard.indices, n_items)
    weights = pair_weights(equations, shard)[positions]
    own = [slice(indptr[giant], indptr[giant + 1]) for giant in giants]
    apart = [(rows[part].copy(), weights[part].copy()) for part in own]
    if apart:
        keep = np.ones(len(rows), bool)
        for part in own:
            keep[part] = False
        sizes = np.diff(indptr)
        sizes[giants] = 0
        indptr, rows, weights = offsets(sizes), rows[keep], weights[keep]
    return Transposed(indptr, rows, weights, apart)


def summed(how: tuple[str, Span, list[int]], *arguments: Any) -> Any:
    """Return sums over some shards of users for each block of items.

    Parameters
    ----------
    how
        Which sums of `kernels.cpu.ials_sums`, over which shards, and where blocks of items begin.
    arguments
        Each block's directions, unless right sides are wanted; then a `Transposed` and the users'
        vectors for each shard.

    Returns
    -------
    tuple
        For each of `whole_spans` one for each block; an array where that is one.
    """
    from cofactor.kernels.cpu import ials_sums

    kind, span, ends = how
    blocks = len(ends) - 1
    directions = arguments[:blocks] if kind != "right_sides" else ()
    own = arguments[len(directions) :]
    kernel, results = getattr(ials_sums, kind), []

    def of_branch(start: int, end: int, block: int) -> np.ndarray:
        if end - start > 1:
            middle = (start + end) // 2
            return of_branch(start, middle, block) + of_branch(middle, end, block)
        shard, vectors = own[2 * (start - span[0]) : 2 * (start - span[0]) + 2]
        indptr = shard.indptr[ends[block] : ends[block + 1] + 1]
        pairs = (indptr, shard.indices, shard.weights, vectors)
        found: np.ndarray = kernel(*pairs, *(directions[block : block + 1]))
        return found

    for start, end in whole_spans(*span):
        results += [of_branch(start, end, block) for block in range(blocks)]
    return tuple(results) if len(results) > 1 else results[0]


def begun(block: ItemBlock, diagonal: np.ndarray, *sums: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return x, r, p and r . D^-1 r of a block's items before the first step."""
    from cofactor.kernels.cpu.ials_sums import first_directions

    residual = _total(block, sums).copy()
    direction = np.empty_like(residual)
    rz = first_directions(residual, diagonal, block.ridge, direction)
    return np.zeros_like(residual), residual, direction, rz


def stepped(
    block: ItemBlock,
    diagonal: np.ndarray,
    solution: np.ndarray,
    residual: np.ndarray,
    direction: np.ndarray,
    rz: np.ndarray,
    *sums: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """Return the same after a step."""
    from cofactor.kernels.cpu.ials_sums import take_step

    state = solution.copy(), residual.copy(), direction.copy(), rz.copy()
    take_step(_total(block, sums), diagonal, block.ridge, *state)
    return state


def ended(
    block: ItemBlock,
    diagonal: np.ndarray,
    solution: np.ndarray,
    _: np.ndarray,
    direction: np.ndarray,
    rz: np.ndarray,
    *sums: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """Return a block's vectors after the last step, and the parts of its Gram sum.

    Raises
    ------
    TrainingError
        If a system is singular.
    """
    from cofactor.kernels.cpu.ials_sums import take_last_step

    found, count = solution.copy(), len(block.spans)
    take_last_step(_total(block, sums[:count]), diagonal, block.ridge, found, direction, rz)
    if len(block.giants):
        _solve_giants(block, diagonal, _total(block, sums[count:]), found)
    failed = np.flatnonzero(~np.isfinite(found.sum(axis=1)))
    if failed.size:
        row = int(failed[0])
        raise TrainingError(
            f"implicit ALS: the system of row {block.first + row} ({block.counts[row]}"
            " interactions) is singular or holds NaN. Raise the regularization (its weight there is"
            f" {block.ridge[row]:.3g}) and check the weights."
        )
    parts = [found[a:b] for a, b in pairwise(block.cuts)]
    grams = [gram(aligned(part), c) for part, c in zip(parts, block.shares, strict=True)]
    return found, np.concatenate(grams)


def _total(block: ItemBlock, sums: tuple[np.ndarray, ...]) -> np.ndarray:
    found = dict(zip(block.spans, sums, strict=True))
    return tree_sum(found, 0, max(end for _, end in block.spans))


def giant_sums(span: Span, *own: Any) -> Any:
    """Return X' W X with X' W 1 beside it, float64 [giants, f, f + 1], over shards of users, as
    `summed` does.
    """

    def of_branch(start: int, end: int) -> np.ndarray:
        if end - start > 1:
            middle = (start + end) // 2
            return of_branch(start, middle) + of_branch(middle, end)
        shard, vectors = own[2 * (start - span[0]) : 2 * (start - span[0]) + 2]
        return np.stack([_normal_equations(vectors, *giant) for giant in shard.giants])

    results = [of_branch(*branch) for branch in whole_spans(*span)]
    return tuple(results) if len(results) > 1 else results[0]


def _normal_equations(vectors: np.ndarray, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    from cofactor.kernels.cpu.ials import GIANT_ROW

    f = vectors.shape[1]
    total = np.zeros((f, f + 1))
    for start in range(0, len(rows), GIANT_ROW):
        root = np.sqrt(weights[start : start + GIANT_ROW])
        scaled = vectors[rows[start : start + GIANT_ROW]] * root[:, None]
        total[:, :f] += scaled.T @ scaled
        total[:, f] += scaled.T @ root
    return total


def _solve_giants(
    block: ItemBlock, diagonal: np.ndarray, sums: np.ndarray, found: np.ndarray
) -> None:
    for row, number in zip(block.giants, block.giant_numbers, strict=True):
        dense = np.diag(diagonal.astype(np.float64) + block.ridge[row])
        try:
            found[row] = np.linalg.solve(dense + sums[number, :, :-1], sums[number, :, -1])
        except np.linalg.LinAlgError:
            found[row] = np.nan  # reported with the others
