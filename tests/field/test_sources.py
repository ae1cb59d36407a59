"""Workbooks, databases, folders and URLs as people have them."""

from __future__ import annotations

import datetime
import gzip
import io
import os
import sqlite3
import tarfile
import threading
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from scipy import sparse

import cofactor
from cofactor.base.errors import ArgumentError, CofactorError, DataError
from cofactor.data.readers import read_table
from field.case import rows_of

_TABLE: list[tuple[Any, ...]] = [("user", "item", "rating"), ("u1", "a", 4), ("u2", "b", 3)]
_ROWS = [("u1", "a", 4.0), ("u2", "b", 3.0)]
_NOTES: list[tuple[Any, ...]] = [("notes",), ("see the next sheet",)]


def _workbook(path: Path, sheets: Mapping[str, Sequence[Sequence[Any]]], hidden: str = "") -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
        sheet.sheet_state = "hidden" if name == hidden else "visible"
    book.active = list(sheets).index(next(name for name in sheets if name != hidden))
    book.save(path)
    return path


@pytest.mark.parametrize(
    ("sheets", "hidden", "said"),
    [
        ({"read me": _NOTES, "data": _TABLE}, "", "'data' is read; not read: read me"),
        ({"old": [_TABLE[0], ("u9", "z", 1)], "data": _TABLE}, "old", ""),
        ({"data": _TABLE, "May": [_TABLE[0], ("u9", "z", 1)]}, "", "'data' is read; not read: May"),
    ],
)
def test_the_sheet_with_users_and_items_is_read_and_the_others_are_noted(
    tmp_path: Path, sheets: dict[str, Any], hidden: str, said: str
) -> None:
    events = cofactor.read(_workbook(tmp_path / "a.xlsx", sheets, hidden))
    assert rows_of(events, 3) == _ROWS
    assert said in "\n".join(events.notes)


def test_booleans_in_a_workbook_are_no_ids(tmp_path: Path) -> None:
    path = _workbook(tmp_path / "a.xlsx", {"data": [*_TABLE, (True, "c", 1)]})
    with pytest.raises(DataError, match="a boolean, a date .* as user id"):
        cofactor.read(path)


def test_blobs_beside_texts_in_a_database_are_hexadecimal_and_noted(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as base:
        base.executescript(
            "CREATE TABLE t (user, item); INSERT INTO t VALUES (x'ff00', 'a'), ('u2', 'b')"
        )
    events = cofactor.read(f"sqlite:///{tmp_path}/a.db")
    assert rows_of(events, 2) == [("ff00", "a"), ("u2", "b")]
    assert any("hexadecimal" in note for note in events.notes)
    with pytest.raises(DataError, match="sqlite:///"):
        cofactor.read(tmp_path / "a.db")


def test_a_file_and_its_packed_copy_are_read_once(tmp_path: Path) -> None:
    text = b"user,item\nu1,a\nu2,b\n"
    (tmp_path / "a.csv").write_bytes(text)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text))
    events = cofactor.read(tmp_path)
    assert rows_of(events, 2) == [("u1", "a"), ("u2", "b")]
    assert any("the same as" in note for note in events.notes)


@pytest.mark.parametrize("kind", ["mysql", "https", "s3", "redis"])
def test_passwords_of_urls_are_not_shown(kind: str) -> None:
    from cofactor.store import open_store

    takes: tuple[Callable[[str], Any], ...] = (
        *(cofactor.read, open_store, read_table),
        lambda url: cofactor.read([url, url]),
        lambda url: cofactor.read([("u", "a")], items=url),
        lambda url: cofactor.read([("u", "a")], items=[url, url]),
    )
    for take in takes:
        with pytest.raises(CofactorError) as refused:
            take(f"{kind}://me:secret@example.org/shop")
        assert "secret" not in str(refused.value)
        assert isinstance(refused.value, ArgumentError)


def test_a_catalogue_of_objects_by_id_is_joined(tmp_path: Path) -> None:
    from cofactor.data.interactions import Interactions

    (tmp_path / "items.json").write_text('{"1":{"title":"A"},"2":{"title":"B"}}')
    events = cofactor.read([("u1", "1"), ("u2", "2")], items=tmp_path / "items.json")
    data = Interactions.build(events)
    assert data.catalogue.titles(data.items.rows([1, 2])) == ["A", "B"]


def test_an_empty_delimiter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item\nu1,a\n")
    with pytest.raises(ArgumentError, match="delimiter"):
        cofactor.read(tmp_path / "a.csv", delimiter="")


def test_a_day_beside_a_time_of_day_is_one_time_in_workbooks_and_databases(tmp_path: Path) -> None:
    day, clock = datetime.date(2021, 3, 5), datetime.time(10, 11, 12)
    head, row = ("user", "item", "date", "time"), ("u1", "a")
    book = _workbook(tmp_path / "a.xlsx", {"data": [head, (*row, day, clock)]})
    base = tmp_path / "a.db"
    with closing(sqlite3.connect(base)) as made:
        made.execute("CREATE TABLE ratings (user, item, date, time)")
        made.execute("INSERT INTO ratings VALUES (?, ?, ?, ?)", (*row, str(day), str(clock)))
        made.commit()
    for source in (book, f"sqlite:///{base}"):
        events = cofactor.read(source)
        assert rows_of(events) == [("u1", "a", None, 1_614_939_072)], source
        assert "clock = time" in "\n".join(events.notes)


@pytest.mark.parametrize("name", ["a.csv", "a.xls", "a", "a.zip"])
def test_a_workbook_is_known_by_its_contents(name: str, tmp_path: Path) -> None:
    path = _workbook(tmp_path / "a.xlsx", {"data": _TABLE}).rename(tmp_path / name)
    assert rows_of(cofactor.read(path), 3) == _ROWS


def test_workbooks_of_a_folder_are_parts(tmp_path: Path) -> None:
    for name, row in (("a.xlsx", _TABLE[1]), ("b.xlsx", _TABLE[2])):
        _workbook(tmp_path / name, {"data": [_TABLE[0], row]})
    assert rows_of(cofactor.read(tmp_path), 3) == _ROWS


def test_zeros_in_front_that_a_workbook_shows_are_read(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (("user", "item", "rating"), (12, "a", 4), (13, "b", 3)):
        book.active.append(row)
    for cell in ("A2", "A3"):
        book.active[cell].number_format = "00000"
    book.save(tmp_path / "a.xlsx")
    assert rows_of(cofactor.read(tmp_path / "a.xlsx"), 3) == [("00012", "a", 4), ("00013", "b", 3)]


@pytest.mark.parametrize(
    "cells",
    [
        (datetime.time(1, 20), datetime.time(0, 35, 30)),
        (datetime.timedelta(hours=1, minutes=20), datetime.timedelta(seconds=2130)),
    ],
)
def test_durations_of_a_workbook_and_in_memory_are_seconds(
    cells: tuple[Any, Any], tmp_path: Path
) -> None:
    table = [("user", "item", "playtime"), ("u1", "a", cells[0]), ("u2", "b", cells[1])]
    path = _workbook(tmp_path / "a.xlsx", {"data": table})
    columns = dict(zip(table[0], zip(*table[1:], strict=True), strict=True))
    for source in (path, pa.table({name: list(cells) for name, cells in columns.items()})):
        events = cofactor.read(source, value="playtime")
        assert rows_of(events, 3) == [("u1", "a", 4800.0), ("u2", "b", 2130.0)]
        assert "durations in column 'playtime' read as seconds" in "\n".join(events.notes)


@pytest.mark.parametrize("name", ["table", "query", "member", "format", "delimiter"])
@pytest.mark.parametrize("kind", ["rows", "frame", "matrix", "events", "file", "files", "database"])
def test_an_option_that_a_source_has_no_use_for_is_refused(
    name: str, kind: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("user,item\nu1,a\n")
    (tmp_path / "b.csv").write_text("user,item\nu2,b\n")
    with closing(sqlite3.connect(tmp_path / "a.db")) as shop:
        shop.execute("CREATE TABLE bought (user TEXT, item TEXT)")
        shop.execute("INSERT INTO bought VALUES ('u1', 'a')")
        shop.commit()
    sources: dict[str, Any] = {
        "rows": [("u1", "a")],
        "frame": pa.table({"user": ["u1"], "item": ["a"]}),
        "matrix": sparse.csr_matrix([[1.0]]),
        "events": cofactor.read([("u1", "a")]),
        "file": tmp_path / "a.csv",
        "files": [tmp_path / "a.csv", tmp_path / "b.csv"],
        "database": f"sqlite:///{tmp_path / 'a.db'}",
    }
    if (kind, name) in {("file", "format"), ("file", "delimiter"), ("files", "format")} or (
        (kind, name) in {("files", "delimiter"), ("database", "table"), ("database", "query")}
    ):
        return
    given = "delimited" if name == "format" else ";"
    with pytest.raises(ArgumentError, match=f"{name}='{given}' .*there is none in"):
        cofactor.read(sources[kind], **{name: given})


def test_columns_of_a_matrix_and_ids_of_no_catalogue_are_refused() -> None:
    with pytest.raises(ArgumentError, match="value=False .* there is none in a matrix"):
        cofactor.read(sparse.csr_matrix([[1.0]]), value=False)
    with pytest.raises(ArgumentError, match="item_id must go with the catalogue"):
        cofactor.read([("u1", "a")], item_id="sku")


def _archived(form: str) -> bytes:
    packed, table = io.BytesIO(), b"user,item\nu1,a\n"
    if form == "zip":
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("a.csv", table)
    else:
        with tarfile.open(fileobj=packed, mode=form) as tar:  # type: ignore[call-overload]
            member = tarfile.TarInfo("a.csv")
            member.size = len(table)
            tar.addfile(member, io.BytesIO(table))
    return packed.getvalue()


@pytest.mark.parametrize("form", ["zip", "w", "w:gz"])
def test_an_archive_in_a_pipe_is_refused_as_one(form: str, tmp_path: Path) -> None:
    place, content = tmp_path / "pipe", _archived(form)
    os.mkfifo(place)
    writer = threading.Thread(target=lambda: place.write_bytes(content))
    writer.start()
    with pytest.raises(DataError, match="an archive can't be read from a pipe"):
        cofactor.read(place)
    writer.join()


@pytest.mark.parametrize(
    "take",
    [
        cofactor.read,
        lambda link: cofactor.read(link.name),
        lambda link: cofactor.read([link, link]),
        lambda link: cofactor.read(link.parent),
        lambda link: cofactor.read([("u1", "a")], items=link),
    ],
)
def test_a_link_that_leads_nowhere_is_named(
    take: Callable[[Path], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "part").symlink_to("moved.csv")
    (tmp_path / "rest.csv").write_text("user,item\nu1,a\n")
    with pytest.raises(DataError, match="part: it is a link to 'moved.csv', which isn't there"):
        take(tmp_path / "part")


def test_an_archive_in_an_archive_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="there is no file of data in it"):
        cofactor.read(tmp_path / "none")
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as inner:
        inner.writestr("a.csv", "user,item\nu1,a\n")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as outer:
        outer.write(tmp_path / "inner.zip", "inner.zip")
    with pytest.raises(DataError, match="an archive among other files"):
        cofactor.read(tmp_path / "outer.zip")


def test_standard_input_beside_others_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item\nu1,a\n")
    with pytest.raises(DataError, match="standard input is read alone"):
        cofactor.read(["-", str(tmp_path / "a.csv")])
    with pytest.raises(ArgumentError, match="standard input is for interactions"):
        cofactor.read([("u1", "a")], items="-")
