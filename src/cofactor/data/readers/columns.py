"""Which column is the user, the item, the value, the time, by the usual names, or as is said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import takewhile
from typing import Any

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import ArgumentError, DataError
from cofactor.base.names import unknown_name
from cofactor.base.progress import SILENT, Progress, check_progress
from cofactor.data.notes import Fact, Note
from cofactor.data.readers import name_words
from cofactor.data.readers.lacking import MELT, lacking
from cofactor.data.readers.positions import Columns, by_position, dated, is_wide, kinds_among
from cofactor.data.readers.rejects import Rejects
from cofactor.data.readers.repeated_names import refuse_alike
from cofactor.data.readers.times import UNITS
from cofactor.data.readers.usual_names import EVENT, ROLES, USUAL
from cofactor.data.title_names import letters_of


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a caller of `read` wants; the same for every format.

    Parameters
    ----------
    user, item, value, time
        A column's name or position from 0; None to find it by the usual names; for ``value`` and
        ``time`` False to leave them out.
    format
        How files are written, one of `file_formats.FORMATS`; None to find out.
    delimiter, header, encoding, quote, escape
        How delimited text is written; None to find out.
    on_bad
        ``"error"`` or ``"skip"``.
    now
        Seconds since 1970; a later time is an error.
    time_unit, time_format
        ``"s"``, ``"ms"``, ``"us"``, ``"ns"`` for numbers, and the form for `datetime.strptime` for
        texts; None to detect it.
    decimal
        ``","`` or ``"."``: the decimal mark; the other separates thousands. None to detect it.
    kinds
        Kind of event -> weight; rows of other kinds are left out.
    keep_kinds
        Whether events keep their kinds beside values, which may be missing.
    rejects
        Where skipped rows are listed.
    offered
        Of ``delimiter`` and ``on_bad`` those that the caller can give, for cures in messages.
    """

    user: str | int | None = None
    item: str | int | None = None
    value: str | int | bool | None = None
    time: str | int | bool | None = None
    format: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    encoding: str | None = None
    quote: bool | str | None = None
    escape: str | None = None
    on_bad: str = "error"
    now: float = float("inf")
    time_unit: str | None = None
    time_format: str | None = None
    decimal: str | None = None
    kinds: Mapping[str, float] | None = None
    keep_kinds: bool = False
    rejects: Rejects | None = field(default=None, repr=False, compare=False)
    offered: tuple[str, ...] = field(default=("delimiter", "on_bad"), repr=False, compare=False)
    progress: Progress = field(default=SILENT, repr=False, compare=False)

    def __post_init__(self) -> None:
        checks.choice(self.on_bad, "on_bad", ("error", "skip"))
        for name, sign in (("escape", self.escape), ("quote", self.quote)):
            if not (sign is None or isinstance(sign, bool) or _is_character(sign)):
                raise ArgumentError(f"{name} must be one character, not {sign!r}.")
        if self.decimal is not None:
            checks.choice(self.decimal, "decimal", (",", "."))
        if self.time_unit is not None:
            checks.choice(self.time_unit, "time_unit", UNITS)
        check_progress(self.progress)
        if self.header is not None:
            checks.boolean(self.header, "header")
        for name in ("delimiter", "time_format"):
            refuse_no_text(getattr(self, name), name)
        for role in _IDS:
            if isinstance(getattr(self, role), bool):
                raise ArgumentError(
                    f"{role} must be a column's name or its position, not {getattr(self, role)}:"
                    f" every interaction has its {role}."
                )


def refuse_no_text(value: object, name: str) -> None:
    """Raise ArgumentError unless an option that may be left out (None) is a text."""
    if value is not None:
        checks.of_kind(value, name, str, "a text")
        if not value:
            raise ArgumentError(f"{name} must be a text, not an empty one; None leaves it out.")


def _is_character(sign: object) -> bool:
    return isinstance(sign, str) and len(sign) == 1


# What logs keep the fields of any event in.
_CONTAINER = re.compile(
    r"^(?:(?:event_?|user_?)?propert(?:ies|y)|props|attributes|params|payload|data|body|fields"
    r"|record|result|json|event(?:_?(?:data|params|payload))?|context|details?|node|value|after"
    r"|message|doc(?:ument)?|_?source|\w*_?metadata"
    r"|(?-i:Item)(?=\.\w+\.[SN]$))\.",
    re.IGNORECASE,
)


_MEASURE = re.compile(r"^-\d+\.\d*[1-9]$|^0?\.\d{3,}$")
# Types that Avro, DynamoDB and Firestore write around a value: {"user": {"string": "u1"}}.
UNION_TYPES = frozenset(
    (
        *("string", "int", "long", "float", "double", "S", "N"),
        *("stringValue", "integerValue", "doubleValue", "booleanValue", "timestampValue"),
    )
)
_UNION = re.compile(rf"\.(?:{'|'.join(sorted(UNION_TYPES))})$")


def without_union(name: str) -> str:
    """Return a name without the type that a program writes around a value: ``title.S``."""
    return _UNION.sub("", name)


# 0.5 alone may be a version, in both columns it is none.
_SHARE = re.compile(r"^0?\.\d+$")
_IDS = ("user", "item")
# Names in short, beside a user's and an item's.
_INITIALS = {"u": "userid", "i": "itemid", "r": "rating", "t": "timestamp"}
# What a name says of the zone of its times: ``Created (UTC)``.
_ZONE = re.compile(r" ?[(\[](?:UTC|GMT|local|local time)[)\]]$", re.IGNORECASE)
_HASH, _TYPE = re.compile(r"^# ?(?=\w)"), re.compile(r":[^\d:]*$")
_NUMBER = re.compile(r"[#№]|\b[Nn][°º]")


@lru_cache(name_words.MOST_COLUMNS)
def folded(name: str) -> str:
    """Return a column's name as letters without accents and digits only; ``user_id:token`` (typed
    headers) loses its type, ``properties.item`` its container, and ``Item #`` is a number.
    """
    plain = name.replace("_", "")
    if plain.isascii() and plain.isalnum():
        # Of what the signs below stand for there is nothing.
        return plain.lower()
    name = _UNION.sub("", _CONTAINER.sub("", _HASH.sub("", name)))
    name = _ZONE.sub("", _TYPE.sub("", name))
    return letters_of(_NUMBER.sub("no", name))


def _given_roles(names: Sequence[str], given: Mapping[str, Any], source: str) -> dict[str, str]:
    """The columns of the roles that the caller named."""
    # By identity: the positions 0 and 1 equal False and True.
    named = {
        role: wanted
        for role, wanted in given.items()
        if wanted is not None and not isinstance(wanted, bool)
    }
    roles = {role: _given(names, wanted, role, source) for role, wanted in named.items()}
    if len(set(roles.values())) < len(roles):
        said = ", ".join(f"{role} {name!r}" for role, name in roles.items())
        raise ArgumentError(f"two of user, item, value and time name the same column: {said}.")
    return roles


def find_roles(
    names: Sequence[str],
    options: Options,
    source: str,
    *,
    columns: Columns | None = None,
    partition: Iterable[str] = (),
) -> dict[str, str]:
    """Return the column of each role that the data has; ``event`` too, where nothing else gives a
    value.

    Parameters
    ----------
    names
        The columns, in order.
    options
        What the caller gave.
    source
        For messages.
    columns
        Where names say nothing (no header): the first cells of each column, by which and by whose
        order roles are reported.
    partition
        Columns that the folders above the file name.

    Raises
    ------
    DataError
        If there is no user or no item column.
    UnknownNameError, ArgumentError
        If a column that was given doesn't exist.
    """
    _check_count(names, source)
    given = {role: getattr(options, role) for role in ROLES}
    beside = [name for name in partition if name not in names]
    names = [*names, *beside]
    roles = _given_roles(names, given, source)
    chosen = {*roles.values()}
    free = [role for role in ROLES if role not in roles and given[role] is not False]
    if options.kinds is not None and given["value"] is None:
        # The weights of the kinds are the values.
        free = [role for role in free if role != "value"]
    if columns is not None:
        roles |= _by_name(beside, free, set(roles.values()))
        free = [role for role in free if role not in roles]
        roles |= by_position(columns, free, set(roles.values()))
        _refuse_measures(roles, columns, source)
    else:
        roles |= _by_name(names, free, set(roles.values()))
    needed = ("user", "item", *(role for role in ("value", "time") if given[role] is True))
    absent = next((role for role in needed if role not in roles), None)
    if absent is not None:
        raise DataError(lacking(absent, names, of_items=has_role("item", names)), source=source)
    if columns is None:
        refuse_alike(roles, names, chosen, source)
    roles = {role: roles[role] for role in ROLES if role in roles}
    taken = set(roles.values())
    event = _event(names, taken) if columns is None else kinds_among(columns, taken)
    return _with_event(roles, event, names, options, source)


def _check_count(names: Sequence[str], source: str) -> None:
    if not names:
        raise DataError("there are no columns in it.", source=source)
    if len(names) > name_words.MOST_COLUMNS:
        raise DataError(
            f"it has {len(names):,} columns, and a table of interactions has a few.{MELT}",
            source=source,
        )


def _with_event(
    roles: dict[str, str], event: str | None, names: Sequence[str], options: Options, source: str
) -> dict[str, str]:
    """The roles, with the column of the kinds of events where it is wanted."""
    if options.kinds is not None and event is None:
        raise DataError(
            f"no column is named like kinds of events ({', '.join(EVENT[:4])} ...), which kinds="
            f" needs; the columns are {', '.join(map(repr, names))}.",
            source=source,
        )
    weighed = options.kinds is not None or options.keep_kinds
    if event is not None and (weighed or "value" not in roles):
        roles["event"] = event
    return roles


def _refuse_measures(roles: Mapping[str, str], columns: Columns, source: str) -> None:
    """Raise DataError if a column that was taken for ids by its position holds measures or dates,
    or the table has a column for each item.
    """
    wide = is_wide(columns)
    shares = [any(map(_SHARE.match, columns.get(roles.get(role, ""), ()))) for role in _IDS]
    for role in ("item",) if wide else _IDS:
        cells = columns.get(roles.get(role, ""), ())
        measure = _SHARE if all(shares) else _MEASURE
        no_id = wide or dated(cells)
        odd = next((cell for cell in cells if no_id or measure.match(cell)), None)
        if odd is not None:
            raise DataError(
                f"without a header, {roles[role]} would be the {role}s, and {odd!r} isn't an id;"
                f" name the columns ({role}=).{MELT}",
                source=source,
            )


def has_role(role: str, names: Sequence[str]) -> bool:
    """Return whether one of some names is a role's."""
    return bool(_by_name(names, [role], set()))


def _by_name(names: Sequence[str], free: Sequence[str], taken: set[str]) -> dict[str, str]:
    by_fold: dict[str, str] = {}
    table = common_prefix(names)
    for name in names:
        if name not in taken:
            by_fold.setdefault(folded(name.removeprefix(table)), name)
    if {"u", "i"} <= by_fold.keys():
        whole = {letter: by_fold.pop(letter) for letter in _INITIALS if letter in by_fold}
        by_fold = {**{_INITIALS[letter]: name for letter, name in whole.items()}, **by_fold}
    if not by_fold.keys().isdisjoint(EVENT):
        # It numbers the events there.
        by_fold.pop("eventid", None)
    roles = {}
    for role in free:
        found = next((by_fold[usual] for usual in USUAL[role] if usual in by_fold), None)
        if found is not None:
            roles[role] = name_words.with_id(found, by_fold.values()) or found
            by_fold = {key: name for key, name in by_fold.items() if name != roles[role]}
    for role in free:
        said = [n for n in by_fold.values() if name_words.role_of(n.removeprefix(table)) == role]
        if role not in roles and said:
            roles[role] = next((name for name in said if name_words.is_id(name)), said[0])
            by_fold = {key: name for key, name in by_fold.items() if name != roles[role]}
    return roles


def common_prefix(names: Sequence[str]) -> str:
    """Return what stands before all names: ``ratings.`` of ``ratings.user``, ``ratings.item``."""
    pairs = zip(min(names, default=""), max(names, default=""), strict=False)
    shared = "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return shared[: max(shared.rfind("."), shared.rfind(":")) + 1] if len(names) > 1 else ""


def _event(names: Sequence[str], taken: set[str]) -> str | None:
    by_fold = {folded(name): name for name in reversed(names) if name not in taken}
    return next((by_fold[usual] for usual in EVENT if usual in by_fold), None)


def roles_note(roles: Mapping[str, str], names: Sequence[str] = (), *, headed: bool = True) -> Note:
    """Return the sentence that says which columns were taken, and which were not."""
    taken = ", ".join(f"{role} = {' '.join(name.split())}" for role, name in roles.items())
    said = f"columns: {taken}" if headed else f"no header; columns by position: {taken}"
    fact = Fact.HEADER if headed else Fact.NO_HEADER
    rest = [name for name in names if name not in roles.values() and name.strip()]
    if not rest:
        return Note(said, fact)
    shown = ", ".join(rest[:8]) + (f" and {len(rest) - 8} more" if len(rest) > 8 else "")
    lacking = [
        r for r in ("value", "time") if r not in roles and not (r == "value" and "event" in roles)
    ]
    cure = " (" + " or ".join(f"{role}=NAME" for role in lacking) + " takes one)" if lacking else ""
    event = None if "event" in roles else _event(rest, set())
    if event is not None:
        cure += f"; kinds={{'view': 1}} would weigh the kinds of events in {event}"
    return Note(f"{said}; not read: {shown}{cure}", fact)


def _given(names: Sequence[str], wanted: object, role: str, source: str) -> str:
    if isinstance(wanted, (int, np.integer)):
        if not 0 <= wanted < len(names):
            raise ArgumentError(
                f"{role}={wanted} isn't a column of {source}: positions run from 0 to"
                f" {len(names) - 1}."
            )
        return names[int(wanted)]
    if wanted not in names:
        raise unknown_name(f"column of {source}", wanted, names)
    return str(wanted)
