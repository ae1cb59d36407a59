"""Headers that name a column twice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from cofactor.base.errors import DataError

_BETWEEN_WORDS = re.compile(r"[\s_-]+")


def refuse_repeated(
    names: Sequence[str], source: str, name: str | None = None, *, is_text: bool = False
) -> None:
    """Raise DataError if a name (any, if None) occurs twice in a header; that of a text may be
    passed over.
    """
    counts = Counter(names)
    twice = sorted(n for n, count in counts.items() if count > 1 and name in (None, n))
    if twice:
        cure = ", or read with header=False and columns given by position" if is_text else ""
        raise DataError(
            f"the header has the column {twice[0]!r} {counts[twice[0]]} times;"
            f" rename one of them{cure}.",
            source=source,
        )


def refuse_alike(
    roles: Mapping[str, str], names: Sequence[str], chosen: Collection[str], source: str
) -> None:
    """Raise DataError if a role's name stands there twice but for case, blanks, ``_`` and ``-``,
    unless the caller has chosen.
    """
    for role, name in roles.items():
        other = next((n for n in names if n != name and _bare(n) == _bare(name)), None)
        if other is not None and name not in chosen:
            raise DataError(
                f"its columns {name!r} and {other!r} have the same name but for how it is written,"
                f" and either may be the {role}; say which one is ({role}=).",
                source=source,
            )


def _bare(name: str) -> str:
    return _BETWEEN_WORDS.sub("", name).casefold()
