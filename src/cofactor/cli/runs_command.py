"""Runs of train, compare and tune that were kept with --runs DIR.

A RUN is its id, a prefix of it, or `last`. `cofactor runs ACTION --help` shows the options of an
action; every action takes --json."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cofactor.cli import options as opt
from cofactor.cli.output import Output
from cofactor.runs.kept_runs import KeptRun, compare_runs, list_runs, load_run
from cofactor.runs.words import p_words

Folder = Annotated[str, typer.Argument(metavar="DIR", help="The folder of --runs.")]
Name = Annotated[str, typer.Argument(metavar="RUN", help="The run.")]


def list_(folder: Folder, json: opt.Json = False) -> None:
    """List the runs, the oldest first."""
    output, runs = Output(json), list_runs(folder)
    output.table([_line(run) for run in runs])
    if not runs:
        output.line(f"{folder} holds no runs yet.")
    output.emit(command="runs", runs=[run.to_dict() for run in runs])


def show(folder: Folder, name: Name, json: opt.Json = False) -> None:
    """Show what a run measured, of which models with which settings."""
    output, run = Output(json), load_run(folder, name)
    output.line(f"{run.id}: {run.command} on {run.source}, {run.created}, Cofactor {run.version}")
    output.line(f"Held out: {run.split}")
    output.table(run.rows())
    for label, one in run.models.items():
        settings = run.settings(label)
        output.line(f"{label}: {one['model']}, {', '.join(settings) or 'default settings'}")
    chosen = run.more.get("chosen")
    said = [*run.more.get("sentences", ()), *([chosen["sentence"]] if chosen else [])]
    output.line(*said)
    output.emit(command="runs", run=run.to_dict())


def compare(
    folder: Folder,
    one: Name,
    other: Annotated[str, typer.Argument(metavar="RUN", help="The run beside it.")],
    json: opt.Json = False,
) -> None:
    """Compare two runs, with paired tests if they were measured on the same split."""
    output, first, second = Output(json), load_run(folder, one), load_run(folder, other)
    lines = compare_runs(folder, first, second)
    output.line(f"first: {first.id}; second: {second.id}")
    if first.fingerprint != second.fingerprint:
        output.line(
            "They were measured on different splits: differences are those of the data too, and"
            " aren't tested."
        )
    output.table([{**line, "p": "" if line["p"] is None else p_words(line["p"])} for line in lines])
    output.emit(
        command="runs",
        first=first.id,
        second=second.id,
        same_split=first.fingerprint == second.fingerprint,
        comparison=lines,
    )


def _line(run: KeptRun) -> dict[str, Any]:
    return {
        "run": run.id,
        "source": run.source,
        "models": ", ".join(run.models),
        "metric": run.metric,
        "best": run.best,
        "value": run.value(run.best, run.metric),
    }


ACTIONS = {
    "list": (list_, "runs"),
    "show": (show, "runs last"),
    "compare": (compare, "runs 20260131-0915 last"),
}
