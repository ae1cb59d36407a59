"""Show how well a model ranks items that have 0, 1, 2, 5, 10 ... interactions: where content
stops helping.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from cofactor.cli import options as opt
from cofactor.cli.groups import option
from cofactor.cli.reading import ReadingOptions

if TYPE_CHECKING:
    from cofactor.evaluation.result import Result


@dataclass(frozen=True)
class Points:
    """Measurement."""

    counts: str = option(
        "0,1,2,5,10", "How many training interactions the sampled items keep.", metavar="N,N,..."
    )
    metrics: opt.Metrics = "ndcg@10,recall@20"


def command(
    source: opt.SourceArgument,
    model: opt.ModelOptions,
    points: Points,
    reading: ReadingOptions,
    compute: opt.ComputeOptions,
    show: opt.ShowOptions,
) -> None:
    """Learning curve over an item's interactions."""
    from cofactor.models import registry
    from cofactor.runs.learning_curve import learning_curve, sentences

    output = show.output()
    try:
        numbers = [int(word) for word in points.counts.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"--counts must be numbers like 0,1,2,5, not {points.counts!r}."
        ) from None
    kind = registry.get(model.model)
    results = learning_curve(
        opt.one_or_several(source),
        kind(kind.Config.from_text(model.settings())),
        counts=numbers,
        metrics=opt.names(points.metrics) or ["ndcg@10"],
        reading=reading.reading(),
        run=compute.run(output),
    )
    output.table([{"interactions": n, **_with_halves(one)} for n, one in results.items()])
    said = sentences(results)
    output.line("± is half of the 95 % interval (bootstrap over users).")
    output.line(*said)
    output.emit(
        command="curve",
        model=model.model,
        sentences=said,
        points={str(n): result.to_dict() for n, result in results.items()},
    )


def _with_halves(result: Result) -> dict[str, str]:
    from cofactor.runs.compare import with_interval

    return {name: with_interval(result, name) for name in result.metrics}
