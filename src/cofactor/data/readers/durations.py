"""Durations as seconds: ``1h 20m``, ``01:20:00``, ``PT1H20M``, ``0 days 01:20:00``."""

from __future__ import annotations

import re
from collections.abc import Sequence

_UNITS = {
    word: seconds
    for seconds, words in (
        (86_400, "d day days tag tage jour jours dia dias giorno giorni"),
        (3_600, "h hr hrs hour hours std stunde stunden heure heures hora horas ora ore"),
        (60, "m min mins minute minutes minuten minuto minutos minuti"),
        (1, "s sec secs second seconds sek sekunde sekunden seconde secondes segundos secondi"),
    )
    for word in words.split()
}
_PIECE = re.compile(r"(\d+(?:[.,]\d+)?) ?([^\W\d_]+)\.?(?:,? (?:and |und |et |y |e )?|$|(?=\d))")
_CLOCK = re.compile(r"(?:(\d+) days?,? )?(?:(\d+):)?(\d+):([0-5]\d(?:\.\d+)?)")
_ISO = re.compile(r"P(?=.)(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_SIZES = (86_400, 3_600, 60, 1)
# Characters from which on a text isn't a duration: the patterns take the square of their number.
_LONG = 100


def are_durations(texts: Sequence[str]) -> bool:
    """Return whether all texts are durations, and show together in which units: words for at least
    two of them (minutes alone are numbers with a unit; ``m`` is a minute beside hours or seconds,
    and a month perhaps beside days), or a clock with hours (``3:20`` may be hours or minutes).
    """
    units = {word for text in texts for word in _words(text)}
    sizes = {_UNITS[word] for word in units}
    clear = len(sizes) > 1 and ("m" not in units or bool(sizes & {1, 3600}))
    clocks = [found for text in texts if len(text) < _LONG and (found := _CLOCK.fullmatch(text))]
    clear = (
        clear
        or any(found[2] for found in clocks)
        or any(_ISO.fullmatch(text[:_LONG]) for text in texts)
    )
    return clear and all(seconds(text) is not None for text in texts)


def seconds(text: str) -> float | None:
    """Return the seconds of a duration; None for another text."""
    if len(text) >= _LONG:
        return None
    found = _ISO.fullmatch(text) or _CLOCK.fullmatch(text)
    if found:
        parts = [float(part or 0) for part in found.groups()]
        return sum(part * size for part, size in zip(parts, _SIZES, strict=True))
    if not _words(text):
        return None
    pieces = _PIECE.findall(text)
    return sum(float(n.replace(",", ".")) * _UNITS[word.lower()] for n, word in pieces)


def _words(text: str) -> list[str]:
    """The units of a text of numbers and units alone, in small letters; none of another text."""
    if len(text) >= _LONG:
        return []
    words = [word.lower() for _, word in _PIECE.findall(text)]
    alone = not _PIECE.sub("", text).strip() and all(word in _UNITS for word in words)
    return words if alone else []
