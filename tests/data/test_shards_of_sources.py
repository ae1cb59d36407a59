"""Shards of sources as people have them equal what `read` makes of the same; what is damaged, or
contradicts what came before, is one sentence.
"""

from __future__ import annotations

import datetime
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

import cofactor
from cofactor.base.errors import CofactorError, DataError
from cofactor.data.interactions import Interactions
from cofactor.data.readers import chunks, numbered_ids, read, shard_sources, sharded
from cofactor.data.readers.columns import Options

pytest.importorskip("duckdb")


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Chunks of 40 events or a KiB."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharded, "LEAST_ROWS", 40)
        patch.setattr(sharded, "_CHUNK_BYTES", 1 << 40)
        patch.setattr(sharded, "SHARD_EVENTS", 50)
        patch.setattr(chunks, "TEXT_BLOCK", 1 << 10)
        patch.setattr(chunks, "MANY", 50)
        patch.setattr(numbered_ids, "FEW", 20)
        yield


def events(seed: int, *, unit: int = 1, n: int = 100, ids: str = "ü {}") -> pa.Table:
    draw = np.random.default_rng(seed)
    return pa.table(
        {
            "user_id": [ids.format(i) for i in draw.integers(0, 20, n)],
            "item_id": [ids.format(i) for i in draw.integers(0, 12, n)],
            "rating": draw.integers(1, 6, n).astype(np.float32),
            "timestamp": (1_500_000_000 + draw.integers(0, 40, n)) * unit,
        }
    )


def text(table: pa.Table, **how: Any) -> str:
    return str(table.to_pandas().to_csv(index=False, **how))


def several(place: Path) -> Any:
    (place / "a.csv").write_text(text(events(1)))
    pq.write_table(events(2, ids="{}"), place / "b.parquet")
    return [place / "a.csv", place / "b.parquet"]


def pattern(place: Path) -> Any:
    for seed in (1, 2):
        pq.write_table(events(seed), place / f"{seed}.parquet")
    (place / "_SUCCESS.crc").write_bytes(b"x")
    return str(place / "*")


def with_a_copy(place: Path) -> Any:
    for name, seed in (("a.csv", 1), ("b (1).csv", 2), ("b.csv", 2)):
        (place / name).write_text(text(events(seed)))
    return str(place / "*.csv")


def partitions(place: Path) -> Any:
    for year in (2020, 2021):
        (place / f"year={year}").mkdir()
        pq.write_table(events(year), place / f"year={year}" / "part-0.parquet")
    return place


def packed(place: Path) -> Any:
    (place / "a.csv.gz").write_bytes(gzip.compress(text(events(1)).encode()))
    return place / "a.csv.gz"


def kinds(place: Path) -> Any:
    words = pa.array([("view", "buy", "cart")[n % 3] for n in range(100)])
    table = events(1).set_column(2, "event", words)
    (place / "a.csv").write_text(text(table))
    lines = table.to_pandas().to_json(orient="records", lines=True)
    (place / "b.jsonl").write_text(lines)
    return [place / "a.csv", place / "b.jsonl"]


def dates(place: Path) -> Any:
    moments = events(1)["timestamp"].cast(pa.timestamp("s")).to_pandas()
    table = events(1).set_column(3, "when", [moments.dt.strftime("%d/%m/%Y %H:%M").tolist()])
    (place / "a.csv").write_text(text(table))
    return place / "a.csv"


def commas(place: Path) -> Any:
    table = events(1).to_pandas()
    table["rating"] += 0.5
    (place / "a.csv").write_text(table.to_csv(index=False, sep=";", decimal=","))
    return place / "a.csv"


def late_latin(place: Path) -> Any:
    lines = text(events(1, ids="u{}")).encode() + text(events(2), header=False).encode("latin-1")
    (place / "a.csv").write_bytes(lines)
    return place / "a.csv"


def two_encodings(place: Path) -> Any:
    lines = text(events(1)).encode() + text(events(2), header=False).encode("latin-1")
    (place / "a.csv").write_bytes(lines + text(events(3), header=False).encode())
    return place / "a.csv"


def days_and_clocks(place: Path) -> Any:
    """A date and a time of day in two columns, in a text of several chunks and in Parquet."""
    table = events(1).drop_columns("timestamp")
    hours = [datetime.time(n % 24, 5) for n in range(100)]
    table = table.append_column("date", [[datetime.date(2021, 3, 5)] * 100])
    table = table.append_column("time", [hours])
    (place / "a.csv").write_text(text(table))
    pq.write_table(table, place / "b.parquet")
    return [place / "a.csv", place / "b.parquet"]


def units(unit: int) -> Callable[[Path], Any]:
    def made(place: Path) -> Any:
        (place / "a.csv").write_text(text(events(1, unit=unit)))
        pq.write_table(events(2, unit=unit), place / "b.parquet")
        return [place / "a.csv", place / "b.parquet"]

    return made


def nothing_in_one(place: Path) -> list[Path]:
    (place / "a.csv").write_text(text(events(1)))
    (place / "b.csv").write_text("user_id,item_id,rating,timestamp\n")
    return [place / "a.csv", place / "b.csv"]


CASES: dict[str, tuple[Callable[[Path], Any], dict[str, Any]]] = {
    "several": (several, {}),
    "nothing in one": (nothing_in_one, {}),
    "packed": (packed, {}),
    "kinds": (kinds, {"kinds": {"view": 1.0, "buy": 5.0}}),
    "dates": (dates, {"time": "when", "time_format": "%d/%m/%Y %H:%M"}),
    "commas": (commas, {"decimal": ","}),
    "late latin": (late_latin, {}),
    "two encodings": (two_encodings, {}),
    "days and clocks": (days_and_clocks, {}),
    "swapped": (several, {"user": "item_id", "item": "user_id", "time": False}),
    **{f"unit {unit}": (units(unit), {}) for unit in (10**3, 10**6, 10**9)},
}


# What stands for several files is never read as a whole, which may not fit into memory.
@pytest.mark.parametrize("make", [pattern, with_a_copy, partitions])
def test_files_of_a_pattern_or_folder_are_read_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Any]
) -> None:
    (tmp_path / "in").mkdir()
    source = make(tmp_path / "in")
    whole = read(source)
    monkeypatch.setattr(shard_sources, "read", lambda *_, **__: pytest.fail("read as a whole"))
    made = sharded.shard([source], tmp_path / "out", memory=256 << 20)
    assert made.fingerprint == Interactions.build(whole).fingerprint
    assert {note for note in whole.notes if "left out" in note or "as one" in note} <= {*made.notes}


@pytest.mark.parametrize("case", CASES)
def test_shards_are_what_read_makes(tmp_path: Path, case: str) -> None:
    (tmp_path / "in").mkdir()
    make, how = CASES[case]
    source = make(tmp_path / "in")
    sources = source if isinstance(source, list) else [source]
    repeats = "sum" if case == "kinds" else "last"
    made = sharded.shard(
        sources, tmp_path / "out", memory=256 << 20, options=Options(**how), repeats=repeats
    )
    whole = Interactions.build(read(source, **how), repeats=repeats)
    assert made.fingerprint == whole.fingerprint
    assert made.users == whole.users


def folded_then_not(place: Path) -> list[Path]:
    ids = [f"{n % 9}.0" for n in range(60)] + ["1.1"] * 9
    pq.write_table(pa.table({"user": ids, "item": ids}), place / "a.parquet")
    return [place / "a.parquet"]


def decimals(place: Path) -> list[Path]:
    (place / "a.csv").write_text("user;item;rating\na;b;1.000\n")
    (place / "b.csv").write_text("user;item;rating\na;c;4,5\n")
    return [place / "a.csv", place / "b.csv"]


def cut_short(place: Path) -> list[Path]:
    pq.write_table(events(1), place / "a.parquet")
    (place / "b.parquet").write_bytes((place / "a.parquet").read_bytes()[:-90])
    return [place / "a.parquet", place / "b.parquet"]


def damaged(place: Path) -> list[Path]:
    pq.write_table(events(1), place / "a.parquet")
    whole = bytearray((place / "a.parquet").read_bytes())
    whole[60:140] = bytes(80)
    (place / "a.parquet").write_bytes(whole)
    return [place / "a.parquet"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (folded_then_not, r"a\.parquet: .*'1\.1' are texts"),
        (decimals, r"b\.csv: .*decimal=','"),
        (cut_short, r"b\.parquet: .*isn't a whole Parquet file"),
        (damaged, r"a\.parquet: .*isn't a whole Parquet file"),
    ],
)
def test_what_contradicts_or_is_damaged_is_one_sentence(
    tmp_path: Path, make: Callable[[Path], list[Path]], words: str
) -> None:
    (tmp_path / "in").mkdir()
    sources = make(tmp_path / "in")
    with pytest.raises(DataError, match=words):
        sharded.shard(sources, tmp_path / "out", memory=256 << 20)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("option", [{"decimal": "x"}, {"on_bad": "ignore"}])
def test_options_are_checked_wherever_they_are_given(option: dict[str, str]) -> None:
    with pytest.raises(CofactorError, match="must be one of"):
        Options(**option)
    with pytest.raises(CofactorError, match="must be one of"):
        cofactor.read([("a", "b")], **option)


def test_parts_of_which_some_have_no_header_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("item,user\n" + "a,u1\nb,u2\n")
    (tmp_path / "b.csv").write_text("c,3\nd,4\n")
    with pytest.raises(DataError, match="some parts have a header and others don't"):
        sharded.shard([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "out", memory=256 << 20)
