"""The regret curves of `benchmarks.closed_loop` as an SVG for the docs, and its table.

    python -m benchmarks.regret_curve results.json docs/images/regret.svg

Each line is a shop's cumulative regret less that of the shop that shows the ranking, the mean over
the seeds, with its 95 % interval as a band: below zero, exploration has paid for itself."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from benchmarks.closed_loop import summary

_WIDE, _HIGH, _LEFT, _BOTTOM = 640, 300, 70, 40
_COLOURS = ("#1f57b8", "#b5471a", "#0e7265", "#6b4fa0")


class Curve(NamedTuple):
    """A shop's cumulative regret less the ranking's, by day: mean over the seeds, and half of the
    95 % interval (zero for a single seed).
    """

    mean: np.ndarray
    half: np.ndarray


def curves(found: list[dict[str, Any]]) -> dict[str, Curve]:
    """Return the curve of each exploring shop, over the seeds that it and the ranking have."""
    regret = {
        (one["name"], one.get("seed", 0)): np.cumsum([day["regret"] for day in one["days"]])
        for one in found
        if one["test"] is None
    }
    made = {}
    for name in dict.fromkeys(name for name, _ in regret if name != "ranking"):
        lines = np.array(
            [
                line - regret["ranking", seed]
                for (shop, seed), line in regret.items()
                if shop == name and ("ranking", seed) in regret
            ]
        )
        half, n = np.zeros(lines.shape[1]), len(lines)
        if n > 1:
            half = stats.t.ppf(0.975, n - 1) * lines.std(axis=0, ddof=1) / np.sqrt(n)
        made[name] = Curve(lines.mean(axis=0), half)
    return made


def svg(lines: dict[str, Curve]) -> str:
    """Draw the curves."""
    n = len(next(iter(lines.values())).mean)
    low = min(0.0, *(float((line.mean - line.half).min()) for line in lines.values()))
    high = max(0.0, *(float((line.mean + line.half).max()) for line in lines.values()))

    def x(day: float) -> float:
        return _LEFT + (_WIDE - _LEFT - 120) * day / n

    def y(value: float) -> float:
        return 20 + (_HIGH - _BOTTOM - 20) * (high - value) / (high - low)

    def path(values: np.ndarray) -> list[str]:
        return [f"{x(d):.1f},{y(v):.1f}" for d, v in enumerate([0.0, *values.tolist()])]

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
        band = path(line.mean + line.half) + path(line.mean - line.half)[::-1]
        end = y(float(line.mean[-1])) + 4
        parts.append(
            f'<polygon points="{" ".join(band)}" fill="{colour}" opacity="0.12"/>'
            f'<polyline points="{" ".join(path(line.mean))}" fill="none" stroke="{colour}"'
            f' stroke-width="2"/><text x="{x(n) + 6:.1f}" y="{end:.1f}" fill="{colour}">{name}'
            "</text>"
        )
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Print the table of the results, and draw the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("results", type=Path, help="what closed_loop wrote")
    parser.add_argument("picture", type=Path, help="the SVG to write")
    given = parser.parse_args()
    found = json.loads(given.results.read_text())
    given.picture.write_text(svg(curves(found)))
    lines = summary(found)
    print("| " + " | ".join(lines[0]) + " |")
    print("| " + " | ".join("---" if name == "shop" else "---:" for name in lines[0]) + " |")
    for line in lines:
        print("| " + " | ".join(str(part) for part in line.values()) + " |")


if __name__ == "__main__":
    main()
