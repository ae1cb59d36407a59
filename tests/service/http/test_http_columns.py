"""A catalogue with columns of any type that a file may have: an answer, or a reason why not."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cofactor.artifact import format as fmt
from service.http.scenes import Start

DAY = datetime.datetime(2024, 5, 31, tzinfo=datetime.UTC)
# A column's cells, their type, and whether a rule or a feed can go by its entries.
COLUMNS: dict[str, tuple[Callable[[int], Any], pa.DataType, bool]] = {
    "nanoseconds": (lambda n: DAY, pa.timestamp("ns", "UTC"), True),
    "durations": (lambda n: n, pa.duration("ns"), True),
    "far times": (lambda n: 2**62, pa.timestamp("us"), True),
    "far days": (lambda n: 2**30, pa.date32(), True),
    "list of times": (lambda n: [DAY], pa.list_(pa.timestamp("ns")), True),
    "records": (lambda n: {"a": {"b": n}}, pa.struct({"a": pa.struct({"b": pa.int64()})}), False),
    "list of records": (lambda n: [{"a": n}], pa.list_(pa.struct({"a": pa.int64()})), False),
    "list of lists": (lambda n: [["a"]], pa.list_(pa.list_(pa.string())), False),
    "mappings": (lambda n: [("a", n)], pa.map_(pa.string(), pa.int64()), False),
    "bytes": (lambda n: b"\xff\xfe", pa.binary(), False),
    "wide numbers": (lambda n: 2**64 - 1, pa.uint64(), True),
    "nothing": (lambda n: None, pa.null(), True),
}
GOES_BY = [
    "/v1/feeds/categories?column=x",
    "/v1/feeds/popular?column=x&value=a",
    "/v1/users/reader-02/recommendations?rerank=" + quote("cap=1 by x"),
    "/v1/users/reader-02/recommendations?rerank=" + quote("mmr=0.5 by x"),
]
OTHERS = [
    "/v1/items/book-03",
    "/v1/map",
    "/v1/items?limit=5",
    "/v1/model",
    "/v1/users/reader-02/recommendations",
]


@pytest.fixture
def events_url(events: str) -> str:
    """Which database it is makes no difference here."""
    return events


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_column_of_any_type_breaks_no_answer(start: Start, folder: Path, kind: str) -> None:
    """500, where an item was shown, a map was made, or a rule went by such a column."""
    cell, type_, has_entries = COLUMNS[kind]
    version = folder / "v1"
    table = pq.read_table(version / fmt.ITEMS)
    table = table.append_column("x", pa.array([cell(n) for n in range(len(table))], type_))
    pq.write_table(table, version / fmt.ITEMS)
    manifest = json.loads((version / fmt.MANIFEST).read_text())
    facts = fmt.file_facts(version / fmt.ITEMS)
    manifest["files"][fmt.ITEMS] = {"bytes": facts.bytes, "sha256": facts.sha256}
    (version / fmt.MANIFEST).write_text(json.dumps(manifest))
    client = start()
    for path in OTHERS:
        assert client.get(path).status_code == 200, path
    for path in GOES_BY:
        answer = client.get(path)
        if has_entries:
            assert answer.status_code in (200, 422), path
        else:
            assert answer.status_code == 422, path
            assert "the column 'x' holds" in answer.json()["error"]["message"]
    shown = client.get("/v1/items/book-03").json()["features"].get("x")
    if kind == "nanoseconds":
        assert shown == "2024-05-31T00:00:00+00:00"
