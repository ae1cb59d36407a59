"""A report of a comparison as one HTML page that needs no network and no script: tables, intervals,
who beats whom, quality and time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from cofactor.base.errors import ArgumentError
from cofactor.base.markup import safe
from cofactor.base.page import page, section, write_page
from cofactor.evaluation import charts
from cofactor.evaluation.result import Result
from cofactor.evaluation.significance import Comparison
from cofactor.metrics.table import parse_metric


def write_report(
    results: Sequence[Result],
    path: str | Path,
    *,
    comparisons: Sequence[Comparison] = (),
    seconds: Mapping[str, float] | None = None,
    title: str = "Model comparison",
    origin: Mapping[str, str] | None = None,
) -> Path:
    """Write a comparison as one self-contained HTML page.

    Parameters
    ----------
    results
        One for each model, measured alike (see `significance.compare`).
    path
        The file to write; it is replaced only once the page is complete.
    comparisons
        Paired tests: of all pairs, or of each model against the best.
    seconds
        How long each model took to fit, by its label, to be shown beside its quality.
    title
        The page's heading.
    origin
        What the comparison is of, by name: the data, the date, versions, seed, command.

    Returns
    -------
    Path
        Where the page is.
    """
    text = render(results, comparisons=comparisons, seconds=seconds, title=title, origin=origin)
    return write_page(path, text)


def render(
    results: Sequence[Result],
    *,
    comparisons: Sequence[Comparison] = (),
    seconds: Mapping[str, float] | None = None,
    title: str = "Model comparison",
    origin: Mapping[str, str] | None = None,
) -> str:
    """Return the page as text; see `write_report`. Names and sentences are escaped, whatever is
    in them; the models stand in the order of the first metric that all have, the best first.
    """
    if not results:
        raise ArgumentError("results must hold at least one result.")
    missing = [r.model for r in results if seconds is not None and r.model not in seconds]
    if missing:
        raise ArgumentError(f"seconds must hold each result's model; it lacks {missing}.")
    metrics = list(dict.fromkeys(name for r in results for name in r.metrics))
    leading = next(
        (name for name in metrics if all(name in r.summary for r in results)), metrics[0]
    )
    results = sorted(results, key=lambda one: _badness(one, leading))
    panels = "".join(f"<div>{charts.forest(results, name)}</div>" for name in metrics)
    parts = [
        _head(title, results),
        _summary(results, metrics, comparisons, seconds),
        section(
            "How good, and how sure",
            "Each dot is a mean over users, each bar its interval; the pointer shows the numbers.",
            f'<div class="charts" id="forest">{panels}</div>',
        ),
    ]
    if comparisons:
        parts.append(_tests(results, comparisons))
    if any(r.groups for r in results):
        note = "The same rankings; only the true items of a group count."
        drawn = f'<div id="groups" class="wide">{charts.groups(results, leading)}</div>'
        parts.append(section("By group of items", note, drawn))
    lower = parse_metric(leading).lower_is_better
    note = "Lower left is better." if lower else "Towards the upper left is better."
    drawn = f'<div id="pace" class="wide">{charts.pace(results, leading, seconds)}</div>'
    parts += [section("Quality and time", note, drawn), _details(results, origin or {})]
    return page(title, "\n".join(parts))


def _badness(result: Result, metric: str) -> float:
    """What results are sorted by: the best first, those without the metric last."""
    value = result.summary[metric].value if metric in result.summary else math.nan
    if not math.isfinite(value):
        return math.inf
    return -parse_metric(metric).sign * value


def _head(title: str, results: Sequence[Result]) -> str:
    how = results[0].how
    flag = (
        '<span class="flag">sampled metrics: not those of the full ranking</span>'
        if how.sampled
        else ""
    )
    most = max(r.n_users for r in results)
    return f"""<header><h1>{safe(title)}</h1>{flag}
<p class="lead">{len(results)} model{"s" if len(results) > 1 else ""}, {most:,} users;
  {safe(how.protocol)}.</p>
<p>{safe(how.split)}</p></header>"""


def _summary(
    results: Sequence[Result],
    metrics: list[str],
    comparisons: Sequence[Comparison],
    seconds: Mapping[str, float] | None,
) -> str:
    """The table: the best of each column bold, and those that aren't significantly worse marked."""
    heads = "".join(f'<th scope="col">{safe(name)}</th>' for name in metrics)
    heads += '<th scope="col">fit, s</th>' if seconds is not None else ""
    lines = []
    best = {name: _best(results, name, comparisons) for name in metrics}
    for result in results:
        cells = "".join(_cell(result, name, best[name], comparisons) for name in metrics)
        if seconds is not None:
            cells += f'<td class="plain">{seconds[result.model]:,.2f}</td>'
        lines.append(
            f'<tr><th scope="row">{safe(result.model)}</th>{cells}<td'
            f' class="plain">{result.how.seconds:,.2f}</td></tr>'
        )
    level = f"{results[0].how.confidence:.0%}"
    tied = " ≈ marks models not significantly different from the best." if comparisons else ""
    dense = ' class="dense"' if len(metrics) > 6 else ""
    body = (
        f'<table{dense}><thead><tr><th scope="col">model</th>{heads}'
        f'<th scope="col">evaluate, s</th></tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table>"
    )
    note = f"Mean over users, {level} bootstrap interval below it; the best is bold.{tied}"
    return section("Summary", note, body)


def _cell(result: Result, name: str, best: str | None, comparisons: Sequence[Comparison]) -> str:
    one = result.summary.get(name)
    if one is None or not math.isfinite(one.value):
        return '<td class="plain">–</td>'
    ends = one.interval
    interval = f"<small>{ends[0]:.4f} – {ends[1]:.4f}</small>" if ends else ""
    pair = {result.model, best}
    tied = any(
        c.metric == name and {c.first, c.second} == pair and not c.significant for c in comparisons
    )
    mark = ' class="best"' if result.model == best else ""
    sign = (
        '<span class="tied" title="not significantly different from the best">≈</span>'
        if tied
        else ""
    )
    return f"<td{mark}><b>{one.value:.4f}</b>{sign}{interval}</td>"


def _best(results: Sequence[Result], name: str, comparisons: Sequence[Comparison]) -> str | None:
    """The best on a metric; of equal ones, the one that the others were tested against."""
    defined = [r for r in results if name in r.summary and math.isfinite(r[name])]
    if len(defined) < 2:
        return None
    top = (min if parse_metric(name).lower_is_better else max)(r[name] for r in defined)
    equal = [r.model for r in defined if r[name] == top]
    tested = {one.second for one in comparisons if one.metric == name}
    return next((model for model in equal if model in tested), equal[0])


def _tests(results: Sequence[Result], comparisons: Sequence[Comparison]) -> str:
    """Who beats whom: a matrix for each metric whose pairs were all tested; else each model against
    the best, a column for each metric.
    """
    models = [r.model for r in results]
    by_metric: dict[str, list[Comparison]] = {}
    for one in comparisons:
        by_metric.setdefault(one.metric, []).append(one)
    every = len(models) * (len(models) - 1) // 2
    whole = all(len(tests) >= every for tests in by_metric.values()) and len(models) > 2
    tables = (
        "".join(_matrix(metric, models, tests) for metric, tests in by_metric.items())
        if whole
        else _against_best(models, by_metric)
    )
    what = "Row minus column" if whole else "Each model minus the best of the column"
    first = comparisons[0]
    note = (
        f"{what}, on the same users. Paired test: {first.test}; correction for many comparisons:"
        f" {first.correction}. Blue: better; orange: worse; grey: no significant difference."
    )
    return section("Who beats whom", note, tables)


def _against_best(models: Sequence[str], tests: Mapping[str, Sequence[Comparison]]) -> str:
    rest = {metric: {c.second for c in found} for metric, found in tests.items()}
    heads = "".join(f'<th scope="col">{safe(metric)}</th>' for metric in tests)
    lines = []
    for model in models:
        cells = []
        for metric, found in tests.items():
            one = next((c for c in found if c.first == model), None)
            best = '<td class="even">best</td>' if model in rest[metric] else "<td></td>"
            cells.append(best if one is None else _pair_cell(one, one.first, one.second, 1))
        lines.append(f'<tr><th scope="row">{safe(model)}</th>{"".join(cells)}</tr>')
    return (
        f"<table class='pairs'><thead><tr><th>model</th>{heads}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


def _matrix(metric: str, models: Sequence[str], tests: Sequence[Comparison]) -> str:
    cells = {}
    for c in tests:
        cells[c.first, c.second] = _pair_cell(c, c.first, c.second, 1)
        cells[c.second, c.first] = _pair_cell(c, c.second, c.first, -1)
    heads = "".join(f'<th scope="col" title="{safe(m)}">{n}</th>' for n, m in enumerate(models, 1))
    lines = "".join(
        f'<tr><th scope="row">{n} {safe(row)}</th>'
        + "".join(cells.get((row, column), "<td></td>") for column in models)
        + "</tr>"
        for n, row in enumerate(models, 1)
    )
    return (
        f"<table class='pairs'><thead><tr><th>{safe(metric)}</th>{heads}</tr></thead>"
        f"<tbody>{lines}</tbody></table>"
    )


def _pair_cell(c: Comparison, row: str, column: str, sign: int) -> str:
    low, high = (c.low, c.high) if sign > 0 else (-c.high, -c.low)
    kind = "even" if c.better is None else "win" if c.better == row else "lose"
    note = (
        f"{row} − {column}: {sign * c.difference:+.4f}, {low:+.4f} to {high:+.4f}; p ="
        f" {c.p_adjusted:.2g}, {c.n_users:,} users"
    )
    return (
        f'<td class="{kind}" title="{safe(note)}">{sign * c.difference:+.4f}<small>p'
        f" {_p_text(c.p_adjusted)}</small></td>"
    )


def _p_text(p: float) -> str:
    return (
        "–"
        if not math.isfinite(p)
        else "&lt; .001"
        if p < 0.001
        else f"= {p:.3f}".replace("0.", ".", 1)
    )


def _details(results: Sequence[Result], origin: Mapping[str, str]) -> str:
    how = results[0].how
    facts = {
        **origin,
        "Split": how.split,
        "Fingerprint": how.fingerprint,
        "What was ranked": how.protocol,
        "Ties": how.ties,
        "Intervals": (
            f"{how.confidence:.0%}, percentile bootstrap over users, {how.resamples:,} resamples,"
            f" seed {how.seed}"
        ),
    }
    rows = "".join(f"<dt>{safe(k)}</dt><dd>{safe(v)}</dd>" for k, v in facts.items())
    models = "".join(
        f"<dt>{safe(r.model)}</dt><dd><code>{_settings(r)}</code></dd>" for r in results
    )
    return section("How it was measured", "", f"<dl>{rows}</dl>") + section(
        "Settings", "", f"<dl>{models}</dl>"
    )


def _settings(result: Result) -> str:
    return safe(", ".join(f"{k}={v}" for k, v in result.config.items()) or "no settings")
