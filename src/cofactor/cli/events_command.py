"""The service's event store: count, import, export, prune, back up, restore.

The URL of a store is sqlite:///events.db or postgresql://user@host/name. `cofactor events ACTION
--help` shows the options of an action; every action takes --json."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cofactor.base.names import counted
from cofactor.cli import options as opt
from cofactor.cli.groups import option
from cofactor.cli.output import Output
from cofactor.cli.reading import FileOptions, roles
from cofactor.cli.words import in_options

if TYPE_CHECKING:
    from cofactor.data.events import Events
    from cofactor.store import BackupManifest, Imported, Store

INTERRUPTED = {
    "import": "interrupted; what was stored by then is kept, and to run it again adds the rest.",
    "prune": "interrupted; what was deleted by then is gone, and to run it again deletes the rest.",
    "restore": "interrupted; the backup wasn't put in place: what was there still is.",
}

# How a catalogue is read, too.
_OF_BOTH = {"on_bad", "encoding", "rejects"}

Url = Annotated[str, typer.Argument(metavar="URL", help="The store.")]
Written = Annotated[str, typer.Argument(metavar="FILE", help="The file to write.")]
Backup = Annotated[str, typer.Argument(metavar="FILE", help="The backup.")]
Overwrite = Annotated[bool, typer.Option(help="Replace an existing file.")]


@dataclass(frozen=True)
class ImportOptions(FileOptions):
    """Import."""

    items: bool = option(False, "SOURCE describes items; it holds no events.")
    kind: str | None = option(
        None,
        "The kind of a table's events; by default its column of kinds, else rating or view.",
        metavar="KIND",
    )
    item_id: opt.ItemId = None

    def check(self) -> None:
        """Refuse options that only events or only items have, and a kind that can't be one."""
        from cofactor.store.limits import check_kind

        if not self.items and self.item_id is not None:
            raise typer.BadParameter("--item-id names a column of a catalogue; give --items too.")
        if self.kind is not None:
            check_kind(self.kind)
        of_events = {"kind", *(one.name for one in fields(FileOptions))} - _OF_BOTH
        given = sorted(name for name in of_events if getattr(self, name) is not None)
        if self.items and given:
            name = f"--{given[0].replace('_', '-')}"
            raise typer.BadParameter(f"{name} is for events; leave it out with --items.")


@dataclass(frozen=True)
class ExportOptions:
    """Export."""

    items: bool = option(False, "The items instead of the events.")
    impressions: bool = option(False, "What was shown, a line per item and position.")
    user: str | None = option(None, "Only this user's events.", metavar="ID")
    overwrite: Overwrite = False


def stats(url: Url, show: opt.ShowOptions) -> None:
    """Count events, users, items and kinds of events."""
    import msgspec

    from cofactor.store import open_store

    output = show.output()
    with open_store(url, read_only=True) as store:
        counts, kinds = store.counts(), store.kinds()
    facts = msgspec.to_builtins(counts)
    output.table([{"": name.replace("_", " "), "count": value} for name, value in facts.items()])
    output.table([{"kind": name, "events": count} for name, count in kinds.items()])
    if not kinds:
        output.line("No events yet.")
    output.emit(command="events", action="stats", **facts, kinds=kinds)


def prune(url: Url, kept: opt.RetentionOptions, show: opt.ShowOptions) -> None:
    """Delete old logged lists; events stay."""
    from cofactor.store import prune_impressions
    from cofactor.store.beside import open_beside
    from cofactor.store.pruning import ahead

    retention = kept.retention()
    if not retention:
        raise typer.BadParameter("give --keep-impressions, --max-impressions or both.")
    output = show.output()
    with open_beside(url) as store:
        days = ahead(store) // 86_400 if retention.seconds is not None else 0
        gone = sum(prune_impressions(store, retention))
        left = store.counts().impressions
    if days:
        output.line(
            f"The clock is {days + 30:,} days ahead of what was stored last: ages are counted from"
            " 30 days after that."
        )
    output.line(f"{gone:,} impressions deleted, {left:,} kept")
    output.emit(command="events", action="prune", deleted=gone, kept=left)


def import_(
    url: Url,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A file that export wrote, or any table that train reads."
        ),
    ],
    given: ImportOptions,
    show: opt.ShowOptions,
) -> None:
    """Store the events of a file, or (--items) describe items.

    Events that are stored already stay as they are."""
    _import(show.output(), url, source, given)


def export(url: Url, path: Written, given: ExportOptions, show: opt.ShowOptions) -> None:
    """Write all events, one user's, the items, or what was shown.

    The name decides the format: .jsonl, .jsonl.gz or .parquet."""
    from cofactor.store import export_events, export_impressions, export_items, open_store

    if given.user is not None and (given.items or given.impressions):
        raise typer.BadParameter(
            "--user goes with the export of events, not of items or impressions."
        )
    if given.items and given.impressions:
        raise typer.BadParameter("give --items or --impressions, not both.")
    what = "item" if given.items else "impression" if given.impressions else "event"
    with open_store(url, read_only=True) as store:
        if given.items:
            count = export_items(store, path, overwrite=given.overwrite)
        elif given.impressions:
            count = export_impressions(store, path, overwrite=given.overwrite)
        else:
            count = export_events(store, path, user_id=given.user, overwrite=given.overwrite)
    output = show.output()
    output.line(f"{counted(count, what)} written to {path}")
    output.emit(command="events", action="export", count=count, path=path)


def backup(url: Url, path: Written, show: opt.ShowOptions, overwrite: Overwrite = False) -> None:
    """Copy a store, which may be in use, into a file and check the copy."""
    from cofactor.store import backup, open_store

    with open_store(url, read_only=True) as store:
        manifest = backup(store, path, overwrite=overwrite)
    _print_backup(
        show.output(), "backup", f"backed up to {path}, read again and found sound", manifest
    )


def verify(path: Backup, show: opt.ShowOptions) -> None:
    """Check a backup against its manifest."""
    from cofactor.store import verify

    _print_backup(show.output(), "verify", f"{path} is sound", verify(path))


def restore(path: Backup, url: Url, show: opt.ShowOptions, overwrite: Overwrite = False) -> None:
    """Restore a backup into a store, after checking it."""
    from cofactor.store import restore

    manifest = restore(path, url, overwrite=overwrite)
    said = f"{path} was found sound and restored to {url}"
    _print_backup(show.output(), "restore", said, manifest)


def _import(output: Output, url: str, source: str, given: ImportOptions) -> None:
    from cofactor.data.readers.rejects import Rejects
    from cofactor.store import import_events, import_interactions, import_items
    from cofactor.store.beside import open_beside
    from cofactor.store.lines import is_exported

    given.check()
    reading = given.written("format", "member") | (roles(given.columns) or {})
    as_table = bool(reading) or given.item_id is not None or not is_exported(source, given.items)
    if given.kind is not None and not given.items:
        as_table = True
    if given.rejects is not None:
        Rejects(given.rejects)  # refused now rather than after the work
    table = as_table and not given.items
    # Before a new store is made for a source that can't be read.
    events = _events_of(output, source, given, reading) if table else None
    with open_beside(url) as store:
        if events is not None:
            _tell(output, events, given)
            done = import_interactions(store, events, kind=given.kind, progress=output.progress)
        elif not as_table:
            done = (import_items if given.items else import_events)(
                store, source, on_bad=given.on_bad, progress=output.progress
            )
        else:
            done = _import_catalogue(output, store, source, given)
    if given.rejects is not None:
        _list_rejects(given.rejects, done)
    _print_imported(output, done)


def _events_of(
    output: Output, source: str, given: ImportOptions, reading: dict[str, Any]
) -> Events:
    """Events of any table that train reads."""
    from cofactor.data.readers import read

    return read(
        source,
        on_bad=given.on_bad,
        rejects=given.rejects,
        kinds="keep" if given.kind is None else None,
        progress=output.progress,
        **reading,
    )


def _tell(output: Output, events: Events, given: ImportOptions) -> None:
    """Say what was found while they were read."""
    for note in events.notes:
        # Here they keep their kinds.
        if "all of which count the same" not in note or given.kind is not None:
            output.line(f"  {in_options(note)}")


def _import_catalogue(output: Output, store: Store, source: str, given: ImportOptions) -> Imported:
    """Items of any catalogue that train reads."""
    from cofactor.data.readers.item_tables import read_table
    from cofactor.store import import_catalogue

    table = read_table(source, id_column=given.item_id, encoding=given.encoding)
    return import_catalogue(store, table, source, on_bad=given.on_bad, progress=output.progress)


def _list_rejects(path: str, done: Imported) -> None:
    """List what the store refused, behind what a reader skipped."""
    import msgspec

    lines = (
        msgspec.json.encode({"line": line, "reason": why}) + b"\n" for line, why in done.rejects
    )
    with Path(path).open("ab") as stream:
        stream.writelines(lines)


def _print_imported(output: Output, done: Imported) -> None:
    output.line(
        f"{counted(done.lines, 'line')}: {done.changed:,} stored, {done.unchanged:,} there already,"
        f" {done.rejected:,} refused"
    )
    for line, why in done.rejects[:10]:
        output.line(f"  line {line:,}: {why}")
    output.emit(
        command="events",
        action="import",
        lines=done.lines,
        changed=done.changed,
        unchanged=done.unchanged,
        rejected=done.rejected,
        rejects=[{"line": line, "reason": why} for line, why in done.rejects],
    )


def _print_backup(output: Output, action: str, said: str, manifest: BackupManifest) -> None:
    rows = manifest.rows
    output.line(
        f"{said}: {counted(rows['events'], 'event')}, {counted(rows['items'], 'item')},"
        f" {manifest.bytes:,} bytes, made {manifest.created}"
    )
    output.emit(
        command="events",
        action=action,
        rows=rows,
        bytes=manifest.bytes,
        sha256=manifest.sha256,
        created=manifest.created,
    )


ACTIONS = {
    "stats": (stats, "sqlite:///events.db"),
    "import": (import_, "sqlite:///events.db purchases.csv --kind purchase"),
    "export": (export, "sqlite:///events.db events.jsonl.gz"),
    "prune": (prune, "sqlite:///events.db --keep-impressions 90d"),
    "backup": (backup, "sqlite:///events.db backup.db"),
    "verify": (verify, "backup.db"),
    "restore": (restore, "backup.db sqlite:///events.db"),
}
