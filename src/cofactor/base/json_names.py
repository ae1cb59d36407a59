"""JSON objects that give a name twice, of which one reader takes the first value and another the
last.
"""

from __future__ import annotations

import json
from typing import Any


class _TwiceError(Exception):
    """A name is given twice."""


def name_twice(text: str) -> str | None:
    """Return the first name that one object of a JSON text gives twice; None if there is none.

    Parameters
    ----------
    text
        JSON that was decoded before, so that its form and depth are known.
    """
    try:
        _names.decode(text)
    except _TwiceError as error:
        return str(error)
    return None


def _object(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for n, name in enumerate(names) if name in names[:n]))


# Numbers are looked at nowhere: those of any length are texts here.
_names = json.JSONDecoder(object_pairs_hook=_object, parse_int=str, parse_float=str, strict=False)
