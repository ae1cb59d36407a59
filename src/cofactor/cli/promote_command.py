"""Promote a version of a model, or go back to the previous one.

`promote DIR` lists the versions in a folder of saved models. `promote DIR VERSION` checks one
(files, checksums, scores; on the store's events against the version that answers now) and makes it
the current one in one atomic step. `promote DIR --rollback` goes back, once files, checksums and
scores of the previous one are checked. A running `cofactor serve DIR` notices within a quarter of
a second and drops no request."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cofactor.cli import options as opt
from cofactor.cli.groups import option
from cofactor.cli.output import Output

if TYPE_CHECKING:
    from cofactor.service.versions.promotion import Promoted
    from cofactor.store import Store


@dataclass(frozen=True)
class PromoteOptions:
    """Options."""

    rollback: bool = option(False, "Go back to the previous version.")
    force: bool = option(False, "Skip all checks but those of files, checksums and scores.")
    store: str | None = option(
        None,
        "The service's events, as for serve; by default the file beside DIR, if there is one.",
        metavar="URL",
    )


def command(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="DIR", help="A folder with one saved model per subfolder: the versions."
        ),
    ],
    options: PromoteOptions,
    show: opt.ShowOptions,
    version: Annotated[
        str | None, typer.Argument(metavar="VERSION", help="The subfolder to promote.")
    ] = None,
) -> None:
    """Promote or roll back."""
    if version is not None and options.rollback:
        raise typer.BadParameter("give a VERSION or --rollback, not both.")
    output = show.output()
    if options.rollback:
        from cofactor.service.versions.promotion import roll_back

        _print_promotion(output, roll_back(Path(folder)), "rolled back")
    elif version is None:
        _list(output, Path(folder))
    else:
        done = promoted(Path(folder), version, options.store, force=options.force)
        _print_promotion(output, done, "promoted")


def promoted(folder: Path, version: str, url: str | None, *, force: bool) -> Promoted:
    """Promote a version, compared on the service's events if there are some."""
    from cofactor.service.versions.promotion import promote

    with service_store(folder, url) or contextlib.nullcontext() as opened:
        return promote(folder, version, opened, force=force)


def service_store(folder: Path, url: str | None) -> Store | None:
    """Return the service's store, for reading; None where the usual place holds none."""
    from cofactor.store import open_store
    from cofactor.store.beside import events_of

    usual = events_of(folder)
    if url is None and not usual.exists():
        return None
    return open_store(url if url is not None else f"sqlite:///{usual}", read_only=True)


def _print_promotion(output: Output, done: Promoted, what: str) -> None:
    for check in done.checks:
        output.line(f"checked: {check}")
    output.line(
        f"{what}: {done.version} answers from now on (before: {done.previous});"
        f" {done.seconds:.3f} s"
    )
    output.emit(
        command="promote",
        action=what,
        version=done.version,
        previous=done.previous,
        checks=done.checks,
        seconds=done.seconds,
    )


def _list(output: Output, path: Path) -> None:
    from cofactor.base.errors import ArtifactError
    from cofactor.service.versions.versions import Folder

    folder = Folder(path)
    pointer = folder.pointer()
    rows = []
    for version in folder.versions():
        try:
            manifest = folder.manifest(version)
            about = {
                "model": manifest.model,
                "saved": manifest.created,
                "interactions": manifest.data.n_interactions,
            }
        except ArtifactError as error:
            about = {"model": f"damaged: {error}", "saved": None, "interactions": None}
        answers = (
            "now"
            if version == pointer.version
            else "before"
            if version in pointer.before[:1]
            else ""
        )
        rows.append({"version": version, "answers": answers, **about})
    output.table(rows)
    output.emit(
        command="promote",
        action="list",
        current=pointer.version,
        before=pointer.before,
        versions=rows,
    )
