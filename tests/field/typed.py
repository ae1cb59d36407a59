"""Typed columns that hold more than one kind of thing: booleans, bytes, dates, categories."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from scipy import sparse

from field.case import Case

_HEX = ("users: ids in bytes .* hexadecimal",)
_DAY, _NOON = datetime.date(2019, 1, 5), datetime.datetime(2019, 1, 5, 12)
_MIDNIGHT = 1546646400


def _objects(*users: object) -> pd.DataFrame:
    return pd.DataFrame({"user": pd.Series(users, dtype=object), "item": ["a", "b"]})


TYPED = (
    *(
        Case(name=f"a boolean among ids: {where}", origin=origin, source=make, error="a boolean")
        for where, origin, make in (
            ("pandas", "a column of objects", lambda: _objects(True, "u2")),
            ("pandas and NumPy", "a column of objects", lambda: _objects(np.True_, "u2")),
            (
                "an array",
                "np.array(rows, object)",
                lambda: np.array([[True, "a"], ["u", "b"]], "O"),
            ),
            (
                "polars",
                "a column of objects",
                lambda: pl.DataFrame(
                    {"user": pl.Series([True, "x"], dtype=pl.Object), "item": ["a", "b"]}
                ),
            ),
            ("tuples", "rows of Python", lambda: [("u1", "a"), (False, "b")]),
            ("integers", "rows of Python", lambda: [(5, "a"), (True, "b")]),
            ("a mapping", "counts", lambda: {("u1", "a"): 1, (True, "b"): 2}),
        )
    ),
    *(
        Case(
            name=f"a boolean among ids: {name}",
            origin="documents of many hands",
            files={name: text},
            error="a boolean",
        )
        for name, text in (
            ("a.json", '[{"user":"u1","item":1},{"user":true,"item":2}]'),
            ("a.jsonl", '{"user":"u1","item":1}\n{"user":true,"item":2}\n'),
            ("b.json", '[["u1",1],[true,2]]'),
        )
    ),
    Case(
        name="a boolean among ids is skipped",
        origin="a column of objects",
        source=lambda: _objects(True, "u2"),
        options={"on_bad": "skip"},
        rows=[("u2", "b")],
    ),
    *(
        Case(
            name=f"ids in bytes are noted: {where}",
            origin=origin,
            source=make,
            rows=rows,
            notes=_HEX,
        )
        for where, origin, make, rows in (
            (
                "Arrow",
                "hashes",
                lambda: pa.table({"user": [b"\xff\x00", b"\x00\x01"], "item": ["a", "b"]}),
                [("ff00", "a"), ("0001", "b")],
            ),
            (
                "one is no text",
                "hashes",
                lambda: pa.table({"user": [b"u1", b"\xff"], "item": ["a", "b"]}),
                [("7531", "a"), ("ff", "b")],
            ),
            (
                "beside texts",
                "a database's blobs",
                lambda: _objects(b"\xff\x00", "u2"),
                [("ff00", "a"), ("u2", "b")],
            ),
            (
                "tuples",
                "a database's blobs",
                lambda: [(b"\xff\xfe", "a"), ("u2", "b")],
                [("fffe", "a"), ("u2", "b")],
            ),
        )
    ),
    Case(
        name="texts in bytes beside texts",
        origin="a database's blobs",
        source=lambda: [(b"u1", "a"), ("u2", "b")],
        rows=[("u1", "a"), ("u2", "b")],
    ),
    Case(
        name="dates beside times of day",
        origin="a column of objects",
        source=lambda: pd.DataFrame(
            {"user": ["u1", "u2"], "item": ["a", "b"], "time": pd.Series([_DAY, _NOON], dtype="O")}
        ),
        rows=[("u1", "a", None, _MIDNIGHT), ("u2", "b", None, _MIDNIGHT + 43200)],
    ),
    Case(
        name="dates beside times of day in tuples",
        origin="rows of a driver",
        source=lambda: [("u1", "a", 1.0, _DAY), ("u2", "b", 1.0, _NOON)],
        rows=[("u1", "a", 1.0, _MIDNIGHT), ("u2", "b", 1.0, _MIDNIGHT + 43200)],
    ),
    Case(
        name="a category that no row has",
        origin="a frame that was filtered",
        source=lambda: pd.DataFrame(
            {"user": pd.Categorical(["1", "2"], categories=["1", "2", "x"]), "item": ["a", "b"]}
        ),
        rows=[(1, "a"), (2, "b")],
    ),
    Case(
        name="categories that are intervals",
        origin="pd.cut",
        source=lambda: pd.DataFrame({"user": ["u1", "u2"], "item": pd.cut([1, 5], [0, 2, 6])}),
        error="ids must be",
    ),
    Case(
        name="decimals in thousands",
        origin="NUMBER(5, -2) of a warehouse",
        source=lambda: pa.table(
            {"user": pa.array([Decimal("1E3")], pa.decimal128(5, -2)), "item": ["a"]}
        ),
        rows=[(1000, "a")],
    ),
    Case(
        name="times in floats of 32 bits",
        origin="np.loadtxt(dtype=np.float32)",
        source=lambda: pa.table(
            {"user": ["u"], "item": ["a"], "time": np.array([1546684160], np.float32)}
        ),
        rows=[("u", "a", None, 1546684160)],
        notes=("times are floats of 32 bits",),
    ),
    Case(
        name="times in place of values",
        origin="(user, item, time)",
        source=lambda: [("u1", "a", 1546684200), ("u2", "b", 1546684260)],
        rows=[("u1", "a"), ("u2", "b")],
        notes=("lie like times",),
    ),
    Case(
        name="rows without an order",
        origin="sets of two",
        source=lambda: [frozenset(("u1", "a"))],
        error="rows must be tuples",
    ),
    Case(
        name="small integers that repeat in a matrix",
        origin="counts in 8 bits",
        source=lambda: sparse.coo_matrix(
            (np.array([100, 100], np.int8), ([0, 0], [1, 1])), shape=(1, 2)
        ),
        rows=[(0, 1, 200.0)],
    ),
    Case(
        name="a matrix of one dimension",
        origin="coo_array of a vector",
        source=lambda: sparse.coo_array(np.array([1.0, 0.0, 2.0])),
        error="shape",
    ),
)
