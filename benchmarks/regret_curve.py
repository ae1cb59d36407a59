"""The regret curves of `benchmarks.closed_loop` as an SVG for the docs.

    python -m benchmarks.regret_curve results.json docs/images/regret.svg

Each line is a shop's cumulative regret less that of the shop that shows the ranking: below zero,
exploration has paid for itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

_WIDE, _HIGH, _LEFT, _BOTTOM = 640, 300, 70, 40
_COLOURS = ("#1f57b8", "#b5471a", "#0e7265", "#6b4fa0")


def curves(found: list[dict]) -> dict[str, np.ndarray]:
    """Return each exploring shop's cumulative regret less the ranking's, by day."""
    regret = {
        one["name"]: np.cumsum([day["regret"] for day in one["days"]])
        for one in found
        if one["test"] is None
    }
    base = regret.pop("ranking")
    return {name: line - base for name, line in regret.items()}


def svg(lines: dict[str, np.ndarray]) -> str:
    """Draw the curves."""
    n = len(next(iter(lines.values())))
    low = min(0.0, *(float(line.min()) for line in lines.values()))
    high = max(0.0, *(float(line.max()) for line in lines.values()))

    def x(day: float) -> float:
        return _LEFT + (_WIDE - _LEFT - 120) * day / n

    def y(value: float) -> float:
        return 20 + (_HIGH - _BOTTOM - 20) * (high - value) / (high - low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {_HIGH}" font-size="12"'
        ' font-family="sans-serif" fill="#57606e">',
        f'<rect width="{_WIDE}" height="{_HIGH}" fill="#ffffff"/>',
        '<text x="10" y="14">cumulative regret less that of the ranking, in clicks</text>',
    ]
    for value in sorted({low, 0.0, high}):
        dash = "" if value == 0 else ' stroke-dasharray="3 3"'
        parts.append(
            f'<line x1="{_LEFT}" x2="{x(n):.1f}" y1="{y(value):.1f}" y2="{y(value):.1f}"'
            f' stroke="#b8c0cc"{dash}/><text x="{_LEFT - 8}" y="{y(value) + 4:.1f}"'
            f' text-anchor="end">{value:,.0f}</text>'
        )
    for day in range(0, n + 1, 2):
        parts.append(f'<text x="{x(day):.1f}" y="{_HIGH - 18}" text-anchor="middle">{day}</text>')
    parts.append(f'<text x="{x(n / 2):.1f}" y="{_HIGH - 3}" text-anchor="middle">day</text>')
    for (name, line), colour in zip(lines.items(), _COLOURS, strict=False):
        points = " ".join(f"{x(d):.1f},{y(v):.1f}" for d, v in enumerate([0.0, *line.tolist()]))
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<text x="{x(n) + 6:.1f}" y="{y(float(line[-1])) + 4:.1f}" fill="{colour}">{name}'
            "</text>"
        )
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Read the results and write the picture."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    target.write_text(svg(curves(json.loads(source.read_text()))))


if __name__ == "__main__":
    main()
