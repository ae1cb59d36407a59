"""Names in messages: the nearest ones, counts, settings."""

from __future__ import annotations

import difflib
import itertools
import os
import re
from collections.abc import Iterable
from typing import Any

from cofactor.base.errors import UnknownNameError

# Names in a folder that are looked at, and how much of a name they must have in common with it.
_LOOKED_AT = 2000
_ALIKE = 0.75


def nearest(name: str, known: Iterable[str], count: int = 3, cutoff: float = 0.5) -> list[str]:
    """Return up to ``count`` of the ``known`` names that are closest to ``name``, the closest
    first; ``cutoff`` is the least share of what they have in common.
    """
    by_fold = {k.casefold(): k for k in known} if len(str(name)) <= 200 else {}
    hits = difflib.get_close_matches(str(name).casefold(), by_fold, n=count, cutoff=cutoff)
    return [by_fold[h] for h in hits]


def unknown_name(kind: str, name: object, known: Iterable[str]) -> UnknownNameError:
    """Build the error for a name that doesn't exist: the nearest names, else all of them.

    Parameters
    ----------
    kind
        What was named: ``"model"``, ``"metric"``, ``"dataset"``, ``"setting of IALS"`` ...
    name
        What was given.
    known
        The names that exist.
    """
    names = list(known)
    close = nearest(str(name), names)
    if close:
        cure = f"did you mean {_listed([*map(_legible, close)])}?"
    else:
        cure = f"it must be one of {', '.join(map(_legible, sorted(names)))}."
    shown = f"{name[:60]}…" if isinstance(name, str) and len(name) > 200 else name
    return UnknownNameError(f"unknown {kind} {shown!r}; {cure}")


def missing(path: str | os.PathLike[str], what: str = "file or folder") -> str:
    """Return that a path isn't there, in a sentence with the nearest names beside it."""
    text, said = os.fspath(path), f"there is no such {what}"
    several = [part.strip() for part in text.split(",") if part.strip()]
    if "," in text and all(map(os.path.exists, several)):
        return f"{said}; files are given one after the other, with spaces between them."
    return f"{said}; did you mean {_listed(close)}?" if (close := near(path)) else f"{said}."


def near(path: str | os.PathLike[str]) -> list[str]:
    """Return what stands beside a path that isn't there under a name much like its own."""
    folder, name = os.path.split(os.path.expanduser(os.fspath(path)).rstrip(os.sep))
    try:
        with os.scandir(folder or ".") as entries:
            known = [
                one.name for one in itertools.islice(entries, _LOOKED_AT) if one.name[0] != "."
            ]
    except (OSError, ValueError):
        return []
    found = nearest(name, filter(is_text, known), cutoff=_ALIKE)
    return [os.path.join(folder, one) for one in found]


def without_password(url: str) -> str:
    """Return a URL as messages may show it."""
    return re.sub(r"//[^/@\s]*@", "//", url)


def _legible(name: str) -> str:
    """A name in a list; a mark such as a comma in quotes."""
    return name if re.search(r"\w", name) else repr(name)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def counted(count: int, what: str) -> str:
    """Return how many there are of what is named in the singular: ``1 row``, ``2,400 rows``."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def word(value: Any) -> str:
    """Return a setting's value as `Config.from_text` and the command line read it."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(word, value))
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return str(getattr(value, "name", value))


def is_text(name: str) -> bool:
    """Return whether a name is Unicode text: the name of a file may be any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
