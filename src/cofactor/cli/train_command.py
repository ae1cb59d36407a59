"""Train a model on a source, measure it on a held-out part, and save it.

The saved model is fitted on all of the data once it was measured (--no-refit keeps the one that was
measured)."""

from __future__ import annotations

from typing import Annotated

import typer

from cofactor.cli import options as opt
from cofactor.cli.output import Output
from cofactor.cli.reading import reads
from cofactor.cli.show import metric_rows
from cofactor.cli.words import in_options
from cofactor.runs.source import Reading
from cofactor.runs.train import Limits, train


@reads()
def command(
    source: opt.SourceArgument,
    model: Annotated[str, typer.Option(help="The model's name; `cofactor models` lists them.")],
    out: Annotated[str, typer.Option(metavar="DIR", help="The folder to save to.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting: factors=64; may repeat."),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Columns of the catalogue that models with content read as text.",
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...", help="Columns that it reads as categories, lists, numbers, dates."
        ),
    ] = None,
    split: opt.How = "per-user",
    test: opt.Test = 0.2,
    validation: opt.Validation = 0.0,
    metrics: opt.Metrics = None,
    refit: Annotated[bool, typer.Option(help="Fit the saved model on all of the data.")] = True,
    overwrite: Annotated[bool, typer.Option(help="Replace a model that is there.")] = False,
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.html", help="Draw the learning curves, in models that keep them."
        ),
    ] = None,
    max_time: Annotated[
        str | None,
        typer.Option(metavar="60s", help="Time for the epochs of each fit: 90s, 5m, 2h."),
    ] = None,
    max_memory: Annotated[
        str | None,
        typer.Option(metavar="2GB", help="Refuse work that is known to need more: 500MB, 2GB."),
    ] = None,
    *,
    reading: Reading,
    seed: opt.Seed = 0,
    threads: opt.Threads = 0,
    device: opt.Device = "auto",
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Train, measure, save."""
    output = Output(json, quiet)
    content = [
        f"{name}={words}" for name, words in (("text", text), ("features", features)) if words
    ]
    done = train(
        source,
        model,
        out,
        settings=[*content, *(set_ or [])],
        metrics=opt.names(metrics),
        refit=refit,
        overwrite=overwrite,
        plot=plot,
        limits=Limits(max_time=opt.seconds(max_time), max_memory=opt.n_bytes(max_memory)),
        reading=reading,
        cutting=opt.cutting(split, test, validation, seed),
        run=opt.run_of(output, seed, threads, device),
    )
    data = done.model.data
    output.line(
        f"{done.model.name} on {data.source}: {data.n_users:,} users, {data.n_items:,} items,"
        f" {len(data):,} interactions"
    )
    for note in data.notes:
        output.line(f"  {in_options(note)}")
    for note in done.model.notes:
        output.line(f"  {in_options(note)}")
    if done.result is not None and done.split is not None:
        output.line(f"Held out: {done.split.sentence}")
        output.table(metric_rows(done.result))
    what = "all of the data" if done.refitted or done.result is None else "the training part"
    output.line(f"Saved to {done.path} (fitted on {what} in {done.seconds:.1f} s).")
    if plot is not None:
        output.line(f"Curves: {plot}")
    output.line(f"Next: cofactor recommend {out} --user {data.users.ids([0])[0]}")
    output.emit(
        command="train",
        model=done.model.name,
        config=done.model.config.to_dict(),
        path=str(done.path),
        n_users=data.n_users,
        n_items=data.n_items,
        n_interactions=len(data),
        notes=list(data.notes),
        result=None if done.result is None else done.result.to_dict(),
        refitted=done.refitted,
        fit_seconds=done.seconds,
    )
