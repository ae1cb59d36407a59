"""Filters on data: what is left out before training, and how much that was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.base.names import counted
from cofactor.data import moments
from cofactor.data.arrow import value_type
from cofactor.data.conversion import as_interactions
from cofactor.data.events import Events
from cofactor.data.guards import doubts
from cofactor.data.interactions import Interactions

if TYPE_CHECKING:
    from cofactor.data.conversion import DataLike


@dataclass(frozen=True)
class RemainingCounts:
    """How much there is: users and items with any interaction, and interactions."""

    users: int
    items: int
    interactions: int

    @classmethod
    def of(cls, data: Interactions) -> RemainingCounts:
        """Count what some interactions hold."""
        return cls(
            int(np.count_nonzero(data.user_counts)),
            int(np.count_nonzero(data.item_counts)),
            len(data),
        )


@dataclass(frozen=True)
class FilterStep:
    """What one filter did.

    Parameters
    ----------
    rule
        The filter in words.
    before, after
        The counts on either side of it.
    """

    rule: str
    before: RemainingCounts
    after: RemainingCounts

    def __str__(self) -> str:
        pairs = [
            f"{name} {getattr(self.before, name):,} -> {getattr(self.after, name):,}"
            for name in ("users", "items", "interactions")
        ]
        return f"{self.rule}: {', '.join(pairs)}"


@dataclass(frozen=True)
class FilterReport:
    """What several filters did, in their order."""

    steps: tuple[FilterStep, ...] = ()

    def __repr__(self) -> str:
        return "\n".join(map(str, self.steps)) if self.steps else "nothing was filtered"

    def to_dict(self) -> list[dict[str, Any]]:
        """Return the steps as plain values that JSON can hold."""
        return [
            {"rule": step.rule, "before": dict(vars(step.before)), "after": dict(vars(step.after))}
            for step in self.steps
        ]


Filtered = tuple[Interactions, FilterStep]


def apply(
    data: DataLike,
    *,
    since: Any = None,
    until: Any = None,
    min_value: float | None = None,
    min_user: int = 0,
    min_item: int = 0,
    core: bool = True,
) -> tuple[Interactions, FilterReport]:
    """Apply the usual filters in the usual order: the time window, then the values, then the
    counts.

    Parameters
    ----------
    data
        The interactions, or what `Recommender.fit` takes.
    since, until
        See `time_window`.
    min_value
        See `min_values`.
    min_user, min_item
        The fewest interactions of a user and of an item; 0 for any number.
    core
        Whether the counts are enforced until both hold at once (`k_core`), or once only
        (`min_counts`).

    Returns
    -------
    Interactions
        Without the users and items that have nothing left; rows are numbered again.
    FilterReport
        What each filter that was asked for removed.
    """
    data = as_interactions(data)
    verbs: list[Callable[[Interactions], Filtered]] = []
    if since is not None or until is not None:
        verbs.append(lambda d: time_window(d, since, until))
    if min_value is not None:
        verbs.append(lambda d: min_values(d, min_value))
    if min_user or min_item:
        verbs.append(lambda d: (k_core if core else min_counts)(d, min_user, min_item))
    steps = []
    for verb in verbs:
        data, step = verb(data)
        steps.append(step)
    return data, FilterReport(tuple(steps))


def min_values(
    data: DataLike, threshold: float | None = None, *, binarize: bool = True
) -> Filtered:
    """Keep the interactions whose value is at least a threshold: ratings become signs of liking.

    Parameters
    ----------
    data
        The interactions, or what `Recommender.fit` takes.
    threshold
        The lowest value that is kept; None keeps all.
    binarize
        Whether the values are dropped afterwards, so that each interaction counts as one.

    Raises
    ------
    ArgumentError
        If there is a threshold and the data has no values, or nothing would be left.
    """
    data = as_interactions(data)
    keep = np.ones(len(data), bool)
    if threshold is not None:
        threshold = checks.real(threshold, "threshold")
        if data.values is None:
            raise ArgumentError(
                "a threshold needs values, and the data has none; name the column that holds them."
            )
        keep = data.values >= np.float32(threshold)
    words = [] if threshold is None else [f"values of {threshold:g} and more"]
    words += ["each counting the same"] if binarize else []
    made, step = _kept(data, keep, ", ".join(words) or "all values")
    # What was asked for, to keep values from some one on, has been done.
    settled = set(doubts(data.values)) - set(doubts(made.values))
    made = replace(made, notes=tuple(note for note in made.notes if note not in settled))
    return (replace(made, values=None) if binarize else made), step


def min_counts(data: DataLike, users: int = 0, items: int = 0) -> Filtered:
    """Keep the users with at least so many interactions, and the items, both counted once and
    before either is dropped.

    Afterwards some counts may be below the minimum again; `k_core` goes on until none is.

    Parameters
    ----------
    data
        The interactions, or what `Recommender.fit` takes.
    users, items
        The fewest interactions of each; 0 or 1 keeps all.
    """
    data = as_interactions(data)
    users, items = checks.integer(users, "users", low=0), checks.integer(items, "items", low=0)
    keep = (data.user_counts >= users)[data.user_rows] & (data.item_counts >= items)[data.item_rows]
    return _kept(
        data,
        keep,
        f"users with {users:,} and items with {items:,} interactions or more, counted once",
    )


def k_core(data: DataLike, users: int = 5, items: int = 5) -> Filtered:
    """Keep the largest part in which every user has at least so many interactions and every item
    too.

    Users and items below their minimum are dropped in turn until none is; the result doesn't depend
    on the order.

    Parameters
    ----------
    data
        The interactions, or what `Recommender.fit` takes.
    users, items
        The fewest interactions of each; 0 or 1 keeps all.
    """
    data = as_interactions(data)
    users, items = checks.integer(users, "users", low=0), checks.integer(items, "items", low=0)
    alive = np.arange(len(data), dtype=np.int64)
    user_rows, item_rows = data.user_rows, data.item_rows
    rounds = 0
    while True:
        good = (np.bincount(user_rows, minlength=data.n_users) >= users)[user_rows]
        good &= (np.bincount(item_rows, minlength=data.n_items) >= items)[item_rows]
        if good.all():
            break
        alive, user_rows, item_rows, rounds = (
            alive[good],
            user_rows[good],
            item_rows[good],
            rounds + 1,
        )
    keep = np.zeros(len(data), bool)
    keep[alive] = True
    rule = (
        f"users with {users:,} and items with {items:,} interactions or more, iterated until stable"
        f" ({counted(rounds, 'round')})"
    )
    return _kept(data, keep, rule)


def time_window(data: DataLike, since: Any = None, until: Any = None) -> Filtered:
    """Keep the interactions from one moment on, and before another.

    Parameters
    ----------
    data
        The interactions, with times, or what `Recommender.fit` takes.
    since, until
        Seconds since 1970, a datetime, or ISO text (UTC); None for no bound. ``since`` itself is
        in, ``until`` isn't.
    """
    data = as_interactions(data)
    if data.times is None:
        raise ArgumentError(
            "a time window needs times, and the data has none; name the column that holds them."
        )
    keep, words = np.ones(len(data), bool), []
    if since is not None:
        start = moments.seconds(since, "since")
        keep &= data.times >= start
        words.append(f"from {moments.text(start)} on")
    if until is not None:
        end = moments.seconds(until, "until")
        keep &= data.times < end
        words.append(f"before {moments.text(end)}")
    return _kept(data, keep, " and ".join(words) or "any time")


@dataclass(frozen=True)
class Repeats:
    """How often events repeat a pair of user and item.

    Parameters
    ----------
    events, pairs
        The number of events and of distinct pairs.
    repeated_pairs
        The number of pairs that stand more than once.
    most
        How often the most frequent pair stands.
    differing
        The number of repeated pairs whose values differ; None where there are no values.
    """

    events: int
    pairs: int
    repeated_pairs: int
    most: int
    differing: int | None

    def __str__(self) -> str:
        if not self.repeated_pairs:
            return f"no pair of user and item repeats in {self.events:,} events"
        values = (
            "" if self.differing is None else f", {self.differing:,} of them with differing values"
        )
        return (
            f"{self.events:,} events of {self.pairs:,} pairs: {self.repeated_pairs:,} pairs"
            f" repeat{values}, one {self.most:,} times"
        )


def repeats(events: Events) -> Repeats:
    """Count the repeated pairs of some events, to choose what `Interactions.build` does with
    them.
    """
    columns = {"user": _plain(events.users), "item": _plain(events.items)}
    wanted = [("user", "count")]
    if events.values is not None:
        columns["value"] = pa.array(events.values)
        wanted.append(("value", "count_distinct"))
    pairs = pa.table(columns).group_by(["user", "item"], use_threads=False).aggregate(wanted)
    often = np.asarray(pairs.column("user_count"))
    differing = (
        None
        if events.values is None
        else int((np.asarray(pairs.column("value_count_distinct")) > 1).sum())
    )
    return Repeats(
        len(events), len(often), int((often > 1).sum()), int(often.max(initial=0)), differing
    )


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(value_type(column.type))


def _kept(data: Interactions, keep: np.ndarray, rule: str) -> Filtered:
    if not keep.any():
        raise ArgumentError(
            f"nothing is left of {len(data):,} interactions after keeping {rule}; ask for less."
        )
    before = RemainingCounts.of(data)
    kept = data.where(keep).compact()
    step = FilterStep(rule, before, RemainingCounts.of(kept))
    return replace(kept, notes=(*kept.notes, f"kept {step}")), step
