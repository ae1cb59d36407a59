"""Options of `read` that a source has no use for: refused, since whoever gives one wants it to
count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cofactor.base.errors import ArgumentError
from cofactor.data.readers.columns import Options

OF_DATABASES = ("table", "query")
OF_FILES = ("format", "member")
OF_TEXTS = ("delimiter", "header", "quote", "escape")
OF_TABLES = ("user", "item", "value", "time", "time_unit", "time_format", "decimal", "kinds")
_COLUMN = "names a column of a table"
_WRITING = "says how a text is written"
_PURPOSE = {
    "table": "names a table of a database",
    "query": "is put to a database",
    "format": "says how a file is written",
    "member": "chooses a file of a folder or an archive",
    **dict.fromkeys(OF_TEXTS, _WRITING),
    **dict.fromkeys(("user", "item", "value", "time"), _COLUMN),
    **dict.fromkeys(("time_unit", "time_format"), "says how times are written"),
    "decimal": "says how values are written",
    "kinds": "gives weights to a column of kinds of events",
}


def refuse_unused(
    source: str, names: Iterable[str], options: Options, choices: Mapping[str, str | None]
) -> None:
    """Raise ArgumentError if any of some options is given.

    Parameters
    ----------
    source
        What has no use for them, in words.
    names
        The options.
    options, choices
        What the caller of `read` gave, None where it gave nothing.
    """
    for name in names:
        given = choices[name] if name in choices else getattr(options, name)
        if given is not None:
            raise ArgumentError(
                f"{name}={given!r} {_PURPOSE[name]}, and there is none in {source}; leave it out."
            )
