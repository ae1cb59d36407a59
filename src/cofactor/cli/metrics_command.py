"""List the metrics: how each is named, which way is better, and its formula in a line."""

from __future__ import annotations

from cofactor.cli import options as opt
from cofactor.cli.output import Output


def command(json: opt.Json = False) -> None:
    """List metrics."""
    from cofactor.metrics.formulas import FORMULAS
    from cofactor.metrics.table import METRICS, Metric

    output = Output(json)
    rows = []
    for name, kind in METRICS.items():
        written = {"must": f"{name}@k", "may": f"{name}, {name}@k"}.get(kind.cutoff, name)
        metric = Metric(name, 10 if kind.cutoff == "must" else None)
        better = "lower" if metric.lower_is_better else "higher"
        rows.append({"metric": written, "better": better, "what it is": FORMULAS[name]})
    output.table(rows)
    output.line(
        "Give them to train, evaluate, compare and tune as --metrics ndcg@10,recall@20. Means over"
        " users; the documentation (Metrics by formula) has ties, intervals and tests."
    )
    output.emit(command="metrics", metrics=rows)
