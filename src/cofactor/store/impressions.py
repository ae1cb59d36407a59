"""Impressions: which lists were shown to whom, by which model and with which probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.store.database import Database, Row, Session
from cofactor.store.exceptions import ConflictError
from cofactor.store.limits import are_ids, are_outside_ids, check_batch, checked_id, outside_id
from cofactor.store.operations import Work
from cofactor.store.records import Ack

MAX_LIST = 1_000  # items of one list
_WORDS = ("request_id", "user_id", "version", "source", "experiment", "arm")
_COLUMNS = (
    "request_id, user_id, version, experiment, arm, source, shown, items, probabilities,"
    " item_arms, ms, time"
)
_INSERT = (
    f"INSERT INTO impressions ({_COLUMNS}) VALUES ({', '.join('?' * 12)})"
    " ON CONFLICT (request_id) DO NOTHING"
)
# One statement for many lists: the interpreter's lock is let go once, not at every row.
_FIELDS = ", ".join(f"json_extract(given.value, '$[{n}]')" for n in range(12))
_INSERT_LINES = (
    f"INSERT INTO impressions ({_COLUMNS}) SELECT {_FIELDS}"
    " FROM json_each(?) AS given WHERE true ON CONFLICT (request_id) DO NOTHING"
)


class Impression(msgspec.Struct, frozen=True, kw_only=True):
    """A list that is shown to a user.

    Parameters
    ----------
    request_id
        Unique to the list, 1 to 200 characters; the response carries it too.
    user_id
        To whom.
    version
        The version of the model that made it.
    source
        Where it came from, as in the response (``personal``, ``popularity`` ...).
    items
        Item ids by position.
    probabilities
        By position: the probability of this item there, given the items before it (propensity).
    experiment, arm
        Of which experiment it is a part; None outside experiments.
    item_arms
        By position, in interleaved lists: the arm that the item counts for.
    shown
        False for the list of a shadow version, which the user didn't see.
    ms
        Milliseconds that it took to make.
    time
        Seconds since 1970; None for the moment of the commit.
    """

    request_id: str
    user_id: str
    version: str
    source: str
    items: tuple[str, ...]
    probabilities: tuple[float, ...]
    experiment: str | None = None
    arm: str | None = None
    item_arms: tuple[str, ...] | None = None
    shown: bool = True
    ms: float | None = None
    time: int | None = None


class StoredImpression(Impression, frozen=True, kw_only=True):
    """A logged list; ``seq`` is its place in the order of arrival, ascending."""

    seq: int
    time: int


class ShownItem(msgspec.Struct, frozen=True, kw_only=True):
    """One item of a logged list, as an export has it: a line per item and position (from 0)."""

    seq: int
    request_id: str
    user_id: str
    time: int
    version: str
    experiment: str | None
    arm: str | None
    source: str
    shown: bool
    position: int
    item_id: str
    probability: float


def shown_items(impressions: Iterator[StoredImpression]) -> Iterator[ShownItem]:
    """Yield the items of lists one by one."""
    for one in impressions:
        arms = one.item_arms if one.item_arms is not None else (one.arm,) * len(one.items)
        for position, item_id in enumerate(one.items):
            yield ShownItem(
                seq=one.seq,
                request_id=one.request_id,
                user_id=one.user_id,
                time=one.time,
                version=one.version,
                experiment=one.experiment,
                arm=arms[position],
                source=one.source,
                shown=one.shown,
                position=position,
                item_id=item_id,
                probability=one.probabilities[position],
            )


def checked_impressions(impressions: Sequence[Impression]) -> list[Row]:
    """Return impressions as rows of the table; raise ArgumentError that says which one is at
    fault.
    """
    check_batch(impressions, "impressions")
    rows: dict[str, Row] = {}
    for place, one in enumerate(impressions):
        try:
            row = _as_row(_checked(one))
        except ArgumentError as error:
            raise ArgumentError(f"impressions[{place}]: {error}") from None
        if rows.setdefault(row[0], row) != row:
            raise ConflictError(
                [row[0]], f"the request id {row[0]!r} occurs twice, with different contents."
            )
    return list(rows.values())


def _checked(one: Impression) -> Row:
    user = outside_id(one.user_id, "user_id")
    words = (one.request_id, user, one.version, one.source, one.experiment, one.arm)
    if not are_ids([word for word in words if word is not None]):
        for name, word in zip(_WORDS, words, strict=True):
            if word is not None or name not in ("experiment", "arm"):
                checked_id(word, name)
    items: Sequence[str] = one.items
    if len(items) > MAX_LIST:
        raise ArgumentError(f"items must be at most {MAX_LIST:,}, not {len(items):,}.")
    if not (are_ids(items) and are_outside_ids(items)):
        items = [outside_id(item, "items") for item in items]
    for name in ("probabilities", "item_arms"):
        given = getattr(one, name)
        if given is not None and len(given) != len(items):
            raise ArgumentError(f"{name} must have {len(items)} entries, not {len(given)}.")
    if not _are_shares(one.probabilities):
        for probability in one.probabilities:
            checks.real(probability, "probabilities", above=0, high=1)
    return (
        *(None if word is None else str(word) for word in words[:3]),
        one.experiment,
        one.arm,
        one.source,
        int(one.shown),
        items,
        one.probabilities,
        one.item_arms,
        one.ms,
        None if one.time is None else checks.integer(one.time, "time", low=0),
    )


def _as_row(fields: Sequence[Any]) -> Row:
    """An impression's fields as a row of the table."""
    lists = (None if part is None else _json(part) for part in fields[7:10])
    return (*fields[:7], *lists, *fields[10:])


def impression_line(impression: Impression) -> bytes:
    """Return an impression as a line of JSON, which holds no line break.

    Raises
    ------
    ArgumentError
        If it is beyond the limits, or has no time.
    """
    if impression.time is None:
        raise ArgumentError("time must be given where lists are written together.")
    fields = (
        impression.request_id,
        impression.user_id,
        impression.version,
        impression.experiment,
        impression.arm,
        impression.source,
        int(impression.shown),
        impression.items,
        impression.probabilities,
        impression.item_arms,
        impression.ms,
        impression.time,
    )
    return _encode(fields if _is_plain(impression) else _checked(impression))


def _is_plain(one: Impression) -> bool:
    """Whether `_checked` would find nothing: one look at all texts is far quicker than at each."""
    items, count = one.items, len(one.items)
    texts = (
        one.request_id,
        one.user_id,
        one.version,
        one.source,
        "-" if one.experiment is None else one.experiment,
        "-" if one.arm is None else one.arm,
        *items,
    )
    certain = one.probabilities.count(1.0)
    return (
        count <= MAX_LIST
        and len(one.probabilities) == count
        and (certain == count or _are_shares(one.probabilities))
        and (one.item_arms is None or len(one.item_arms) == count)
        and type(one.time) is int
        and one.time >= 0
        and are_ids(texts)
        and are_outside_ids((one.user_id,))
    )


def is_impression_line(line: bytes) -> bool:
    """Return whether a line is one that `impression_line` may have made."""
    try:
        _line(line)
    except msgspec.MsgspecError:
        return False
    return True


def _are_shares(values: Sequence[float]) -> bool:
    try:
        return all(0 < value <= 1 for value in values)
    except TypeError:
        return False


def log_impressions(work: Work, rows: Sequence[Row]) -> Ack:
    """Log lists; those that are logged already, with the same content, change nothing.

    Raises
    ------
    ConflictError
        If a request id is logged with another content.
    """
    values = [(*row[:-1], work.now if row[-1] is None else row[-1]) for row in rows]
    stored = work.session.run_many(_INSERT, values)
    if stored < len(rows):
        _compare(work, rows)
    work.deltas["impressions"] += stored
    ids = tuple(row[0] for row in rows)
    return Ack(changed=stored, unchanged=len(rows) - stored, seq=0, event_ids=ids)


def log_lines(work: Work, lines: str, count: int) -> Ack:
    """Log lists by their lines (`impression_line`), as a JSON list; those whose request ids are
    logged already change nothing.
    """
    if work.database.embedded:
        stored = work.session.run(_INSERT_LINES, (lines,))
    else:
        stored = work.session.run_many(_INSERT, [_as_row(one) for one in _lines(lines)])
    work.deltas["impressions"] += stored
    return Ack(changed=stored, unchanged=count - stored, seq=0)


def delete_impressions(work: Work, seqs: Sequence[int]) -> Ack:
    """Delete lists by their places; those that are gone already change nothing."""
    gone = work.session.run_many("DELETE FROM impressions WHERE seq = ?", [(seq,) for seq in seqs])
    work.deltas["impressions"] -= gone
    return Ack(changed=gone, unchanged=len(seqs) - gone, seq=0)


def _compare(work: Work, rows: Sequence[Row]) -> None:
    found = work.stored("impressions", _COLUMNS, [row[0] for row in rows])
    # How long it took, and a time that was left open, may differ from one try to the next.
    wrong = [row[0] for row in rows if found[row[0]][:10] != row[:10]]
    if wrong:
        raise ConflictError(wrong)


def impressions_after(session: Session, seq: int, limit: int) -> list[StoredImpression]:
    """Return the next logged lists in the order of arrival."""
    return _listed(session, "seq > ? ORDER BY seq LIMIT ?", seq, limit)


def experiment_impressions(
    name: str, session: Session, seq: int, limit: int
) -> list[StoredImpression]:
    """Return the next lists of an experiment in the order of arrival."""
    where = "experiment = ? AND seq > ? ORDER BY seq LIMIT ?"
    return _listed(session, where, name, seq, limit)


def impressions_by_id(
    session: Session, database: Database, request_ids: Sequence[str]
) -> list[StoredImpression]:
    """Return the lists of some requests, in the order of arrival."""
    where = f"request_id IN (SELECT given.value FROM {database.listed}) ORDER BY seq"
    return _listed(session, where, database.list_of(request_ids))


def user_impressions(session: Session, user_id: str) -> list[StoredImpression]:
    """Return the lists logged for a user, in the order of arrival."""
    return _listed(session, "user_id = ? ORDER BY seq", user_id)


def _listed(session: Session, where: str, *given: Any) -> list[StoredImpression]:
    sql = f"SELECT seq, {_COLUMNS} FROM impressions WHERE {where}"
    return [_impression(row) for row in session.rows(sql, given)]


def _impression(row: Row) -> StoredImpression:
    seq, request_id, user_id, version, experiment, arm, source, shown, *rest = row
    items, probabilities, item_arms, ms, time = rest
    return StoredImpression(
        seq=seq,
        request_id=request_id,
        user_id=user_id,
        version=version,
        experiment=experiment,
        arm=arm,
        source=source,
        shown=bool(shown),
        items=_texts(items),
        probabilities=_numbers(probabilities),
        item_arms=None if item_arms is None else _texts(item_arms),
        ms=ms,
        time=time,
    )


def _json(values: Sequence[str | float]) -> str:
    return msgspec.json.encode(values).decode()


_Line = tuple[
    str,
    str,
    str,
    str | None,
    str | None,
    str,
    int,
    tuple[str, ...],
    tuple[float, ...],
    tuple[str, ...] | None,
    float | None,
    int,
]
_encode = msgspec.json.Encoder().encode
_line = msgspec.json.Decoder(_Line).decode
_lines = msgspec.json.Decoder(list[_Line]).decode
_texts = msgspec.json.Decoder(tuple[str, ...]).decode
_numbers = msgspec.json.Decoder(tuple[float, ...]).decode
