"""Splitting data by the name of a rule."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cofactor.base import checks
from cofactor.base.names import unknown_name
from cofactor.data.split import Split
from cofactor.data.splits.cold_items import by_items
from cofactor.data.splits.leave_last import leave_last
from cofactor.data.splits.next_item import by_session, next_after
from cofactor.data.splits.per_user import per_user
from cofactor.data.splits.random import by_random
from cofactor.data.splits.time import by_time
from cofactor.data.splits.users import by_users

if TYPE_CHECKING:
    from cofactor.data.conversion import DataLike

RULES: dict[str, Callable[..., Split]] = {
    "time": by_time,
    "random": by_random,
    "per-user": per_user,
    "leave-last": leave_last,
    "users": by_users,
    "items": by_items,
    "sessions": by_session,
    "next": next_after,
}


def split(
    data: DataLike,
    how: str = "time",
    *,
    test: float | None = None,
    validation: float | None = None,
    seed: int | None = None,
    **options: Any,
) -> Split:
    """Split data into train, test and, if requested, validation by a named rule.

    Parameters
    ----------
    data
        Interactions, or what `Recommender.fit` takes: a data frame, a sparse matrix, a path.
    how
        ``"time"`` (one moment for all users), ``"random"`` (interactions), ``"per-user"`` (a share
        of each user's), ``"leave-last"`` (each user's last n), ``"users"`` (new users with a
        history to fold in), ``"items"`` (cold items), ``"sessions"`` (whole sessions; the next item
        of each prefix is predicted), ``"next"`` (each user's first event after one moment).
    test, validation
        The shares of the whole that are held out; for ``"leave-last"`` the numbers of each user's
        interactions.
    seed
        Seed of the rules that draw at random.
    options
        Other arguments of the rule; see `cofactor.data.splits`.

    Returns
    -------
    Split
        The parts, with a sentence that says how they were made.

    Raises
    ------
    UnknownNameError
        For a rule or an option that doesn't exist.
    ArgumentError
        If a part would be empty, or the data lacks what the rule needs.
    """
    rule = RULES[checks.choice(str(how).replace("_", "-"), "split", tuple(RULES))]
    given = {
        name: value
        for name, value in (("test", test), ("validation", validation))
        if value is not None
    }
    takes = [name for name in inspect.signature(rule).parameters if name != "data"]
    if seed is not None and "seed" in takes:
        given["seed"] = seed
    for name in options:
        if name not in takes:
            raise unknown_name(f"option of the split {how!r}", name, takes)
    return rule(data, **given, **options)
