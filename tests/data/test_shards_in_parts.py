"""A file that is sharded part by part is read as the whole file is, whatever a part alone would
say; where its parts contradict one another, it is refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from cofactor.base.errors import DataError
from cofactor.data.interactions import Interactions
from cofactor.data.notes import Note
from cofactor.data.readers import chunks, numbered_ids, read, sharded
from cofactor.data.readers.columns import Options
from cofactor.data.readers.part_notes import PartNotes
from cofactor.runs.source import Reading, interactions

pytest.importorskip("duckdb")
T = 1_500_000_000


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Parts of 10 events or 128 bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharded, "LEAST_ROWS", 10)
        patch.setattr(sharded, "_CHUNK_BYTES", 1 << 40)
        patch.setattr(sharded, "SHARD_EVENTS", 20)
        patch.setattr(chunks, "TEXT_BLOCK", 1 << 7)
        patch.setattr(chunks, "MANY", 20)
        patch.setattr(numbered_ids, "FEW", 20)
        yield


def shard(sources: Any, out: Path, repeats: str = "last", **how: Any) -> Interactions:
    sources = sources if isinstance(sources, list) else [sources]
    items = how.pop("items", None)
    return sharded.shard(
        sources, out, memory=256 << 20, options=Options(**how), repeats=repeats, items=items
    )


def written(place: Path, columns: dict[str, list[Any]], kind: str) -> Path:
    """A file of some columns."""
    file = place / f"events.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table({name: pa.array(c) for name, c in columns.items()}), file)
    else:
        pa.table(columns).to_pandas().to_csv(file, index=False)
    return file


def ids(n: int = 60) -> dict[str, list[Any]]:
    return {"user": [f"u{k * 7 % 23}" for k in range(n)], "item": [f"i{k % 9}" for k in range(n)]}


def totals(word: str, sums: bool) -> dict[str, list[Any]]:
    """The last row of a part in the middle, and of the file, names a total."""
    columns = {**ids(), "rating": [float(k % 5) for k in range(60)]}
    columns["item"][29] = columns["item"][59] = word
    if sums:
        columns["rating"][59] = sum(columns["rating"][:59])
    return columns


KINDS = ["view"] * 25 + ["buy"] * 5 + ["cart"] * 30
AS_READ: dict[str, tuple[dict[str, list[Any]], dict[str, Any]]] = {
    "an item called total": (totals("total", False), {}),
    "a total below all": (totals("total", True), {"on_bad": "skip"}),
    "an item called mean": (totals("mean", False), {}),
    "a kind of few": ({**ids(), "event": KINDS}, {"kinds": {"buy": 1.0, "fav": 2.0}}),
    "types as ids": ({"user": ["int"] * 60, "item": ["string"] * 30 + ["float"] * 30}, {}),
    "thousands": ({**ids(), "rating": ["12.5"] * 30 + ["1,234.5"] * 30}, {}),
    "stars among numbers": ({**ids(), "rating": ["3"] * 30 + ["★★"] * 30}, {}),
    "dates of which some tell": (
        {**ids(), "time": ["25/03/2020"] * 30 + ["03/03/2020"] * 30},
        {},
    ),
    "seconds among dates": ({**ids(), "time": ["2017-07-15"] * 30 + [str(T)] * 30}, {}),
}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("case", AS_READ)
def test_parts_are_read_as_the_whole(tmp_path: Path, case: str, kind: str) -> None:
    columns, how = AS_READ[case]
    if case == "types as ids":  # of which the first is left out below a header
        columns = {name: ["a", *cells[1:]] for name, cells in columns.items()}
    file = written(tmp_path, columns, kind)
    made = shard(file, tmp_path / "out", **how)
    whole = Interactions.build(read(file, **how))
    assert made.fingerprint == whole.fingerprint
    assert any("fav" in note for note in made.notes) == ("fav" in str(whole.notes))


@pytest.mark.parametrize("repeats", ["last", "keep"])
@pytest.mark.parametrize("columns", [ids(), {**ids(), "time": [T + k % 4 for k in range(60)]}])
def test_repeats_that_are_kept_are_there_in_order(
    tmp_path: Path, columns: dict[str, list[Any]], repeats: str
) -> None:
    file = written(tmp_path, {**columns, "rating": [float(k % 3) for k in range(60)]}, "csv")
    made, whole = shard(file, tmp_path / "out", repeats), read(file)
    build = Interactions.build(whole, repeats=repeats)
    assert made.fingerprint == build.fingerprint
    del made.__dict__["fingerprint"]
    assert made.fingerprint == build.fingerprint
    for name in ("indptr", "item_rows", "values", "times"):
        ours, theirs = getattr(made.histories(), name), getattr(build.histories(), name)
        assert (ours is None and theirs is None) or (ours == theirs).all()


def test_damage_of_kept_events_is_found(tmp_path: Path) -> None:
    import numpy as np

    from cofactor.data.shards import open_shards

    shard(written(tmp_path, ids(), "csv"), tmp_path / "out", "keep")
    for name, value, word in (("item_rows", 99, "the rows of log"), ("indptr", -1, "log/indptr")):
        file = tmp_path / "out" / "log" / f"{name}.npy"
        array = np.load(file)
        kept = array[3]
        array[3] = value
        np.save(file, array)
        with pytest.raises(DataError, match=word):
            open_shards(tmp_path / "out")
        array[3] = kept
        np.save(file, array)
    assert open_shards(tmp_path / "out").log is not None


REFUSED: dict[str, tuple[dict[str, list[Any]], str]] = {
    "units": ({"time": [str(T)] * 30 + [str(T * 1000)] * 30}, "milliseconds, others seconds"),
    "orders of dates": (
        {"time": ["25/03/2020"] * 30 + ["03/25/2020"] * 30},
        "the day first, others .* the month first",
    ),
    "milliseconds among dates": (
        {"time": ["2020-01-01"] * 30 + [str(T * 1000)] * 30},
        "milliseconds, others written dates",
    ),
    "words": ({"rating": ["true"] * 30 + ["5"] * 30}, "'true', others"),
    "shares": ({"rating": ["0.5"] * 30 + ["50 %"] * 30}, "'50 %', others"),
    "marks of two scales": ({"rating": ["4 of 5"] * 30 + ["4 of 10"] * 30}, "'4 of 5', others"),
    "words around some numbers": ({"rating": ["4"] * 30 + ["4 stars"] * 30}, "'4 stars', others"),
    "what isn't clear": ({"rating": ["4 stars"] * 30 + ["many"] * 30}, "'4 stars', others"),
    "bytes": ({"user": ["b'u1'"] * 30 + ["u1"] * 30}, "in some parts .* ids of users"),
}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("case", REFUSED)
def test_parts_that_contradict_one_another_are_refused(
    tmp_path: Path, case: str, kind: str
) -> None:
    """With rows that are skipped too: which ones, the whole would tell."""
    columns, words = REFUSED[case]
    file = written(tmp_path, {**ids(), **columns}, kind)
    with pytest.raises(DataError, match=words):
        shard(file, tmp_path / "out", on_bad="skip")
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_ids_in_bytes_of_which_few_are_texts_are_refused(tmp_path: Path) -> None:
    some = [b"u1"] * 30 + [b"\xff\x00"] * 30
    table = pa.table({"user": pa.array(some, pa.binary()), "item": ["a"] * 60})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="hexadecimal digits, and in others not"):
        shard(tmp_path / "a.parquet", tmp_path / "out")


def test_kinds_of_which_no_part_has_one_are_named(tmp_path: Path) -> None:
    file = written(tmp_path, {**ids(), "event": KINDS}, "csv")
    with pytest.raises(DataError, match="unknown kind of event .*'bought'.*view"):
        shard(file, tmp_path / "out", kinds={"bought": 1.0})


def test_notes_of_parts_are_one(tmp_path: Path) -> None:
    columns = {**ids(200), "rating": [float(k % 3 - 1) for k in range(200)]}
    columns["user"][::19] = [""] * 11
    columns["item"] = [f" {item}" if k % 3 else item for k, item in enumerate(columns["item"])]
    file = written(tmp_path, columns, "csv")
    made = shard(file, tmp_path / "out", on_bad="skip")
    whole = Interactions.build(read(file, on_bad="skip"))
    assert made.fingerprint == whole.fingerprint
    alike = [note for note in whole.notes if "whitespace" not in note]
    assert [note for note in made.notes if "whitespace" not in note] == alike
    assert sum("whitespace" in note for note in made.notes) == 1


def test_counts_are_added_up_and_examples_kept() -> None:
    notes = PartNotes()
    notes.say(["3 files read as one"])
    for n in (1, 2, 1):
        at = f" (the first on line {5 * n})"
        notes.add([Note.counting("skipped", n, "row", " with no id", at), "columns: a"])
        notes.add([Note.counting("left out", n, "row", " of kind 'view'")])
        notes.add([f"users: {n} ids like 'a' beside 'A'"])
    notes.add([Note.counting("left out", 1, "row", " of kind 'cart'")])
    for n in (1, 2):
        notes.add([Note.counting("left out", n, "repeat", " of the header")])
    again = PartNotes(json.loads(json.dumps(notes.facts())))
    assert list(again) == [
        "3 files read as one",
        "skipped 4 rows with no id (the first on line 5)",
        "columns: a",
        "left out 4 rows of kind 'view'",
        "users: 1 ids like 'a' beside 'A'; likewise in 1 more part",
        "left out 1 row of kind 'cart'",
        "left out 3 repeats of the header",
    ]


@pytest.mark.parametrize("change", ["longer", "gone"])
def test_a_source_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    file, calls = written(tmp_path, ids(200), "csv"), []
    append: Callable[..., None] = sharded.EventFile.append

    def changing(self: Any, columns: Any) -> None:
        append(self, columns)
        calls.append(1)
        if len(calls) == 2 and change == "longer":
            with file.open("a") as stream:
                stream.write("u1,i1\n")
        elif len(calls) == 2 and os.name != "nt":
            file.unlink()

    monkeypatch.setattr(sharded.EventFile, "append", changing)
    with pytest.raises(DataError, match=r"events\.csv: it changed while it was read"):
        shard(file, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} <= {file.name}


def test_shards_may_be_made_in_the_folder_of_their_source(tmp_path: Path) -> None:
    for n in range(3):
        pq.write_table(pa.table(ids()), tmp_path / f"{n}.parquet")
    whole = Interactions.build(read(tmp_path))
    assert shard(tmp_path, tmp_path / "shards").fingerprint == whole.fingerprint


def test_what_several_sources_know_of_items_is_joined(tmp_path: Path) -> None:
    for n, title in enumerate(("One", "Two")):
        folder = tmp_path / str(n)
        folder.mkdir()
        (folder / "events.csv").write_text(f"user,item\nu{n},i{n}\nu{n},i2\n")
        (folder / "items.csv").write_text(f"item,title\ni{n},{title}\n")
    made = shard([tmp_path / "0", tmp_path / "1"], tmp_path / "out")
    assert made.catalogue_titles(range(3)) == ["One", "Two", "i2"]


def test_a_catalogue_is_joined_by_the_ids_that_are_known_and_keeps_new_items(
    tmp_path: Path,
) -> None:
    file = written(tmp_path, ids(), "csv")
    items = tmp_path / "items.csv"
    lines = "".join(f"{n},i{n},Title {n}\n" for n in range(12))
    items.write_text("id,sku,title\n" + lines)
    made, whole = shard(file, tmp_path / "out", items=items), read(file, items=items)
    build = Interactions.build(whole)
    assert made.catalogue.table.equals(build.catalogue.table)
    assert set(build.notes) <= set(made.notes)
    again = interactions(tmp_path / "out", Reading(keep_items=True))
    known = interactions(file, Reading(keep_items=True, items=items))
    assert again.n_items == 12
    assert again.fingerprint == known.fingerprint
    assert again.catalogue.table.equals(known.catalogue.table)
