"""Turn sources that are larger than memory into a folder that the other commands take as a source.

Ids are numbered, pairs sorted and repeats merged as when a source is read into memory, and with the
same fingerprint. Needs the extra "big" (DuckDB)."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from cofactor.base.errors import ArgumentError
from cofactor.cli import options as opt
from cofactor.cli.output import Output

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def command(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Files whose events follow each other: Parquet and text are read in chunks.",
        ),
    ],
    out: Annotated[str, typer.Option(metavar="DIR", help="The folder to make.")],
    memory: Annotated[str, typer.Option(help="How much to get along with: 700MB, 2GB.")] = "2GB",
    columns: opt.Columns = None,
    items: opt.Items = None,
    repeats: opt.Repeats = "last",
    on_bad: opt.OnBad = "error",
    threads: opt.Threads = 0,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Shard."""
    from cofactor.base.run import Run
    from cofactor.data.readers.columns import Options
    from cofactor.data.readers.sharded import shard

    output = Output(json, quiet)
    roles: dict[str, Any] = opt.reading(columns, None, repeats, None, 0, on_bad).columns or {}
    made = shard(
        list(sources),
        out,
        memory=_bytes(memory),
        repeats=repeats,
        options=Options(**roles, on_bad=on_bad, progress=output.progress),
        items=items,
        threads=Run(threads=threads).n_threads,
        progress=output.progress,
    )
    output.line(f"{out}: {made!r}")
    for note in made.notes:
        output.line(f"  {note}")
    output.emit(
        command="shard",
        out=out,
        n_users=made.n_users,
        n_items=made.n_items,
        n_interactions=len(made),
        fingerprint=made.fingerprint,
        notes=list(made.notes),
    )


def _bytes(text: str) -> int:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B?\s*", text.upper())
    if not found:
        raise ArgumentError(f"--memory must be a size such as 700MB or 2GB, not {text!r}.")
    power = {"K": 1, "M": 2, "G": 3, "T": 4}.get(found[2], 0)
    return int(float(found[1]) * (1024**power if found[3] else _UNITS[found[2]]))
