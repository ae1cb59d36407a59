"""List the metrics: name, which way is better, and formula."""

from __future__ import annotations

from typing import Annotated

import typer

from cofactor.cli import options as opt
from cofactor.cli.output import Output


def command(
    metric: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A metric, such as ndcg or ndcg@10.")
    ] = None,
    json: opt.Json = False,
) -> None:
    """List metrics."""
    from cofactor.metrics.formulas import FORMULAS
    from cofactor.metrics.table import METRICS, Metric, parse_metric

    output = Output(json)
    if metric is not None and metric not in METRICS:
        metric = parse_metric(metric).kind
    rows = []
    for name, kind in METRICS.items():
        if metric not in (None, name):
            continue
        written = {"must": f"{name}@k", "may": f"{name}, {name}@k"}.get(kind.cutoff, name)
        found = Metric(name, 10 if kind.cutoff == "must" else None)
        better = "lower" if found.lower_is_better else "higher"
        rows.append({"metric": written, "better": better, "what it is": FORMULAS[name]})
    output.table(rows)
    output.line(
        "Give them to train, evaluate, compare and tune as --metrics ndcg@10,recall@20. Means over"
        " users; the documentation (Metrics by formula) has ties, intervals and tests."
    )
    output.emit(command="metrics", metrics=rows)
