"""Named public datasets.

`datasets` lists them, `datasets show NAME` shows one's origin, terms and citation, `datasets fetch
NAME` downloads one into the cache and verifies its checksums, `datasets verify NAME` checks one
that is there."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cofactor.cli import options as opt
from cofactor.cli.output import Output

Action = Annotated[str, typer.Argument(metavar="list|show|fetch|verify", help="What to do.")]
Name = Annotated[
    str | None, typer.Argument(metavar="NAME", help="A dataset's name, as list shows it.")
]
_ACTIONS = ("list", "show", "fetch", "verify")


def command(
    action: Action = "list",
    name: Name = None,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """List, show, fetch or verify."""
    from cofactor.data import datasets

    if action not in _ACTIONS:
        raise typer.BadParameter(
            f"the action must be one of {', '.join(_ACTIONS)}, not {action!r}."
        )
    if action != "list" and name is None:
        raise typer.BadParameter(f"datasets {action} needs a dataset's name.")
    output = Output(json, quiet)
    if name is None:
        rows = [_row(dataset) for dataset in datasets.datasets().values()]
        output.table(rows)
        output.line(
            "`cofactor datasets show NAME` prints a dataset's terms; read them before you use it."
        )
        output.emit(command="datasets", datasets=rows)
        return
    dataset = datasets.get(name)
    _show(output, dataset)
    if action == "fetch":
        path = datasets.fetch(name, progress=output.progress)
        output.line(f"fetched into {path}")
        output.emit(command="datasets", name=dataset.name, path=str(path))
    elif action == "verify":
        n_checked, unknown = datasets.verified(name)
        output.line(
            f"{n_checked} files are as published"
            + (f"; no checksum is known of {', '.join(unknown)}" if unknown else "")
        )
        output.emit(command="datasets", name=dataset.name, checked=n_checked, unknown=unknown)
    else:
        output.emit(command="datasets", **_facts(dataset))


def _row(dataset: Any) -> dict[str, Any]:
    from cofactor.data import datasets

    counts = dataset.counts
    return {
        "name": dataset.name,
        "users": counts.get("users"),
        "items": counts.get("items"),
        "interactions": counts.get("interactions"),
        "here": datasets.available(dataset.name),
        "good for": ", ".join(dataset.good_for),
    }


def _facts(dataset: Any) -> dict[str, Any]:
    return {
        **_row(dataset),
        "title": dataset.title,
        "origin": dataset.origin,
        "terms": dataset.terms,
        "citation": dataset.citation,
        "folds": list(dataset.folds),
        "variants": list(dataset.variants),
    }


def _show(output: Output, dataset: Any) -> None:
    output.line(f"{dataset.title} ({dataset.name})")
    for what, text in (
        ("origin", dataset.origin),
        ("terms", dataset.terms),
        ("cite", dataset.citation),
    ):
        output.line(f"  {what}: {text}")
    if dataset.folds:
        output.line(f"  published splits: {', '.join(dataset.folds)}")
