"""Measure a saved model on the interactions of a source that it wasn't trained on."""

from __future__ import annotations

from dataclasses import dataclass

from cofactor.cli import options as opt
from cofactor.cli.engine_options import EngineOptions
from cofactor.cli.groups import option
from cofactor.cli.reading import EventReading
from cofactor.cli.show import show_result


@dataclass(frozen=True)
class Measurement:
    """Measurement."""

    metrics: opt.Metrics = None
    groups: str | None = option(
        None,
        "Also metrics by groups of items: warm (with training"
        " interactions or without), count (by their number).",
        metavar="warm|count",
    )


def command(
    model: opt.ModelFolder,
    source: opt.SourceArgument,
    measurement: Measurement,
    reading: EventReading,
    compute: opt.SeededOptions,
    cluster: EngineOptions,
    show: opt.ShowOptions,
) -> None:
    """Evaluate."""
    from cofactor.runs.baselines import Baselined
    from cofactor.runs.evaluate import evaluate_beside_baselines

    output = show.output()
    with cluster.on(compute.run(output), *source) as run:
        result, baselines = evaluate_beside_baselines(
            model,
            opt.one_or_several(source),
            reading=reading.reading(),
            metrics=opt.names(measurement.metrics),
            groups=measurement.groups,
            run=run,
        )
    output.line(f"{result.model}, {result.n_users:,} users: {result.how.split}")
    output.line(result.how.protocol)
    show_result(output, result, baselines)
    for name, group in result.groups.items():
        output.heading(f"{name} ({group.n_users:,} users)")
        output.table(Baselined("value").rows(group))
    output.emit(command="evaluate", **result.to_dict(), baselines=baselines.to_dict())
