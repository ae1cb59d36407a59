"""What is held in memory: frames, arrays, tensors and rows of any library."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from field.case import Case, Row

_MIDNIGHT = 1546646400
_NESTED = [
    {"user": {"name": "A", "id": 9}, "item": {"price": 7, "id": 3}},
    {"user": {"name": "B", "id": 8}, "item": {"price": 7, "id": 4}},
]


def _objects(*cells: Any) -> np.ndarray:
    array = np.empty(len(cells), object)
    array[:] = cells
    return array


class _Numbered:
    """Rows that are had by their number alone, as of a dataset of PyTorch."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, row: int) -> tuple[Any, ...]:
        return ((_Number(1), _Number(3), _Number(4.5)), (_Number(2), _Number(4), _Number(5)))[row]


class _Number:
    """A tensor with one number."""

    ndim = 0
    shape = ()

    def __init__(self, held: float) -> None:
        self.held = held

    def item(self) -> float:
        return self.held

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self.held, dtype)


def _rows(name: str, origin: str, source: Callable[[], Any], rows: list[Row], **more: Any) -> Case:
    return Case(name=name, origin=origin, source=source, rows=rows, **more)


MEMORY = (
    _rows(
        "objects in columns of pandas",
        "pd.DataFrame(records)",
        lambda: pd.DataFrame(_NESTED),
        [(9, 3), (8, 4)],
    ),
    _rows(
        "the same in polars",
        "pl.DataFrame(records)",
        lambda: pl.DataFrame(_NESTED),
        [(9, 3), (8, 4)],
    ),
    _rows(
        "items and values in objects of pandas",
        "ratings kept as a dictionary",
        lambda: pd.DataFrame({"user": [1, 2], "items": [{"a": 3, "b": 1}, {"a": 2}]}),
        [(1, "a", 3.0), (1, "b", 1.0), (2, "a", 2.0)],
    ),
    _rows(
        "items and values in objects of records",
        "ratings kept as a dictionary",
        lambda: [{"user": 1, "items": {"a": 3, "b": 1}}, {"user": 2, "items": {"a": 2}}],
        [(1, "a", 3.0), (1, "b", 1.0), (2, "a", 2.0)],
    ),
    _rows(
        "names in bytes",
        "frames of Python 2",
        lambda: pd.DataFrame([["u1", "a", 4.0]], columns=[b"user", b"item", b"rating"]),
        [("u1", "a", 4.0)],
    ),
    _rows(
        "names and cells in bytes",
        "Redis' hashes",
        lambda: [{b"user": b"u1", b"item": b"a"}, {b"user": b"u2", b"item": b"b"}],
        [("u1", "a"), ("u2", "b")],
    ),
    _rows(
        "a stacked matrix without names",
        "pivot.stack()",
        lambda: pd.DataFrame([[1.0, 2.0], [2.0, 3.0]], ["u1", "u2"], [101, 102]).stack(),
        [("u1", 101, 1.0), ("u1", 102, 2.0), ("u2", 101, 2.0), ("u2", 102, 3.0)],
    ),
    _rows(
        "an array of bytes",
        "h5py",
        lambda: np.array([[b"u1", b"a"], [b"u2", b"b"]]),
        [("u1", "a"), ("u2", "b")],
    ),
    _rows(
        "an array of tuples",
        "np.array(list, object)",
        lambda: _objects(("u1", "a", 4.0), ("u2", "b", 3.0)),
        [("u1", "a", 4.0), ("u2", "b", 3.0)],
    ),
    _rows(
        "an array of records",
        "numpy.load(allow_pickle=True)",
        lambda: _objects({"user": "u1", "item": "a"}, {"user": "u2", "item": "b"}),
        [("u1", "a"), ("u2", "b")],
    ),
    _rows(
        "fields within a field",
        "structured arrays",
        lambda: np.array(
            [(1, (3, 0.5)), (2, (4, 0.5))],
            [("user", "i4"), ("item", [("id", "i4"), ("price", "f4")])],
        ),
        [(1, 3), (2, 4)],
    ),
    _rows("a dataset by number", "torch's TensorDataset", _Numbered, [(1, 3, 4.5), (2, 4, 5.0)]),
    _rows(
        "numbers of another library",
        "tuples of tensors",
        lambda: [(_Number(1), _Number(2), _Number(3.5))],
        [(1, 2, 3.5)],
    ),
    _rows(
        "texts in a column of JSON",
        "a database's ->",
        lambda: pa.table(
            {
                "user": pa.ExtensionArray.from_storage(pa.json_(), pa.array(['"x"', "7"])),
                "item": [1, 2],
            }
        ),
        [("x", 1), ("7", 2)],
    ),
    _rows(
        "a time before the value in tuples",
        "rows of a log",
        lambda: [("u", "a", _MIDNIGHT, 4.5), ("v", "b", _MIDNIGHT + 60, 3.5)],
        [("u", "a", 4.5, _MIDNIGHT), ("v", "b", 3.5, _MIDNIGHT + 60)],
    ),
    _rows(
        "a date before the value in tuples",
        "rows of a driver",
        lambda: [("u", "a", datetime.date(2019, 1, 5), 4.5)],
        [("u", "a", 4.5, _MIDNIGHT)],
    ),
    _rows(
        "an index of which one level is a column too",
        "set_index(drop=False)",
        lambda: pd.DataFrame(
            {"item": ["a"], "rating": [2.0]},
            pd.MultiIndex.from_tuples([("u", "a")], names=["user", "item"]),
        ),
        [("u", "a", 2.0)],
    ),
    _rows(
        "values and times in bytes",
        "h5py, Redis",
        lambda: pd.DataFrame(
            {"user": [1], "item": [2], "rating": [b"3.5"], "time": [b"2019-01-05"]}
        ),
        [(1, 2, 3.5, _MIDNIGHT)],
    ),
    _rows(
        "columns as mappings by numbers",
        "DataFrame.to_dict()",
        lambda: {"user": {0: "u", 1: "v"}, "item": {0: "a", 1: "b"}},
        [("u", "a"), ("v", "b")],
    ),
    _rows(
        "nanoseconds in texts",
        "a frame of strings",
        lambda: pd.DataFrame({"user": [1], "item": [2], "time": ["1546646400000000000"]}),
        [(1, 2, None, _MIDNIGHT)],
    ),
    _rows(
        "positions of NumPy",
        "np.argmax over names",
        lambda: pd.DataFrame({"x": ["u"], "y": ["a"]}),
        [("u", "a")],
        options={"user": np.int64(0), "item": np.int64(1)},
    ),
    _rows(
        "events without a kind are noted",
        "a left join",
        lambda: pd.DataFrame({"user": [1, 2], "item": [3, 4], "event": ["view", None]}),
        [(1, 3, 2.0)],
        options={"kinds": {"view": 2}},
        notes=(r"left out 1 row of other kinds: none \(1\)",),
    ),
    *(
        Case(name=name, origin=origin, source=source, error=error)
        for name, origin, source, error in (
            ("nothing in place of rows", "a query's None", lambda: [None], "rows must be tuples"),
            ("a class in place of data", "a forgotten ()", lambda: dict, "source must be"),
            (
                "ranges as values",
                "pd.cut",
                lambda: pd.DataFrame(
                    {"user": [1, 2], "item": [1, 2], "rating": pd.cut([1, 2], [0, 1, 3])}
                ),
                "'rating' holds .*, not numbers",
            ),
            (
                "booleans of 8 bits among ids",
                "Arrow's bool8",
                lambda: pa.table(
                    {
                        "user": pa.ExtensionArray.from_storage(
                            pa.bool8(), pa.array([1], pa.int8())
                        ),
                        "item": [2],
                    }
                ),
                "holds bool",
            ),
            (
                "decimals with fractions as ids in tuples",
                "rows of a driver",
                lambda: [(Decimal("1.50"), "x"), (Decimal("1"), "y")],
                "ids must be",
            ),
            (
                "a masked cell in tuples",
                "numpy.ma",
                lambda: [("u", "a", np.ma.masked), ("v", "b", 3.0)],
                "missing, NaN",
            ),
        )
    ),
    *(
        Case(
            name=f"no id: {word!r} of other programs",
            origin=origin,
            files={"a.csv": f"user,item\nu1,a\n{word},b\n"},
            error="1 row has no user id",
        )
        for word, origin in (
            ("(NULL)", "HeidiSQL"),
            ("[NULL]", "DBeaver"),
            ("[null]", "pgAdmin"),
            ("<NULL>", "Toad"),
            ("1.#QNAN", "C's printf under Windows"),
            ("-1.#IND", "C's printf under Windows"),
            ("#N/A N/A", "Bloomberg's spreadsheets"),
        )
    ),
)
