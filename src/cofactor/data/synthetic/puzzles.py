"""Small data with a known right answer, for tests that can fail."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from cofactor.base import checks, rng
from cofactor.data.catalogue import Catalogue
from cofactor.data.interactions import Interactions


@dataclass(frozen=True)
class Puzzle:
    """Interactions that leave each user one right answer.

    Parameters
    ----------
    data
        The interactions; the catalogue describes each item's block in words.
    answers
        int32 [n_users]: the item that must come first among those a user hasn't seen.
    user_blocks, item_blocks
        int32 [n_users] and [n_items]: the block of each.
    """

    data: Interactions
    answers: np.ndarray
    user_blocks: np.ndarray
    item_blocks: np.ndarray


def blocks(
    n_users: int = 40, n_items: int = 24, n_blocks: int = 2, *, rated: bool = False, seed: int = 0
) -> Puzzle:
    """Make users who like the items of their own block only, and have had all of them but one.

    With two blocks, rows and columns alternate: a checkerboard. The one that is missing is the
    right answer: all other users of the block (but those who miss the same one) have it, and nobody
    of another block.

    Parameters
    ----------
    n_users, n_items
        At least two users more than items to a block is best; a block must hold two users and three
        items.
    n_blocks
        From 1.
    rated
        Whether the data are ratings: 5 for the items of the own block, and 1 for a third of the
        others.
    seed
        Of which items of other blocks are rated, and of the order in time.
    """
    n_blocks = checks.integer(n_blocks, "n_blocks", low=1)
    n_users = checks.integer(n_users, "n_users", low=2 * n_blocks)
    n_items = checks.integer(n_items, "n_items", low=3 * n_blocks)
    user_blocks = (np.arange(n_users) % n_blocks).astype(np.int32)
    item_blocks = (np.arange(n_items) % n_blocks).astype(np.int32)
    block_sizes = np.bincount(item_blocks, minlength=n_blocks)
    nth_of_block = np.arange(n_users) // n_blocks
    answers = (user_blocks + n_blocks * (nth_of_block % block_sizes[user_blocks])).astype(np.int32)
    own = user_blocks[:, None] == item_blocks[None, :]  # [n_users, n_items]
    taken = own.copy()
    taken[np.arange(n_users), answers] = False
    generator = rng.generator(seed, "synthetic", "blocks")
    if rated:
        taken |= ~own & (generator.random(own.shape) < 1 / 3)
    users, items = np.nonzero(taken)
    values = np.where(own[users, items], 5, 1).astype(np.float32) if rated else None
    times = generator.permutation(len(users)).astype(np.int64)
    data = Interactions.from_rows(
        users, items, values, times, users=n_users, items=n_items, source="blocks"
    )
    return Puzzle(
        replace(data, catalogue=_described(item_blocks)), answers, user_blocks, item_blocks
    )


@dataclass(frozen=True)
class LowRank:
    """Ratings of a matrix that is known in full.

    Parameters
    ----------
    data
        The ratings that are seen.
    truth
        float64 [n_users, n_items]: all ratings, without the noise.
    """

    data: Interactions
    truth: np.ndarray


def low_rank(
    n_users: int = 60,
    n_items: int = 45,
    rank: int = 3,
    *,
    density: float = 0.5,
    noise: float = 0.0,
    mean: float = 3.0,
    seed: int = 0,
) -> LowRank:
    """Make ratings ``r = mean + x_u · y_i + noise`` with vectors of a small rank.

    Parameters
    ----------
    n_users, n_items
        The shape.
    rank
        The length of the vectors, from 1; x and y are scaled so that the product has unit variance.
    density
        The share of pairs that is seen, in (0, 1]; every user and every item is seen at least once.
    noise
        The standard deviation of what can't be predicted.
    mean
        The mean rating.
    seed
        Of everything.
    """
    n_users = checks.integer(n_users, "n_users", low=1)
    n_items = checks.integer(n_items, "n_items", low=1)
    rank = checks.integer(rank, "rank", low=1)
    density = checks.real(density, "density", above=0, high=1)
    noise = checks.real(noise, "noise", low=0)
    generator = rng.generator(seed, "synthetic", "low rank")
    x = generator.standard_normal((n_users, rank)) / rank**0.25
    y = generator.standard_normal((n_items, rank)) / rank**0.25
    truth = mean + x @ y.T  # [n_users, n_items]
    seen = generator.random(truth.shape) < density
    seen[np.arange(n_users), np.arange(n_users) % n_items] = True
    seen[np.arange(n_items) % n_users, np.arange(n_items)] = True
    users, items = np.nonzero(seen)
    values = truth[users, items] + noise * generator.standard_normal(len(users))
    times = generator.permutation(len(users)).astype(np.int64)
    data = Interactions.from_rows(
        users,
        items,
        values.astype(np.float32),
        times,
        users=n_users,
        items=n_items,
        source="low rank",
    )
    return LowRank(data, truth)


_COLOURS = (
    "red",
    "green",
    "blue",
    "white",
    "black",
    "yellow",
    "violet",
    "orange",
    "silver",
    "brown",
)


def _described(item_blocks: np.ndarray) -> Catalogue:
    if item_blocks.max() >= len(_COLOURS):
        names = [f"kind {block}" for block in item_blocks]
    else:
        names = [_COLOURS[block] for block in item_blocks]
    titles = [f"{name.capitalize()} stone {row}" for row, name in enumerate(names)]
    texts = [f"A stone of {name} colour, found where {name} stones lie." for name in names]
    return Catalogue(pa.table({"title": titles, "description": texts, "colour": names}), "title")
