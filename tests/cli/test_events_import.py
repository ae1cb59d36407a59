"""`cofactor events import` tells what an export wrote from other tables by contents."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Cofactor = Callable[..., Any]


def test_json_lines_of_another_program_are_read_as_a_table(
    cofactor: Cofactor, tmp_path: Path
) -> None:
    store, path = f"sqlite:///{tmp_path}/e.db", tmp_path / "clicks.jsonl"
    clicks = [
        {"ts": 1767234600 + n, "event": "purchase", "user": {"id": f"u{n}"}, "product_id": "a"}
        for n in range(4)
    ]
    path.write_text("".join(json.dumps(one) + "\n" for one in clicks))
    done = cofactor("events", "import", store, path)
    assert "4 lines: 4 stored" in done.out
    out = tmp_path / "out.jsonl"
    assert "4 events written" in cofactor("events", "export", store, out).out
    stored = [json.loads(line) for line in out.read_text().splitlines()]
    assert {one["kind"] for one in stored} == {"purchase"}
    again = f"sqlite:///{tmp_path}/again.db"
    assert "4 lines: 4 stored" in cofactor("events", "import", again, out).out
    assert "1 event written" in (
        cofactor("events", "export", again, tmp_path / "one.jsonl", "--user", "u1").out
    )


def test_parquet_of_another_program_is_read_as_a_table(cofactor: Cofactor, tmp_path: Path) -> None:
    store, path = f"sqlite:///{tmp_path}/e.db", tmp_path / "clicks.parquet"
    pq.write_table(pa.table({"customer": ["u1", "u2"], "sku": ["a", "b"]}), path)
    assert "2 lines: 2 stored" in cofactor("events", "import", store, path).out
