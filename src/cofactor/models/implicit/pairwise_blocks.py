"""BPR and WARP in pieces: shards of users, between which blocks of items rotate.

In a round each shard of users has one block of items to itself, so no two pieces write to the same
vectors and the result doesn't depend on the engine; after as many rounds as there are blocks each
user has been walked once with every item. A negative comes from the block of its positive, so items
are dealt into blocks again in each epoch: over epochs every item is compared with every other."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np

from cofactor.base import rng
from cofactor.base.engine import Engine
from cofactor.base.memory import aligned
from cofactor.base.offsets import offsets, owners_of, places_of
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.implicit.pairwise import AliasTable, Walk, WalkLearner, alias_table
from cofactor.training.learner import Facts

BLOCKS = 4  # of users and of items; a part of the result, as the number of workers isn't

Arrays = tuple[Any, ...]
# steps(config, walk, users, items, decays, table, share=1) takes the steps of a walk in place, and
# returns the mean loss and the share of draws that were ranked right; an item's rank is among
# ``share`` times as many items as there are.
Steps = Callable[..., tuple[float, float]]


class UserShard(NamedTuple):
    """Some users who follow each other, and their interactions."""

    number: int
    indptr: np.ndarray
    item_rows: np.ndarray


class Walked(NamedTuple):
    """How an epoch is walked."""

    steps: Steps
    config: Any
    decays: Any  # float, as many as the model has
    item_counts: np.ndarray
    block_of: np.ndarray  # int8 [items]
    rate: float
    seed: int


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
        self, steps: Steps, model: Any, walk: Walk, of_users: Arrays, of_items: Arrays
    ) -> Facts:
        """Walk once over all users with all items.

        Parameters
        ----------
        steps
            What a walk does.
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
                steps,
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


class SampledLearner(WalkLearner):
    """One that draws negatives for every interaction, users in a random order; in blocks where the
    run has an engine.
    """

    take_steps: ClassVar[Steps]  # a staticmethod

    def __init__(self, model: Any, data: Interactions, run: Run) -> None:
        super().__init__(model, data, run)
        self.blocks = None if run.engine is None else RotatingBlocks(data, run.engine)

    @abstractmethod
    def sides(self) -> tuple[Arrays, Arrays]:
        """Return what is learned of each user, and of each item, live."""

    def walk(self, walk: Walk) -> Facts:
        """Return the mean loss, and the share of draws that were ranked right."""
        model, (users, items) = self.model, self.sides()
        if self.blocks is not None:
            return self.blocks.walk(self.take_steps, model, walk, users, items)
        table = (model.negative_threshold, model.negative_alias)
        loss, correct = self.take_steps(model.config, walk, users, items, model._decays(), table)
        return {"loss": float(loss), "correct": float(correct)}


def walked(
    how: Walked, shard: UserShard, block: int, users: Arrays, items: Arrays
) -> tuple[Arrays, Arrays, np.ndarray]:
    """Walk some users with some items.

    Parameters
    ----------
    how
        What all pieces of an epoch have in common.
    shard, block
        Which users and which items.
    users, items
        What is learned of each of them.

    Returns
    -------
    tuple
        What was learned of the users and of the items, and float64 [3]: losses, right draws, and
        draws, added up.
    """
    walk, table, drawn = _part(how, shard, block)
    users, items = _copied(users), _copied(items)
    loss, correct = how.steps(how.config, walk, users, items, how.decays, table, BLOCKS)
    return users, items, np.array([loss * drawn, correct * drawn, drawn])


def _part(how: Walked, shard: UserShard, block: int) -> tuple[Walk, AliasTable, float]:
    """What a shard of users has of a block of items, at places in the block, the distribution of
    its negatives, and for how many interactions one is drawn.
    """
    own = np.flatnonzero(how.block_of == block)
    place = places_of(own, len(how.block_of))
    here = how.block_of[shard.item_rows] == block
    n_users = len(shard.indptr) - 1
    owners = owners_of(np.diff(shard.indptr))[here]
    sizes = np.bincount(owners, minlength=n_users)
    purpose = ("piece", shard.number, block)
    order = rng.generator(how.seed, *purpose, "order").permutation(n_users).astype(np.int32)
    walk = Walk(
        offsets(sizes),
        place[shard.item_rows[here]],
        order,
        how.rate,
        np.uint64(rng.state64(how.seed, *purpose, "draws")),
        1,  # thread: their number would be a part of the result
    )
    table = alias_table(how.item_counts[own], how.config)
    return walk, table, float(sizes[sizes < len(own)].sum())


def _copied(arrays: Arrays) -> Arrays:
    return tuple(aligned(array.copy()) for array in arrays)
