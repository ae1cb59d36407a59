"""Files around tables: how they are packed, what lies beside them, and texts in UTF-16."""

from __future__ import annotations

import gzip
import io
import pickle
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

import cofactor
from cofactor.base.errors import DataError
from field.case import rows_of

_TEXT = "user,item,rating\nu1,a,4\nu2,b,3\n"
_ROWS = [("u1", "a", 4.0), ("u2", "b", 3.0)]
_MORE = [*_ROWS, ("u3", "c", 2.0)]


def _tar(files: Mapping[str, str]) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            if text.startswith("/"):
                info.type, info.linkname = tarfile.SYMTYPE, text
            info.size = 0 if text.startswith("/") else len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return held.getvalue()


def _zip(files: Mapping[str, str | bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return held.getvalue()


def _zstd(content: bytes) -> bytes:
    held = pa.BufferOutputStream()
    with pa.CompressedOutputStream(held, "zstd") as stream:
        stream.write(content)
    return held.getvalue().to_pybytes()


_PARTS = {"p/1.csv": _TEXT, "p/2.csv": "user,item,rating\nu3,c,2\n"}
_SKIPPED = b"\x50\x2a\x4d\x18\x04\x00\x00\x00size"
_CHINESE = "用户,商品,评分\n张三,苹果,5\n李四,香蕉,4\n"
_RUSSIAN = "пользователь;товар;оценка\nаня;книга;5\nпётр;ручка;4\n"


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("a.tar.zst", _zstd(_tar({"d/a.csv": _TEXT})), _ROWS),
        ("a.tar.zst", _zstd(_tar(_PARTS)), _MORE),
        ("a.csv.zst", _SKIPPED + _zstd(_TEXT.encode()), _ROWS),
        ("a.zip", _zip({"../a.csv": _TEXT}), _ROWS),
        ("a.tar", _tar({"../../a.csv": _TEXT}), _ROWS),
        ("a.csv", _CHINESE.encode("utf-16-le"), [("张三", "苹果", 5.0), ("李四", "香蕉", 4.0)]),
        ("a.csv", _CHINESE.encode("utf-16-be"), [("张三", "苹果", 5.0), ("李四", "香蕉", 4.0)]),
        ("a.csv", _RUSSIAN.encode("utf-16-le"), [("аня", "книга", 5.0), ("пётр", "ручка", 4.0)]),
        ("a.csv", _RUSSIAN.encode("utf-16-be"), [("аня", "книга", 5.0), ("пётр", "ручка", 4.0)]),
    ],
    ids=range(9),
)
def test_packed_tables_are_read(
    name: str, content: bytes, rows: list[tuple[str, str, float]], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    assert rows_of(cofactor.read(tmp_path / name), 3) == rows


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.zip", _zip({}), "there is no file of data in it"),
        ("a.tar", _tar({"a.csv": "/etc/hosts"}), "there is no file of data in it"),
        ("a.zip", _zip({"b.zip": _zip({"a.csv": _TEXT})}), "an archive among other files"),
        ("a.zip", _zip({"b.tar": _tar({"a.csv": _TEXT})}), "an archive among other files"),
        ("a.csv.Z", b"\x1f\x9d\x90" + b"ab" * 40, "packed by compress"),
        ("a.csv.lzma", b"]\0\0\x80\0" + b"\xff" * 8 + b"ab" * 40, "compress or lzma"),
        ("a.pt", _zip({"a/data.pkl": b"x", "a/version": "3"}), "a pickle of PyTorch"),
        ("a.pkl", pickle.dumps([("u", 1)], 0), "a pickle, which may run code"),
        ("a.pkl.gz", gzip.compress(pickle.dumps({"u": 1}, 0)), "a pickle, which may run code"),
    ],
    ids=range(9),
)
def test_what_is_packed_otherwise_is_refused_with_its_kind(
    name: str, content: bytes, said: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        cofactor.read(tmp_path / name)


@pytest.mark.parametrize("name", ["schema.sql", "config.yaml", "a.toml", "plot.svg", "load.R"])
def test_what_stands_beside_a_table_is_no_part_of_it(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(_TEXT)
    (tmp_path / name).write_text("a: 1\nb: 2\n")
    assert rows_of(cofactor.read(tmp_path), 3) == _ROWS


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (lambda path: f"sqlite:///{path}", ["the table 'ratings' is read; not read: orders"]),
        (lambda path: f"sqlite:///{path}?table=ratings", []),
    ],
)
def test_tables_beside_the_one_that_is_read_are_noted(
    url: Callable[[Path], str], said: list[str], tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as base:
        base.executescript(
            "CREATE TABLE ratings (user, item); CREATE TABLE orders (user, item);"
            " INSERT INTO ratings VALUES ('u1', 'a'); INSERT INTO orders VALUES ('u2', 'b')"
        )
    notes = cofactor.read(url(tmp_path / "a.db")).notes
    assert [note for note in notes if "table" in note] == said


def test_floats_that_are_no_ids_are_not_cured_by_converting_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="beyond the integers that it keeps exactly, .* as texts"):
        cofactor.read(pa.table({"user": [1.2345678901234568e16], "item": ["a"]}))
