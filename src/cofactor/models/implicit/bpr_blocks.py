"""BPR in pieces: shards of users, between which blocks of items rotate.

In a round each shard of users has one block of items to itself, so no two pieces write to the same
vectors and the result doesn't depend on the engine; after as many rounds as there are blocks each
user has been walked once with every item. A negative comes from the block of its positive, so items
are dealt into blocks again in each epoch: over epochs every item is compared with every other."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from cofactor.base import rng
from cofactor.base.engine import Engine
from cofactor.base.memory import aligned
from cofactor.base.offsets import offsets
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.implicit.pairwise import Walk, WalkLearner, alias_table
from cofactor.training.learner import Facts

BLOCKS = 4  # of users and of items; a part of the result, as the number of workers isn't


class UserShard(NamedTuple):
    """Some users who follow each other, and their interactions."""

    number: int
    indptr: np.ndarray
    item_rows: np.ndarray


class Walked(NamedTuple):
    """How an epoch is walked."""

    config: Any
    decays: tuple[float, float, float, float]
    item_counts: np.ndarray
    block_of: np.ndarray  # int8 [items]
    rate: float
    seed: int


class BlockedBPRLearner(WalkLearner):
    """One negative for every interaction, in blocks on an engine.

    Parameters
    ----------
    model
        Its arrays are set to where learning starts, and then learned in place.
    data, run
        On what, with which seed, and on which engine.
    """

    def __init__(self, model: Any, data: Interactions, run: Run) -> None:
        super().__init__(model, data, run)
        assert run.engine is not None
        self.engine: Engine = run.engine
        self.cuts = [part * data.n_users // BLOCKS for part in range(BLOCKS + 1)]
        self.shards = [
            self.engine.share(
                UserShard(
                    part,
                    data.indptr[a : b + 1] - data.indptr[a],
                    data.item_rows[data.indptr[a] : data.indptr[b]],
                )
            )
            for part, (a, b) in enumerate(pairwise(self.cuts))
        ]

    def walk(self, walk: Walk) -> Facts:
        """Return the mean loss, and the share of draws that were ranked right."""
        engine, model, seed = self.engine, self.model, int(walk.seed)
        block_of = rng.generator(seed, "blocks").permutation(self.data.n_items) % BLOCKS
        how = engine.share(
            Walked(
                model.config,
                model._decays(),
                self.data.item_counts,
                block_of.astype(np.int8),
                walk.rate,
                seed,
            )
        )
        rows = [np.flatnonzero(block_of == block) for block in range(BLOCKS)]
        users = [engine.share(model.user_factors[a:b]) for a, b in pairwise(self.cuts)]
        items = [engine.share((model.item_factors[r], model.item_bias[r])) for r in rows]
        tallies = []
        for turn in range(BLOCKS):
            for part, shard in enumerate(self.shards):
                block = (part + turn) % BLOCKS
                users[part], items[block], tally = engine.call(
                    walked, how, shard, block, users[part], items[block], returns=3, spread=True
                )
                tallies.append(tally)
        for (a, b), found in zip(pairwise(self.cuts), engine.get(users), strict=True):
            model.user_factors[a:b] = found
        for r, (vectors, bias) in zip(rows, engine.get(items), strict=True):
            model.item_factors[r], model.item_bias[r] = vectors, bias
        sums = np.sum(engine.get(tallies), axis=0)
        return {"loss": float(sums[0] / sums[2]), "correct": float(sums[1] / sums[2])}


def walked(
    how: Walked,
    shard: UserShard,
    block: int,
    users: np.ndarray,
    items: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Walk some users with some items.

    Parameters
    ----------
    how
        What all pieces of an epoch have in common.
    shard, block
        Which users and which items.
    users
        float32 [users of the shard, factors].
    items
        Vectors and biases of the block's items.

    Returns
    -------
    tuple
        The users' vectors, the items' vectors and biases, and float64 [3]: losses, right draws, and
        draws, added up.
    """
    from cofactor.kernels.cpu.bpr import bpr_epoch

    own = np.flatnonzero(how.block_of == block)
    place = np.zeros(len(how.block_of), np.int32)
    place[own] = np.arange(len(own), dtype=np.int32)
    here = how.block_of[shard.item_rows] == block
    owners = np.repeat(np.arange(len(users)), np.diff(shard.indptr))[here]
    sizes = np.bincount(owners, minlength=len(users))
    x, y, bias = aligned(users.copy()), aligned(items[0].copy()), items[1].copy()
    purpose = ("piece", shard.number, block)
    order = rng.generator(how.seed, *purpose, "order").permutation(len(users)).astype(np.int32)
    loss, correct = bpr_epoch(
        offsets(sizes),
        place[shard.item_rows[here]],
        order,
        x,
        y,
        bias,
        how.rate,
        *how.decays,
        *alias_table(how.item_counts[own], how.config),
        np.uint64(rng.state64(how.seed, *purpose, "draws")),
        1,  # the number of threads would be a part of the result
    )
    drawn = float(sizes[sizes < len(own)].sum())
    return x, (y, bias), np.array([loss * drawn, correct * drawn, drawn])
