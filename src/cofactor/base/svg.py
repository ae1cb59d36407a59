"""Charts as SVG: lines, dots and intervals that show their numbers under the pointer, without a
script and in the colours of the page around them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cofactor.base.markup import safe

# Distinguishable with any colour vision (Okabe and Ito's palette, yellow left out), on light
# and on dark.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#8c6d31")
# Beyond eight series the same colours come again with other strokes.
_STROKES = ("", "6 4", "2 3", "9 3 2 3")
_FONT = 'font-family="system-ui,Segoe UI,Roboto,sans-serif" font-size="12" fill="currentColor"'


@dataclass(frozen=True)
class Series:
    """Points of one colour.

    Parameters
    ----------
    name
        For the legend; an empty one isn't listed.
    x, y
        Numbers; a point that isn't finite is left out, and the line ends there.
    low, high
        The interval of each y; empty for none.
    tips
        What is said under the pointer, one text a point; empty for the coordinates.
    labels
        What stands beside the points; empty for nothing.
    colour
        The number of the colour, and beyond the palette of the stroke.
    line, dots
        What is drawn.
    dashed, faint
        How the line looks.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    tips: Sequence[str] = ()
    labels: Sequence[str] = ()
    colour: int = 0
    line: bool = True
    dots: bool = True
    dashed: bool = False
    faint: bool = False


@dataclass(frozen=True)
class Axes:
    """What the points are drawn on.

    Parameters
    ----------
    title, x_label, y_label
        Texts.
    x_log
        Whether x is logarithmic.
    x_names
        Names of x = 0, 1, 2 ... in place of numbers.
    x_whole
        The least and the largest of whole numbers on x (epochs); only whole ones are marked.
    width, height
        In pixels; the chart shrinks with the page.
    """

    title: str = ""
    x_label: str = ""
    y_label: str = ""
    x_log: bool = False
    x_names: Sequence[str] = ()
    x_whole: tuple[int, int] | None = None
    width: int = 640
    height: int = 260


class _Scale(NamedTuple):
    """From numbers to pixels."""

    low: float
    high: float
    begin: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        value = math.log10(max(value, 1e-12)) if self.log else value
        share = (value - self.low) / ((self.high - self.low) or 1)
        return round(self.begin + share * (self.end - self.begin), 1)


def chart(axes: Axes, series: Sequence[Series]) -> str:
    """Return a chart of some series over common axes."""
    legend, height = _legend(axes, series)
    top = 8 + (20 if axes.title else 0) + height
    bottom = axes.height - 24 - (18 if axes.x_label else 0) - (16 if len(axes.x_names) else 0)
    y_ticks = _ticks(*_range([v for one in series for v in (*one.y, *one.low, *one.high)]), 5)
    left = 14 + 7 * max(len(_number(v, y_ticks)) for v in y_ticks) + (18 if axes.y_label else 0)
    xs = [v for one in series for v in one.x]
    x = _x_scale(axes, xs, left)
    y = _Scale(y_ticks[0], y_ticks[-1], bottom, top)
    parts = [_grid(axes, x, y, y_ticks), legend]
    parts += [_drawn(one, x, y) for one in series]
    return _svg(axes.width, axes.height, axes.title or axes.y_label, "".join(parts))


def intervals(
    title: str, names: Sequence[str], values: Sequence[float], spans: Sequence[tuple[float, float]]
) -> str:
    """Return a dot with its interval for each of several names, one below the other.

    Parameters
    ----------
    title
        What is measured.
    names, values, spans
        For each line its name, the value, and the ends of its interval (both NaN for none).
    """
    left = 16 + 7 * max((min(len(name), 30) for name in names), default=0)
    height, width = 26 * len(names) + 56, 260 + left
    ends = [v for span in spans for v in span]
    ticks = _ticks(*_range([*values, *ends]), 4)
    x, bottom = _Scale(ticks[0], ticks[-1], left, width - 24), height - 26
    parts = [
        f'<line x1="{x(v)}" x2="{x(v)}" y1="26" y2="{bottom}" stroke="currentColor" opacity=".15"/>'
        f'<text x="{x(v)}" y="{height - 8}" text-anchor="middle">{_number(v, ticks)}</text>'
        for v in ticks
    ]
    for n, (name, value, (low, high)) in enumerate(zip(names, values, spans, strict=True)):
        middle = 26 * n + 41
        parts.append(
            f'<text x="{left - 10}" y="{middle + 4}" text-anchor="end">{_shorten(name)}</text>'
        )
        if math.isfinite(value):
            known = math.isfinite(low) and math.isfinite(high)
            tip = f"{name}: {value:.4f}" + (f", {low:.4f} to {high:.4f}" if known else "")
            bar = _bar(x(low), middle, x(high), middle, "currentColor") if known else ""
            parts.append(f"{bar}{_dot(x(value), middle, COLOURS[0], tip)}")
    parts.append(f'<text x="{left}" y="14" font-weight="650">{safe(title)}</text>')
    return _svg(width, height, title, "".join(parts))


def _x_scale(axes: Axes, values: Sequence[float], left: float) -> _Scale:
    right = axes.width - 24
    if axes.x_names:
        return _Scale(-0.5, len(axes.x_names) - 0.5, left, right)
    if axes.x_log:
        low, high = _range([math.log10(max(v, 1e-12)) for v in values if math.isfinite(v)])
        return _Scale(math.floor(low * 2) / 2, math.ceil(high * 2) / 2, left, right, log=True)
    low, high = _range(values if axes.x_whole is None else axes.x_whole)
    return _Scale(low, high, left, right)


def _grid(axes: Axes, x: _Scale, y: _Scale, y_ticks: Sequence[float]) -> str:
    left, right, bottom = x.begin, x.end, y.begin
    parts = [
        f'<line x1="{left}" x2="{right}" y1="{y(v)}" y2="{y(v)}" stroke="currentColor"'
        f' opacity=".15"/><text x="{left - 8}" y="{y(v) + 4}" text-anchor="end">'
        f"{_number(v, y_ticks)}</text>"
        for v in y_ticks
    ]
    for value, text in _x_marks(axes, x):
        lines = text.split("\n")
        rows = "".join(
            f'<tspan x="{x(value)}" dy="{15 if n else 0}">{safe(row)}</tspan>'
            for n, row in enumerate(lines)
        )
        parts.append(f'<text x="{x(value)}" y="{bottom + 18}" text-anchor="middle">{rows}</text>')
    if axes.x_label:
        middle = (left + right) / 2
        parts.append(
            f'<text x="{middle}" y="{axes.height - 6}" text-anchor="middle" opacity=".75">'
            f"{safe(axes.x_label)}</text>"
        )
    if axes.y_label:
        middle = (y.begin + y.end) / 2
        parts.append(
            f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle"'
            f' opacity=".75">{safe(axes.y_label)}</text>'
        )
    if axes.title:
        parts.append(f'<text x="{left}" y="16" font-weight="650">{safe(axes.title)}</text>')
    return "".join(parts)


def _x_marks(axes: Axes, x: _Scale) -> list[tuple[float, str]]:
    if axes.x_names:
        return list(enumerate(axes.x_names))
    if not axes.x_log:
        ticks = [v for v in _ticks(x.low, x.high, 6) if x.low <= v <= x.high]
        if axes.x_whole is not None:
            ticks = [v for v in ticks if v == round(v)]
        return [(v, _number(v, ticks)) for v in ticks]
    steps = range(math.floor(x.low), math.ceil(x.high) + 1)
    factors = (1, 2, 5) if x.high - x.low <= 2 else (1,)
    marks = [10.0**step * factor for step in steps for factor in factors]
    return [(v, f"{v:,g}") for v in marks if x.low - 1e-9 <= math.log10(v) <= x.high + 1e-9]


def _legend(axes: Axes, series: Sequence[Series]) -> tuple[str, int]:
    """The names with their strokes, in as many lines as they need, and the height of these."""
    named = [one for one in series if one.name]
    if len(named) < 2 or all(len(one.labels) for one in named):
        return "", 0
    parts, left, top = [], 16, 14 + (20 if axes.title else 0)
    for one in named:
        size = 44 + 7 * min(len(one.name), 30)
        if left + size > axes.width and left > 16:
            left, top = 16, top + 18
        parts.append(
            f'<line x1="{left}" x2="{left + 22}" y1="{top - 4}" y2="{top - 4}"'
            f' {_stroke(one)}/><text x="{left + 28}" y="{top}">{_shorten(one.name)}</text>'
        )
        left += size
    return "".join(parts), top - (20 if axes.title else 0) + 2


def _drawn(one: Series, x: _Scale, y: _Scale) -> str:
    """A series: its line, intervals, dots, and what stands beside them."""
    parts, run = [], []
    for at, value in [*zip(one.x, one.y, strict=True), (math.nan, math.nan)]:
        if math.isfinite(value) and math.isfinite(at):
            run.append(f"{x(at)},{y(value)}")
        elif run:
            if one.line and len(run) > 1:
                parts.append(f'<polyline points="{" ".join(run)}" fill="none" {_stroke(one)}/>')
            run = []
    colour, taken = COLOURS[one.colour % len(COLOURS)], list[tuple[float, float]]()
    for n, (at, value) in enumerate(zip(one.x, one.y, strict=True)):
        if not one.dots or not math.isfinite(value) or not math.isfinite(at):
            continue
        left, top = x(at), y(value)
        if one.low and math.isfinite(one.low[n]) and math.isfinite(one.high[n]):
            parts.append(_bar(left, y(one.low[n]), left, y(one.high[n]), "currentColor"))
        tip = one.tips[n] if one.tips else f"{one.name} {at:g}: {value:.4f}"
        parts.append(_dot(left, top, colour, tip))
        if one.labels:
            parts.append(_label(one.labels[n], left, top, x.end, taken))
    return "".join(parts)


def _label(text: str, left: float, top: float, end: float, taken: list[tuple[float, float]]) -> str:
    """A name beside a dot, moved down where another one stands."""
    while any(abs(top - other) < 13 and abs(left - at) < 130 for at, other in taken):
        top += 13
    taken.append((left, top))
    inside = left + 16 + 7 * min(len(text), 30) < end
    place = f'x="{left + 10}"' if inside else f'x="{left - 10}" text-anchor="end"'
    return f'<text {place} y="{top + 4}">{_shorten(text)}</text>'


def _stroke(one: Series) -> str:
    dash = "5 4" if one.dashed else _STROKES[one.colour // len(COLOURS) % len(_STROKES)]
    style = f' stroke-dasharray="{dash}"' if dash else ""
    faint = ' opacity=".35" stroke-width="1"' if one.faint else ' stroke-width="2"'
    return f'stroke="{COLOURS[one.colour % len(COLOURS)]}"{style}{faint}'


def _dot(left: float, top: float, colour: str, tip: str) -> str:
    tip = f"<title>{safe(tip)}</title>"
    return f'<circle cx="{left}" cy="{top}" r="4.5" fill="{colour}">{tip}</circle>'


def _bar(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return (
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" opacity=".5"'
        ' stroke-width="1.6"/>'
    )


def _svg(width: float, height: float, label: str, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img" aria-label="{safe(label)}" {_FONT}>{body}</svg>'
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    """The least and the largest finite value, apart even where they are equal."""
    finite = [v for v in values if abs(v) < 1e300]  # so that the difference is finite too
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if high - low <= max(1e-9 * max(abs(low), abs(high)), 1e-11):  # but for rounding
        room = abs(low) * 0.1 if abs(low) > 1e-9 else 1.0
        return low - room, high + room
    return low, high


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten) from below the least to above the largest."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(n * step, 12) for n in range(first, last + 1)]


def _number(value: float, ticks: Sequence[float]) -> str:
    """A tick's label, with enough digits to differ from the next."""
    step = abs(ticks[1] - ticks[0]) if len(ticks) > 1 else abs(value) or 1.0
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:,.{digits}f}"


def _shorten(text: str) -> str:
    return safe(text if len(text) <= 30 else text[:29] + "…")
