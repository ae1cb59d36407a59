"""Turn sources that are larger than memory into a folder that the other commands take as a source.

The data is the same as when the sources are read into memory, and so is its fingerprint. The same
command continues a run that was interrupted, if the sources are files. Needs the extra "big"
(DuckDB)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cofactor.base.errors import ArgumentError
from cofactor.cli import options as opt
from cofactor.cli.groups import option
from cofactor.cli.output import Output
from cofactor.cli.reading import TextOptions, roles
from cofactor.cli.words import in_options

if TYPE_CHECKING:
    from cofactor.base.progress import Progress
    from cofactor.data.interactions import Interactions
    from cofactor.data.readers.columns import Options

INTERRUPTED = "interrupted; the same command continues from the last checkpoint, if there was one."


@dataclass(frozen=True)
class Reads(TextOptions):
    """Reading."""

    items: opt.Items = None
    item_id: opt.ItemId = None
    repeats: opt.Repeats = "last"
    kinds: opt.Kinds = None

    def options(self, progress: Progress) -> Options:
        """Return how sources are read."""
        from cofactor.data.readers.columns import Options

        own = {**(roles(self.columns) or {}), **self.written("kinds")}
        return Options(**own, on_bad=self.on_bad, progress=progress)

    def catalogue(self) -> Any:
        """Return the catalogue, read where its column of ids is named."""
        if self.item_id is None:
            return self.items
        if self.items is None:
            raise ArgumentError("--item-id names a column of the catalogue; give --items too.")
        from cofactor.data.readers.item_tables import read_table

        return read_table(self.items, id_column=self.item_id, encoding=self.encoding)


def command(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Files, read one after the other; Parquet and delimited text in chunks.",
        ),
    ],
    reads: Reads,
    compute: opt.ThreadOptions,
    show: opt.ShowOptions,
    out: str = option(..., "The folder to write.", metavar="DIR"),
    memory: str = option("2GB", "Memory limit: 700MB, 2GB.", metavar="2GB"),
) -> None:
    """Shard."""
    from cofactor.data.readers.sharded import shard

    output = show.output()
    limit = opt.n_bytes(memory, "memory")
    assert limit is not None
    made = shard(
        list(sources),
        out,
        memory=limit,
        repeats=reads.repeats,
        options=reads.options(output.progress),
        items=reads.catalogue(),
        run=compute.run(output),
    )
    _print(output, made, out)


def _print(output: Output, made: Interactions, out: str) -> None:
    output.line(f"{out}: {made!r}")
    for note in made.notes:
        output.line(f"  {in_options(note)}")
    output.emit(
        command="shard",
        out=out,
        n_users=made.n_users,
        n_items=made.n_items,
        n_interactions=len(made),
        fingerprint=made.fingerprint,
        notes=list(made.notes),
    )
