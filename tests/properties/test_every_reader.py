"""Tables of any library in any writing read back as they were; ids survive every reader and
back; the
order of lines and the size of blocks change nothing.
"""

from __future__ import annotations

import io
import json
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyarrow import feather
from pyarrow import parquet as pq

import cofactor
from cofactor.data.id_text import clean, clean_one
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions
from cofactor.data.readers import lines, total_lines
from cofactor.data.readers.id_columns import canonical
from examples import examples

_QUIET = settings(
    max_examples=examples(18),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# Any text that the rule for ids leaves as it is, and that isn't what a last line of totals says.
texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
).filter(
    lambda text: (
        clean(pa.array([text])).words[0].as_py() == text
        and text.lower().rstrip(":") not in total_lines.TOTALS | total_lines.MEANS
    )
)
numbers = st.integers(-(2**63), 2**63 - 1)


@st.composite
def tables(draw: st.DrawFn, ids: st.SearchStrategy[Any]) -> pd.DataFrame:
    n = draw(st.integers(1, 8))

    def column(cells: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(cells, min_size=n, max_size=n))

    return pd.DataFrame(
        {
            "user": column(ids),
            "item": column(ids),
            "rating": np.array(column(st.floats(-1000, 1000, width=32)), np.float32),
            "timestamp": np.array(column(st.integers(500_000_000, 1_700_000_000)), np.int64),
        }
    )


def expected(column: pd.Series) -> list[Any]:
    return canonical(pa.array([str(cell) for cell in column], pa.string())).to_pylist()


def assert_reads_back(source: Any, frame: pd.DataFrame, **options: Any) -> None:
    events = cofactor.read(source, now=1.8e9, **options)
    assert events.users.to_pylist() == expected(frame["user"])
    assert events.items.to_pylist() == expected(frame["item"])
    np.testing.assert_array_equal(events.values, frame["rating"].to_numpy())
    np.testing.assert_array_equal(events.times, frame["timestamp"].to_numpy())


@_QUIET
@given(
    tables(texts) | tables(numbers),
    st.sampled_from(["pandas", "polars", "duckdb"]),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_csv_of_any_library_reads_back(
    frame: pd.DataFrame, library: str, delimiter: str, end: str, index: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "a.csv")
        if library == "pandas":
            frame.to_csv(path, sep=delimiter, index=index, lineterminator=end, quoting=1)
        elif library == "polars":
            pl.from_pandas(frame).write_csv(
                path, separator=delimiter, line_terminator=end, quote_style="always"
            )
        else:
            duckdb.sql("SELECT * FROM frame").write_csv(path, sep=delimiter, quoting="ALL")
        assert_reads_back(path, frame)


@_QUIET
@given(tables(texts) | tables(numbers))
def test_every_reader_gives_the_same(frame: pd.DataFrame) -> None:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    records = frame.to_dict("records")
    rows = [(r["user"], r["item"], float(r["rating"]), int(r["timestamp"])) for r in records]
    for source in (frame, pl.from_pandas(frame), table, rows, records, duckdb.sql("FROM frame")):
        assert_reads_back(source, frame)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        pq.write_table(table, place / "a.parquet")
        feather.write_feather(table, str(place / "a.feather"))
        plain = [dict(zip(frame.columns, row, strict=True)) for row in rows]
        text = "".join(json.dumps(row) + "\n" for row in plain)
        (place / "a.jsonl").write_text(text, encoding="utf-8")
        (place / "a.json").write_text(json.dumps(plain), encoding="utf-8")
        with sqlite3.connect(place / "a.db") as base:
            base.execute("CREATE TABLE ratings (user, item, rating REAL, timestamp INT)")
            base.executemany("INSERT INTO ratings VALUES (?, ?, ?, ?)", rows)
        base.close()
        for name in ("a.parquet", "a.feather", "a.jsonl", "a.json"):
            assert_reads_back(place / name, frame)
        assert_reads_back(f"sqlite:///{place / 'a.db'}", frame)


@_QUIET
@given(st.lists(texts | numbers, min_size=1, max_size=10, unique_by=str))
def test_ids_are_found_as_they_went_out(ids: list[Any]) -> None:
    events = cofactor.read([(one, "x") for one in ids])
    known = IdMap.of(events.users)
    for row, one in enumerate(known.ids()):
        assert known.find([one, str(one), f" {one} "]).tolist() == [row, row, row]
        assert clean_one(str(one)) == str(one)
    # What went out reads back as the same.
    again = cofactor.read([(one, "x") for one in known.ids()])
    assert IdMap.of(again.users) == known


@_QUIET
@given(st.text(st.sampled_from("\u200e\u202a\u00ad\ufeff\u3000 \t=\"N7aé'{}[]"), max_size=9))
@example("[7]")
@example("{}")
def test_one_id_has_the_text_that_a_column_gives_it(text: str) -> None:
    found = clean(pa.array([text]))
    assert clean_one(text) == (None if found.nested[0] else found.words[0].as_py())


@_QUIET
@given(tables(texts) | tables(numbers), st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_no_rows(frame: pd.DataFrame, random: Any) -> None:
    frame = frame.drop_duplicates(["user", "item"]).astype({"user": str, "item": str})
    order = list(range(len(frame)))
    random.shuffle(order)
    first = Interactions.build(cofactor.read(frame))
    second = Interactions.build(cofactor.read(frame.iloc[order]))
    assert first.users == second.users
    assert first.items == second.items
    np.testing.assert_array_equal(first.matrix().toarray(), second.matrix().toarray())


@_QUIET
@given(
    tables(texts) | tables(numbers),
    st.integers(1, 60),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_the_size_of_blocks_changes_nothing(frame: pd.DataFrame, size: int, end: str) -> None:
    text = io.StringIO()
    frame.to_csv(text, index=False, lineterminator=end, quoting=1)
    before = lines.BLOCK
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_bytes(text.getvalue().encode())
        lines.BLOCK = size
        try:
            assert_reads_back(path, frame)
        finally:
            lines.BLOCK = before
