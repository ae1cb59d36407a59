"""Learning curves as a web page: losses and metrics, raw and smoothed, with the best epoch
marked.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from cofactor.training.curve import LearningCurve

_COLOURS = ("#1f6feb", "#d1590a", "#1a7f37", "#8250df", "#bf3989", "#57606a")


def smoothed(values: np.ndarray, weight: float = 0.6) -> np.ndarray:
    """Return the running mean ``m_t = w m_{t−1} + (1 − w) x_t``, corrected for its start; NaN is
    skipped.

    Parameters
    ----------
    values
        float [epochs].
    weight
        ``w`` in 0..1: how much of the past stays; 0 returns the values.

    Returns
    -------
    ndarray
        float64 [epochs].
    """
    result = np.empty(len(values), np.float64)
    mean = total = 0.0
    for n, value in enumerate(np.asarray(values, np.float64)):
        if not np.isnan(value):
            mean, total = weight * mean + (1 - weight) * value, weight * total + (1 - weight)
        result[n] = mean / total if total else np.nan
    return result


def figure(curves: dict[str, LearningCurve], title: str = "Learning curves") -> Any:
    """Return a plotly figure: a row for the training loss, and one for each metric.

    Parameters
    ----------
    curves
        By the name shown in the legend. A metric called ``"train x"`` is drawn in the row of
        ``"x"``, dashed.
    title
        Above the figure.
    """
    from plotly.subplots import make_subplots

    metrics = [n for h in curves.values() for n in h.metrics if not n.startswith("train ")]
    rows = ["training loss", *dict.fromkeys(metrics)]
    page = make_subplots(
        rows=len(rows),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.12 / len(rows),
        subplot_titles=rows,
    )
    for n, (name, curve) in enumerate(curves.items()):
        colour = _COLOURS[n % len(_COLOURS)]
        _draw(page, 1, name, curve.loss, colour, curve.best_epoch)
        for metric, values in curve.metrics.items():
            row = (
                rows.index(metric.removeprefix("train ")) + 1
                if metric.removeprefix("train ") in rows
                else 1
            )
            _draw(
                page,
                row,
                f"{name}: {metric}",
                values,
                colour,
                curve.best_epoch,
                dashed=metric.startswith("train "),
            )
    page.update_xaxes(title_text="epoch", row=len(rows), col=1)
    page.update_layout(
        title=title,
        template="plotly_white",
        height=260 * len(rows) + 140,
        legend={"groupclick": "togglegroup"},
        font={"family": "system-ui, sans-serif"},
        margin={"l": 60, "r": 20, "t": 90, "b": 50},
    )
    return page


def draw(
    curves: dict[str, LearningCurve], path: str | os.PathLike[str], title: str = "Learning curves"
) -> Path:
    """Write the curves to a self-contained page (it needs no network), and return its path."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure(curves, title).write_html(target, include_plotlyjs=True)
    return target


def _draw(
    page: Any,
    row: int,
    name: str,
    values: list[float],
    colour: str,
    best: int,
    dashed: bool = False,
) -> None:
    """One curve: the raw values faint, the smoothed ones strong, the best epoch as a ringed dot."""
    measured = np.flatnonzero(np.isfinite(values))  # a metric may be taken each few epochs only
    epochs, shown = measured + 1, np.asarray(values)[measured]
    line = {"color": colour, "dash": "dash" if dashed else "solid"}
    common = {"x": epochs, "legendgroup": name, "mode": "lines"}
    page.add_scatter(
        **common,
        y=shown,
        name=f"{name} (raw)",
        line=line | {"width": 1},
        opacity=0.35,
        showlegend=False,
        row=row,
        col=1,
    )
    page.add_scatter(
        **common,
        y=smoothed(shown),
        name=name,
        line=line | {"width": 2},
        showlegend=row == 1 or not dashed,
        row=row,
        col=1,
    )
    if 0 <= best < len(values):
        marker = {"color": "white", "size": 11, "line": {"color": colour, "width": 3}}
        text = f"best epoch {best + 1}: {values[best]:.4f}"
        place = "top left" if best > len(values) / 2 else "top right"
        page.add_scatter(
            x=[best + 1],
            y=[values[best]],
            mode="markers+text",
            text=[text],
            textposition=place,
            marker=marker,
            name=text,
            legendgroup=name,
            showlegend=False,
            row=row,
            col=1,
        )
