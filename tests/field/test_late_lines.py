"""What a file is may show only in its last lines, far behind the block that was read first."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

import cofactor
from cofactor.base.errors import DataError
from cofactor.data.readers import chunks, lines
from cofactor.data.readers.columns import Options
from field.case import rows_of

_DAY = 1_546_646_400  # 5 January 2019

# What most lines hold, what the last ones hold; what is right for both.
VALUES: dict[str, tuple[str, str, float, float]] = {
    "points of thousands": ("1.000", "4,5", 1000.0, 4.5),
    "commas, then points of thousands": ("4,5", "1.000", 4.5, 1000.0),
    "points of thousands that look like fractions": ("1.234", "4,5", 1234.0, 4.5),
    "whole numbers, then commas": ("4", "4,5", 4.0, 4.5),
    "commas of thousands": ("12", "1,234,567", 12.0, 1_234_567.0),
    "out of five": ("4/5", "3/5", 4.0, 3.0),
}
TIMES: dict[str, tuple[str, str, int, int]] = {
    "dates as numbers, then written": ("20190105", "2019-01-05", _DAY, _DAY),
    "written dates, then numbers": ("2019-01-05", "20190105", _DAY, _DAY),
    "a day that shows the order": ("5/1/2019", "25/1/2019", _DAY, _DAY + 20 * 86400),
    "months after seconds": (str(_DAY), "2019-01-05 00:00:00", _DAY, _DAY),
}
IDS: dict[str, tuple[str, str, Any, Any]] = {
    "zeros in front": ("7", "007", "7", "007"),
    "floats": ("17850", "13047.0", 17850, 13047),
    "versions": ("1.0", "1.1", "1.0", "1.1"),
    "words": ("7", "x", "7", "x"),
    "beyond 64 bits": ("7", "9" * 25, "7", "9" * 25),
}


def read_late(place: Path, column: str, first: str, last: str, **options: Any) -> list[tuple]:
    names = {"value": "user;item;rating", "time": "user;item;time", "user": "item;user"}
    row = "a;{}\n" if column == "user" else "u;a;{}\n"
    place.write_text(f"{names[column]}\n" + 40 * row.format(first) + 3 * row.format(last))
    return rows_of(cofactor.read(place, now=1.8e9, **options))


@pytest.fixture(params=[50, 1 << 25], ids=["blocks", "whole"])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK", request.param)


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("name", VALUES)
def test_late_lines_tell_how_values_are_written(name: str, tmp_path: Path) -> None:
    first, last, *right = VALUES[name]
    rows = read_late(tmp_path / "a.csv", "value", first, last)
    assert [rows[0][2], rows[-1][2]] == right


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("name", TIMES)
def test_late_lines_tell_what_times_are(name: str, tmp_path: Path) -> None:
    first, last, *right = TIMES[name]
    rows = read_late(tmp_path / "a.csv", "time", first, last)
    assert [rows[0][3], rows[-1][3]] == right


@pytest.mark.usefixtures("block")
def test_times_that_are_missing_at_first_have_their_unit(tmp_path: Path) -> None:
    rows = read_late(tmp_path / "a.csv", "time", "NULL", "1546646400000", on_bad="skip")
    assert [row[3] for row in rows] == [_DAY] * 3


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("name", IDS)
def test_late_lines_tell_what_ids_are(name: str, tmp_path: Path) -> None:
    first, last, *right = IDS[name]
    rows = read_late(tmp_path / "a.csv", "user", first, last)
    assert [rows[0][0], rows[-1][0]] == right


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize(("first", "last"), [("4.5", "4,5"), ("4", "1,234")])
def test_late_lines_that_contradict_are_refused(first: str, last: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="decimal"):
        read_late(tmp_path / "a.csv", "value", first, last)


def test_chunks_that_contradict_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "TEXT_BLOCK", 60)
    place = tmp_path / "a.csv"

    def parts(first: str, last: str, **options: Any) -> list[tuple]:
        place.write_text("user;item;rating\n" + 20 * f"{first}\n" + 3 * f"{last}\n")
        read = partial(cofactor.read, now=1.8e9)
        found = chunks.chunks(place, Options(now=1.8e9, **options), rows=5, whole=read)
        return [row for part in found for row in rows_of(part.events, 3)]

    with pytest.raises(DataError, match="decimal commas"):
        parts("u;a;1.000", "u;a;4,5")
    assert parts("u;a;1.000", "u;a;4,5", decimal=",")[0] == ("u", "a", 1000.0)
    assert parts("u;a;4,5", "u;a;1.000")[-1] == ("u", "a", 1000.0)
    with pytest.raises(DataError, match="whole numbers"):
        parts("1.0;a;4", "1.1;a;4")


@pytest.mark.parametrize("names", [("a.csv", "b.csv"), ("b.csv", "a.csv")])
def test_parts_of_currencies_agree_on_the_comma(names: tuple[str, str], tmp_path: Path) -> None:
    """Of euros, 1.000 is a thousand where another part has 3,50."""
    cells = ("3,50 €", "1.000 €")
    for name, cell in zip(names, cells, strict=True):
        (tmp_path / name).write_text(f"user;item;price\nu1;a;{cell}\nu2;b;{cell}\n")
    events = cofactor.read(tmp_path, value="price")
    assert events.values is not None
    assert sorted(set(events.values.tolist())) == [3.5, 1000.0]
