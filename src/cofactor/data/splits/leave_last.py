"""Each user's last interactions: the usual split for sequence models."""

from __future__ import annotations

from cofactor.base import checks
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.data.splits import cut


def leave_last(data: Interactions, *, test: int = 1, validation: int = 0) -> Split:
    """Hold out each user's last interactions.

    Parameters
    ----------
    data
        The interactions. Without times, the order of the source stands for time, and the sentence
        says so.
    test
        How many of each user's are the test part, from 1. Users who don't have more than that stay
        in training.
    validation
        How many before those are the validation part; 0 for none. Users who don't have more than
        both together give none to it.

    Notes
    -----
    One user's last interaction may be older than what another's training holds; `by_time` has no
    such leak.
    """
    n_test = checks.integer(test, "test (how many of each user's last interactions)", low=1)
    n_validation = checks.integer(
        validation, "validation (how many of each user's, before the test part)", low=0
    )
    ranks, counts = cut.from_end(data, "time", 0, "leave-last"), data.user_counts[data.user_rows]
    in_test = (ranks < n_test) & (counts > n_test)
    in_validation = (
        (ranks >= n_test) & (ranks < n_test + n_validation) & (counts > n_test + n_validation)
    )
    also = f", the {_some(n_validation)} before for validation" if n_validation else ""
    ties = cut.TIES if data.times is not None else cut.NO_TIMES
    sentence = (
        f"Each user's last {_some(n_test)} for test{also}; {ties}; users with no more than that"
        " stay in training."
    )
    return cut.known_users(data, in_test, in_validation if n_validation else None, sentence)


def _some(number: int) -> str:
    return "interaction" if number == 1 else f"{number:,} interactions"
