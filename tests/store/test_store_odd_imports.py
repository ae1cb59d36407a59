"""Files of events and items as nobody means them: nested, marked, repeated, packed."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cofactor.base.errors import DataError
from cofactor.data.readers import read_table
from cofactor.store import (
    Store,
    StoreSettings,
    import_catalogue,
    import_events,
    import_items,
    open_store,
)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({"item_id": "a", "features": '{"x": ' + "[" * 100_000}, "nested too deeply"),
        ({"item_id": "a", "features": "\ud800"}, ""),
    ],
)
def test_features_of_any_text_are_a_bad_line_at_most(
    store: Store, tmp_path: Path, line: Any, why: str
) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text(json.dumps(line) + '\n{"item_id": "b"}\n')
    done = import_items(store, path, on_bad="skip")
    assert (done.changed, done.rejected) == (1, 1)
    assert why in done.rejects[0][1]


def test_of_lines_of_one_item_the_last_counts(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    lines = [
        {"item_id": "a", "title": "A"},
        {"item_id": " a ", "state": "deleted"},
        {"item_id": "a", "title": "B"},
        {"item_id": 7, "title": "seven"},
        {"item_id": "7", "state": "deleted"},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    import_items(store, path)
    found = store.items(["a", "7"])
    assert (found["a"].title, found["a"].state) == ("B", "visible")
    assert found["7"].state == "deleted"


def test_of_a_catalogues_lines_that_repeat_an_id_the_first_counts(
    store: Store, tmp_path: Path
) -> None:
    """Shopify writes a line for each variant, and the title in the first alone."""
    path = tmp_path / "products.csv"
    path.write_text("Handle,Title,Size\na,Heat,S\na,,M\nb,Up,\n")
    assert import_catalogue(store, read_table(path), str(path)).changed == 2
    found = store.items(["a", "b"])
    assert (found["a"].title, found["a"].features) == ("Heat", {"Size": "S"})


def test_a_mark_of_the_byte_order_is_no_part_of_a_line(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"user_id": "u", "item_id": "i"}\n', encoding="utf-8-sig")
    assert import_events(store, path).changed == 1


def test_a_text_of_megabytes_in_every_row_is_refused_before_it_is_unpacked(
    store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "items.parquet"
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000, pa.int32()), ["x" * (8 << 20)])
    ids = pa.array([f"i{n}" for n in range(1_000)])
    pq.write_table(pa.table({"item_id": ids, "text": text}), path, compression="zstd")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match=r"a text of 8,388,608 bytes"):
        import_items(store, path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 512 << 10


@pytest.mark.parametrize("on_bad", ["error", "skip"])
def test_a_file_that_is_imported_again_is_so_though_the_clock_went_back(
    tmp_path: Path, on_bad: str
) -> None:
    path, now = tmp_path / "events.jsonl", [1_700_000_000]
    lines = [{"user_id": "u", "item_id": item, "time": 1_700_000_000} for item in ("i", "j")]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    settings = StoreSettings(now=lambda: now[0])
    with open_store(f"sqlite:///{tmp_path}/e.db", settings=settings) as store:
        assert import_events(store, path).changed == 2
        now[0] -= 3 * 86_400
        again = import_events(store, path, on_bad=on_bad)
        assert (again.changed, again.unchanged, again.rejected) == (0, 2, 0)
        new = {**lines[0], "item_id": "k"}
        path.write_text("".join(json.dumps(line) + "\n" for line in [*lines, new]))
        done = import_events(store, path, on_bad="skip")
        assert (done.unchanged, done.rejected) == (2, 1)
        assert done.rejects[0][0] == 3
        assert "at most a day ahead" in done.rejects[0][1]
