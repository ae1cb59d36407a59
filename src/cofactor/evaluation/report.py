"""A report of a comparison as one HTML page that needs no network: tables, intervals, who beats
whom, quality and time.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cofactor.base.errors import ArgumentError
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
) -> Path:
    """Write a comparison as one self-contained HTML page.

    Parameters
    ----------
    results
        One for each model, measured alike (see `significance.compare`).
    path
        The file to write; it is replaced only once the page is complete.
    comparisons
        Paired tests, shown as matrices.
    seconds
        How long each model took to fit, by its label, to be shown beside its quality.
    title
        The page's heading.

    Returns
    -------
    Path
        Where the page is.
    """
    text = render(results, comparisons=comparisons, seconds=seconds, title=title)
    path = Path(path)
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
    return path


def render(
    results: Sequence[Result],
    *,
    comparisons: Sequence[Comparison] = (),
    seconds: Mapping[str, float] | None = None,
    title: str = "Model comparison",
) -> str:
    """Return the page as text; see `write_report`. Names and sentences are escaped, whatever is
    in them.
    """
    if not results:
        raise ArgumentError("results must hold at least one result.")
    missing = [r.model for r in results if seconds is not None and r.model not in seconds]
    if missing:
        raise ArgumentError(f"seconds must hold each result's model; it lacks {missing}.")
    from plotly.offline import get_plotlyjs

    metrics = list(dict.fromkeys(name for r in results for name in r.metrics))
    leading = next(
        (name for name in metrics if all(name in r.summary for r in results)), metrics[0]
    )
    figures: dict[str, Any] = {"forest": charts.forest(results, metrics)}
    sections = [_head(title, results), _summary(results, metrics, comparisons, seconds)]
    sections.append(
        _section(
            "How good, and how sure",
            "forest",
            "Each dot is a mean over users, each bar its interval.",
        )
    )
    if comparisons:
        sections.append(_pairs(results, comparisons))
    if any(r.groups for r in results):
        figures["groups"] = charts.groups(results, leading)
        sections.append(
            _section(
                "By group of items",
                "groups",
                "The same rankings; only the true items of a group count.",
            )
        )
    note = (
        "Towards the upper left is better."
        if not parse_metric(leading).lower_is_better
        else "Lower left is better."
    )
    figures["pace"] = charts.pace(results, leading, seconds)
    sections.append(_section("Quality and time", "pace", note))
    sections.append(_details(results))
    return _PAGE.format(
        title=_safe(title),
        style=_STYLE,
        plotly=get_plotlyjs(),
        body="\n".join(sections),
        figures=_json(figures),
    )


def _head(title: str, results: Sequence[Result]) -> str:
    how = results[0].how
    flag = (
        '<span class="flag">sampled metrics: not those of the full ranking</span>'
        if how.sampled
        else ""
    )
    most = max(r.n_users for r in results)
    return f"""<header><h1>{_safe(title)}</h1>{flag}
<p class="lead">{len(results)} model{"s" if len(results) > 1 else ""}, {most:,} users;
  {_safe(how.protocol)}.</p>
<p>{_safe(how.split)}</p></header>"""


def _summary(
    results: Sequence[Result],
    metrics: list[str],
    comparisons: Sequence[Comparison],
    seconds: Mapping[str, float] | None,
) -> str:
    """The table: the best of each column bold, and those that aren't significantly worse marked."""
    heads = "".join(f'<th scope="col">{_safe(name)}</th>' for name in metrics)
    heads += '<th scope="col">fit, s</th>' if seconds is not None else ""
    lines = []
    best = {name: _best(results, name) for name in metrics}
    for result in results:
        cells = "".join(_cell(result, name, best[name], comparisons) for name in metrics)
        if seconds is not None:
            cells += f'<td class="plain">{seconds[result.model]:,.2f}</td>'
        lines.append(
            f'<tr><th scope="row">{_safe(result.model)}</th>{cells}<td'
            f' class="plain">{result.how.seconds:,.2f}</td></tr>'
        )
    level = f"{results[0].how.confidence:.0%}"
    tied = " ≈ marks models not significantly different from the best." if comparisons else ""
    return f"""<section><h2>Summary</h2><div class="scroll"><table>
<thead><tr><th scope="col">model</th>{heads}<th scope="col">evaluate, s</th></tr></thead>
<tbody>{"".join(lines)}</tbody></table></div>
<p class="note">Mean over users, {level} bootstrap interval below it;
the best is bold.{tied}</p></section>"""


def _cell(result: Result, name: str, best: str | None, comparisons: Sequence[Comparison]) -> str:
    one = result.summary.get(name)
    if one is None or not math.isfinite(one.value):
        return '<td class="plain">–</td>'
    interval = (
        f"<small>{one.low:.4f} – {one.high:.4f}</small>"
        if one.low is not None and one.high is not None
        else ""
    )
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


def _best(results: Sequence[Result], name: str) -> str | None:
    defined = [r for r in results if name in r.summary and math.isfinite(r[name])]
    if len(defined) < 2:
        return None
    choose = min if parse_metric(name).lower_is_better else max
    return choose(defined, key=lambda r: r[name]).model


def _pairs(results: Sequence[Result], comparisons: Sequence[Comparison]) -> str:
    """A matrix for each metric: by how much the row's model differs from the column's, and how
    surely.
    """
    models = [r.model for r in results]
    tables = []
    for metric in dict.fromkeys(c.metric for c in comparisons):
        cells = {}
        for c in (c for c in comparisons if c.metric == metric):
            cells[c.first, c.second] = _pair_cell(c, c.first, c.second, 1)
            cells[c.second, c.first] = _pair_cell(c, c.second, c.first, -1)
        heads = "".join(
            f'<th scope="col" title="{_safe(m)}">{n}</th>' for n, m in enumerate(models, 1)
        )
        lines = "".join(
            f'<tr><th scope="row"><i>{n}</i> {_safe(row)}</th>'
            + "".join(cells.get((row, column), '<td class="none"></td>') for column in models)
            + "</tr>"
            for n, row in enumerate(models, 1)
        )
        tables.append(
            f"<table class='pairs'><thead><tr><th>{_safe(metric)}</th>{heads}</tr></thead>"
            f"<tbody>{lines}</tbody></table>"
        )
    first = comparisons[0]
    note = (
        f"Row minus column, on the same users. Paired test: {first.test}; correction for many"
        f" comparisons: {first.correction}. Blue: the row is better; orange: worse; grey: no"
        " significant difference."
    )
    return (
        f"<section><h2>Who beats whom</h2><p class='note'>{_safe(note)}</p>"
        f"<div class='scroll matrices'>{''.join(tables)}</div></section>"
    )


def _pair_cell(c: Comparison, row: str, column: str, sign: int) -> str:
    low, high = (c.low, c.high) if sign > 0 else (-c.high, -c.low)
    kind = "even" if c.better is None else "win" if c.better == row else "lose"
    note = (
        f"{row} − {column}: {sign * c.difference:+.4f}, {low:+.4f} to {high:+.4f}; p ="
        f" {c.p_adjusted:.2g}, {c.n_users:,} users"
    )
    return (
        f'<td class="{kind}" title="{_safe(note)}">{sign * c.difference:+.4f}<small>p'
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


def _section(title: str, figure: str, note: str) -> str:
    return f"""<section><h2>{_safe(title)}</h2><p class="note">{_safe(note)}</p>
<div class="scroll"><div class="chart" id="{figure}"></div></div></section>"""


def _details(results: Sequence[Result]) -> str:
    how = results[0].how
    facts = {
        "Split": how.split,
        "Fingerprint": how.fingerprint,
        "What was ranked": how.protocol,
        "Ties": how.ties,
        "Intervals": (
            f"{how.confidence:.0%}, percentile bootstrap over users, {how.resamples:,} resamples,"
            f" seed {how.seed}"
        ),
    }
    rows = "".join(f"<dt>{_safe(k)}</dt><dd>{_safe(v)}</dd>" for k, v in facts.items())
    models = "".join(
        f"<dt>{_safe(r.model)}</dt><dd><code>{_settings(r)}</code></dd>" for r in results
    )
    return f"""<section><h2>How it was measured</h2><dl>{rows}</dl></section>
<section><h2>Settings</h2><dl>{models}</dl></section>"""


def _safe(text: object) -> str:
    return html.escape(str(text), quote=True)


def _json(figures: dict[str, Any]) -> str:
    """JSON that can stand in a script element: no tag can end it, and no comment begin."""
    text = json.dumps(figures, allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _settings(result: Result) -> str:
    return _safe(", ".join(f"{k}={v}" for k, v in result.config.items()) or "no settings")


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head>
<body><main>{body}</main>
<script>{plotly}</script>
<script type="application/json" id="figures">{figures}</script>
<script>
const figures = JSON.parse(document.getElementById("figures").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
function draw() {{
  const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
  const rule = getComputedStyle(document.documentElement).getPropertyValue("--rule").trim();
  for (const [id, figure] of Object.entries(figures)) {{
    const layout = structuredClone(figure.layout);
    layout.font = {{...layout.font, color: ink}};
    for (const key of Object.keys(layout)) {{
      if (/^[xy]axis/.test(key)) {{ layout[key].gridcolor = rule;
        layout[key].zerolinecolor = rule; layout[key].linecolor = rule; }}
    }}
    const options = {{displayModeBar: false, responsive: true}};
    Plotly.react(id, structuredClone(figure.data), layout, options);
  }}
}}
draw();
dark.addEventListener("change", draw);
</script></body></html>
"""

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5c6675; --rule: #e3e7ee;
  --page: #f5f6f9; --card: #fff;
  --accent: #2456a6; --best: #e9f1fd; --warn: #8a4b00; --warnpage: #fff1dc; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaf0; --soft: #9aa5b5; --rule: #2d3542;
  --page: #12161d;
  --card: #1a2029; --accent: #7fb0ff; --best: #1e2f4a; --warn: #ffc98a; --warnpage: #3a2a12; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
font: 15px/1.55 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 40px 20px 64px; }
header { margin: 0 4px 24px; } h1 { font-size: 30px; line-height: 1.2; margin: 0 0 8px;
  letter-spacing: -0.01em; }
header p { margin: 2px 0; color: var(--soft); } .lead { font-size: 17px; color: var(--ink); }
.flag { display: inline-block; background: var(--warnpage); color: var(--warn);
  border-radius: 6px; padding: 3px 10px;
  font-weight: 600; margin: 4px 0 8px; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
  padding: 20px 24px; margin: 16px 0; }
h2 { font-size: 18px; margin: 0 0 6px; } .note { color: var(--soft); margin: 4px 0 10px;
font-size: 14px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%;
font-variant-numeric: tabular-nums; }
th, td { padding: 9px 12px; text-align: right; border-bottom: 1px solid var(--rule);
  white-space: nowrap; }
thead th { color: var(--soft); font-size: 13px; font-weight: 600; }
tbody tr:last-child > * { border-bottom: 0; }
th:first-child { text-align: left; } td b { font-weight: 500; } td.best { background: var(--best); }
td.best b { font-weight: 700; color: var(--accent); } td small { display: block;
  color: var(--soft); font-size: 12px; }
.matrices { display: flex; flex-wrap: wrap; gap: 24px; } table.pairs { width: auto; }
.pairs i { color: var(--soft);
  font-style: normal; margin-right: 6px; } .pairs td { text-align: center;
    border: 2px solid var(--card); border-radius: 8px; }
.pairs thead th { text-align: center; } .pairs thead th:first-child { text-align: left;
  color: var(--ink); font-size: 15px; }
.pairs th, .pairs td { border-bottom: 0; padding: 6px 10px; }
td.win { background: rgba(0,114,178,.24); }
td.lose { background: rgba(213,94,0,.24); } td.even { background: rgba(128,136,150,.12);
  color: var(--soft); }
.tied { color: var(--soft); margin-left: 4px; } .chart { width: 100%; min-width: 680px;
  min-height: 120px; }
dl { display: grid; grid-template-columns: minmax(110px, max-content) 1fr; gap: 6px 20px;
  margin: 8px 0 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
code { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
@media (max-width: 640px) { section { padding: 16px 14px; } dl { grid-template-columns: 1fr;
  gap: 0; } dd { margin-bottom: 8px; } }
@media print { body { background: #fff; } section { break-inside: avoid; } }
"""
