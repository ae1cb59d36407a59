"""The fast way through large files gives what the usual way gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cofactor.base.errors import DataError
from cofactor.data.interactions import Interactions
from cofactor.data.readers import read


@pytest.fixture
def always_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cofactor.data.readers.delimited.LARGE", 0)
    monkeypatch.setattr("cofactor.data.readers.delimited.BLOCK", 100)


def numbers(count: int = 60) -> list[str]:
    return [f"{n % 7},{n * 3 - 20},{n % 10 / 2},{964_982_703 + n}" for n in range(count)]


@pytest.mark.parametrize(("delimiter", "end"), [(",", "\n"), ("::", "\r\n"), ("\t", "\n")])
def test_plain_numbers_equal_arrows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delimiter: str, end: str) -> None:
    path = tmp_path / "ratings.dat"
    path.write_bytes((end.join(numbers()).replace(",", delimiter)).encode())
    usual = read(path)
    monkeypatch.setattr("cofactor.data.readers.delimited.LARGE", 0)
    monkeypatch.setattr("cofactor.data.readers.delimited.BLOCK", 100)
    fast = read(path)
    assert str(fast.users.type) == "int64"
    assert fast.users.to_pylist() == usual.users.to_pylist()
    assert fast.items.to_pylist() == usual.items.to_pylist()
    np.testing.assert_array_equal(fast.values, usual.values)
    np.testing.assert_array_equal(fast.times, usual.times)
    assert Interactions.build(fast).fingerprint == Interactions.build(usual).fingerprint


@pytest.mark.usefixtures("always_large")
def test_one_text_id_late_in_the_file_makes_all_of_them_texts(tmp_path: Path) -> None:
    lines = numbers()
    lines[50] = "007,1,3,964982703"
    path = tmp_path / "ratings.csv"
    path.write_text("user,item,rating,time\n" + "\n".join(lines))
    events = read(path)
    assert events.users.to_pylist() == [line.split(",")[0] for line in lines]
    assert events.items.to_pylist() == [int(line.split(",")[1]) for line in lines]


@pytest.mark.usefixtures("always_large")
def test_bad_row_after_plain_blocks_is_located(tmp_path: Path) -> None:
    lines = numbers()
    lines[40] = "1,2,nan,964982703"
    path = tmp_path / "ratings.csv"
    path.write_text("user,item,rating,time\n" + "\n".join(lines))
    with pytest.raises(DataError, match="line 42: '1,2,nan,964982703'"):
        read(path)
