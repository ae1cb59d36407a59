"""Implicit ALS in shards: both sides are cut into blocks of rows, which an engine solves.

Sides are cut where the kernels cut their Gram sums, so the vectors are, bit for bit, those of one
process, whatever the engine and however many workers it has. A half-epoch is two rounds of pieces:
`joined` puts the fixed side's blocks together in the basis of its Gram matrix, once in each worker,
and `solved` solves a block of the other side and begins its Gram sum. A block stays where it was
solved, so what a host is sent in an epoch is what others have of both sides."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cofactor.base.engine import Engine, dealt
from cofactor.base.memory import aligned, aligned_empty
from cofactor.base.offsets import offsets
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.implicit.ials_learner import IALSLearner, UserTerms, pair_error
from cofactor.models.implicit.normal_equations import NormalEquations
from cofactor.training.learner import Epoch, Facts

if TYPE_CHECKING:
    from cofactor.kernels.cpu.ials import Solver

_OTHER = {"users": "items", "items": "users"}


class Shard(NamedTuple):
    """A block of one side's rows, and their interactions with the other side."""

    first: int  # which row of the side its first one is
    indptr: np.ndarray  # int64 [rows + 1]
    indices: np.ndarray  # int32 [n]: rows of the other side
    values: np.ndarray | None  # float32 [n]
    ridge: np.ndarray  # float32 [rows]
    giants: np.ndarray  # int64: those of its rows that are solved one by one
    shares: np.ndarray | None  # float32 [rows]: c of its own rows, where they are items
    other_shares: np.ndarray | None  # float32 [other rows]: c of the other side's


class ShardedIALSLearner(IALSLearner):
    """Both sides in turn, shard by shard.

    Parameters
    ----------
    equations
        Weights and ridges, by the settings.
    data, run
        On what, with which seed, and on which engine.
    engine
        What runs the pieces.
    """

    def __init__(
        self, equations: NormalEquations, data: Interactions, run: Run, engine: Engine
    ) -> None:
        self.equations, self.data, self.config = equations, data, equations.config
        self.engine, self.alpha0, self.n_counted = engine, equations.alpha0, data.n_items
        self.shares = equations.item_shares(data)
        self.user_ridge = equations.ridge(data.indptr, data.n_items)
        self.shared_ridge = engine.share(self.user_ridge)
        self.item_ridge = equations.ridge(offsets(data.item_counts), data.n_users)
        self.cuts = {"users": cuts(data.n_users), "items": cuts(data.n_items)}
        self.own_shares = [
            None if self.shares is None else self.shares[a:b]
            for a, b in pairwise(self.cuts["items"])
        ]
        self.shards = {
            side: [engine.share(shard) for shard in self._shards(side, *arrays)]
            for side, arrays in self._sides().items()
        }
        self.put(dict(zip(("user_factors", "item_factors"), self._start(run), strict=True)))

    def _sides(self) -> dict[str, tuple[Any, ...]]:
        """The arguments of `_shards` for both sides."""
        known = "by_item" in vars(self.data)
        item_indptr, user_rows, positions = self.data.by_item
        if not known:  # workers have it: it isn't kept here too
            vars(self.data).pop("by_item")
        values = self._values()
        of_items = None if values is None else np.ascontiguousarray(values[positions])
        return {
            "users": (self.data.indptr, self.data.item_rows, values, self.user_ridge),
            "items": (item_indptr, user_rows, of_items, self.solved_ridge),
        }

    def _values(self) -> np.ndarray | None:
        """What weights are computed from; None where all are 1."""
        return None if self.config.confidence == "ones" else self.data.weights

    def _shards(
        self,
        side: str,
        indptr: np.ndarray,
        indices: np.ndarray,
        values: np.ndarray | None,
        ridge: np.ndarray,
    ) -> list[Shard]:
        from cofactor.kernels.cpu.ials import giant_rows

        giants, of_items = giant_rows(indptr), side == "items"
        made = []
        for part, (a, b) in enumerate(pairwise(self.cuts[side])):
            start, end = int(indptr[a]), int(indptr[b])
            made.append(
                Shard(
                    first=a,
                    indptr=indptr[a : b + 1] - start,
                    indices=indices[start:end],
                    values=None if values is None else values[start:end],
                    ridge=ridge[a:b],
                    giants=giants[(giants >= a) & (giants < b)] - a,
                    shares=self.own_shares[part] if of_items else None,
                    other_shares=None if of_items else self.shares,
                )
            )
        return made

    @property
    def x(self) -> np.ndarray:  # type: ignore[override]
        """The users' vectors, brought to this process."""
        return self._whole("users")

    @property
    def y(self) -> np.ndarray:  # type: ignore[override]
        """The items' vectors, brought to this process."""
        return self._whole("items")

    def _whole(self, side: str) -> np.ndarray:
        if side not in self._here:
            turns = self.turns[side]
            parts = self.engine.get([*turns, *self.blocks[side]])
            self._here[side] = joined(len(turns), *parts)
        return self._here[side]

    def put(self, arrays: Any) -> None:
        """Set both sides' vectors."""
        self._here: dict[str, np.ndarray] = {}
        self._fixed: tuple[str, Any] = ("", None)  # a place, and the fixed side as it has it
        self.blocks: dict[str, list[Any]] = {}
        self.turns: dict[str, list[Any]] = {}  # bases, one after the other, for a side's blocks
        self.grams: dict[str, list[Any]] = {}
        for side, name in (("users", "user_factors"), ("items", "item_factors")):
            of_items = side == "items"
            parts = [arrays[name][a:b] for a, b in pairwise(self.cuts[side])]
            self.blocks[side] = [self.engine.share(aligned(part)) for part in parts]
            self.turns[side] = []
            self.grams[side] = [
                self.engine.call(gram, block, self.own_shares[part] if of_items else None)
                for part, block in enumerate(self.blocks[side])
            ]

    def run_epoch(self, epoch: Epoch) -> Facts:
        """Solve both sides once."""
        from cofactor.kernels.cpu.ials import Solver

        solver = Solver(*self.how(epoch))
        self._half("users", solver)
        self._half("items", solver)
        return {"loss": self.loss()}

    def solve_users(self) -> tuple[np.ndarray, np.ndarray]:
        """Solve all users against the items as they are; return both sides."""
        from cofactor.kernels.cpu.ials import Solver

        name, steps, tolerance = self.last_solve
        self._half("users", Solver(name, steps, tolerance=tolerance))
        # The engine's own memory is gone when it is closed.
        return self.x, self.y.copy()

    def _half(self, side: str, solver: Solver) -> None:
        """Solve one side given the other."""
        engine, other = self.engine, _OTHER[side]
        basis, diagonal = self._basis(other)
        where = dealt(engine.places(), len(self.shards[side]))
        turns, blocks = [*self.turns[other], basis], self.blocks[other]
        fixed = {
            place: engine.call(joined, len(turns), *turns, *blocks, at=place, private=True)
            for place in dict.fromkeys(where)
        }
        how = engine.share((self.equations, solver))
        done, old, own_turns = [], self.blocks[side], self.turns[side]
        # What nobody needs is let go of first: two versions of a side are much of the memory.
        self._here, self.blocks[side], self.grams[side] = {}, [], []
        if solver.name != "subspace":
            old = []
        for part, (shard, at) in enumerate(zip(self.shards[side], where, strict=True)):
            # Other solvers begin at zero, and don't look at what was there.
            before = (old[part], *own_turns, basis) if old else ()
            arguments = (how, shard, fixed[at], diagonal, *before)
            done.append(engine.call(solved, *arguments, returns=2, spread=True, at=at))
        self._fixed = where[0], fixed[where[0]]
        self.turns = {other: turns, side: []}
        self.blocks[side] = [block for block, _ in done]
        self.grams[side] = [gram for _, gram in done]
        engine.get(self.grams[side])  # all are done

    def _basis(self, side: str) -> tuple[Any, Any]:
        """The basis in which a side's weighted Gram matrix is diagonal, and the diagonal."""
        from cofactor.kernels.cpu.ials import eigenbasis

        parts = np.concatenate(self.engine.get(self.grams[side]))
        basis, diagonal = eigenbasis(parts, self.alpha0)
        return self.engine.share(basis), self.engine.share(diagonal)

    def _user_terms(self, users: np.ndarray, items: np.ndarray, weights: np.ndarray) -> UserTerms:
        """The same, computed by a worker that has the users' vectors."""
        place, x = self._fixed
        found, squares, penalty = self.engine.get(
            self.engine.call(terms_of_users, x, self.shared_ridge, users, at=place)
        )
        return pair_error(found, self.y[items], weights), squares, penalty

    def _pair_weights(self, some: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        values = np.ones(len(some)) if self.data.values is None else self.data.values[some]
        weights = self.equations.confidence(values)
        return weights if self.shares is None else weights * self.shares[item_rows]


def cuts(n_rows: int) -> list[int]:
    """Return where a side of so many rows is cut: its kernels' Gram sums are cut there too."""
    from cofactor.kernels.cpu.ials import DENSE_PARTS

    return [part * n_rows // DENSE_PARTS for part in range(DENSE_PARTS + 1)]


def gram(block: np.ndarray, shares: np.ndarray | None) -> np.ndarray:
    """Return a block's part of its side's Gram matrix, float32 [1, f, f]."""
    from cofactor.kernels.cpu.ials import gram_part

    return gram_part(block, shares)[None]


def joined(count: int, *arguments: np.ndarray) -> np.ndarray:
    """Return the blocks of a side as one matrix, whose rows kernels gather.

    Parameters
    ----------
    count
        How many of the arguments are bases, into which rows are turned one after the other.
    arguments
        The bases, then the blocks, of one or several parts of `cuts` each.
    """
    turns, blocks = arguments[:count], arguments[count:]
    ends = np.cumsum([len(block) for block in blocks])
    whole = aligned_empty((int(ends[-1]), blocks[0].shape[1]))
    # Part by part, since products of another number of rows may have other bits.
    for a, b in pairwise(cuts(len(whole))):
        if b > a:
            number = int(np.searchsorted(ends, a, "right"))
            first = ends[number] - len(blocks[number])
            turn_into(whole[a:b], blocks[number][a - first : b - first], *turns)
    return whole


def terms_of_users(
    x: np.ndarray, ridge: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the vectors of some users, and `weighted_squares` of all."""
    from cofactor.kernels.cpu.ials import weighted_squares

    return x[rows], *weighted_squares(x, np.ones(len(x), np.float32), ridge)


def turn_into(found: np.ndarray, block: np.ndarray, *turns: np.ndarray) -> None:
    """Write a block of vectors into ``found``, turned into each of the bases in turn."""
    from cofactor.kernels.cpu.ials import rotate_into

    if not turns:
        found[...] = block
    for number, basis in enumerate(turns):
        rotate_into(block if number == 0 else found.copy(), basis, found)


def solved(
    how: tuple[NormalEquations, Solver],
    shard: Shard,
    fixed: np.ndarray,
    diagonal: np.ndarray,
    *before: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Solve a shard's rows given the other side.

    Parameters
    ----------
    how
        What pairs weigh, and how rows are solved.
    shard
        The rows.
    fixed, diagonal
        The other side's vectors, in the basis in which their weighted Gram matrix is diagonal.
    before
        What the rows' vectors were, and the bases up to that one, for the solver that begins there.

    Returns
    -------
    tuple
        The vectors, and their part of the Gram sum.
    """
    from cofactor.kernels.cpu.ials import solve_rows
    from cofactor.kernels.reference.ials_cg import RowSystems

    equations, solver = how
    weights = _weights(equations, shard)
    system = RowSystems(shard.indptr, shard.indices, weights, fixed, diagonal, shard.ridge)
    found = aligned_empty((len(shard.indptr) - 1, fixed.shape[1]))
    if before:
        turn_into(found, *before)
    else:
        found[...] = 0
    solve_rows(system, found, shard.giants, solver, shard.first)
    return found, gram(found, shard.shares)


_ones = np.ones(0, np.float32)  # as many as the longest shard so far had interactions


def pair_weights(equations: NormalEquations, shard: Shard) -> np.ndarray:
    """Return w of a shard's interactions, float32 [n]; read-only."""
    global _ones
    count = len(shard.indices)
    if shard.values is not None:
        return equations.confidence(shard.values)
    if len(_ones) < count:
        _ones = np.ones(count, np.float32)
    return _ones[:count]


def _weights(equations: NormalEquations, shard: Shard) -> np.ndarray:
    weights = pair_weights(equations, shard)
    return weights if shard.other_shares is None else weights * shard.other_shares[shard.indices]
