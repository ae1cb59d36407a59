"""Retention: old impressions go, a bounded step at a time, while everything else goes on."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from cofactor.base import checks
from cofactor.store.database import Row, Session
from cofactor.store.store import Store

STEP = 200  # lists that a step looks at; those that are deleted are one commit
# Seconds by which the clock may be ahead of whatever was stored last. One that is years ahead, as
# at the start of a machine without a battery, would delete everything.
LEEWAY = 30 * 86_400


@dataclass(frozen=True, kw_only=True)
class Retention:
    """Which impressions are kept.

    Parameters
    ----------
    seconds
        Lists that are older go; None for any age.
    most
        The number of lists beyond which the oldest go; None for any number.
    """

    seconds: float | None = None
    most: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None:
            checks.real(self.seconds, "seconds", above=0)
        if self.most is not None:
            checks.integer(self.most, "most", low=1)

    def __bool__(self) -> bool:
        return self.seconds is not None or self.most is not None


def prune_impressions(
    store: Store,
    retention: Retention,
    spared: Collection[str] = (),
    latest: int | None = None,
) -> Iterator[int]:
    """Delete the impressions that aren't kept, and yield after each step how many went in it.

    Each step reads at most `STEP` lists in the order of arrival and deletes in one commit those
    that are beyond the retention, so that writes wait for milliseconds. The caller sets the pace.
    A step whose lists are all kept ends the pass.

    Parameters
    ----------
    store
        The store that writes.
    retention
        What is kept.
    spared
        Names of experiments whose lists stay, whatever their age or number: those that run.
    latest
        When something was stored last, seconds since 1970, by `latest_moment`; None to look. Ages
        are counted from `LEEWAY` later at most, whatever the clock says.
    """
    now = store.settings.moment() - ahead(store, latest)
    before = -1.0 if retention.seconds is None else now - retention.seconds
    excess = 0 if retention.most is None else store.counts().impressions - retention.most
    seq = 0
    while True:
        found = store._read(_ages, seq, STEP)
        beyond = [row for n, row in enumerate(found) if n < excess or row[1] < before]
        if not beyond:
            return
        chosen = [row[0] for row in beyond if row[2] not in spared]
        yield store._write("prune", (chosen,), len(chosen)).result().changed if chosen else 0
        excess -= len(found)
        seq = found[-1][0]


def latest_moment(store: Store) -> int | None:
    """Return when something was stored last, in seconds since 1970: the time of the last list, or
    when the last event arrived; None in an empty store.
    """
    return store._read(_latest)


def ahead(store: Store, latest: int | None = None) -> int:
    """Return by how many seconds the clock is further ahead of what was stored last than `LEEWAY`;
    0 where it may be right.
    """
    known = latest_moment(store) if latest is None else latest
    return 0 if known is None else max(0, store.settings.moment() - known - LEEWAY)


def _latest(session: Session) -> int | None:
    found = [
        session.rows(f"SELECT {column} FROM {table} ORDER BY seq DESC LIMIT 1")
        for table, column in (("impressions", "time"), ("events", "received"))
    ]
    return max((int(rows[0][0]) for rows in found if rows), default=None)


def _ages(session: Session, seq: int, limit: int) -> list[Row]:
    """The next lists in the order of arrival: place, time, experiment."""
    sql = "SELECT seq, time, experiment FROM impressions WHERE seq > ? ORDER BY seq LIMIT ?"
    return session.rows(sql, (seq, limit))
