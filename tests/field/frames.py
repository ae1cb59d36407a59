"""Frames of odd make."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from scipy import sparse

from field.case import Case

FRAMES = (
    Case(
        name="a frame with numbers for names",
        origin="pandas' read_csv(header=None)",
        source=lambda: pd.DataFrame([["u1", "a", 4.0], ["u2", "b", 3.0]]),
        rows=[("u1", "a", 4.0), ("u2", "b", 3.0)],
    ),
    Case(
        name="a Series of counts by pairs",
        origin="df.groupby(['user', 'item']).size()",
        source=lambda: (
            pd.DataFrame({"user": ["u1", "u1", "u2"], "item": ["a", "a", "b"]})
            .groupby(["user", "item"])
            .size()
        ),
        rows=[("u1", "a", 2.0), ("u2", "b", 1.0)],
    ),
    Case(
        name="a plain Series",
        origin="a column taken for the table",
        source=lambda: pd.Series([1, 2, 3], name="item"),
        error="Series",
    ),
    Case(
        name="a Series of lists by user",
        origin="df.groupby('user')['item'].agg(list)",
        source=lambda: (
            pd.DataFrame({"user": [7, 7, 8], "item": ["a", "b", "a"]})
            .groupby("user")["item"]
            .agg(list)
        ),
        rows=[(7, "a"), (7, "b"), (8, "a")],
    ),
    Case(
        name="a Series of arrays, of users in an index without a name",
        origin="pd.Series(lists, index=users)",
        source=lambda: pd.Series([np.array([30, 40]), np.array([30])], index=["u1", "u2"]),
        rows=[("u1", 30), ("u1", 40), ("u2", 30)],
    ),
    Case(
        name="a Series of mappings from item to rating",
        origin="df.groupby('user').apply(lambda g: dict(zip(g.item, g.rating)))",
        source=lambda: pd.Series([{"a": 1.0, "b": 2.0}, {"a": 3.0}], index=["u1", "u2"]),
        rows=[("u1", "a", 1.0), ("u1", "b", 2.0), ("u2", "a", 3.0)],
    ),
    Case(
        name="a Series of lists whose index numbers the rows",
        origin="a column of lists taken for the table",
        source=lambda: pd.Series([["a", "b"], ["a"]]),
        error="whose each is; pass a data frame",
    ),
    Case(
        name="sparse columns",
        origin="pandas' sparse dtype",
        source=lambda: pd.DataFrame(
            {"user": ["u1", "u2"], "item": ["a", "b"], "rating": pd.arrays.SparseArray([4.0, 3.0])}
        ),
        rows=[("u1", "a", 4.0), ("u2", "b", 3.0)],
    ),
    Case(
        name="repeated names that aren't needed",
        origin="joins in pandas",
        source=lambda: pd.DataFrame(
            [["u1", "a", 1, 2]], columns=["user", "item", "extra", "extra"]
        ),
        rows=[("u1", "a")],
    ),
    Case(
        name="repeated names of users",
        origin="joins in pandas",
        source=lambda: pd.DataFrame([["u1", "u1", "a"]], columns=["user", "user", "item"]),
        error="'user'.* 2 times",
    ),
    Case(
        name="ids in the index",
        origin="set_index(['user', 'item'])",
        source=lambda: pd.DataFrame(
            {"user": ["u1", "u2"], "item": ["a", "b"], "rating": [4.0, 3.0]}
        ).set_index(["user", "item"]),
        rows=[("u1", "a", 4.0), ("u2", "b", 3.0)],
    ),
    Case(
        name="unsigned ids beyond 2^63",
        origin="hashes in polars",
        source=lambda: pl.DataFrame(
            {"user": pl.Series([2**63 + 5, 1], dtype=pl.UInt64), "item": ["a", "b"]}
        ),
        rows=[(str(2**63 + 5), "a"), ("1", "b")],
    ),
    Case(
        name="an array of NumPy with a time unit of minutes",
        origin="structured arrays",
        source=lambda: pd.DataFrame(
            {
                "user": ["u1"],
                "item": ["a"],
                "time": np.array(["2019-01-05T00:00"], "M8[m]").astype("M8[s]"),
            }
        ),
        rows=[("u1", "a", None, 1546646400)],
    ),
    Case(
        name="tuples with a time in minutes",
        origin="NumPy's datetime64[m]",
        source=lambda: [("u1", "a", 1.0, np.datetime64("2019-01-05T00:00", "m"))],
        rows=[("u1", "a", 1.0, 1546646400)],
    ),
    Case(
        name="a plain array of NumPy",
        origin="np.loadtxt",
        source=lambda: np.array([[1.0, 10.0, 4.0], [2.0, 20.0, 3.0]]),
        rows=[(1, 10, 4.0), (2, 20, 3.0)],
    ),
    Case(
        name="a matrix that holds a pair twice",
        origin="COO matrices",
        source=lambda: sparse.coo_matrix(([1.0, 2.0], ([0, 0], [1, 1])), shape=(2, 2)),
        rows=[(0, 1, 3.0)],
    ),
    Case(
        name="a complex matrix",
        origin="a spectral method's output",
        source=lambda: sparse.coo_matrix(([1j], ([0], [1])), shape=(2, 2)),
        error="complex",
    ),
    Case(
        name="a matrix with NaN",
        origin="a division by zero before",
        source=lambda: sparse.coo_matrix(([np.nan], ([0], [1])), shape=(2, 2)),
        error="NaN",
    ),
    Case(
        name="lists of items",
        origin="group_by(...).agg(list)",
        source=lambda: pl.DataFrame({"user": ["a", "b"], "items": [[1, 2], [3]]}),
        rows=[("a", 1), ("a", 2), ("b", 3)],
    ),
    Case(
        name="integers of 128 bits",
        origin="hashes in polars",
        source=lambda: pl.DataFrame(
            {"user": pl.Series([2**100, 1], dtype=pl.Int128), "item": [1, 2]}
        ),
        rows=[(str(2**100), 1), ("1", 2)],
    ),
    Case(
        name="objects of Python",
        origin="a column nobody converted",
        source=lambda: pl.DataFrame({"user": pl.Series([object()], dtype=pl.Object), "item": [1]}),
        error="object",
    ),
    Case(
        name="a series of polars",
        origin="a column taken for the table",
        source=lambda: pl.Series([1, 2]),
        error="series",
    ),
    Case(
        name="a mapping of lists",
        origin="to_dict('list')",
        source=lambda: {"user": [1, 2], "item": [3, 4]},
        rows=[(1, 3), (2, 4)],
    ),
    *(
        Case(name=name, origin=origin, source=source, error=error)
        for name, origin, source, error in (
            (
                "a masked rating",
                "numpy.ma",
                lambda: np.ma.array([[1, 2, 3], [4, 5, 6]], mask=[[0, 0, 0], [0, 0, 1]]),
                "missing, NaN",
            ),
            (
                "a masked id among narrow floats",
                "numpy.ma",
                lambda: np.ma.array(
                    np.array([[1, 2, 3.5], [4, 5, 6.5]], np.float32), mask=[[0] * 3, [0, 1, 0]]
                ),
                "no item id",
            ),
            (
                "a missing rating in a frame without names",
                "polars, has_header=False",
                lambda: pl.DataFrame(
                    {"column_1": ["u1", "u2"], "column_2": ["a", "b"], "column_3": [3.0, None]}
                ),
                "missing, NaN",
            ),
            (
                "chunks of a reader",
                "pandas' read_csv(chunksize=)",
                lambda: pd.read_csv(io.StringIO("user,item\nu1,a\n"), chunksize=1),
                "isn't a data frame.*concat",
            ),
            (
                "a frame with a column twice",
                "pandas' concat(axis=1)",
                lambda: pd.DataFrame([["u1", "a", "b"]], columns=["user", "item", "item"]),
                r"'item' 2 times; rename one of them\.",
            ),
            (
                "a table of Arrow with a column twice",
                "a join without a suffix",
                lambda: pa.table([["u1"], ["a"], ["b"]], names=["user", "item", "item"]),
                r"'item' 2 times; rename one of them\.",
            ),
            (
                "groups of a frame",
                "pandas' groupby",
                lambda: pd.DataFrame({"user": ["u1"], "item": ["a"]}).groupby("user"),
                "isn't a data frame",
            ),
        )
    ),
)
