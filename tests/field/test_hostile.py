"""Files made to hurt: typed errors, bounded memory and time."""

from __future__ import annotations

import gzip
import io
import random
import sqlite3
import tarfile
import tempfile
import time
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather
from pyarrow import json as pajson
from pyarrow import parquet as pq

import cofactor
from cofactor.base.errors import DataError, MemoryLimitError
from cofactor.data.readers import sources, sql, unpack
from cofactor.data.readers.json_text import has_null_record
from cofactor.runs.logged_lists import read_lists
from soak.fuzz_readers import file_of, tried
from soak.reader_seeds import Seed, of_field, of_formats, refused, seeds


@pytest.fixture
def small_bombs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "_FREE", 1 << 20)


@pytest.mark.usefixtures("small_bombs")
def test_what_unpacks_to_far_more_than_it_is_is_refused(tmp_path: Path) -> None:
    text = b"user,item\n" + b"1,2\n" * (1 << 20)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text, 9))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", text)
    for name in ("a.csv.gz", "a.zip"):
        with pytest.raises(DataError, match="unpacks to more than"):
            cofactor.read(tmp_path / name)


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    for name, head in (("a.csv", b"user,item\n"), ("a.jsonl", b'{"user":1,"item":2}\n{"user":"')):
        (tmp_path / name).write_bytes(head + b"a" * (20 << 20))
        with pytest.raises(DataError, match="a line of more than 16 MiB"):
            cofactor.read(tmp_path / name)


def test_rows_beyond_memory_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cofactor.base import memory

    zeros = pa.array(np.zeros(1_000_000, np.int64))
    pq.write_table(pa.table({"user": zeros, "item": zeros}), tmp_path / "a.parquet")
    monkeypatch.setattr(memory, "available_bytes", lambda: 1 << 20)
    with pytest.raises(MemoryLimitError, match="1,000,000 rows"):
        cofactor.read(tmp_path / "a.parquet")


def test_a_view_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "_ROWS", 20_000)
    monkeypatch.setattr(sql, "_PATIENCE", 0.2)
    endless = "WITH RECURSIVE t(user, item) AS (SELECT 1, 1 UNION ALL SELECT user + 1, 1 FROM t)"
    for name, where in (("rows", ""), ("nothing", " WHERE item = 2")):
        with sqlite3.connect(tmp_path / f"{name}.db") as base:
            base.execute(f"CREATE VIEW ratings AS {endless} SELECT * FROM t{where}")
        base.close()
        with pytest.raises(DataError, match="without end|no row came"):
            cofactor.read(f"sqlite:///{tmp_path / name}.db")


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/full", "/dev/null"])
def test_a_device_is_no_source(name: str) -> None:
    with pytest.raises(DataError, match="device"):
        cofactor.read(name)


def test_a_pipe_without_end_does_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Endless:
        def __init__(self) -> None:
            self.asked = 0

        def read(self, size: int) -> bytes:
            self.asked += 1
            assert self.asked < 50
            return b"u,a\n" * (size // 4)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sources, "_LOOK", 1 << 22)
    full = SimpleNamespace(total=1 << 40, free=1 << 20)
    monkeypatch.setattr(sources.shutil, "disk_usage", lambda _: full)
    with pytest.raises(DataError, match="nearly full"):
        sources.copied(Endless(), "standard input")
    assert not list(tmp_path.rglob("copy"))


def test_a_query_makes_no_file(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as base:
        base.execute("CREATE TABLE ratings AS SELECT 1 AS user, 2 AS item")
    base.close()
    for query in (f"ATTACH '{tmp_path / 'b.db'}' AS b", f"VACUUM INTO '{tmp_path / 'b.db'}'"):
        with pytest.raises(DataError, match="SELECT|can't be read"):
            cofactor.read(f"sqlite:///{tmp_path / 'a.db'}", query=query)
        assert not (tmp_path / "b.db").exists()


def test_offsets_beyond_a_file_are_refused(tmp_path: Path) -> None:
    held = io.BytesIO()
    feather.write_feather(
        pa.table({"user": ["a", "bb", "ccc"], "item": [1, 2, 3]}), held, compression="uncompressed"
    )
    content = held.getvalue()
    place = content.index(np.array([0, 1, 3, 6], np.int32).tobytes())
    wrong = np.array([0, 1, 3, 2**30], np.int32).tobytes()
    (tmp_path / "a.feather").write_bytes(content[:place] + wrong + content[place + 16 :])
    with pytest.raises(DataError, match="isn't a whole Feather"):
        cofactor.read(tmp_path / "a.feather")


@pytest.mark.parametrize("seed", of_formats(), ids=lambda seed: seed.name)
def test_mutated_files_give_typed_errors(seed: Seed, tmp_path: Path) -> None:
    for number in range(15):
        path = file_of(seed, random.Random(7000 + number).random, tmp_path)
        # Any error without a type of ours comes through.
        outcome = tried(path, number % 2 == 0)
        assert outcome == "read" or outcome.endswith("Error")


def test_mutated_files_of_the_field_suite_give_typed_errors(tmp_path: Path) -> None:
    for number, seed in enumerate(of_field()):
        path = file_of(seed, random.Random(8000 + number).random, tmp_path)
        outcome = tried(path, number % 2 == 0, seed.options)
        assert outcome == "read" or outcome.endswith("Error")


def test_sound_files_are_read_and_others_refused(tmp_path: Path) -> None:
    for name, content in (seeds() | refused()).items():
        (tmp_path / name).write_bytes(content)
        source = f"sqlite:///{tmp_path / name}" if name.endswith(".db") else tmp_path / name
        if name in refused():
            with pytest.raises(DataError):
                cofactor.read(source, now=1.8e9)
        else:
            assert len(cofactor.read(source, now=1.8e9)) >= 3, name


@pytest.mark.parametrize(
    "text",
    [
        'null\n{"user":"u1","item":"a"}\n',
        'null{"user":"u1","item":"a"}\n{"user":"u2","item":"b"}\n',
        '{"user":"u1","item":"a"}\n \tnull\n{"user":"u2","item":"b"}\n',
        '{"user":"u1","item":"a"}\r\nnull',
        '{"user":"u1","item":"a"}null',
    ],
)
def test_null_in_a_records_place_never_reaches_arrow(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrow's reader of JSON ends the process, or makes a row of memory that isn't its own."""

    given: list[bytes] = []
    real = pajson.read_json

    def seen(source: pa.BufferReader, *more: object) -> pa.Table:
        given.append(source.read())
        return real(pa.BufferReader(b'{"user":"u1","item":"a"}'), *more)

    monkeypatch.setattr("cofactor.data.readers.jsonl.pajson.read_json", seen)
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    for on_bad in ("error", "skip"):
        with suppress(DataError):
            assert len(cofactor.read(path, on_bad=on_bad)) >= 1
    assert not any(b"null" in block for block in given)


def test_lists_with_a_null_line_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "lists.jsonl"
    path.write_text('null\n{"request_id": 1}\n')
    with pytest.raises(DataError, match="a line is null"):
        read_lists(path)


@pytest.mark.parametrize("cell", ["1" * 200_000, "1h" * 100_000, "1:" * 100_000, "é" * 200_000])
@pytest.mark.parametrize("role", ["value", "time"])
def test_long_cells_are_no_durations_and_no_times_at_once(
    cell: str, role: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"user,item,{role}\nu1,a,{cell}\nu2,b,x\n", encoding="utf-8")
    begun = time.process_time()
    with pytest.raises(DataError):
        cofactor.read(path, **{role: role})
    assert time.process_time() - begun < 2


def test_numbers_as_names_within_a_record_are_names(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("{'user': 'u1', 'items': [{'id': 'a', 4: 'b'}]}\n" * 2)
    assert [str(item) for item in cofactor.read(path).items] == ["a", "a"]


def test_a_part_of_an_archive_without_a_name_is_no_crash(tmp_path: Path) -> None:
    content = b"user,item\nu1,a\nu2,b\n"
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in ("ratings.csv", ""):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    with suppress(DataError):
        assert len(cofactor.read(tmp_path / "a.tar")) >= 2


def test_many_empty_lines_are_looked_through_once() -> None:
    begun = time.process_time()
    assert not has_null_record(b"\n" * (1 << 20) + b'{"user": null}')
    assert time.process_time() - begun < 2


def test_damaged_zstd_leaves_no_memory_behind(tmp_path: Path) -> None:
    """Arrow's streams never free what they allocate for a read that fails: 128 KiB a file."""
    path = tmp_path / "a.csv.zst"
    path.write_bytes(pa.compress(b"user,item\nu1,a\n" * 50, codec="zstd", asbytes=True)[:-5])
    tracemalloc.start()
    try:
        for n in range(40):
            with pytest.raises(DataError, match="can't be read"):
                cofactor.read(path)
            if n == 19:
                before = tracemalloc.get_traced_memory()[0]
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 1 << 20


def test_a_bad_text_of_many_lines_is_shown_in_a_time_that_grows_with_it(tmp_path: Path) -> None:
    """The records before and at the fault are read for the message, each line once."""
    for name, n_lines in (("warm.csv", 10), ("a.csv", 60_000)):
        rows = f'u1,a,2020-01-01,"{"x," * n_lines}"\n'.replace("x,", "x\n")
        path = tmp_path / name
        path.write_text("user,item,time,text\n" + 4 * rows + "u2,b,never,x\n")
        began = time.process_time()
        with pytest.raises(DataError, match="line .*: 'u2,b,never,x'"):
            cofactor.read(path)
    assert time.process_time() - began < 4  # twelve and more with all lines counted again at each


def test_a_table_of_very_many_columns_is_refused_soon(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"user{',' * 70_000}\nu1{',1' * 70_000}\n")
    with pytest.raises(DataError, match=r"70,001 columns.*melt") as caught:
        cofactor.read(path)
    assert len(str(caught.value)) < 1_000
    names = ",".join(f"i{n}" for n in range(20_000))
    path.write_text(f"name,{names}\nu1{',1' * 20_000}\n")
    with pytest.raises(DataError, match="no column is named like a user's") as caught:
        cofactor.read(path)
    assert len(str(caught.value)) < 2_000
