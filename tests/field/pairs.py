"""Pairs of items and values, containers of columns, names and dates as reports write them."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import polars as pl
from scipy import sparse

from field.case import Case, Row

_RATED = [("u1", "A", 4.0), ("u1", "B", 3.0), ("u2", "A", 5.0)]
_PAIRS: list[Row] = [row[:2] for row in _RATED]
_MORNING = 1709633472  # 5 March 2024, 10:11:12 UTC


def _busy() -> duckdb.DuckDBPyRelation:
    """A query of a connection that has rows of another yet to give out."""
    connection = duckdb.connect()
    connection.execute("SELECT range FROM range(9)")
    return connection.sql("SELECT 'u1'::ENUM('u1', 'u2') AS user, 1 AS item")


def _damaged() -> sparse.csr_matrix:
    matrix = sparse.csr_matrix(np.array([[4, 3, 0], [5, 0, 0]]))
    matrix.indices[0] = 99
    return matrix


def _dated(written: str, second: int, **options: object) -> Case:
    return Case(
        name=f"a date as {written}",
        origin="exports of forms, dashboards and logs",
        files={"a.csv": f'user_id,item_id,timestamp\nu1,A,"{written}"\n'},
        rows=[("u1", "A", None, second)],
        options=options,
    )


def _named(user: str, item: str, last: str, cell: str, row: Row) -> Case:
    return Case(
        name=f"columns {user}, {item}, {last}",
        origin="reports, dashboards, query consoles",
        files={"a.csv": f"{user},{item},{last}\nu1,A,{cell}\n"},
        rows=[row],
    )


def _refused_numbers(name: str, numbers: tuple[str, ...], error: str) -> Case:
    rows = "".join(f"u{n},A,{number}\n" for n, number in enumerate(numbers))
    return Case(
        name=name,
        origin="programs that write dates as bare digits",
        files={"a.csv": f"user_id,item_id,date\n{rows}"},
        error=error,
    )


PAIRS = (
    *(
        Case(
            name=f"pairs by user: {name}", origin="a dictionary of ratings", source=make, rows=rows
        )
        for name, make, rows in (
            ("tuples", lambda: {"u1": [("A", 4), ("B", 3)], "u2": [("A", 5)]}, _RATED),
            ("one user", lambda: {"u1": [("A", 4), ("B", 3)]}, _RATED[:2]),
            ("lists", lambda: {"u1": [["A", 4], ["B", 3]], "u2": [["A", 5]]}, _RATED),
            (
                "numbers with fractions",
                lambda: {"u1": [(1, 4.5)], "u2": [(2, 5.0)]},
                [("u1", 1, 4.5), ("u2", 2, 5.0)],
            ),
        )
    ),
    *(
        Case(name=f"series by user: {name}", origin="rows of a pivot", source=make, rows=rows)
        for name, make, rows in (
            (
                "values by items",
                lambda: {"u1": pd.Series({"A": 4, "B": 3}), "u2": pd.Series({"A": 5})},
                _RATED,
            ),
            (
                "values by numbers",
                lambda: {"u1": pd.Series({7: 4.0, 9: 3.0}), "u2": pd.Series({7: 5.0})},
                [("u1", 7, 4.0), ("u1", 9, 3.0), ("u2", 7, 5.0)],
            ),
            (
                "items of a group",
                lambda: {"u1": pd.Series([7, 9], [3, 5]), "u2": pd.Series([7], [4])},
                [("u1", 7), ("u1", 9), ("u2", 7)],
            ),
        )
    ),
    Case(
        name="pairs by user in a file",
        origin="a dictionary of ratings",
        files={"a.json": '{"u1": [["A", 4], ["B", 3]]}'},
        rows=_RATED[:2],
    ),
    *(
        Case(
            name=f"pairs by user that may be items: {name}",
            origin="baskets",
            source=make,
            error="lists within lists",
        )
        for name, make in (
            ("whole numbers", lambda: {"u1": [(1, 4), (2, 3)], "u2": [(1, 5)]}),
            ("tuples of texts", lambda: {"u1": (("A", "B"), ("C", "D")), "u2": (("A",),)}),
        )
    ),
    *(
        Case(name=f"columns in {name}", origin="a dictionary of columns", source=make, rows=_PAIRS)
        for name, make in (
            (
                "series of polars",
                lambda: {"user": pl.Series(["u1", "u1", "u2"]), "item": pl.Series(["A", "B", "A"])},
            ),
            (
                "views of a dictionary",
                lambda: {"user": {1: "u1", 2: "u1", 3: "u2"}.values(), "item": ["A", "B", "A"]},
            ),
        )
    ),
    Case(
        name="columns in ranges",
        origin="a dictionary of columns",
        source=lambda: {"user": range(2), "item": range(5, 7)},
        rows=[(0, 5), (1, 6)],
    ),
    Case(
        name="an array of NumPy's own texts",
        origin="NumPy's StringDType",
        source=lambda: np.array([["u1", "A"], ["u1", "B"], ["u2", "A"]], np.dtypes.StringDType()),
        rows=_PAIRS,
    ),
    Case(
        name="a matrix whose indices lie outside its shape",
        origin="matrices put together by hand",
        source=_damaged,
        error="damaged",
    ),
    Case(
        name="a query on a connection that is busy",
        origin="DuckDB in a notebook",
        source=_busy,
        error="can't be computed",
    ),
    _dated("2024/03/05 11:11:12 AM GMT+1", _MORNING),
    _dated("2024/03/05 10:11:12 PM GMT-0530", _MORNING + 12 * 3600 + 19800),
    _dated("2024-03-05 20:11:12 UTC+10:00", _MORNING),
    _dated("Mar 5, 2024 @ 10:11:12.345", _MORNING),
    _named("Users ID", "Products ID", "Order Items Count", "2", ("u1", "A", 2.0)),
    _named("user_id", "item_id", "Sum(Quantity)", "2", ("u1", "A", 2.0)),
    _named("user_id", "item_id", "bought_at", "2024-03-05 10:11:12", ("u1", "A", None, _MORNING)),
    _named(
        "Usuário", "Produto", "Data da compra", "2024-03-05 10:11:12", ("u1", "A", None, _MORNING)
    ),
    Case(
        name="fields of a record that a shipper wraps",
        origin="Filebeat",
        files={
            "a.ndjson": "".join(
                f'{{"agent": {{"id": 7}}, "json": {{"user_id": "u{n}", "item_id": "A"}}}}\n'
                for n in (1, 2)
            )
        },
        rows=[("u1", "A"), ("u2", "A")],
    ),
    Case(
        name="ClickHouse's types below the names",
        origin="TSVWithNamesAndTypes",
        files={
            "a.tsv": "user_id\titem_id\trating\tts\n"
            "LowCardinality(String)\tString\tNullable(Float32)\tDateTime64(3)\n"
            "u1\tA\t4\t2024-03-05 10:11:12.000\n"
        },
        rows=[("u1", "A", 4.0, _MORNING)],
    ),
    _refused_numbers("numbers with the day first", ("05032024", "16032024"), "%d%m%Y"),
    _refused_numbers("numbers with a short year", ("240305", "240316"), "%y%m%d"),
    *(
        Case(
            name=f"numbers with the day first that lost a zero: {name}",
            origin="a spreadsheet",
            options={"time_format": "%d%m%Y"},
            rows=[("u1", "A", None, 1730419200), ("u2", "A", None, 1710547200)],
            **given,
        )
        for name, given in (
            ("text", {"files": {"a.csv": "user,item,date\nu1,A,1112024\nu2,A,16032024\n"}}),
            (
                "numbers",
                {
                    "source": lambda: pd.DataFrame(
                        {"user": ["u1", "u2"], "item": "A", "date": [1112024, 16032024]}
                    )
                },
            ),
        )
    ),
)
