"""Show how well a model ranks items that have 0, 1, 2, 5, 10 ... interactions: where content
stops helping.
"""

from __future__ import annotations

from typing import Annotated

import typer

from cofactor.cli import options as opt
from cofactor.cli.output import Output
from cofactor.cli.reading import reads
from cofactor.runs.source import Reading


@reads(without=("core",))
def command(
    source: opt.SourceArgument,
    model: Annotated[str, typer.Option(help="The model's name; `cofactor models` lists them.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting: factors=64; may repeat."),
    ] = None,
    counts: Annotated[
        str, typer.Option(metavar="N,N,...", help="Interactions of the drawn items in training.")
    ] = "0,1,2,5,10",
    metrics: opt.Metrics = "ndcg@10,recall@20",
    *,
    reading: Reading,
    seed: opt.Seed = 0,
    threads: opt.Threads = 0,
    device: opt.Device = "auto",
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Learning curve over an item's interactions."""
    from cofactor.runs.learning_curve import learning_curve

    output = Output(json, quiet)
    try:
        numbers = [int(word) for word in counts.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"--counts must be numbers like 0,1,2,5, not {counts!r}."
        ) from None
    results = learning_curve(
        source,
        model,
        settings=set_ or [],
        counts=numbers,
        metrics=opt.names(metrics) or ["ndcg@10"],
        reading=reading,
        run=opt.run_of(output, seed, threads, device),
    )
    output.table(
        [
            {"interactions": n, **{name: result[name] for name in result.metrics}}
            for n, result in results.items()
        ]
    )
    output.emit(
        command="curve",
        model=model,
        points={str(n): result.to_dict() for n, result in results.items()},
    )
