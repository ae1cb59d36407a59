"""Measure a saved model on the interactions of a source that it wasn't trained on."""

from __future__ import annotations

from typing import Annotated

import typer

from cofactor.cli import options as opt
from cofactor.cli.output import Output
from cofactor.cli.reading import reads
from cofactor.cli.show import metric_rows
from cofactor.runs.source import Reading


@reads(without=("items", "item_id", "core"))
def command(
    model: opt.ModelFolder,
    source: opt.SourceArgument,
    metrics: opt.Metrics = None,
    groups: Annotated[
        str | None,
        typer.Option(
            help="Metrics by groups of items too: warm (trained on or not), count (how often)."
        ),
    ] = None,
    *,
    reading: Reading,
    seed: opt.Seed = 0,
    threads: opt.Threads = 0,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Evaluate."""
    from cofactor.runs.evaluate import evaluate_saved

    output = Output(json, quiet)
    result = evaluate_saved(
        model,
        source,
        reading=reading,
        metrics=opt.names(metrics),
        groups=groups,
        run=opt.run_of(output, seed, threads),
    )
    output.line(f"{result.model}, {result.n_users:,} users: {result.how.split}")
    output.line(result.how.protocol)
    output.table(metric_rows(result))
    for name, group in result.groups.items():
        output.heading(f"{name} ({group.n_users:,} users)")
        output.table(metric_rows(group))
    output.emit(command="evaluate", **result.to_dict())
