"""The service's event store.

`events stats URL` counts what is in it, `events import URL SOURCE` stores the events of a file (or,
with --items, describes items), `events export URL FILE` writes all of them, or one user's, `events
prune URL` deletes old impressions, `events backup URL FILE` copies a store that may be in use,
`events verify FILE` checks a backup, `events restore FILE URL` makes a store of one. URL is
sqlite:///events.db or postgresql://user@host/name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cofactor.cli import options as opt
from cofactor.cli.output import Output
from cofactor.cli.reading import roles
from cofactor.cli.words import in_options

if TYPE_CHECKING:
    from cofactor.store import Imported, Retention

_ACTIONS = ("stats", "import", "export", "prune", "backup", "verify", "restore")
_ALONE = ("stats", "prune", "verify")
INTERRUPTED = (
    "interrupted; what an import had stored by then is kept, and to run it again adds the rest."
)


@dataclass(frozen=True)
class Transfer:
    """Import and export."""

    items: Annotated[
        bool, typer.Option("--items", help=("Import or export items instead of events."))
    ] = False
    impressions: Annotated[
        bool,
        typer.Option("--impressions", help="Export what was shown, a line per item and position."),
    ] = False
    user: Annotated[
        str | None, typer.Option(metavar="ID", help="Export only this user's events.")
    ] = None
    kind: Annotated[
        str | None,
        typer.Option(
            help=("Import from a table: the kind of the events; by default rating or view.")
        ),
    ] = None
    columns: opt.Columns = None
    on_bad: opt.OnBad = "error"
    rejects: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help=("Import: the file that lists refused lines, as JSON lines.")
        ),
    ] = None
    overwrite: Annotated[bool, typer.Option(help="Replace an existing file.")] = False


@dataclass(frozen=True)
class Prune:
    """Prune."""

    keep_impressions: opt.KeepImpressions = None
    max_impressions: opt.MaxImpressions = None


def command(
    action: Annotated[
        str,
        typer.Argument(
            metavar="ACTION", help="stats, import, export, prune, backup, verify or restore."
        ),
    ],
    place: Annotated[
        str, typer.Argument(metavar="URL", help=("The store; for verify and restore, the backup."))
    ],
    transfer: Transfer,
    prune: Prune,
    show: opt.ShowOptions,
    other: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help=("The file; for restore, the store."))
    ] = None,
) -> None:
    """Count, import, export, prune, back up, verify or restore."""
    retention = opt.retention(prune.keep_impressions, prune.max_impressions)
    _check(action, other, transfer, retention)
    output = show.output()
    if action == "stats":
        _stats(output, place)
    elif action == "prune":
        _prune(output, place, retention)
    elif action == "import":
        _import(output, place, str(other), transfer)
    elif action == "export":
        _export(output, place, str(other), transfer)
    else:
        _backup(output, action, place, str(other), transfer.overwrite)


def _check(action: str, other: str | None, transfer: Transfer, retention: Retention) -> None:
    """Refuse what doesn't go together."""
    if action not in _ACTIONS:
        raise typer.BadParameter(
            f"the action must be one of {', '.join(_ACTIONS)}, not {action!r}."
        )
    if (other is None) != (action in _ALONE):
        needs = (
            f"needs a {'URL to restore to' if action == 'restore' else 'file'}"
            if other is None
            else "takes no second place"
        )
        raise typer.BadParameter(f"events {action} {needs}.")
    if transfer.user is not None and (transfer.items or action != "export"):
        raise typer.BadParameter("--user belongs to the export of events.")
    if transfer.impressions and (transfer.items or transfer.user or action != "export"):
        raise typer.BadParameter("--impressions belongs to export, without --items and --user.")
    if bool(retention) != (action == "prune"):
        raise typer.BadParameter(
            "events prune needs --keep-impressions or --max-impressions, and only prune takes them."
        )


def _stats(output: Output, url: str) -> None:
    import msgspec

    from cofactor.store import open_store

    with open_store(url, read_only=True) as store:
        counts, kinds = store.counts(), store.kinds()
    facts = msgspec.to_builtins(counts)
    output.table([{"": name.replace("_", " "), "count": value} for name, value in facts.items()])
    output.table([{"kind": name, "events": count} for name, count in kinds.items()])
    if not kinds:
        output.line("No events yet.")
    output.emit(command="events", action="stats", **facts, kinds=kinds)


def _prune(output: Output, url: str, retention: Retention) -> None:
    from cofactor.store import prune_impressions
    from cofactor.store.shared import open_beside

    with open_beside(url) as store:
        gone = sum(prune_impressions(store, retention))
        left = store.counts().impressions
    output.line(f"{gone:,} impressions deleted, {left:,} kept")
    output.emit(command="events", action="prune", deleted=gone, kept=left)


def _import(output: Output, url: str, source: str, given: Transfer) -> None:
    import msgspec

    from cofactor.store import import_events, import_interactions, import_items, open_store
    from cofactor.store.shared import open_beside

    own_format = (
        source.lower()
        .removesuffix(".gz")
        .endswith((".jsonl", ".ndjson", ".json", ".parquet", ".pq"))
    )
    # Then the reader has listed there already what it skipped.
    read_first = not (given.items or (own_format and given.kind is None))
    # A service in use keeps a copy of the items, which it changes itself: those come by its API.
    with (open_store if given.items else open_beside)(url) as store:
        if not read_first:
            done = (import_items if given.items else import_events)(
                store, source, on_bad=given.on_bad, progress=output.progress
            )
        else:
            from cofactor.data.readers import read

            events = read(
                source,
                on_bad=given.on_bad,
                rejects=given.rejects,
                progress=output.progress,
                **(roles(given.columns) or {}),
            )
            for note in events.notes:
                output.line(f"  {in_options(note)}")
            done = import_interactions(store, events, kind=given.kind, progress=output.progress)
    _print_imported(output, done)
    if given.rejects is not None:
        lines = (
            msgspec.json.encode({"line": line, "reason": why}) + b"\n" for line, why in done.rejects
        )
        with Path(given.rejects).open("ab" if read_first else "wb") as stream:
            stream.writelines(lines)
    _emit_imported(output, done)


def _emit_imported(output: Output, done: Imported) -> None:
    output.emit(
        command="events",
        action="import",
        lines=done.lines,
        changed=done.changed,
        unchanged=done.unchanged,
        rejected=done.rejected,
        rejects=[{"line": line, "reason": why} for line, why in done.rejects],
    )


def _print_imported(output: Output, done: Imported) -> None:
    output.line(
        f"{done.lines:,} lines: {done.changed:,} stored, {done.unchanged:,} there already,"
        f" {done.rejected:,} refused"
    )
    for line, why in done.rejects[:10]:
        output.line(f"  line {line:,}: {why}")


def _export(output: Output, url: str, path: str, given: Transfer) -> None:
    from cofactor.store import export_events, export_impressions, export_items, open_store

    what = "items" if given.items else "impressions" if given.impressions else "events"
    with open_store(url, read_only=True) as store:
        if given.items:
            count = export_items(store, path, overwrite=given.overwrite)
        elif given.impressions:
            count = export_impressions(store, path, overwrite=given.overwrite)
        else:
            count = export_events(store, path, user_id=given.user, overwrite=given.overwrite)
    output.line(f"{count:,} {what} written to {path}")
    output.emit(command="events", action="export", count=count, path=path)


def _backup(output: Output, action: str, place: str, other: str, overwrite: bool) -> None:
    from cofactor.store import backup, open_store, restore, verify

    manifest: Any
    if action == "backup":
        with open_store(place, read_only=True) as store:
            manifest = backup(store, other, overwrite=overwrite)
        said = f"backed up to {other}, read again and found sound"
    elif action == "verify":
        manifest = verify(place)
        said = f"{place} is sound"
    else:
        manifest = restore(place, other, overwrite=overwrite)
        said = f"{place} was found sound and restored to {other}"
    rows = manifest.rows
    output.line(
        f"{said}: {rows['events']:,} events, {rows['items']:,} items, {manifest.bytes:,} bytes,"
        f" made {manifest.created}"
    )
    output.emit(
        command="events",
        action=action,
        rows=rows,
        bytes=manifest.bytes,
        sha256=manifest.sha256,
        created=manifest.created,
    )
