"""Each user's last interactions: the usual split for sequence models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cofactor.base import checks
from cofactor.data.conversion import as_interactions
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.sessions import of_histories
from cofactor.data.split import Part, Split
from cofactor.data.splits import cut

if TYPE_CHECKING:
    from cofactor.data.conversion import DataLike


def leave_last(data: DataLike, *, test: int = 1, validation: int = 0) -> Split:
    """Hold out each user's last interactions.

    Parameters
    ----------
    data
        The interactions, or what `Recommender.fit` takes. Without times, the order of the source
        counts as the order of time, and the sentence says so.
    test
        How many of each user's interactions are the test part, at least 1. Users with no more than
        that stay in training.
    validation
        How many before those are the validation part; 0 for none. Users with no more than both
        together have no validation interactions.

    Notes
    -----
    One user's last interaction may be older than another user's training interactions; `by_time`
    has no such leak.
    """
    data = as_interactions(data)
    n_test = checks.integer(test, "test (how many of each user's last interactions)", low=1)
    n_validation = checks.integer(
        validation, "validation (how many of each user's, before the test part)", low=0
    )
    if data.log is not None:
        return _of_events(data, data.log, n_test, n_validation)
    held = [n_test, n_test + n_validation]
    numbers = [np.where(data.user_counts > number, number, 0) for number in held]
    in_test, held_out = cut.among_last(data, numbers, "time", 0, "leave-last")
    in_validation = held_out & ~in_test
    also = f", the {_some(n_validation)} before for validation" if n_validation else ""
    ties = cut.TIES if data.times is not None else cut.NO_TIMES
    sentence = (
        f"Each user's last {_some(n_test)} for test{also}; {ties}; users with no more than that"
        " stay in training."
    )
    return cut.known_users(data, in_test, in_validation if n_validation else None, sentence)


def _of_events(data: Interactions, log: Histories, n_test: int, n_validation: int) -> Split:
    """Hold out the last events of histories with repeats: a pair may stand on both sides."""
    after, size = log.ages, np.repeat(log.lengths, log.lengths)
    in_test = (after < n_test) & (size > n_test)
    held = n_test + n_validation
    in_validation = ~in_test & (after < held) & (size > held)
    before = of_histories(log.where(~in_test), data)
    train = of_histories(log.where(~(in_test | in_validation)), data) if n_validation else before
    sentence = (
        f"Each history's last {_some(n_test)} for test"
        + (f", the {_some(n_validation)} before for validation" if n_validation else "")
        + "; repeats are kept, and histories with no more than that stay in training."
    )
    part = Part(of_histories(log.where(in_test), data), before)
    if not n_validation:
        return Split(train, part, None, sentence)
    truth = of_histories(log.where(in_validation), data)
    return Split(train, part, Part(truth, train), sentence)


def _some(number: int) -> str:
    return "interaction" if number == 1 else f"{number:,} interactions"
