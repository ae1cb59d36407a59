"""The report's charts: what they show; `base.svg` draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cofactor.base import svg
from cofactor.evaluation.intervals import Summary
from cofactor.evaluation.result import Result

NOTHING = Summary(math.nan, None, None, 0)


def forest(results: Sequence[Result], metric: str) -> str:
    """Return one metric of the models that have it, a dot with its interval for each, one below
    another.
    """
    results = [result for result in results if metric in result.summary]
    known = [result.summary[metric] for result in results]
    spans = [span(one) for one in known]
    return svg.intervals(metric, [r.model for r in results], [one.value for one in known], spans)


def groups(results: Sequence[Result], metric: str) -> str:
    """Return a metric by group of items: a line of dots for each model."""
    names = list(dict.fromkeys(name for r in results for name in r.groups))
    users = {n: max(r.groups[n].n_users for r in results if n in r.groups) for n in names}
    series = []
    for n, result in enumerate(results):
        places = [i for i, name in enumerate(names) if name in result.groups]
        known = [result.groups[names[i]].summary.get(metric, NOTHING) for i in places]
        spans = [span(one) for one in known]
        series.append(
            svg.Series(
                result.model,
                places,
                [one.value for one in known],
                [low for low, _ in spans],
                [high for _, high in spans],
                [
                    f"{result.model}, {names[i]}: {_worded(s)}"
                    for i, s in zip(places, known, strict=True)
                ],
                colour=n,
            )
        )
    marks = [f"{name}\n{users[name]:,} users" for name in names]
    width = max(640, 110 * len(names) + 120)
    return svg.chart(svg.Axes(y_label=metric, x_names=marks, width=width, height=340), series)


def pace(results: Sequence[Result], metric: str, seconds: Mapping[str, float] | None) -> str:
    """Return quality against time on a log axis: fit time if known, else evaluation time."""
    times = [r.how.seconds if seconds is None else seconds[r.model] for r in results]
    known = [result.summary.get(metric, NOTHING) for result in results]
    spans = [span(one) for one in known]
    tips = [
        f"{r.model}: {_worded(one)}; {took:,.2f} s"
        for r, one, took in zip(results, known, times, strict=True)
    ]
    what = "evaluating" if seconds is None else "fitting"
    axes = svg.Axes(
        x_label=f"seconds for {what}", y_label=metric, x_log=True, width=900, height=380
    )
    dots = svg.Series(
        name="models",
        x=[max(float(took), 1e-3) for took in times],
        y=[one.value for one in known],
        low=[low for low, _ in spans],
        high=[high for _, high in spans],
        tips=tips,
        labels=[r.model for r in results],
        line=False,
    )
    return svg.chart(axes, [dots])


def span(one: Summary) -> tuple[float, float]:
    """Return the ends of an interval; NaN where there is none."""
    nowhere = math.nan, math.nan
    return (one.interval or nowhere) if math.isfinite(one.value) else nowhere


def _worded(one: Summary) -> str:
    low, high = span(one)
    return f"{one.value:.4f}" + (f" ({low:.4f} to {high:.4f})" if math.isfinite(low) else "")
