"""The lines of a file of events or items: JSON lines (also gzipped) and rows of Parquet."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from cofactor.base.errors import DataError
from cofactor.store.limits import file_format

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 2_000
_FEW = 50  # rows that are unpacked at a time
_LONGEST = 1 << 20  # bytes of a line
_LINES, _PARQUET = (".jsonl", ".ndjson", ".json"), (".parquet", ".pq")

# Line numbers, and what decodes each line; may be asked for twice.
Lines = Callable[[], Iterator[tuple[int, Callable[[], Any]]]]


class EventLine(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A line of a file of events; what an export writes can be imported."""

    user_id: str | int
    item_id: str | int
    kind: str = "view"
    value: float | None = None
    time: int | None = None
    event_id: str | None = None
    undone: int | None = None
    seq: int | None = None
    received: int | None = None


class ItemLine(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A line of a file of items; what an export writes can be imported."""

    item_id: str | int
    title: str | None = None
    text: str | None = None
    features: dict[str, Any] | str | None = None
    hidden: bool | None = None
    state: str | None = None
    time: int | None = None


def is_exported(source: str, items: bool) -> bool:
    """Return whether a file has the form that an export writes, rather than that of another table:
    its name says so, and its first line (or its columns) has no other names than those of an event
    or an item.

    Parameters
    ----------
    source
        The file.
    items
        Whether items are expected instead of events.
    """
    path, kind = Path(source), ItemLine if items else EventLine
    plain = source.lower().removesuffix(".gz")
    if not plain.endswith((*_LINES, *_PARQUET)):
        return False
    try:
        names = _first_names(path, plain.endswith(_PARQUET))
    # What is missing or damaged is named by whoever reads it.
    except (OSError, EOFError, zlib.error, ValueError):
        return True
    return names is not None and names <= {field.name for field in msgspec.structs.fields(kind)}


def _first_names(path: Path, parquet: bool) -> set[str] | None:
    """The names in a file's first line; None if that isn't an object."""
    if parquet:
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            return set(file.schema_arrow.names)
    with _opened(path) as stream:
        first = next((line for line in _bounded(stream) if line is None or line.strip()), None)
    found = msgspec.json.decode((first or b"{}").removeprefix(codecs.BOM_UTF8))
    return set(found) if isinstance(found, dict) else None


def lines_of(path: Path, kind: type[Any]) -> Lines:
    """Return what yields the lines of a file; only decoding a line raises what is wrong in it."""
    return lambda: _lines(path, kind)


def _lines(path: Path, kind: type[Any]) -> Iterator[tuple[int, Callable[[], Any]]]:
    """Line numbers, and what decodes each line; an error then belongs to its line."""
    if not path.is_file():
        raise DataError("there is no such file.", source=str(path))
    if file_format(path) == "parquet":
        yield from _parquet_rows(path, kind)
        return
    decode = msgspec.json.Decoder(kind).decode
    try:
        with _opened(path) as stream:
            for number, line in enumerate(_bounded(stream), 1):
                if number == 1 and line is not None:
                    line = line.removeprefix(codecs.BOM_UTF8)
                if line is None or line.strip():
                    yield number, partial(_decoded, decode, line)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"it can't be read: {error}.", source=str(path)) from None


def _bounded(stream: IO[bytes]) -> Iterator[bytes | None]:
    """The lines of a file, None for one that is longer than any event or item: a few bytes of a
    packed file may stand for a line that fills the memory.
    """
    while line := stream.readline(_LONGEST + 1):
        if len(line) <= _LONGEST:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(_LONGEST)
        yield None


def _decoded(decode: Callable[[bytes], Any], line: bytes | None) -> Any:
    if line is None:
        raise ValueError(f"a line of more than {_LONGEST:,} bytes is neither an event nor an item")
    try:
        return decode(line)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _parquet_rows(path: Path, kind: type[Any]) -> Iterator[tuple[int, Callable[[], Any]]]:
    import pyarrow as pa

    number = 0
    try:
        for batch in _batches(path):
            for row in batch.to_pylist():
                number += 1
                # A missing column and an empty cell are the same, save for names that nobody
                # knows.
                given = {name: cell for name, cell in row.items() if cell is not None}
                yield number, partial(msgspec.convert, given, kind)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"it can't be read as Parquet: {error}", source=str(path)) from None


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    """A few rows at a time. A text that stands in every row takes its place in the file once, and
    in memory once a row: texts are read by their number, and long ones refused.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        schema = file.metadata.schema
        columns = [schema.column(n) for n in range(len(schema))]
        texts = [one.path for one in columns if one.physical_type == "BYTE_ARRAY"]
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        for batch in file.iter_batches(_BATCH):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                if pa.types.is_dictionary(column.type) and len(column.dictionary):
                    longest = pc.max(pc.binary_length(column.dictionary)).as_py() or 0
                    if longest > _LONGEST:
                        raise DataError(
                            f"the column {name!r} holds a text of {longest:,} bytes; the longest"
                            f" that an event or an item may have is {_LONGEST:,}.",
                            source=str(path),
                        )
            yield from (batch.slice(start, _FEW) for start in range(0, len(batch), _FEW))


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")
