"""Helpers of the rules: checked shares, ranks within users, parts from masks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cofactor.base import checks, rng
from cofactor.base.errors import ArgumentError
from cofactor.base.offsets import row_blocks
from cofactor.data import sorting
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part, Split

TIES = "equal times are ordered by position in the source"
NO_TIMES = "the data has no times, so the order of the source is taken as time"


def shares(test: object, validation: object) -> tuple[float, float]:
    """Return both shares as floats; raise ArgumentError unless test is in (0, 1), validation in
    [0, 1), sum below 1.
    """
    test_share = checks.real(test, "test", above=0, below=1)
    validation_share = checks.real(validation, "validation", low=0, below=1)
    if test_share + validation_share >= 1:
        raise ArgumentError(
            f"test ({test_share:g}) and validation ({validation_share:g}) must leave something to"
            " train on: their sum must be below 1."
        )
    return test_share, validation_share


def count(share: float, total: int) -> int:
    """Return a share of a total as a whole number, halves rounded up."""
    return math.floor(share * total + 0.5)


def counts(share: float, totals: np.ndarray) -> np.ndarray:
    """Return a share of each of some totals as `count` does, int64."""
    return np.floor(share * totals + 0.5).astype(np.int64)


def held_out(
    eligible: np.ndarray, shares: tuple[float, float], seed: int, purpose: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return which of some rows are drawn for test and for validation."""
    n_test, n_validation = (count(share, len(eligible)) for share in shares)
    drawn = rng.generator(seed, "split", purpose).permutation(eligible)
    return drawn[:n_test], drawn[n_test : n_test + n_validation]


def among(rows: np.ndarray, chosen: np.ndarray, total: int) -> np.ndarray:
    """Return which of some rows are among the chosen ones (of a total), bool [n]."""
    found: np.ndarray = marked(chosen, total)[rows]
    return found


def marked(chosen: np.ndarray, total: int) -> np.ndarray:
    """Return a mask of the chosen ones of a total, bool [total]."""
    mask = np.zeros(total, bool)
    mask[chosen] = True
    return mask


def percent(share: float) -> str:
    """Return a share as text: ``20 %``."""
    return f"{share * 100:.10g} %"


def among_last(
    data: Interactions, numbers: Sequence[np.ndarray], order: str, seed: int, purpose: str
) -> list[np.ndarray]:
    """Return which interactions are among the last of their user: for each of several numbers per
    user, int64 [n_users], a mask, bool [n].

    ``order`` is ``"time"`` (latest last) or ``"random"``. Users are looked at in blocks, so that
    data larger than memory needs little of it."""
    masks = [np.empty(len(data), bool) for _ in numbers]
    # Drawn over CSR positions, so the same data in another order of lines is cut alike.
    draw = rng.generator(seed, "split", purpose)
    for first, last in row_blocks(data.indptr):
        own = data.indptr[first : last + 1]
        here, own = slice(int(own[0]), int(own[-1])), own - own[0]
        if order == "time":
            rest = [None if c is None else c[here] for c in (data.source_order, data.times)]
            positions = sorting.chronological(own, *rest)
        else:
            # The bits of numbers that aren't negative are in the order of the numbers.
            keys = draw.random(int(own[-1])).view(np.int64)
            positions = sorting.chronological(own, None, keys)
        counts = np.diff(own)
        ranks = np.empty(len(positions), np.int64)  # from the end: 0 is the last
        ranks[positions] = np.repeat(own[1:], counts) - 1 - np.arange(len(positions))
        for mask, number in zip(masks, numbers, strict=True):
            mask[here] = ranks < np.repeat(number[first:last], counts)
    return masks


def order_words(data: Interactions, order: str) -> str:
    """The order within a user, for the sentence."""
    if order == "random":
        return "drawn at random"
    return f"the latest ({TIES if data.times is not None else NO_TIMES})"


def seeded(sentence: str, seed: int) -> str:
    """The sentence with its seed."""
    return f"{sentence} (seed {seed})."


def known_users(
    data: Interactions, test: np.ndarray, validation: np.ndarray | None, sentence: str
) -> Split:
    """Build a split in which all users are trained on: the histories of both parts are the training
    part.

    Parameters
    ----------
    test, validation
        bool [n]: what is held out; disjoint.
    """
    train = data.where(
        nonempty(~test if validation is None else ~(test | validation), "training", data)
    )
    part = Part(data.where(nonempty(test, "test", data)), train)
    if validation is None:
        return Split(train, part, None, sentence)
    return Split(
        train, part, Part(data.where(nonempty(validation, "validation", data)), train), sentence
    )


def nonempty(mask: np.ndarray, name: str, data: Interactions) -> np.ndarray:
    """Return the mask, or refuse it if it holds nothing."""
    if mask.any():
        return mask
    raise ArgumentError(
        f"the {name} part would be empty: {len(data):,} interactions of {data.n_users:,} users are"
        " too few for this rule and share; use the rule 'random' or a larger share, or hold nothing"
        " out (a share of 0)."
    )
