"""Events and items to files: JSON lines (also gzipped) and Parquet."""

from __future__ import annotations

import contextlib
import gzip
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, get_args, get_origin, get_type_hints

import msgspec

from cofactor.base import checks
from cofactor.base.disk import check_regular, owner_only
from cofactor.base.errors import CofactorError, DataError
from cofactor.base.staging import staging_folder
from cofactor.store.erasures import without_erased
from cofactor.store.exceptions import StoreFormatError, StoreUnavailableError
from cofactor.store.impressions import ShownItem, shown_items
from cofactor.store.limits import file_format
from cofactor.store.records import StoredEvent, StoredItem
from cofactor.store.store import Store

_ARROW = {int: "int64", float: "float64", str: "string", bool: "bool", dict: "string"}


def export_events(
    store: Store,
    path: str | os.PathLike[str],
    *,
    user_id: str | int | None = None,
    overwrite: bool = False,
) -> int:
    """Write events to a file, undone ones too, in the order of arrival; return how many.

    Parameters
    ----------
    store
        May be open for reading only.
    path
        ``.jsonl`` or ``.parquet``; written beside its place, synced, then moved there.
    user_id
        Whose; None for all.
    overwrite
        Whether a file that is there is replaced.

    Raises
    ------
    DataError
        If the place is taken.
    """

    def events() -> Iterator[StoredEvent]:
        return iter(store.user_events(user_id)) if user_id is not None else store.events()

    return _export(store, events, Path(path), StoredEvent, overwrite)


def export_items(store: Store, path: str | os.PathLike[str], *, overwrite: bool = False) -> int:
    """Write all items to a file, hidden and deleted ones too, in the order of their ids; return
    how many.
    """
    return _export(store, store.all_items, Path(path), StoredItem, overwrite)


def export_impressions(
    store: Store, path: str | os.PathLike[str], *, overwrite: bool = False
) -> int:
    """Write the impressions to a file, one line per item and position; return how many."""

    def shown() -> Iterator[ShownItem]:
        return iter(shown_items(store.impressions()))

    return _export(store, shown, Path(path), ShownItem, overwrite)


def json_lines(records: Iterable[StoredEvent | StoredItem | ShownItem]) -> Iterator[bytes]:
    """Yield records as lines of JSON: what an export holds, for those who send it elsewhere."""
    encode = msgspec.json.encode
    for record in records:
        yield encode(record) + b"\n"


def _export(
    store: Store,
    records: Callable[[], Iterator[Any]],
    path: Path,
    kind: type[Any],
    overwrite: bool,
) -> int:
    chosen = file_format(path)
    if path.exists() and not checks.boolean(overwrite, "overwrite"):
        raise DataError(
            "it already exists; choose another name, or give overwrite=True.",
            source=str(path),
        )
    path = Path(os.path.abspath(path))
    check_regular(path)
    try:
        with staging_folder(path, private=True) as staging:
            made = staging / path.name
            count = without_erased(
                store,
                lambda: _write(records(), made, kind, chosen),
                lambda: os.replace(made, path),
                lambda: path.unlink(missing_ok=True),
            )
    except OSError as error:
        raise StoreUnavailableError(f"{path} can't be written: {error.strerror}.") from error
    except CofactorError:
        raise
    except (TypeError, ValueError) as error:
        raise StoreFormatError(
            f"the store is damaged: its content can't be exported ({error}); restore a backup."
        ) from error
    return count


def _write(records: Iterator[Any], path: Path, kind: type[Any], chosen: str) -> int:
    with open(path, "wb", opener=owner_only) as stream:
        count = (
            _write_parquet(records, stream, kind)
            if chosen == "parquet"
            else _write_lines(records, stream, path)
        )
        stream.flush()
        os.fsync(stream.fileno())
    return count


def _write_lines(records: Iterator[Any], stream: IO[bytes], path: Path) -> int:
    count = 0
    with (
        gzip.open(stream, "wb") if path.suffix == ".gz" else contextlib.nullcontext(stream)
    ) as sink:
        for line in json_lines(records):
            sink.write(line)
            count += 1
    return count


def _write_parquet(records: Iterator[Any], stream: IO[bytes], kind: type[Any]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = _columns(kind)
    form = pa.schema([(name, pa.type_for_alias(held)) for name, held in columns.items()])
    count = 0
    with pq.ParquetWriter(stream, form, compression="zstd") as writer:
        while batch := list(islice(records, 50_000)):
            found = {name: [_cell(getattr(record, name)) for record in batch] for name in columns}
            writer.write_table(pa.table(found, schema=form))
            count += len(batch)
    return count


def _columns(kind: type[Any]) -> dict[str, str]:
    """The columns of records of a kind, by the types of its fields, which may allow None."""
    hints = {name: (get_args(hint) or (hint,))[0] for name, hint in get_type_hints(kind).items()}
    return {name: _ARROW[get_origin(held) or held] for name, held in hints.items()}


def _cell(value: Any) -> Any:
    return msgspec.json.encode(value).decode() if isinstance(value, dict) else value
