"""The ways by which ids, values and times come in, each as a function that returns what it read."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote

import duckdb
import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from pyarrow import feather
from pyarrow import parquet as pq

import cofactor
from cofactor.cli.ids import history_of, known_users, listed_ids
from cofactor.client import Client, ServiceError
from cofactor.data.ids import IdMap
from cofactor.data.readers import read_table
from cofactor.models.answering.fold_in import read_histories
from cofactor.service import wire
from cofactor.store import Event, Item
from cofactor.store.limits import checked_event, checked_item

REFUSED = "refused"
# What a column of ids becomes: the texts of those that are read, bad rows left out.
ColumnWay = Callable[[Sequence[Any], Path], list[str]]
# What one id is taken for among known ids: the known one, or itself where none is looked up.
IdWay = Callable[[Any, IdMap], str]


def outcome(call: Callable[[], Any]) -> Any:
    """Return what a call returns, or `REFUSED`; any error but those of a wrong input comes
    through.
    """
    try:
        return call()
    except (cofactor.CofactorError, msgspec.ValidationError):
        return REFUSED


def _users(source: Any) -> list[str]:
    events = cofactor.read(source, now=1.8e9, on_bad="skip")
    return [str(user) for user in events.users.to_pylist()]


def _columns(ids: Sequence[Any]) -> dict[str, list[Any]]:
    return {"user": [*ids], "item": [f"i{n}" for n in range(len(ids))]}


def _described(ids: Sequence[Any]) -> dict[str, list[Any]]:
    return {"item_id": [*ids], "title": [f"t{n}" for n in range(len(ids))]}


def _rows(ids: Sequence[Any]) -> list[tuple[Any, str]]:
    return list(zip(*_columns(ids).values(), strict=True))


def _records(ids: Sequence[Any]) -> list[dict[str, Any]]:
    return [{"user": user, "item": item} for user, item in _rows(ids)]


def _csv(ids: Sequence[Any], folder: Path, make: Any = _columns) -> Path:
    text, columns = io.StringIO(), make(ids)
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerows([columns, *zip(*columns.values(), strict=True)])
    (folder / "a.csv").write_bytes(text.getvalue().encode())
    return folder / "a.csv"


def _json_lines(ids: Sequence[Any], folder: Path, *, ascii_only: bool = True) -> Path:
    lines = (json.dumps(one, ensure_ascii=ascii_only) + "\n" for one in _records(ids))
    (folder / "a.jsonl").write_bytes("".join(lines).encode())
    return folder / "a.jsonl"


def _json(ids: Sequence[Any], folder: Path) -> Path:
    (folder / "a.json").write_text(json.dumps(_records(ids)))
    return folder / "a.json"


def _parquet(ids: Sequence[Any], folder: Path) -> Path:
    pq.write_table(pa.table(_columns(ids)), folder / "a.parquet")
    return folder / "a.parquet"


def _feather(ids: Sequence[Any], folder: Path) -> Path:
    feather.write_feather(pa.table(_columns(ids)), str(folder / "a.feather"))
    return folder / "a.feather"


def _sql(ids: Sequence[Any], folder: Path) -> str:
    (folder / "a.db").unlink(missing_ok=True)
    with closing(sqlite3.connect(folder / "a.db")) as base, base:
        base.execute("CREATE TABLE ratings (user, item)")
        base.executemany("INSERT INTO ratings VALUES (?, ?)", _rows(ids))
    return f"sqlite:///{folder}/a.db"


def _parts(ids: Sequence[Any], folder: Path) -> Path:
    (folder / "parts").mkdir(exist_ok=True)
    for n in range(2):
        part = folder / "parts" / f"{n}.csv"
        half = ids[: len(ids) // 2] if n == 0 else ids[len(ids) // 2 :]
        part.write_bytes(_csv(half, folder).read_bytes())
    return folder / "parts"


def _catalogue(source: Any) -> list[str]:
    return [str(one) for one in read_table(source)["item_id"].to_pylist()]


# Whatever Python has may stand in these; the others hold texts.
PYTHON_WAYS: dict[str, ColumnWay] = {
    "tuples": lambda ids, _: _users(_rows(ids)),
    "records": lambda ids, _: _users(_records(ids)),
    "columns": lambda ids, _: _users(_columns(ids)),
    "pandas objects": lambda ids, _: _users(
        pd.DataFrame({**_columns(ids), "user": pd.Series([*ids], dtype=object)})
    ),
    "catalogue of pandas": lambda ids, _: _catalogue(
        pd.DataFrame({**_described(ids), "item_id": pd.Series([*ids], dtype=object)})
    ),
    "catalogue of records": lambda ids, _: _catalogue(
        [{"item_id": one, "title": f"t{n}"} for n, one in enumerate(ids)]
    ),
}
COLUMN_WAYS: dict[str, ColumnWay] = {
    **PYTHON_WAYS,
    "csv": lambda ids, folder: _users(_csv(ids, folder)),
    "json lines": lambda ids, folder: _users(_json_lines(ids, folder)),
    "json lines in UTF-8": lambda ids, folder: _users(_json_lines(ids, folder, ascii_only=False)),
    "json": lambda ids, folder: _users(_json(ids, folder)),
    "parquet": lambda ids, folder: _users(_parquet(ids, folder)),
    "feather": lambda ids, folder: _users(_feather(ids, folder)),
    "sql": lambda ids, folder: _users(_sql(ids, folder)),
    "pandas strings": lambda ids, _: _users(pd.DataFrame(_columns(ids)).astype({"user": "string"})),
    "pandas categories": lambda ids, _: _users(
        pd.DataFrame(_columns(ids)).astype({"user": "category"})
    ),
    "polars": lambda ids, _: _users(pl.DataFrame(_columns(ids))),
    "polars categories": lambda ids, _: _users(
        pl.DataFrame(_columns(ids)).with_columns(pl.col("user").cast(pl.Categorical))
    ),
    "polars lazy": lambda ids, _: _users(pl.LazyFrame(_columns(ids))),
    "arrow dictionary": lambda ids, _: _users(
        pa.table({**_columns(ids), "user": pa.array([*ids]).dictionary_encode()})
    ),
    "arrow large": lambda ids, _: _users(
        pa.table({**_columns(ids), "user": pa.array([*ids], pa.large_string())})
    ),
    "arrow views": lambda ids, _: _users(
        pa.table({**_columns(ids), "user": pa.array([*ids], pa.string_view())})
    ),
    "duckdb": lambda ids, _: _users(duckdb.from_arrow(pa.table(_columns(ids)))),
    "parts": lambda ids, folder: _users(_parts(ids, folder)),
    "catalogue of csv": lambda ids, folder: _catalogue(_csv(ids, folder, _described)),
}


def _found(known: IdMap, rows: Any) -> str:
    assert len({*rows}) <= 1
    return str(known.ids([rows[0]])[0]) if len(rows) and rows[0] >= 0 else "unknown"


def _by_client(value: Any, _: IdMap) -> str:
    sent: list[bytes] = []
    with (
        patch.object(Client, "_exchange", lambda _s, _m, _p, body: (sent.append(body), b"", 0)),
        suppress(ServiceError, TypeError),
    ):
        Client("http://nowhere", retries=0).send([{"user_id": value, "item_id": "a"}])
    return str(msgspec.json.decode(sent[0], type=wire.EventsRequest).events[0].user_id)


def _by_address(value: Any, _: IdMap) -> str:
    asked: list[str] = []
    with (
        patch.object(Client, "_exchange", lambda _s, _m, path, _b: (asked.append(path), b"", 0)),
        suppress(ServiceError, TypeError),
    ):
        Client("http://nowhere", retries=0).history(value)
    word = unquote(asked[0].removeprefix("/v1/users/").removesuffix("/history?limit=100"))
    return str(wire.outside_id(word, "user_id"))


ID_WAYS: dict[str, IdWay] = {
    "find": lambda one, known: _found(known, known.find([one])),
    "find many": lambda one, known: _found(known, known.find([one] * 600)),
    "find in an array": lambda one, known: _found(known, known.find(_of_objects(one))),
    "history": lambda one, known: _found(known, read_histories([one], known).item_rows),
    "event": lambda one, _: checked_event(Event(user_id=one, item_id="a"))[1],
    "item": lambda one, _: checked_item(Item(item_id=one))[0],
    "client": _by_client,
    "address of the client": _by_address,
}
TEXT_WAYS: dict[str, IdWay] = {
    **ID_WAYS,
    "find one": lambda one, known: _found(known, [known.find_one(one)]),
    "find in Arrow": lambda one, known: _found(known, known.find(pa.array([one]))),
    "--block": lambda one, known: _found(known, known.find([*chain(*listed_ids([one], known))])),
    "--user": lambda one, known: _found(known, known.find(known_users([one], known))),
    "--history": lambda one, known: _found(known, known.find(list(history_of([one], known)))),
    "event over HTTP": lambda one, _: str(
        msgspec.json.decode(json.dumps({"user_id": one, "item_id": "a"}), type=wire.EventIn).user_id
    ),
    "recommend over HTTP": lambda one, _: str(
        msgspec.json.decode(json.dumps({"history": [one]}), type=wire.RecommendRequest).history[0]  # type: ignore[index]
    ),
}
# These keep more out: what has no place in a log, an address or a database.
STORED = {"event", "item", "client", "address of the client", "event over HTTP"}
STORED |= {"recommend over HTTP"}


def _of_objects(one: Any) -> np.ndarray:
    made = np.empty(1, object)
    made[0] = one
    return made
