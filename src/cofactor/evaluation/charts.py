"""The report's charts, as plain data and layout for Plotly; what is drawn, not how the page
looks.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from cofactor.evaluation.intervals import Summary
from cofactor.evaluation.result import Result

Chart = dict[str, Any]

# Distinguishable with any colour vision (Okabe and Ito's palette, yellow left out), on light
# and on dark.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#8c6d31")
FONT = {"family": 'system-ui, "Segoe UI", Roboto, sans-serif', "size": 13}
PER_ROW = 3
NOTHING = Summary(math.nan, None, None, 0)
LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}


def forest(results: Sequence[Result], metrics: Sequence[str]) -> Chart:
    """Return a panel for each metric: the models one below another, each a dot with its
    interval.
    """
    data, layout = [], _layout(0)
    n_rows = math.ceil(len(metrics) / PER_ROW)
    height = 26 * len(results) + 74
    layout["height"] = n_rows * height
    layout["annotations"] = []
    labels = [_label(r.model) for r in results]
    for n, name in enumerate(metrics):
        row, column = divmod(n, PER_ROW)
        key = "" if n == 0 else str(n + 1)
        columns = min(PER_ROW, len(metrics))
        left, right = column / columns + (0.02 if column else 0), (column + 1) / columns - 0.02
        top = 1 - row / n_rows
        domain = [top - (height - 56) / height / n_rows, top - 22 / height / n_rows]
        layout[f"xaxis{key}"] = {
            "domain": [left, right],
            "anchor": f"y{key}",
            "nticks": 4,
            "tickangle": 0,
            "zeroline": False,
            "tickformat": ".3~f",
        }
        layout[f"yaxis{key}"] = {
            "domain": domain,
            "anchor": f"x{key}",
            "autorange": "reversed",
            "showticklabels": column == 0,
            "type": "category",
            "categoryorder": "array",
            "categoryarray": labels,
            "automargin": True,
            "ticks": "",
        }
        layout["annotations"].append(
            {
                "text": f"<b>{_label(name)}</b>",
                "x": (left + right) / 2,
                "y": top,
                "xref": "paper",
                "yref": "paper",
                "showarrow": False,
                "yanchor": "top",
            }
        )
        data.append(_dots(results, name, labels, key))
    return {"data": data, "layout": layout}


def _dots(results: Sequence[Result], name: str, labels: list[str], key: str) -> Chart:
    values, up, down, texts = [], [], [], []
    for result in results:
        one = result.summary.get(name, NOTHING)
        values.append(_finite(one.value))
        known = one.low is not None and one.high is not None and math.isfinite(one.value)
        up.append(one.high - one.value if known and one.high is not None else 0)
        down.append(one.value - one.low if known and one.low is not None else 0)
        interval = f"<br>{one.low:.4f} to {one.high:.4f}" if known else ""
        texts.append(
            f"{_label(result.model)}<br>{_label(name)} {one.value:.4f}{interval}<br>{one.n_users:,}"
            " users"
        )
    colours = [_colour(n) for n in range(len(results))]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": values,
        "y": labels,
        "xaxis": f"x{key}",
        "yaxis": f"y{key}",
        "marker": {"size": 10, "color": colours},
        "text": texts,
        "hoverinfo": "text",
        "showlegend": False,
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": up,
            "arrayminus": down,
            "thickness": 1.6,
            "width": 4,
            "color": "#8894a6",
        },
    }


def groups(results: Sequence[Result], metric: str) -> Chart:
    """Return a metric by group of items: a line of dots for each model."""
    names = list(dict.fromkeys(name for r in results for name in r.groups))
    layout = _layout(320)
    layout["xaxis"] = {"type": "category", "automargin": True, "tickangle": 0}
    layout["yaxis"] = {"title": {"text": _label(metric)}, "rangemode": "tozero", "automargin": True}
    layout["legend"] = dict(LEGEND)
    data = []
    for n, result in enumerate(results):
        shown = {name: result.groups[name] for name in names if name in result.groups}
        known = [group.summary.get(metric, NOTHING) for group in shown.values()]
        up = [(s.high or s.value) - s.value if math.isfinite(s.value) else 0 for s in known]
        down = [
            s.value - (s.low if s.low is not None else s.value) if math.isfinite(s.value) else 0
            for s in known
        ]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": _label(result.model),
                "y": [_finite(s.value) for s in known],
                "x": [f"{_label(name)}<br>{g.n_users:,} users" for name, g in shown.items()],
                "marker": {"size": 8},
                "line": {"color": _colour(n), "width": 2},
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": up,
                    "arrayminus": down,
                    "thickness": 1.2,
                    "width": 3,
                },
            }
        )
    return {"data": data, "layout": layout}


def pace(results: Sequence[Result], metric: str, seconds: Mapping[str, float] | None) -> Chart:
    """Return quality against time on a logarithmic axis: of fitting if it is known, else of
    evaluating.
    """
    times = [r.how.seconds if seconds is None else seconds[r.model] for r in results]
    layout = _layout(360)
    what = "evaluating" if seconds is None else "fitting"
    layout["xaxis"] = {
        "type": "log",
        "title": {"text": f"seconds for {what}"},
        "automargin": True,
        "dtick": "D2",
    }
    layout["yaxis"] = {"title": {"text": _label(metric)}, "automargin": True}
    layout["legend"] = dict(LEGEND)
    data = []
    for n, (result, took) in enumerate(zip(results, times, strict=True)):
        name, one = _label(result.model), result.summary.get(metric, NOTHING)
        known = one.low is not None and one.high is not None
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [max(float(took), 1e-4)],
                "y": [_finite(one.value)],
                "name": name,
                "showlegend": True,
                "cliponaxis": False,
                "hovertext": f"{name}<br>{_label(metric)} {one.value:.4f}<br>{took:,.2f} s",
                "hoverinfo": "text",
                "marker": {"size": 12, "color": _colour(n)},
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "thickness": 1.4,
                    "width": 4,
                    "color": "#8894a6",
                    "array": [one.high - one.value if known and one.high is not None else 0],
                    "arrayminus": [one.value - one.low if known and one.low is not None else 0],
                },
            }
        )
    return {"data": data, "layout": layout}


def _layout(height: int) -> Chart:
    clear = "rgba(0,0,0,0)"
    return {
        "height": height,
        "font": dict(FONT),
        "paper_bgcolor": clear,
        "plot_bgcolor": clear,
        "hovermode": "closest",
        "margin": {"l": 10, "r": 16, "t": 10, "b": 10},
        "hoverlabel": {"align": "left"},
    }


def _label(text: object) -> str:
    """A name as Plotly's own markup must have it: what would be a tag stays text."""
    return html.escape(str(text), quote=False)


def _colour(n: int) -> str:
    return COLOURS[n % len(COLOURS)]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
