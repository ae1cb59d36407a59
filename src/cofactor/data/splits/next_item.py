"""Splits for next-item prediction: whole sessions held out, or one point in time for all users with
their earlier events as context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cofactor.base.errors import ArgumentError
from cofactor.base.offsets import offsets
from cofactor.data import moments
from cofactor.data.conversion import as_interactions
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.sessions import of_histories, part_of, prefixes_of, questions
from cofactor.data.split import Part, Split
from cofactor.data.splits import cut

if TYPE_CHECKING:
    from cofactor.data.conversion import DataLike


def by_session(data: DataLike, *, test: float = 0.1, validation: float = 0.0) -> Split:
    """Hold out the latest sessions as a whole; the next item of each of their prefixes is to be
    predicted.

    Parameters
    ----------
    data
        Whose users are sessions (see `cofactor.data.sessions`).
    test, validation
        The shares of the sessions that are held out, the latest first; by their last event, or by
        their rows where there are no times. 0 for no validation.

    Returns
    -------
    Split
        Whose parts are answered by fold-in.
    """
    data = as_interactions(data)
    test_share, validation_share = cut.shares(test, validation)
    histories = data.histories()
    some = histories.by_last_event()
    n_test, n_validation = (cut.count(share, len(some)) for share in (test_share, validation_share))
    if not n_test or n_test + n_validation >= len(some):
        raise ArgumentError(
            f"of {len(some):,} sessions {n_test:,} would be for test and {n_validation:,} for"
            " validation; each part, and training, must have one."
        )
    end = len(some) - n_test
    train = data.where(cut.among(data.user_rows, some[: end - n_validation], data.n_users))
    items, about = data.items, data.catalogue
    latest, before = some[end:], some[end - n_validation : end]
    part = questions(histories.take(latest), items, about, data.users.take(latest))
    order = "by their last event" if histories.times is not None else "in the order of the source"
    sentence = (
        f"The latest {cut.percent(test_share)} of all sessions ({order}) held out whole for test"
        + (f", {cut.percent(validation_share)} before for validation" if n_validation else "")
        + "; the next item of every prefix is predicted."
    )
    if not n_validation:
        return Split(train, part, None, sentence)
    held = questions(histories.take(before), items, about, data.users.take(before))
    return Split(train, part, held, sentence)


def next_after(
    data: DataLike,
    *,
    test: float = 0.2,
    validation: float = 0.0,
    at: Any = None,
    every: bool = False,
) -> Split:
    """Train on the events before a point in time; each user's next item after it is to be
    predicted.

    No training event is later than a test event, so nothing is learned from the future, which can
    happen if each user's last event is held out.

    Parameters
    ----------
    data
        With times.
    test, validation
        The shares of all events that come after the moments, latest first; 0 for no validation.
    at
        The moment of the test instead of a share: seconds since 1970, a datetime, or ISO text.
    every
        Whether every event after the moment is asked for, with all of the user's events before it
        as context, instead of each user's first one.

    Raises
    ------
    ArgumentError
        If the data has no times, or a part would be empty.
    """
    data = as_interactions(data)
    histories = data.histories()
    times = histories.times
    if times is None:
        raise ArgumentError(
            "a cut by time needs times, and the data has none; name the column that holds them"
            " when reading, or use leave_last, which takes the order of the source."
        )
    test_share, validation_share = cut.shares(test, validation)
    end = moments.seconds(at, "at") if at is not None else _moment(times, test_share)
    before = times < end
    # The validation part simulates the test: it is cut out of what the test leaves.
    start = _moment(times[before], validation_share / (1 - test_share)) if validation_share else end
    train = of_histories(histories.where(times < start), data)
    if not len(train):
        raise ArgumentError("the training part would be empty; ask for smaller shares.")
    part, n_new = _questions(histories, data, end, every)
    sentence = (
        f"Training before {moments.text(start)}; the {'events' if every else 'first event'} of each"
        f" user from {moments.text(end)} on for test, with all before as context; {n_new:,} users"
        " without any event before it are left out."
    )
    if start == end:
        return Split(train, part, None, sentence)
    middle, _ = _questions(histories.where(before), data, start, every)
    return Split(train, part, middle, sentence + " Validation likewise, between the two moments.")


def _moment(times: np.ndarray, share: float) -> int:
    """The moment from which the latest share of the events comes; equal times stay together."""
    ordered = np.sort(times)
    return int(ordered[len(ordered) - max(1, cut.count(share, len(ordered)))])


def _questions(
    histories: Histories, data: Interactions, moment: int, every: bool
) -> tuple[Part, int]:
    """The questions from a moment on, and how many users with events after it had none before."""
    assert histories.times is not None
    known = offsets(histories.times < moment)[histories.indptr]
    n_before = np.diff(known)
    after = histories.lengths - n_before
    users = np.flatnonzero((n_before > 0) & (after > 0))
    n_new = int(((n_before == 0) & (after > 0)).sum())
    if not len(users):
        raise ArgumentError(
            f"no user has events both before and after {moments.text(moment)}; choose another."
        )
    counts = after[users] if every else np.ones(len(users), np.int64)
    prefixes, targets = prefixes_of(histories, users, n_before[users], counts)
    owners = data.users.take(np.repeat(users, counts))
    return part_of(prefixes, targets, data.items, data.catalogue, owners), n_new
