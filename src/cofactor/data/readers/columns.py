"""Which column is the user, the item, the value, the time: found by the usual names, or as the
caller says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cofactor.base.errors import ArgumentError, DataError
from cofactor.base.names import nearest, unknown_name
from cofactor.base.progress import SILENT, Progress

# Folded names (letters and digits only), the preferred ones first.
USUAL: Mapping[str, tuple[str, ...]] = {
    "user": (
        "userid",
        "user",
        "uid",
        "reviewerid",
        "visitorid",
        "customerid",
        "customer",
        "memberid",
        "member",
        "accountid",
        "personid",
        "profileid",
        "readerid",
        "reader",
        "viewerid",
        "subscriberid",
        "username",
        "sessionid",
        "session",
        "users",
    ),
    "item": (
        "itemid",
        "item",
        "iid",
        "movieid",
        "bookid",
        "parentasin",
        "asin",
        "isbn",
        "productid",
        "product",
        "articleid",
        "article",
        "songid",
        "trackid",
        "artistid",
        "videoid",
        "newsid",
        "contentid",
        "businessid",
        "gameid",
        "animeid",
        "locationid",
        "venueid",
        "poiid",
        "recipeid",
        "beerid",
        "sku",
        "movie",
        "book",
        "song",
        "track",
        "artist",
        "items",
    ),
    "value": (
        "rating",
        "overall",
        "score",
        "stars",
        "bookrating",
        "starrating",
        "ratingvalue",
        "userrating",
        "ratings",
        "value",
        "count",
        "weight",
        "plays",
        "playcount",
        "listens",
        "listencount",
        "frequency",
        "quantity",
        "preference",
        "accessed",
    ),
    "time": (
        "timestamp",
        "time",
        "ts",
        "unixreviewtime",
        "unixtime",
        "eventtime",
        "datetime",
        "date",
        "dateadded",
        "createdat",
        "ratedat",
        "watchedat",
        "reviewtime",
        "dateupdated",
        "readat",
    ),
}
ROLES = tuple(USUAL)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a caller of `read` asked for; the same for every format.

    Parameters
    ----------
    user, item, value, time
        A column's name or position from 0; None to find it by the usual names; for ``value`` and
        ``time`` False to leave them out.
    delimiter, header, encoding, quote, escape
        How delimited text is written; None to find out.
    on_bad
        ``"error"`` or ``"skip"``.
    now
        Seconds since 1970; a later time is an error.
    time_unit
        ``"s"``, ``"ms"``, ``"us"``, ``"ns"``; None to tell it from the size of the numbers.
    """

    user: str | int | None = None
    item: str | int | None = None
    value: str | int | bool | None = None
    time: str | int | bool | None = None
    delimiter: str | None = None
    header: bool | None = None
    encoding: str | None = None
    quote: bool | None = None
    escape: str | None = None
    on_bad: str = "error"
    now: float = float("inf")
    time_unit: str | None = None
    progress: Progress = field(default=SILENT, repr=False, compare=False)


def folded(name: str) -> str:
    """Return a column's name as letters and digits only; ``user_id:token`` (typed headers) loses
    its type.
    """
    return re.sub(r"[\W_]+", "", name.split(":")[0].casefold())


def find_roles(
    names: Sequence[str], options: Options, source: str, *, headed: bool = True
) -> dict[str, str]:
    """Return the column of each role that the data has.

    Parameters
    ----------
    names
        The columns, in order.
    options
        What the caller gave.
    source
        For messages.
    headed
        Whether the names come from the data; otherwise the columns are taken in the order user,
        item, value, time.

    Raises
    ------
    DataError
        If there is no user or no item column.
    UnknownNameError, ArgumentError
        If a column that was given doesn't exist.
    """
    given = {role: getattr(options, role) for role in ROLES}
    # By identity: the positions 0 and 1 equal False and True.
    named = {
        role: asked
        for role, asked in given.items()
        if asked is not None and not isinstance(asked, bool)
    }
    roles = {role: _given(names, asked, role, source) for role, asked in named.items()}
    taken = set(roles.values())
    if len(taken) < len(roles):
        raise ArgumentError(f"two of user, item, value and time name the same column: {roles}.")
    free = [role for role in ROLES if role not in roles and given[role] is not False]
    by_fold: dict[str, str] = {}
    for name in names:
        if name not in taken:
            by_fold.setdefault(folded(name), name)
    for role in free:
        if not headed:
            break
        found = next((by_fold[usual] for usual in USUAL[role] if usual in by_fold), None)
        if found is not None:
            roles[role] = by_fold.pop(folded(found))
    if not headed:
        roles |= _by_position(names, free, taken)
    for role in ("user", "item"):
        if role not in roles:
            raise DataError(_missing(role, names), source=source)
    if (given["value"] is True and "value" not in roles) or (
        given["time"] is True and "time" not in roles
    ):
        raise DataError(_missing("value" if "value" not in roles else "time", names), source=source)
    return {role: roles[role] for role in ROLES if role in roles}


def roles_note(roles: Mapping[str, str], *, headed: bool = True) -> str:
    """Return the sentence that says which columns were taken."""
    taken = ", ".join(f"{role} = {name}" for role, name in roles.items())
    return f"columns: {taken}" if headed else f"no header; columns by position: {taken}"


def refuse_repeated(names: Sequence[str], source: str) -> None:
    """Raise DataError if a name stands twice in a header."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"the header has the column {twice[0]!r} {names.count(twice[0])} times; "
            "rename one of them, or read with header=False and columns given by position.",
            source=source,
        )


def _given(names: Sequence[str], asked: object, role: str, source: str) -> str:
    if isinstance(asked, int):
        if not 0 <= asked < len(names):
            raise ArgumentError(
                f"{role}={asked} is no column of {source}: positions run from 0 to"
                f" {len(names) - 1}."
            )
        return names[asked]
    if asked not in names:
        raise unknown_name(f"column of {source}", asked, names)
    return str(asked)


def _by_position(names: Sequence[str], free: Sequence[str], taken: set[str]) -> dict[str, str]:
    rest = [name for name in names if name not in taken]
    return dict(zip(free, rest, strict=False))


def _missing(role: str, names: Sequence[str]) -> str:
    close = [name for usual in USUAL[role][:6] for name in nearest(usual, names, 1)]
    hint = f"perhaps {role}={close[0]!r}?" if close else f"give it as {role}=NAME."
    return (
        f"no column is named like {'an' if role == 'item' else 'a'} {role}'s; the columns are"
        f" {', '.join(map(repr, names))}: {hint}"
    )
