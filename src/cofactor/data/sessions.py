"""Sessions: short histories of one visit, from a column that names them, or cut by a gap in time;
and the questions that a sequence asks, each prefix for its next item."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base import checks, memory
from cofactor.base.errors import ArgumentError
from cofactor.base.offsets import begins, ranges
from cofactor.data.catalogue import Catalogue
from cofactor.data.events import Events
from cofactor.data.histories import Histories, in_order, picked
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part

# Of each event of a prefix at the peak: its place, item, time and owner, and them sorted.
_PREFIX_BYTES = 64


def sessions_by_gap(events: Events, gap: float = 1800.0) -> Events:
    """Cut each user's events into sessions wherever more than ``gap`` seconds lie between two.

    Parameters
    ----------
    events
        With times, in any order; a clock that goes back is put right by sorting.
    gap
        Seconds, above 0; half an hour is the usual one.

    Returns
    -------
    Events
        The same events in order of user and time, whose "users" are the sessions:
        ``"<user>/<number>"``, counted from 1 for each user.

    Raises
    ------
    ArgumentError
        If the events have no times.
    """
    gap = checks.real(gap, "gap (seconds)", above=0)
    checks.of_kind(events, "events", Events, "Events (cofactor.read(...))")
    if events.times is None:
        raise ArgumentError(
            "sessions are cut by a gap in time, and the events have no times; name the column that"
            " holds them when reading, or name a session column as user=."
        )
    ids = IdMap.of(events.users)
    owners = ids.rows(events.users, what="user")
    order = np.lexsort((events.times, owners))
    by_user, times = owners[order], events.times[order]
    new_user = begins(by_user)
    new_session = new_user | np.append(True, np.diff(times) > gap)[: len(order)]
    number = np.cumsum(new_session)
    start = np.maximum.accumulate(np.where(new_user, number, 0))
    names = pc.binary_join_element_wise(
        ids.take(by_user).cast(pa.string()), pa.array(number - start + 1).cast(pa.string()), "/"
    )
    taken = pa.array(order)
    return replace(
        events,
        users=pa.chunked_array([names]),
        items=events.items.take(taken),
        values=None if events.values is None else events.values[order],
        times=times,
        user_table=None,
        kinds=None if events.kinds is None else events.kinds.take(taken),
    ).noted(
        f"{int(new_session.sum()):,} sessions, cut where more than {gap:g} s lie between two events"
    )


def questions(
    histories: Histories,
    items: IdMap,
    catalogue: Catalogue | None = None,
    owners: pa.Array | None = None,
) -> Part:
    """Return a part with one question for each prefix: what comes next after its events.

    Parameters
    ----------
    histories
        Sequences, oldest first. Those of one event have no next item and are left out.
    items
        The id map that their rows are of.
    catalogue
        What is known of the items.
    owners
        The ids of the sequences, where data that models are fitted on has them too.

    Returns
    -------
    Part
        Its "users" are the questions, numbered from 0 by sequence, the shortest prefix first. It is
        answered by fold-in, and its histories keep repeats.
    """
    counts = np.maximum(histories.lengths - 1, 0)
    if not counts.any():
        raise ArgumentError(
            "no sequence has an event to predict; at least one must have two events."
        )
    every = np.arange(len(histories))
    prefixes, targets = prefixes_of(histories, every, np.full(len(histories), 1), counts)
    whose = None if owners is None else owners.take(pa.array(np.repeat(every, counts)))
    return part_of(prefixes, targets, items, catalogue, whose)


def prefixes_of(
    histories: Histories, users: np.ndarray, lengths: np.ndarray, counts: np.ndarray
) -> tuple[Histories, np.ndarray]:
    """Return prefixes of some users' histories, and the items that came next.

    Parameters
    ----------
    histories
        In order of time.
    users
        int64 [n]: whose.
    lengths, counts
        int64 [n]: how long the shortest prefix of each is, and how many there are, each longer by
        one than that before it.

    Raises
    ------
    MemoryLimitError
        If they don't fit: all prefixes of one history of L events hold L²/2.
    """
    owners = np.repeat(users, counts)
    ends = np.repeat(lengths, counts) + ranges(0, counts)[1]
    starts, total = histories.indptr[owners], int(ends.sum())
    memory.require(
        _PREFIX_BYTES * total,
        what=(
            f"{len(owners):,} prefixes of sessions, the longest of {int(ends.max(initial=0)):,}"
            f" events, which hold {total:,} events together,"
        ),
        cure="leave out sessions of so many events (robots), or hold out last events (leave-last)",
    )
    indptr, positions = ranges(starts, ends)
    return histories.at(positions, indptr), histories.item_rows[starts + ends]


def part_of(
    prefixes: Histories,
    targets: np.ndarray,
    items: IdMap,
    catalogue: Catalogue | None = None,
    owners: pa.Array | None = None,
) -> Part:
    """Return a part of given prefixes, each with the one item that came next.

    Parameters
    ----------
    prefixes
        What is known when the question is asked.
    targets
        int32 [len(prefixes)], item rows.
    items, catalogue
        As in `questions`.
    owners
        The ids of those whose events each prefix is made of; see `Part`.
    """
    if len(prefixes) != len(targets):
        raise ArgumentError(
            f"there must be a target for each prefix, not {len(targets)} for {len(prefixes)}."
        )
    # Ids of their own kind: a question isn't a user, and mustn't be taken for one that was trained.
    users = IdMap(pa.array([f"question {n:09d}" for n in range(len(prefixes))], pa.string()))
    history = Interactions.from_rows(
        prefixes.owners, prefixes.item_rows, users=users, items=items, source="prefixes"
    )
    truth = Interactions.from_rows(
        np.arange(len(prefixes)), targets, users=users, items=items, source="next items"
    )
    known = catalogue if catalogue is not None else Catalogue.nothing(len(items))
    return Part(
        replace(truth, catalogue=known),
        replace(history, catalogue=known, log=prefixes),
        fold_in=True,
        owners=owners,
    )


def of_histories(histories: Histories, like: Interactions) -> Interactions:
    """Return interactions of histories over the id maps of ``like``, with every event kept.

    Parameters
    ----------
    histories
        One for each user row of ``like``.
    like
        Whose ids, catalogue and profiles they take over.
    """
    made = Interactions.from_rows(
        histories.owners,
        histories.item_rows,
        histories.values,
        histories.times,
        users=like.users,
        items=like.items,
        source=like.source,
    )
    return replace(made, catalogue=like.catalogue, profiles=like.profiles, log=histories)


def extended(data: Interactions, events: Events) -> Interactions:
    """Return data with more events, as if all had been read at once.

    Parameters
    ----------
    data
        What there is; it isn't changed.
    events
        More of it, by outside ids; new users and new items get rows.

    Returns
    -------
    Interactions
        Whose rows ascend by id as always, so that they may be other numbers than in ``data``.
    """
    users = IdMap.of(pa.chunked_array([data.users.arrow]), events.users)
    items = IdMap.of(pa.chunked_array([data.items.arrow]), events.items)
    base_users, base_items, values, times = _in_source_order(data)
    if (times is None) != (events.times is None):
        raise ArgumentError(
            "the new events must have times where the data has them, and none where it has none."
        )
    user_rows = np.concatenate(
        [users.rows(data.users.arrow, what="user")[base_users], users.rows(events.users)]
    )
    item_rows = np.concatenate(
        [items.rows(data.items.arrow, what="item")[base_items], items.rows(events.items)]
    )
    joined_values = None
    if values is not None:
        more = np.ones(len(events), np.float32) if events.values is None else events.values
        joined_values = np.concatenate([values, more])
    joined_times = None if times is None else np.concatenate([times, np.asarray(events.times)])
    made = Interactions.from_rows(
        user_rows, item_rows, joined_values, joined_times, users=users, items=items
    )
    log = None
    if data.log is not None:
        log = in_order(user_rows, item_rows, joined_values, joined_times, len(users), len(items))
    return replace(
        made,
        catalogue=data.catalogue.realigned(data.items, items),
        profiles=data.profiles.realigned(data.users, users),
        source=data.source,
        notes=(*data.notes, f"{len(events):,} events added"),
        log=log,
    )


def _in_source_order(
    data: Interactions,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Users, items, values and times of all events; in the order of the source, which stands for
    time among equals, where repeats were merged.
    """
    if data.log is not None:
        return data.log.owners, data.log.item_rows, data.log.values, data.log.times
    order = np.argsort(data.order, kind="stable")
    values, times = picked(data.values, order), picked(data.times, order)
    return data.user_rows[order], data.item_rows[order], values, times
