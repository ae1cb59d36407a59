"""BPR and WARP in pieces: shards of users, between which blocks of items rotate.

In a round each shard of users has one block of items to itself, so no two pieces write to the same
vectors and the result doesn't depend on the engine; after as many rounds as there are blocks each
user has been walked once with every item. A negative comes from the block of its positive, so items
are dealt into blocks again in each epoch: over epochs every item is compared with every other."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from cofactor.base import rng
from cofactor.base.engine import Engine
from cofactor.base.memory import aligned
from cofactor.base.offsets import offsets, owners_of, places_of
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.implicit.pairwise import AliasTable, Walk, alias_table
from cofactor.training.learner import Facts

BLOCKS = 4  # of users and of items; a part of the result, as the number of workers isn't

Arrays = tuple[Any, ...]


class UserShard(NamedTuple):
    """Some users who follow each other, and their interactions."""

    number: int
    indptr: np.ndarray
    item_rows: np.ndarray


class Walked(NamedTuple):
    """How an epoch is walked."""

    config: Any
    decays: Any  # float, as many as the model has
    item_counts: np.ndarray
    block_of: np.ndarray  # int8 [items]
    rate: float
    seed: int


class PieceWalk(NamedTuple):
    """What a shard of users has of a block of items, and how it is walked."""

    indptr: np.ndarray
    item_rows: np.ndarray  # int32: places in the block
    order: np.ndarray  # int32: of the users
    table: AliasTable  # of the block's items
    seed: np.uint64
    drawn: float  # how many interactions are drawn for


class RotatingBlocks:
    """The users' shards on an engine, and epochs over them.

    Parameters
    ----------
    data
        The interactions.
    engine
        What walks.
    """

    def __init__(self, data: Interactions, engine: Engine) -> None:
        self.n_items, self.item_counts, self.engine = data.n_items, data.item_counts, engine
        self.cuts = [part * data.n_users // BLOCKS for part in range(BLOCKS + 1)]
        self.shards = [
            engine.share(
                UserShard(
                    part,
                    data.indptr[a : b + 1] - data.indptr[a],
                    data.item_rows[data.indptr[a] : data.indptr[b]],
                )
            )
            for part, (a, b) in enumerate(pairwise(self.cuts))
        ]

    def walk(
        self, walked: Callable[..., Any], model: Any, walk: Walk, of_users: Arrays, of_items: Arrays
    ) -> Facts:
        """Walk once over all users with all items.

        Parameters
        ----------
        walked
            `bpr_walked` or `warp_walked`.
        model
            Whose settings and decays it follows.
        walk
            The rate and the seed.
        of_users, of_items
            What is learned of each user and each item; changed in place.

        Returns
        -------
        dict
            The mean loss, and the share of draws that were ranked right.
        """
        engine, seed = self.engine, int(walk.seed)
        block_of = rng.generator(seed, "blocks").permutation(self.n_items) % BLOCKS
        how = engine.share(
            Walked(
                model.config,
                model._decays(),
                self.item_counts,
                block_of.astype(np.int8),
                walk.rate,
                seed,
            )
        )
        rows = [np.flatnonzero(block_of == block) for block in range(BLOCKS)]
        users = [engine.share(tuple(x[a:b] for x in of_users)) for a, b in pairwise(self.cuts)]
        items = [engine.share(tuple(y[r] for y in of_items)) for r in rows]
        tallies = []
        for turn in range(BLOCKS):
            for part, shard in enumerate(self.shards):
                block = (part + turn) % BLOCKS
                users[part], items[block], tally = engine.call(
                    walked, how, shard, block, users[part], items[block], returns=3, spread=True
                )
                tallies.append(tally)
        for (a, b), found in zip(pairwise(self.cuts), engine.get(users), strict=True):
            for x, learned in zip(of_users, found, strict=True):
                x[a:b] = learned
        for r, found in zip(rows, engine.get(items), strict=True):
            for y, learned in zip(of_items, found, strict=True):
                y[r] = learned
        loss, correct, drawn = np.sum(engine.get(tallies), axis=0)
        return {"loss": float(loss / drawn), "correct": float(correct / drawn)}


def blocks_of(data: Interactions, run: Run) -> RotatingBlocks | None:
    """Return the blocks in which a run's engine walks; None where it has no engine."""
    return None if run.engine is None else RotatingBlocks(data, run.engine)


def bpr_walked(
    how: Walked, shard: UserShard, block: int, users: Arrays, items: Arrays
) -> tuple[Arrays, Arrays, np.ndarray]:
    """Walk some users with some items, by BPR.

    Parameters
    ----------
    how
        What all pieces of an epoch have in common.
    shard, block
        Which users and which items.
    users
        The users' vectors, float32 [users of the shard, factors].
    items
        Vectors and biases of the block's items.

    Returns
    -------
    tuple
        What was learned of the users and of the items, and float64 [3]: losses, right draws, and
        draws, added up.
    """
    from cofactor.kernels.cpu.bpr import bpr_epoch

    part = _part(how, shard, block)
    (x,), (y, bias) = _copied(users), _copied(items)
    walk = (part.indptr, part.item_rows, part.order, x, y, bias)
    # One thread: their number would be a part of the result.
    arguments: Arrays = (*walk, how.rate, *how.decays, *part.table, part.seed, 1)
    found = bpr_epoch(*arguments)
    return (x,), (y, bias), _tally(part, *found)


def warp_walked(
    how: Walked, shard: UserShard, block: int, users: Arrays, items: Arrays
) -> tuple[Arrays, Arrays, np.ndarray]:
    """Walk some users with some items, by WARP: as `bpr_walked`, with the sums of squares of the
    users' vectors, the items' vectors and the biases behind them.
    """
    from cofactor.kernels.cpu.warp import warp_epoch

    c, part = how.config, _part(how, shard, block)
    (x, x_squares), (y, bias, y_squares, bias_squares) = _copied(users), _copied(items)
    walk = (part.indptr, part.item_rows, part.order, x, y, bias, x_squares, y_squares, bias_squares)
    settings = (how.rate, *how.decays, c.margin, c.max_trials, c.adaptive, *part.table)
    # An item's rank is that among all items, of which the block has one in BLOCKS.
    arguments: Arrays = (*walk, *settings, part.seed, 1, BLOCKS)
    found = warp_epoch(*arguments)
    return (x, x_squares), (y, bias, y_squares, bias_squares), _tally(part, *found)


def _part(how: Walked, shard: UserShard, block: int) -> PieceWalk:
    own = np.flatnonzero(how.block_of == block)
    place = places_of(own, len(how.block_of))
    here = how.block_of[shard.item_rows] == block
    n_users = len(shard.indptr) - 1
    owners = owners_of(np.diff(shard.indptr))[here]
    sizes = np.bincount(owners, minlength=n_users)
    purpose = ("piece", shard.number, block)
    order = rng.generator(how.seed, *purpose, "order").permutation(n_users).astype(np.int32)
    return PieceWalk(
        offsets(sizes),
        place[shard.item_rows[here]],
        order,
        alias_table(how.item_counts[own], how.config),
        np.uint64(rng.state64(how.seed, *purpose, "draws")),
        float(sizes[sizes < len(own)].sum()),
    )


def _copied(arrays: Arrays) -> Arrays:
    return tuple(aligned(array.copy()) for array in arrays)


def _tally(part: PieceWalk, loss: float, correct: float) -> np.ndarray:
    return np.array([loss * part.drawn, correct * part.drawn, part.drawn])
