"""Implicit ALS in shards of users that never move: hosts exchange sums over their users instead.

The users' half-epoch is that of `ials_sharded`. In the items' half-epoch the conjugate gradients of
all items run at once: each worker multiplies with the vectors of its own users (`summed`), the sums
of all workers meet where a block of items is (`begun`, `stepped`, `ended`), and the items' next
directions go back to the workers. With f factors, I items, s steps and P workers a worker receives
(2 s + 1) I f 4 (P - 1) / P bytes, however many users there are.

Sums are added up along one tree over the shards of users, whichever worker has which, so that the
number of workers isn't part of the result. It differs from that of one process by rounding."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cofactor.base.engine import Engine, dealt
from cofactor.base.errors import ArgumentError
from cofactor.base.offsets import offsets
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.implicit.ials_learner import UserTerms, user_terms
from cofactor.models.implicit.ials_sharded import Shard, ShardedIALSLearner, joined
from cofactor.models.implicit.ials_sums import (
    ItemBlock,
    Span,
    begun,
    ended,
    giant_sums,
    stepped,
    summed,
    transposed,
    whole_spans,
)
from cofactor.models.implicit.normal_equations import NormalEquations

if TYPE_CHECKING:
    from cofactor.kernels.cpu.ials import Solver

USERS_PER_ITEM = 7  # from here on sums are less to send than vectors: (U + I) against 8 I


class Group(NamedTuple):
    """What is together at a place."""

    place: str
    span: Span  # shards of users, and parts of the items
    items: Any  # the result that stands for those items' `ItemBlock`


class ReducedIALSLearner(ShardedIALSLearner):
    """Both sides in turn; see `ShardedIALSLearner` for the parameters."""

    way = "sums over users"

    def __init__(
        self, equations: NormalEquations, data: Interactions, run: Run, engine: Engine
    ) -> None:
        from cofactor.kernels.cpu.ials import giant_rows

        super().__init__(equations, data, run, engine)
        self.giants = giant_rows(offsets(data.item_counts))
        how, shards = engine.share((equations, self.giants)), self.shards["users"]
        self.item_major = [
            engine.call(transposed, how, shard, data.n_items, at=at)
            for shard, at in zip(shards, dealt(engine.places(), len(shards)), strict=True)
        ]
        self._groups: list[Group] = []

    def _sides(self) -> dict[str, tuple[Any, ...]]:
        # Items' interactions are with their users.
        return {"users": (self.data.indptr, self.data.item_rows, self._values(), self.user_ridge)}

    def _half(self, side: str, solver: Solver) -> None:
        if side == "users":
            super()._half(side, solver)
            return
        basis, diagonal = self._basis("users")
        rotated = self._turn("users", basis)
        self._deal(len(rotated))
        exchange = _Exchange(self, self._groups, rotated, diagonal)
        states = exchange.states(begun, exchange.sums("right_sides", []))
        for _ in range(solver.steps - 1):
            found = exchange.sums("products", [state[2] for state in states])
            states = exchange.states(stepped, found, states)
        last = exchange.sums("squares", [state[2] for state in states])
        done = exchange.states(ended, last, states, exchange.giants())
        self._here = {}
        self.blocks = {"users": rotated, "items": [block for block, _ in done]}
        self.turns = {"users": [], "items": []}
        self.grams["items"] = [grams for _, grams in done]
        self.engine.get(self.grams["items"])  # all are done

    def _user_terms(self, users: np.ndarray, items: np.ndarray, weights: np.ndarray) -> UserTerms:
        """The same, computed where the users are; hosts need the items' blocks anyway."""
        cuts, blocks, shards = self.cuts["users"], self.blocks["users"], self.shards["users"]
        bounds = np.searchsorted(users, cuts)
        where = dealt(self.engine.places(), len(blocks))
        terms = []
        for part, (a, b) in enumerate(pairwise(bounds)):
            pairs = (users[a:b] - cuts[part]).astype(np.int32), items[a:b], weights[a:b]
            arguments = (blocks[part], shards[part], self.engine.share(pairs))
            arguments += tuple(self.blocks["items"])
            terms.append(self.engine.call(terms_of_shard, *arguments, at=where[part]))
        observed, grams, penalties = zip(*self.engine.get(terms), strict=True)
        return sum(observed), np.sum(grams, axis=0), sum(penalties)

    def _turn(self, side: str, basis: Any) -> list[Any]:
        """A side's blocks in a basis, each where it is."""
        blocks = self.blocks[side]
        where = dealt(self.engine.places(), len(blocks))
        turns = [*self.turns[side], basis]
        return [
            self.engine.call(joined, len(turns), *turns, block, at=at)
            for block, at in zip(blocks, where, strict=True)
        ]

    def _deal(self, count: int) -> None:
        """Say which shards of users, and which of as many parts of the items, are together."""
        places = self.engine.places()
        workers = min(len(places), count)
        # As `dealt` does it: part p is at worker p * workers // count.
        starts = [-(-worker * count // workers) for worker in range(workers + 1)]
        dealt_now = list(zip(dealt(places, workers), pairwise(starts), strict=True))
        if dealt_now != [(group.place, group.span) for group in self._groups]:
            spans = [span for _, group in dealt_now for span in whole_spans(*group)]
            self._groups = [
                Group(place, span, self.engine.share(self._block(span, spans)))
                for place, span in dealt_now
            ]

    def _block(self, span: Span, spans: list[Span]) -> ItemBlock:
        cuts = self.cuts["items"][span[0] : span[1] + 1]
        a, b = cuts[0], cuts[-1]
        own = (self.giants >= a) & (self.giants < b)
        return ItemBlock(
            first=a,
            counts=self.data.item_counts[a:b],
            ridge=self.solved_ridge[a:b],
            giants=self.giants[own] - a,
            giant_numbers=np.flatnonzero(own),
            spans=spans,
            cuts=[cut - a for cut in cuts],
            shares=self.own_shares[span[0] : span[1]],
        )


def terms_of_shard(
    block: np.ndarray, shard: Shard, pairs: tuple[np.ndarray, ...], *item_blocks: np.ndarray
) -> UserTerms:
    """Return the `user_terms` of a shard of users; ``pairs`` are rows of it, items and weights."""
    rows, items, weights = pairs
    ends = np.cumsum([len(some) for some in item_blocks])
    vectors = np.empty((len(items), block.shape[1]), np.float32)
    for some, end in zip(item_blocks, ends, strict=True):
        own = (items < end) & (items >= end - len(some))
        vectors[own] = some[items[own] - (end - len(some))]
    return user_terms(block, shard.ridge, rows, vectors, weights)


class _Exchange:
    """The rounds of an items' half-epoch: sums over users at each place, and their totals."""

    def __init__(
        self, learner: ReducedIALSLearner, groups: list[Group], vectors: list[Any], diagonal: Any
    ) -> None:
        self.engine, self.groups, self.diagonal = learner.engine, groups, diagonal
        cuts, item_major = learner.cuts["items"], learner.item_major
        self.ends = [cuts[group.span[0]] for group in groups] + [cuts[-1]]
        self.n_giants = len(learner.giants)
        self.own = [  # of each place: its shards of users
            [one for shard in range(*group.span) for one in (item_major[shard], vectors[shard])]
            for group in groups
        ]

    def sums(self, kind: str, directions: list[Any]) -> list[list[Any]]:
        """For each block of items what all places found, given the blocks' directions."""
        found: list[list[Any]] = [[] for _ in self.groups]
        for group, own in zip(self.groups, self.own, strict=True):
            how = (kind, group.span, self.ends)
            returns = len(self.groups) * len(whole_spans(*group.span))
            for number, result in enumerate(
                self._results(group, summed, returns, how, *directions, *own)
            ):
                found[number % len(self.groups)].append(result)
        return found

    def states(
        self,
        function: Any,
        sums: list[list[Any]],
        states: list[Any] | None = None,
        giants: list[Any] | None = None,
    ) -> list[list[Any]]:
        """What a round leaves of each block of items, where that is."""
        made = []
        for number, group in enumerate(self.groups):
            returns = 4 if giants is None else 2
            before = [] if states is None else states[number]
            arguments = (group.items, self.diagonal, *before, *sums[number], *(giants or []))
            made.append(self._results(group, function, returns, *arguments))
        return made

    def giants(self) -> list[Any]:
        """The normal equations of giant items over the users of each place, if there are any."""
        found = []
        for group, own in zip(self.groups, self.own, strict=True):
            if self.n_giants:
                returns = len(whole_spans(*group.span))
                found += self._results(group, giant_sums, returns, group.span, *own)
        return found

    def _results(self, group: Group, function: Any, returns: int, *arguments: Any) -> list[Any]:
        found = self.engine.call(function, *arguments, returns=returns, at=group.place)
        return list(found) if returns > 1 else [found]


def reduces(exchange: str, equations: NormalEquations, data: Interactions, run: Run) -> bool:
    """Return whether sums are exchanged instead of vectors, and say so.

    Raises
    ------
    ArgumentError
        If it shall be so with another solver than conjugate gradients.
    """
    by_cg = equations.config.solver == "cg"
    if exchange == "reduce" and not by_cg:
        raise ArgumentError(
            f"exchange='reduce' needs the solver cg (conjugate gradients), not"
            f" {equations.config.solver}; set solver=cg, or leave the exchange out."
        )
    if exchange != "reduce" and not (
        exchange == "auto" and by_cg and data.n_users > USERS_PER_ITEM * data.n_items
    ):
        return False
    run.progress.say(
        f"{data.n_users:,} users of {data.n_items:,} items: workers exchange sums, and users stay"
        " where they are (exchange reduce)"
    )
    return True
