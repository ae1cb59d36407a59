"""Named public datasets: list them, show one's terms, fetch one, verify one that is here.

`cofactor datasets ACTION --help` shows the options of an action; every action takes --json. Without
an action, they are listed."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cofactor.cli import options as opt
from cofactor.cli.output import Output
from cofactor.data import datasets
from cofactor.data.datasets import Dataset

Name = Annotated[str, typer.Argument(metavar="NAME", help="A dataset's name, as list shows it.")]
DEFAULT = "list"


def list_(show: opt.ShowOptions) -> None:
    """List the datasets, and which of them are here."""
    output, rows = show.output(), [_row(one) for one in datasets.datasets().values()]
    output.table(rows)
    output.line(
        "`cofactor datasets show NAME` prints a dataset's terms; read them before you use it."
    )
    output.emit(command="datasets", datasets=rows)


def show(name: Name, show: opt.ShowOptions) -> None:
    """Show a dataset's origin, terms and citation."""
    output, dataset = _shown(name, show)
    output.emit(
        command="datasets",
        **_row(dataset),
        title=dataset.title,
        origin=dataset.origin,
        terms=dataset.terms,
        citation=dataset.citation,
        folds=list(dataset.folds),
        variants=list(dataset.variants),
    )


def fetch(name: Name, show: opt.ShowOptions) -> None:
    """Download a dataset into the cache and verify its checksums."""
    output, dataset = _shown(name, show)
    path = datasets.fetch(name, progress=output.progress)
    output.line(f"fetched into {path}")
    output.emit(command="datasets", name=dataset.name, path=str(path))


def verify(name: Name, show: opt.ShowOptions) -> None:
    """Verify the checksums of a dataset that is here."""
    output, dataset = _shown(name, show)
    n_checked, unknown = datasets.verified(name)
    output.line(
        f"{n_checked} files are as published"
        + (f"; no checksum is known of {', '.join(unknown)}" if unknown else "")
    )
    output.emit(command="datasets", name=dataset.name, checked=n_checked, unknown=unknown)


def _row(dataset: Dataset) -> dict[str, Any]:
    counts = dataset.counts
    return {
        "name": dataset.name,
        "users": counts.get("users"),
        "items": counts.get("items"),
        "interactions": counts.get("interactions"),
        "here": datasets.available(dataset.name),
        "good for": ", ".join(dataset.good_for),
    }


def _shown(name: str, show: opt.ShowOptions) -> tuple[Output, Dataset]:
    output, dataset = show.output(), datasets.get(name)
    output.line(f"{dataset.title} ({dataset.name})")
    for what, text in (
        ("origin", dataset.origin),
        ("terms", dataset.terms),
        ("cite", dataset.citation),
    ):
        output.line(f"  {what}: {text}")
    if dataset.folds:
        output.line(f"  published splits: {', '.join(dataset.folds)}")
    return output, dataset


ACTIONS = {
    "list": (list_, ""),
    "show": (show, "ml-100k"),
    "fetch": (fetch, "ml-latest-small"),
    "verify": (verify, "ml-100k"),
}
