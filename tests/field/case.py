"""What a case of the field suite is, and how it is tried."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

import cofactor
from cofactor.base.errors import CofactorError
from cofactor.data.events import Events

Row = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One small input and its right value.

    Parameters
    ----------
    name
        Short and distinct.
    origin
        Where such inputs come from.
    files
        Path below an empty folder -> content; the source is the only one of them, or `source`.
    source
        The file or folder (``"."``) to read; or a function that makes a table in memory.
    options
        What `cofactor.read` is told besides.
    rows
        The right rows in the order of the source: (user, item), with value and time where given.
    error
        Instead of rows: what the refusal must say (a regular expression).
    notes
        What the notes must say (regular expressions).
    """

    name: str
    origin: str
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    source: str | Callable[[], Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    rows: list[Row] | None = None
    error: str | None = None
    notes: tuple[str, ...] = ()


def column(name: str, *texts: str) -> dict[str, str]:
    """Return a file of users u0, u1 ..., one item, and a column of some texts."""
    rows = "".join(f"u{n};a;{text}\n" for n, text in enumerate(texts))
    return {"a.csv": f"user;item;{name}\n{rows}"}


def parquet(table: pa.Table) -> bytes:
    """Return a table as a file of Parquet."""
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


def assert_case(case: Case, folder: Path) -> None:
    """Read a case's input and compare."""
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    source = _source(case, folder)
    options = {"now": 1_767_225_600.0, **case.options}
    if case.error is not None:
        with pytest.raises(CofactorError, match=case.error):
            cofactor.read(source, **options)
        return
    events = cofactor.read(source, **options)
    assert case.rows is not None
    assert rows_of(events, len(case.rows[0])) == [_as_row(row) for row in case.rows]
    told = "\n".join(events.notes)
    for pattern in case.notes:
        assert re.search(pattern, told), told


def _source(case: Case, folder: Path) -> Any:
    if callable(case.source):
        try:
            return case.source()
        except AttributeError as error:
            if error.obj is not pa:
                raise
            pytest.skip(f"Arrow {pa.__version__} has no {error.name}")
    if case.source is not None:
        return folder / case.source if "*" not in case.source else str(folder / case.source)
    assert len(case.files) == 1
    return folder / next(iter(case.files))


def rows_of(events: Events, width: int = 4) -> list[Row]:
    """Return events as tuples of (user, item, value, time), cut to a width."""
    n = len(events)
    values = [None] * n if events.values is None else [round(float(v), 4) for v in events.values]
    times = [None] * n if events.times is None else events.times.tolist()
    rows = zip(events.users.to_pylist(), events.items.to_pylist(), values, times, strict=True)
    return [row[:width] for row in rows]


def _as_row(row: Row) -> Row:
    return tuple(round(float(x), 4) if n == 2 and x is not None else x for n, x in enumerate(row))
