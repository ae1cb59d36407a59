"""Runs of train, compare and tune that were kept with --runs DIR.

`runs list DIR` lists them, `runs show DIR RUN` shows one, `runs compare DIR RUN RUN` compares two,
with paired tests if they were measured on the same split. A RUN is its id, a prefix of it, or
`last`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cofactor.cli import options as opt
from cofactor.cli.output import Output
from cofactor.runs.kept_runs import KeptRun, compare_runs, list_runs, load_run
from cofactor.runs.words import p_words

_RUNS = {"list": 0, "show": 1, "compare": 2}


def command(
    action: Annotated[str, typer.Argument(metavar="list|show|compare", help="What to do.")],
    folder: Annotated[str, typer.Argument(metavar="DIR", help="The folder of --runs.")],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="RUN", help="One run for show, two for compare.")
    ] = None,
    json: opt.Json = False,
) -> None:
    """List, show or compare."""
    if action not in _RUNS:
        raise typer.BadParameter(f"the action must be one of {', '.join(_RUNS)}, not {action!r}.")
    given = names or []
    if len(given) != _RUNS[action]:
        raise typer.BadParameter(f"runs {action} DIR takes {_RUNS[action]} names of runs.")
    output = Output(json)
    if action == "list":
        runs = list_runs(folder)
        output.table([_line(run) for run in runs])
        if not runs:
            output.line(f"{folder} holds no runs yet.")
        output.emit(command="runs", runs=[run.to_dict() for run in runs])
    elif action == "show":
        _show(output, load_run(folder, given[0]))
    else:
        _compare(output, folder, *(load_run(folder, name) for name in given))


def _line(run: KeptRun) -> dict[str, Any]:
    return {
        "run": run.id,
        "source": run.source,
        "models": ", ".join(run.models),
        "metric": run.metric,
        "best": run.best,
        "value": run.value(run.best, run.metric),
    }


def _show(output: Output, run: KeptRun) -> None:
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


def _compare(output: Output, folder: str, first: KeptRun, second: KeptRun) -> None:
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
