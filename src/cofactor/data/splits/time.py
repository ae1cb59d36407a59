"""One point in time for all users: train on the past, evaluate on the future."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.data import moments
from cofactor.data.conversion import as_interactions
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.data.splits import cut

if TYPE_CHECKING:
    from cofactor.data.conversion import DataLike


def by_time(
    data: DataLike,
    *,
    test: float = 0.2,
    validation: float = 0.0,
    at: Any = None,
    validation_at: Any = None,
) -> Split:
    """Hold out what came last of all interactions, or what came from a moment on.

    Parameters
    ----------
    data
        The interactions, with times, or what `Recommender.fit` takes.
    test, validation
        The shares of all interactions that are held out, latest first; 0 for no validation.
        ``test`` has no meaning with ``at``, and ``validation`` none with ``validation_at``.
    at, validation_at
        Moments instead of shares: the test part is what happened at ``at`` or later, the validation
        part what happened before that at ``validation_at`` or later. Seconds since 1970, a
        datetime, or ISO text (UTC).

    Raises
    ------
    ArgumentError
        If the data has no times, or a part would be empty.

    Notes
    -----
    No training interaction is later than any held-out one. Users and items that appear only after
    the cut stay in the test part, with empty histories; `Split.known_only` leaves them out.
    """
    data = as_interactions(data)
    if data.times is None:
        raise ArgumentError(
            "a split by time needs times, and the data has none; name the column that holds them"
            " when reading, or split by 'leave-last' (which takes the order of the source) or"
            " 'random'."
        )
    in_test, test_words = _test(data, test, at)
    in_validation, validation_words = _validation(
        data, in_test, test if at is None else 0.0, validation, validation_at
    )
    sentence = f"{test_words} for test{validation_words}; {cut.TIES}."
    made = cut.known_users(data, in_test, in_validation, sentence)
    n_new = int((made.train.user_counts[made.test.user_rows] == 0).sum())
    if not n_new:
        return made
    words = f"{n_new:,} of the {len(made.test.user_rows):,} test users have no training data"
    return Split(made.train, made.test, made.validation, f"{sentence} {words}.")


def _test(data: Interactions, test: object, at: Any) -> tuple[np.ndarray, str]:
    assert data.times is not None
    if at is not None:
        moment = moments.seconds(at, "at")
        return data.times >= moment, f"All from {moments.text(moment)} on"
    share = checks.real(test, "test", above=0, below=1)
    mask = _latest(data, cut.count(share, len(data)))
    return mask, f"The latest {cut.percent(share)} of all interactions{_since(data, mask)}"


def _validation(
    data: Interactions, in_test: np.ndarray, test: float, validation: object, validation_at: Any
) -> tuple[np.ndarray | None, str]:
    assert data.times is not None
    if validation_at is not None:
        moment = moments.seconds(validation_at, "validation_at")
        return (
            data.times >= moment
        ) & ~in_test, f", what came before from {moments.text(moment)} on for validation"
    _, share = cut.shares(
        test or 0.5 * (1 - checks.real(validation, "validation", low=0, below=1)), validation
    )
    if not share:
        return None, ""
    n_validation = cut.count(share, len(data))
    mask = _latest(data, min(int(in_test.sum()) + n_validation, len(data))) & ~in_test
    return mask, f", the latest {cut.percent(share)} before{_since(data, mask)} for validation"


def _latest(data: Interactions, number: int) -> np.ndarray:
    """The latest ``number`` of all interactions, bool [n]; of equal times those later in the
    source.
    """
    times = data.times
    assert times is not None
    mask = np.zeros(len(times), bool)
    if number <= 0:
        return mask
    edge = np.partition(times, len(times) - number)[len(times) - number]
    mask[times > edge] = True
    tied = np.flatnonzero(times == edge)
    by_source = tied[np.argsort(data.order[tied], kind="stable")]
    mask[by_source[len(tied) - (number - int(mask.sum())) :]] = True
    return mask


def _since(data: Interactions, mask: np.ndarray) -> str:
    assert data.times is not None
    return f" (from {moments.text(data.times[mask].min())} on)" if mask.any() else ""
