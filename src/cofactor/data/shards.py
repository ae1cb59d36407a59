"""Interactions on disk, larger than memory: a folder of arrays that are mapped, not read.

::

    manifest.json        format, counts, source, notes, fingerprint; every file's size and SHA-256
    users.arrow          ids in row order, ascending (items.arrow likewise)
    by_user/             indptr, item_rows, order, and values and times where the data has them
    by_item/             indptr, user_rows, positions
    log/                 where repeats are kept: indptr, item_rows, values, times of all events
    catalogue.parquet    titles and columns of the items (profiles.parquet of the users)
    listed.parquet       the same as it was read, of items without interactions too

Arrays are ``.npy`` of int64, int32 and float32; the manifest is written last, so that a folder
without one is nothing. `readers.sharded` makes such folders.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet as pq

from cofactor.base.disk import sha256_of
from cofactor.base.errors import DataError
from cofactor.data.catalogue import Catalogue
from cofactor.data.histories import Histories
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions

FORMAT = "cofactor-shards/1"
MANIFEST = "manifest.json"
BLOCK = 1 << 20  # numbers that are looked at at once
# Numbers that are marked at once, a byte each; and what no position in a source reaches.
_MARKED, _POSITIONS = 1 << 27, 1 << 40
ID_BATCH = 100_000  # ids of a batch on disk

# Name -> dtype of the arrays; those of `OPTIONAL` stand only where the data has them.
ARRAYS: Mapping[str, str] = {
    "by_user/indptr": "int64",
    "by_user/item_rows": "int32",
    "by_user/order": "int64",
    "by_user/values": "float32",
    "by_user/times": "int64",
    "by_item/indptr": "int64",
    "by_item/user_rows": "int32",
    "by_item/positions": "int64",
    "log/indptr": "int64",
    "log/item_rows": "int32",
    "log/values": "float32",
    "log/times": "int64",
}
OPTIONAL = ("by_user/values", "by_user/times", *(name for name in ARRAYS if name[:4] == "log/"))
_OF_LOG = ("indptr", "item_rows", "values", "times")
TABLES = ("catalogue", "profiles")
LISTED = "listed.parquet"


def is_shards(source: Any) -> bool:
    """Return whether a source is a folder that `cofactor shard` made."""
    if not isinstance(source, (str, Path)):
        return False
    # Unlike Path's, this is False for names that can be none, too.
    return os.path.isfile(os.path.join(os.path.expanduser(source), MANIFEST))


def check_shards(folder: str | Path) -> None:
    """Raise DataError if a folder with a manifest holds something other than shards, such as a
    saved model.
    """
    _manifest(Path(os.path.expanduser(folder)))


def open_shards(folder: str | Path, *, verify: bool = False) -> Interactions:
    """Open a folder of shards as interactions whose arrays are mapped into memory.

    Writing to the arrays changes this process' copy alone.

    Parameters
    ----------
    folder
        As `readers.sharded.shard` made it.
    verify
        Whether every file is read, its SHA-256 compared, and no position in the source held twice;
        otherwise sizes, types and the bounds and order of rows are checked.

    Returns
    -------
    Interactions
        Equal to `Interactions.build` of the source, with the same fingerprint.

    Raises
    ------
    DataError
        If it isn't such a folder, of another format, or damaged.
    """
    folder = Path(os.path.expanduser(folder))
    manifest = _manifest(folder)
    for name, known in manifest["files"].items():
        _check_file(folder, name, known, verify)
    users, items = _ids(folder, "users"), _ids(folder, "items")
    arrays = _arrays(folder, manifest, len(users), len(items))
    if verify:
        _check_distinct(folder, "by_user/order", arrays["by_user/order"])
    catalogue, profiles = (
        _table(folder, name, count)
        for name, count in zip(TABLES, (len(items), len(users)), strict=True)
    )
    data = Interactions(
        users=users,
        items=items,
        indptr=arrays["by_user/indptr"],
        item_rows=arrays["by_user/item_rows"],
        values=arrays["by_user/values"],
        times=arrays["by_user/times"],
        source_order=arrays["by_user/order"],
        catalogue=catalogue,
        profiles=profiles,
        source=manifest["source"],
        notes=tuple(manifest["notes"]),
        log=_log(arrays, len(items)),
    )
    # What was computed once needn't be again.
    data.__dict__["by_item"] = (
        arrays["by_item/indptr"],
        arrays["by_item/user_rows"],
        arrays["by_item/positions"],
    )
    data.__dict__["fingerprint"] = manifest["fingerprint"]
    return data


def _arrays(folder: Path, manifest: dict[str, Any], n_users: int, n_items: int) -> dict[str, Any]:
    """The columns, mapped into memory, with their lengths, bounds and orders checked."""
    n = manifest["n_interactions"]
    arrays = {name: _mapped(folder, name, manifest) for name in ARRAYS}
    shapes = {"by_user/indptr": n_users + 1, "by_item/indptr": n_items + 1}
    if arrays["log/indptr"] is not None and arrays["log/item_rows"] is not None:
        events = len(arrays["log/item_rows"])
        shapes |= {"log/indptr": n_users + 1}
        shapes |= {f"log/{name}": events for name in ("item_rows", "values", "times")}
        _check_rows(folder, "log", arrays["log/indptr"], arrays["log/item_rows"], n_items)
    for name, array in arrays.items():
        if array is not None and len(array) != shapes.get(name, n):
            raise _damaged(folder, f"{name} holds {len(array):,} numbers")
    of_users, of_items = arrays["by_user/indptr"], arrays["by_item/indptr"]
    _check_rows(folder, "by_user", of_users, arrays["by_user/item_rows"], n_items)
    _check_rows(folder, "by_item", of_items, arrays["by_item/user_rows"], n_users)
    positions = arrays["by_item/positions"]
    _check_bounds(folder, "by_item/positions", positions, n)
    _check_ascent(folder, "by_user/item_rows", of_users, arrays["by_user/item_rows"])
    for name in ("user_rows", "positions"):
        _check_ascent(folder, f"by_item/{name}", of_items, arrays[f"by_item/{name}"])
    return arrays


def listed_items(folder: str | Path) -> pa.Table | None:
    """Return the catalogue that shards were made with, of items without interactions too; None if
    there was none.
    """
    path = Path(os.path.expanduser(folder)) / LISTED
    return pq.read_table(path) if path.is_file() else None


def _log(arrays: Mapping[str, Any], n_items: int) -> Histories | None:
    """Every event of each user, where repeats were kept."""
    indptr, rows, values, times = (arrays[f"log/{name}"] for name in _OF_LOG)
    return None if indptr is None else Histories(indptr, rows, values, times, n_items)


def write_manifest(folder: Path, data: Mapping[str, Any]) -> None:
    """Write the manifest of a folder whose other files are complete, with their checksums."""
    files = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": sha256_of(path),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    whole = {"format": FORMAT, **data, "files": files}
    (folder / MANIFEST).write_text(json.dumps(whole, indent=1, ensure_ascii=False), "utf-8")


def write_ids(path: Path, parts: Iterator[pa.Array], kind: pa.DataType) -> int:
    """Write ids, which come in row order, as an Arrow file that can be mapped; return how many.

    The file's batches are of one length, however the ids come, so that the same ids are the same
    bytes.
    """
    none = pa.array([], kind)
    count, held, schema = 0, none, pa.schema([("id", kind)])
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for ids in chain(parts, [None]):
            held = held if ids is None else pa.concat_arrays([held, ids])
            while len(held) >= ID_BATCH or (ids is None and len(held)):
                # Copied: a slice would be written with some bytes of its neighbours.
                batch = pa.concat_arrays([held.slice(0, ID_BATCH), none])
                writer.write_batch(pa.record_batch([batch], schema=schema))
                count, held = count + len(batch), held.slice(ID_BATCH)
    return count


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / MANIFEST).read_text("utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"there is no {MANIFEST} in it, so it holds no shards, or they were never finished;"
            " make them with `cofactor shard SOURCE --out DIR`.",
            source=str(folder),
        ) from None
    except (ValueError, OSError) as error:
        raise _damaged(folder, f"{MANIFEST} can't be read ({error})") from None
    if isinstance(found, dict) and "model" in found:
        raise DataError(
            "it is a saved model, not data; `cofactor inspect` shows it.", source=str(folder)
        )
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        kind = found.get("format") if isinstance(found, dict) else None
        raise DataError(
            f"its format is {kind!r}, and this version reads {FORMAT!r}; make the shards again.",
            source=str(folder),
        )
    wanted = {"n_interactions": int, "fingerprint": str, "source": str, "notes": list}
    wanted |= {"files": dict}
    for name, kind in wanted.items():
        if not isinstance(found.get(name), kind):
            raise _damaged(folder, f"{MANIFEST} lacks {name!r}")
    return found


def _check_file(folder: Path, name: str, known: Mapping[str, Any], verify: bool) -> None:
    path = folder / name
    if ".." in Path(name).parts or Path(name).is_absolute():
        raise _damaged(folder, f"{MANIFEST} names {name!r}, which lies outside of it")
    if not path.is_file() or path.stat().st_size != known.get("bytes"):
        raise _damaged(folder, f"{name} is missing or of another size")
    if verify and sha256_of(path) != known.get("sha256"):
        raise _damaged(folder, f"{name} has another checksum")


def _mapped(folder: Path, name: str, manifest: Mapping[str, Any]) -> Any:
    file = f"{name}.npy"
    if file not in manifest["files"]:
        if name in OPTIONAL:
            return None
        raise _damaged(folder, f"{MANIFEST} doesn't name {file}")
    try:
        # "c": writable for kernels, which would be compiled again for what isn't, and never
        # written back.
        array = np.load(folder / file, mmap_mode="c", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise _damaged(folder, f"{file} isn't an array ({error})") from None
    if array.dtype != ARRAYS[name] or array.ndim != 1:
        raise _damaged(folder, f"{file} holds {array.dtype} of {array.ndim} dimensions")
    return array.view(np.ndarray)


def _ids(folder: Path, name: str) -> IdMap:
    try:
        found = pa.ipc.open_file(pa.memory_map(str(folder / f"{name}.arrow"))).read_all()
        return IdMap(found.column("id").combine_chunks())
    except (pa.ArrowInvalid, OSError, KeyError) as error:
        raise _damaged(folder, f"{name}.arrow can't be read ({error})") from None


def _table(folder: Path, name: str, count: int) -> Catalogue:
    path = folder / f"{name}.parquet"
    if not path.is_file():
        return Catalogue.nothing(count)
    found = pq.read_table(path)
    if found.num_rows != count:
        raise _damaged(folder, f"{path.name} has {found.num_rows:,} rows")
    title = (found.schema.metadata or {}).get(b"title")
    return Catalogue(found.replace_schema_metadata(None), title.decode() if title else None)


def _check_rows(folder: Path, side: str, indptr: Any, rows: Any, n_other: int) -> None:
    """Rows in bounds, and where each begins in order: kernels look at neither."""
    if indptr[0] != 0 or indptr[-1] != len(rows):
        raise _damaged(folder, f"{side}/indptr doesn't begin at 0 and end at {len(rows):,}")
    for start in range(0, len(indptr) - 1, BLOCK):
        some = indptr[start : start + BLOCK + 1]
        if (some[1:] < some[:-1]).any():  # compared: differences of 64-bit numbers wrap around
            raise _damaged(folder, f"{side}/indptr descends")
    _check_bounds(folder, f"the rows of {side}", rows, n_other)


def _check_bounds(folder: Path, what: str, rows: Any, end: int) -> None:
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        if part.min() < 0 or part.max() >= end:
            raise _damaged(folder, f"{what} aren't all in [0, {end:,})")


def _check_ascent(folder: Path, name: str, indptr: Any, rows: Any) -> None:
    """Rows that ascend between the beginnings: what stands there twice would count twice."""
    for start in range(0, len(rows) - 1, BLOCK):
        falls = start + 1 + np.flatnonzero(np.diff(rows[start : start + BLOCK + 1]) <= 0)
        if (indptr[np.searchsorted(indptr, falls)] != falls).any():
            raise _damaged(folder, f"{name} doesn't ascend, or holds one twice")


def _check_distinct(folder: Path, name: str, numbers: Any) -> None:
    """Numbers from 0, each of them once; so many at a time that what is marked stays small."""
    low, high = (int(f(numbers)) for f in (np.min, np.max)) if len(numbers) else (0, -1)
    if low < 0 or high >= _POSITIONS:
        raise _damaged(folder, f"{name} isn't all in [0, {_POSITIONS:,})")
    held = 0
    for begin in range(0, high + 1, _MARKED):
        marks = np.zeros(min(_MARKED, high + 1 - begin), bool)
        for start in range(0, len(numbers), BLOCK):
            part = numbers[start : start + BLOCK] - begin
            marks[part[(part >= 0) & (part < len(marks))]] = True
        held += int(np.count_nonzero(marks))
    if held != len(numbers):
        raise _damaged(folder, f"{name} holds a number twice")


def _damaged(folder: Path, what: str) -> DataError:
    return DataError(
        f"these shards are damaged: {what}; make them again from their source.", source=str(folder)
    )
