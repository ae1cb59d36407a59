"""Files whose sizes are none: rows far below, cells and names without end; no minutes, no pages."""

from __future__ import annotations

import time
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from cofactor.base.errors import DataError
from cofactor.data.readers import read


def written(folder: Path, text: str) -> Path:
    path = folder / "events.csv"
    path.write_text(text)
    return path


def workbook(folder: Path, old: bytes, new: bytes) -> Path:
    """A workbook of six rows, some of whose text is another."""
    book = pytest.importorskip("openpyxl").Workbook()
    for row in [("user", "item", "rating"), *((f"u{n}", n, 4) for n in range(5))]:
        book.active.append(row)
    book.save(folder / "whole.xlsx")
    path = folder / "changed.xlsx"
    with zipfile.ZipFile(folder / "whole.xlsx") as whole, zipfile.ZipFile(path, "w") as changed:
        assert any(old in whole.read(name) for name in whole.namelist())
        for name in whole.namelist():
            changed.writestr(name, whole.read(name).replace(old, new))
    return path


def test_a_row_beyond_a_workbooks_last_is_damage_and_takes_no_minutes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a row beyond 1,048,576"):
        read(workbook(tmp_path, b'<row r="3"', b'<row r="2019010513"'))


@pytest.mark.parametrize("size", [b"A1", b"A1:B3", b"A1:XFD1048576"])
def test_what_a_workbook_says_of_a_sheets_size_is_not_believed(tmp_path: Path, size: bytes) -> None:
    found = read(workbook(tmp_path, b"A1:C6", size))
    assert len(found.users) == 5
    assert found.values is not None


@pytest.mark.parametrize(
    ("cell", "row"),
    [
        # Each word could be split at each of its digits: 4 to the power of 20 ways.
        ("2024s " * 20 + "s", "u{n}\t{cell}\n"),
        ("(" * 200_000, "u{n}\t{cell}\n"),
        ("1" * 100_000 + "x", "u{n},{cell},4\n"),
        ("1.5," * 30_000, "u{n},{cell},4\n"),
    ],
)
def test_cells_without_end_take_no_time(tmp_path: Path, cell: str, row: str) -> None:
    path = written(tmp_path, "".join(row.format(n=n, cell=cell) for n in range(3)))
    began = time.process_time()
    with suppress(DataError):
        read(path)
    assert time.process_time() - began < 3


def test_a_refusal_names_no_columns_without_end(tmp_path: Path) -> None:
    path = written(tmp_path, f"{'[1,' * 3_000},item,rating\nu1,a,4\n")
    with pytest.raises(DataError) as refused:
        read(path)
    assert len(str(refused.value)) < 2_500


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("3,4,4\n1,1\x1c,5\n1,2\x1c,3\n2,1\x1c,4\n3,4\x1c,1\n", [1, 2, 1, 4]),
        ("user,item\n1\x1d,a,b\n2\x1d,a,c\n3\x1d,b,b\n", ["b", "c", "b"]),
    ],
    ids=["below sizes", "names of rows"],
)
def test_separators_of_records_beside_numbers_are_white_space(
    tmp_path: Path, text: str, items: list[object]
) -> None:
    assert [one.as_py() for one in read(written(tmp_path, text)).items] == items


def test_a_bad_row_whose_keys_are_none_of_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "events.json"
    rows = ["{'user': 'u1', 'item': 'a', 'rating': 4, 'more': {b'x': 1}}"] * 3
    path.write_text("\n".join(rows).replace("4", "'?'", 1))
    with pytest.raises(DataError, match="more"):
        read(path)
