"""Tables whose cells hold objects or lists, tables without names, objects of libraries."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from pyarrow import dataset

from field.case import Case, Row, parquet

_AB: list[Row] = [("u1", "a"), ("u2", "b")]
_USERS = ["u1", "u2"]


@dataclass
class _Rated:
    user: str
    item: str
    rating: float


class _Viewed:
    """A class as attrs makes it."""

    __attrs_attrs__ = (SimpleNamespace(name="user"), SimpleNamespace(name="item"))

    def __init__(self, user: str, item: str) -> None:
        self.user, self.item = user, item


class _Tensor:
    """An array of another library, which NumPy can have or not."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if self.held is None:
            raise TypeError("it is on another device")
        return np.asarray(self.held)


def _parquet(table: pa.Table) -> dict[str, bytes]:
    return {"a.parquet": parquet(table)}


def _stream(table: pa.Table) -> dict[str, bytes]:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return {"a.arrow": out.getvalue()}


def _file(
    name: str, origin: str, columns: dict[str, Any], rows: list[Row] | None, **more: Any
) -> Case:
    return Case(name=name, origin=origin, files=_parquet(pa.table(columns)), rows=rows, **more)


def _made(
    name: str, origin: str, source: Callable[[], Any], rows: list[Row] | None, **more: Any
) -> Case:
    return Case(name=name, origin=origin, source=source, rows=rows, **more)


def _text(name: str, origin: str, text: str, rows: list[Row] | None, **more: Any) -> Case:
    return Case(name=name, origin=origin, files={"a.csv": text}, rows=rows, **more)


NESTED = (
    _file(
        "a list of structs in Parquet",
        "BigQuery's export",
        {
            "user": _USERS,
            "events": [[{"item_id": "a", "ts": 1600000000}], [{"item_id": "b", "ts": 1600000002}]],
        },
        [("u1", "a", None, 1600000000), ("u2", "b", None, 1600000002)],
    ),
    _file(
        "users as structs in Parquet",
        "a document store's export",
        {"user": [{"id": 1, "name": "x"}, {"id": 2, "name": "y"}], "item": ["a", "b"]},
        [(1, "a"), (2, "b")],
    ),
    _file(
        "properties as structs in Parquet",
        "a stream of events",
        {"user": _USERS, "properties": [{"item_id": "a"}, {"item_id": "b"}]},
        _AB,
    ),
    _file(
        "maps of items and values in Parquet",
        "a warehouse",
        {
            "user": _USERS,
            "items": pa.array(
                [[("a", 3.0), ("b", 4.0)], [("c", 1.0)]], pa.map_(pa.string(), pa.float64())
            ),
        },
        [("u1", "a", 3.0), ("u1", "b", 4.0), ("u2", "c", 1.0)],
    ),
    _made(
        "users as structs in a lazy frame",
        "polars",
        lambda: pl.LazyFrame({"user": [{"id": 1}, {"id": 2}], "item": ["a", "b"]}),
        [(1, "a"), (2, "b")],
    ),
    _made(
        "users as structs in a relation",
        "DuckDB",
        lambda: duckdb.sql("select {'id': 1} as user, 'a' as item"),
        [(1, "a")],
    ),
    _file(
        "lists of items beside lists of ratings and times",
        "sequences, a row per user",
        {
            "user": _USERS,
            "items": [["a", "b"], ["c"]],
            "ratings": [[3.0, 4.0], [5.0]],
            "timestamps": [[1600000000, 1600000001], [1600000002]],
        },
        [
            ("u1", "a", 3.0, 1600000000),
            ("u1", "b", 4.0, 1600000001),
            ("u2", "c", 5.0, 1600000002),
        ],
    ),
    _file(
        "lists of items beside shorter lists of ratings",
        "sequences cut at another length",
        {"user": _USERS, "items": [["a", "b"], ["c"]], "ratings": [[3.0], [5.0]]},
        None,
        error="aren't as long as those in 'items'",
    ),
    _file("Parquet without names", "pandas, header=None", {"0": _USERS, "1": ["a", "b"]}, _AB),
    _file("Parquet with Spark's names", "Spark", {"_c0": _USERS, "_c1": ["a", "b"]}, _AB),
    _made(
        "a frame with numbered names",
        "polars, has_header=False",
        lambda: pl.DataFrame({"column_1": _USERS, "column_2": ["a", "b"]}),
        _AB,
    ),
    _file(
        "the table's name before each column's",
        "Hive",
        {"r.user_id": _USERS, "r.item_id": ["a", "b"]},
        _AB,
    ),
    Case(
        name="a file that is a stream of Arrow",
        origin="polars, write_ipc_stream",
        files=_stream(pa.table({"user": _USERS, "item": ["a", "b"]})),
        rows=_AB,
    ),
    Case(
        name="a name that stands twice in Parquet",
        origin="a join",
        files=_parquet(
            pa.table([pa.array([1]), pa.array([2]), pa.array([3])], ["user", "item", "item"])
        ),
        error="the column 'item' 2 times",
    ),
    Case(
        name="a pickle",
        origin="pandas",
        files={"a.pkl": b"\x80\x04\x95\x10\x00\x00\x00"},
        error="a pickle, which may run code",
    ),
    Case(name="an array's file", origin="numpy.save", files={"a": b"\x93NUMPY\x01"}, error="load"),
    Case(name="a picture", origin="a wrong name", files={"a.csv": b"\x89PNG\r\n"}, error="picture"),
    _text(
        "mappings in cells",
        "a data frame of dictionaries, written as csv",
        "user,items\nu1,\"{'a': 3, 'b': 4}\"\nu2,\"{'c': 1}\"\n",
        [("u1", "a", 3.0), ("u1", "b", 4.0), ("u2", "c", 1.0)],
        notes=("the numbers beside them in column 'items' read as values",),
    ),
    _text(
        "sets in cells",
        "a data frame of sets, written as csv",
        "user,items\nu1,\"{'a', 'b'}\"\nu2,{'c'}\n",
        [("u1", "a"), ("u1", "b"), ("u2", "c")],
    ),
    _text(
        "arrays of PostgreSQL",
        "COPY",
        'user,items\nu1,"{a,b}"\nu2,{c}\n',
        [("u1", "a"), ("u1", "b"), ("u2", "c")],
    ),
    _text(
        "ids between blanks",
        "a competition's lists",
        "user,products\nu1,17 29\nu2,17\n",
        [("u1", 17), ("u1", 29), ("u2", 17)],
    ),
    _text(
        "names with blanks in a column of items",
        "a shop",
        "user,items\nu1,Toy Story\nu2,Heat\n",
        [("u1", "Toy Story"), ("u2", "Heat")],
    ),
    _made(
        "dataclasses",
        "Python",
        lambda: [_Rated("u1", "a", 3.0), _Rated("u2", "b", 4.0)],
        [("u1", "a", 3.0), ("u2", "b", 4.0)],
    ),
    _made("objects of attrs", "Python", lambda: [_Viewed("u1", "a"), _Viewed("u2", "b")], _AB),
    _made(
        "a date in the third place",
        "tuples",
        lambda: [("u1", "a", datetime(2021, 3, 5)), ("u2", "b", datetime(2021, 3, 6))],
        [("u1", "a", None, 1614902400), ("u2", "b", None, 1614988800)],
    ),
    _made(
        "an array of another library",
        "PyTorch",
        lambda: _Tensor([[1, 2], [3, 4]]),
        [(1, 2), (3, 4)],
    ),
    _made("an array on a device", "PyTorch", lambda: _Tensor(None), None, error="another device"),
    _made(
        "text instead of a path", "a test", lambda: "user,item\nu1,a\n", None, error="several lines"
    ),
    _made(
        "an open file",
        "pandas' habits",
        lambda: io.StringIO("user,item\n"),
        None,
        error="not bytes or an open file",
    ),
    _made(
        "months",
        "pandas' periods",
        lambda: pd.DataFrame({"user": _USERS, "item": ["a", "b"], "date": ["2021-03", "2021-04"]}),
        [("u1", "a", None, 1614556800), ("u2", "b", None, 1617235200)],
    ),
    _made(
        "a header that became a row",
        "pandas, header=None",
        lambda: pd.DataFrame([["user", "item"], ["u1", "a"], ["u2", "b"]]),
        _AB,
    ),
    _made(
        "headers among the rows of a frame",
        "files joined by pandas.concat",
        lambda: pd.DataFrame({"user": ["u1", "user", "u2"], "item": ["a", "item", "b"]}),
        _AB,
        notes=("repeats? of the header",),
    ),
    _made(
        "records with objects in memory",
        "an API's answer",
        lambda: [
            {"userId": "u1", "properties": {"product_id": "a"}},
            {"userId": "u2", "properties": {"product_id": "b"}},
        ],
        _AB,
    ),
    _made(
        "frames in a list",
        "a loop over files",
        lambda: [pd.DataFrame({"user": ["u1"], "item": ["a"]})],
        None,
        error="join them first",
    ),
    _made(
        "columns in a tuple",
        "scikit-learn's habits",
        lambda: (np.array([1, 2]), np.array([3, 4])),
        None,
        error="may be rows or columns",
    ),
    _made(
        "a plan that can't be",
        "polars",
        lambda: pl.LazyFrame({"user": ["u1"]}).select("nope"),
        None,
        error="can't be computed",
    ),
    _made(
        "a dataset of Arrow",
        "pyarrow.dataset",
        lambda: dataset.dataset(pa.table({"user": _USERS, "item": ["a", "b"]})),
        _AB,
    ),
    *(
        Case(
            name=f"fields that aren't read are named: {which}",
            origin=origin,
            files={"a.jsonl": "\n".join(lines) + "\n"},
            rows=[(7, "a"), (8, "b")],
            notes=(r"not read: (_id|foo|customer\.name), (at|until|total)",),
        )
        for which, origin, lines in (
            (
                "wrapped",
                "mongoexport",
                (
                    '{"_id": 1, "user": {"$numberLong": "7"}, "item": "a", "until": {"$date": 1}}',
                    '{"_id": 2, "user": {"$numberLong": "8"}, "item": "b", "until": {"$date": 2}}',
                ),
            ),
            (
                "literals",
                "print() of dictionaries",
                (
                    "{'user': 7, 'item': 'a', 'foo': 1, 'at': 'x'}",
                    "{'user': 8, 'item': 'b', 'foo': 2, 'at': 'y'}",
                ),
            ),
            (
                "orders",
                "a shop's API",
                (
                    '{"customer": {"id": 7, "name": "x"}, "lines": [{"sku": "a"}], "total": 5}',
                    '{"customer": {"id": 8, "name": "y"}, "lines": [{"sku": "b"}], "total": 7}',
                ),
            ),
        )
    ),
)
