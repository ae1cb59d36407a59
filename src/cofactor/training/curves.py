"""Learning curves as a web page or as a figure in a notebook: losses and metrics, raw and smoothed,
with the best epoch marked.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cofactor.base import checks
from cofactor.base.page import page, section, write_page
from cofactor.base.svg import Axes, Series, chart

_TRAIN = "train "
_PAST = 0.6  # share of the previous mean in a smoothed curve
_FEW = 20  # curves of more epochs are smoothed


def smoothed(values: np.ndarray) -> np.ndarray:
    """Return the mean of two running means ``m_t = .6 m_{t−1} + .4 x_t``, one from the start and
    one from the end, so that it doesn't lag; each is corrected for its start, NaN is skipped.

    Parameters
    ----------
    values
        float [epochs].

    Returns
    -------
    ndarray
        float64 [epochs].
    """
    x = np.asarray(values, np.float64)
    return (_running(x) + _running(x[::-1])[::-1]) / 2


def _running(values: np.ndarray) -> np.ndarray:
    result = np.empty(len(values), np.float64)
    mean = total = 0.0
    for n, value in enumerate(values):
        if not np.isnan(value):
            mean, total = _PAST * mean + (1 - _PAST) * value, _PAST * total + (1 - _PAST)
        result[n] = mean / total if total else np.nan
    return result


def figures(curves: Mapping[str, Any]) -> list[str]:
    """Return SVG charts: one of the training loss, and one of each metric.

    Parameters
    ----------
    curves
        Learning curves by the name shown in the legend. A metric called ``"train x"`` is drawn in
        the chart of ``"x"``, dashed.
    """
    metrics = [n for c in curves.values() for n in c.metrics if not n.startswith(_TRAIN)]
    drawn = []
    for row in ["training loss", *dict.fromkeys(metrics)]:
        series: list[Series] = []
        for n, (name, curve) in enumerate(curves.items()):
            columns = {"": curve.loss} if row == "training loss" else _of(curve, row)
            for kind, values in columns.items():
                series += _series(f"{name}{kind}", values, curve.best_epoch, n, bool(kind))
        last = max((len(curve) for curve in curves.values()), default=1)
        axes = Axes(title=row, x_label="epoch", x_whole=(1, max(2, last)), width=760, height=280)
        drawn.append(chart(axes, series))
    return drawn


def draw(
    curves: Mapping[str, Any],
    path: str | os.PathLike[str],
    title: str = "Learning curves",
) -> Path:
    """Write the curves to a self-contained page (it needs no network), and return its path."""
    target = checks.path(path, "path")
    target.parent.mkdir(parents=True, exist_ok=True)
    best = "; ".join(words for words in map(_best_of, curves, curves.values()) if words)
    body = "".join(f'<div class="wide">{one}</div>' for one in figures(curves))
    note = ". ".join(filter(None, (_legend(list(curves.values())), best)))
    return write_page(target, page(title, section(title, note, body)))


def _legend(curves: list[Any]) -> str:
    """The legend of the lines that are drawn."""
    names = {name for curve in curves for name in curve.metrics}
    signs = {
        "faint: each epoch; strong: smoothed": any(len(curve) > _FEW for curve in curves),
        "dot: the best epoch": any(0 <= curve.best_epoch < len(curve) for curve in curves),
        "dashed: on training data": any(name.startswith(_TRAIN) for name in names),
    }
    words = "; ".join(sign for sign, there in signs.items() if there)
    return words[:1].upper() + words[1:]


def _of(curve: Any, metric: str) -> dict[str, list[float]]:
    """A metric, and the same metric on training data."""
    found = {"": metric, " (training)": _TRAIN + metric}
    return {kind: curve.metrics[name] for kind, name in found.items() if name in curve.metrics}


def _series(name: str, values: list[float], best: int, colour: int, dashed: bool) -> list[Series]:
    """The values, smoothed above the raw ones if there are many; the best epoch is a dot."""
    measured = np.flatnonzero(np.isfinite(values))  # a metric may be measured every few epochs only
    epochs, known = (measured + 1).tolist(), np.asarray(values, np.float64)[measured]
    raw = Series(name, epochs, known.tolist(), colour=colour, dots=len(epochs) < 2, dashed=dashed)
    drawn = [raw]
    if len(epochs) > _FEW:
        strong = replace(raw, y=smoothed(known).tolist())
        drawn = [replace(raw, name="", faint=True), strong]
    if not 0 <= best < len(values) or not math.isfinite(values[best]):
        return drawn
    tip = f"{name}, best epoch {best + 1}: {values[best]:.4f}"
    return [*drawn, Series("", [best + 1], [values[best]], tips=[tip], colour=colour)]


def _best_of(name: str, curve: Any) -> str:
    """The best epoch and its metrics as text; empty if there is none."""
    if not 0 <= curve.best_epoch < len(curve):
        return ""
    numbers = [f"{n} {v[curve.best_epoch]:.4f}" for n, v in curve.metrics.items()]
    return f"{name}: best epoch {curve.best_epoch + 1}" + "".join(f", {one}" for one in numbers)
