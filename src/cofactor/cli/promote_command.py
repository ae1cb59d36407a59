"""Promote a version of a model, or go back to the previous one.

`promote DIR` lists the versions in a folder of saved models. `promote DIR VERSION` checks one
(files, checksums, scores; on the store's events against the version that answers now) and makes it
the current one in one atomic step. `promote DIR --rollback` goes back. A running `cofactor serve
DIR` notices within a quarter of a second and drops no request."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cofactor.cli import options as opt
from cofactor.cli.output import Output

if TYPE_CHECKING:
    from cofactor.service.versions.promotion import Promoted
    from cofactor.store import Store


@dataclass(frozen=True)
class PromoteOptions:
    """Options."""

    rollback: Annotated[
        bool, typer.Option("--rollback", help="Go back to the previous version.")
    ] = False
    force: Annotated[
        bool,
        typer.Option(
            "--force", help=("Skip the comparison on stored events, but not the other checks.")
        ),
    ] = False
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help=(
                "The service's events, as for serve; by default the file beside DIR, if there is"
                " one."
            ),
        ),
    ] = None


def command(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="DIR", help=("A folder with one saved model per subfolder: the versions.")
        ),
    ],
    options: PromoteOptions,
    show: opt.ShowOptions,
    version: Annotated[
        str | None, typer.Argument(metavar="VERSION", help=("The subfolder to promote."))
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
        _promote(output, Path(folder), version, options.store, options.force)


def _promote(output: Output, folder: Path, version: str, url: str | None, force: bool) -> None:
    from cofactor.service.versions.promotion import promote

    opened = service_store(folder, url)
    try:
        _print_promotion(output, promote(folder, version, opened, force=force), "promoted")
    finally:
        if opened is not None:
            opened.close()


def service_store(folder: Path, url: str | None) -> Store | None:
    """Return the service's store, for reading; None where the usual place holds none."""
    from cofactor.store import open_store

    place = folder.absolute()
    usual = place.with_name(place.name + "-events.db")
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
