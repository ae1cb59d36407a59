"""The fast way through large files gives what the usual way gives."""

from __future__ import annotations

import dataclasses
import gzip
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cofactor.base.errors import DataError
from cofactor.data import sorting
from cofactor.data.events import Events
from cofactor.data.interactions import Interactions
from cofactor.data.readers import delimited, plain_numbers, read
from examples import examples


@contextmanager
def large(block: int = 100) -> Iterator[list[Any]]:
    """Every file counts as large, and blocks hold a few lines; what the fast way gave is noted."""
    found: list[Any] = []

    def noted(*words: Any) -> Any:
        found.append(plain_numbers.read_plain(*words))
        return found[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "LARGE", 0)
        patch.setattr(delimited, "read_plain", noted)
        patch.setattr(plain_numbers, "BLOCK", block)
        yield found


def numbers(count: int = 60) -> list[str]:
    return [f"{n % 7},{n * 3 - 20},{n % 10 / 2},{964_982_703 + n}" for n in range(count)]


def assert_equal(fast: Events, usual: Events) -> None:
    assert fast.users.to_pylist() == usual.users.to_pylist()
    assert fast.items.to_pylist() == usual.items.to_pylist()
    for name in ("values", "times"):
        ours, theirs = getattr(fast, name), getattr(usual, name)
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)
    assert fast.notes == usual.notes
    built = Interactions.build(fast)
    assert built.fingerprint == Interactions.build(usual).fingerprint
    assert built.item_rows.flags.writeable


@pytest.mark.parametrize(("delimiter", "end"), [(",", "\n"), ("::", "\r\n"), ("\t", "\n")])
@pytest.mark.parametrize("last", [True, False])
def test_plain_numbers_equal_arrows(tmp_path: Path, delimiter: str, end: str, last: bool) -> None:
    path = tmp_path / "ratings.dat"
    path.write_bytes((end.join(numbers()).replace(",", delimiter) + (end if last else "")).encode())
    usual = read(path)
    for block in (48, 100, 1000, 1 << 20):
        with large(block) as found:
            fast = read(path)
        assert found[0]
        assert_equal(fast, usual)


def test_gzip_and_zip_are_read_as_they_are_unpacked(tmp_path: Path) -> None:
    text = ("userId,movieId,rating,timestamp\n" + "\n".join(numbers(500))).encode()
    plain, packed, archive = tmp_path / "r.csv", tmp_path / "r.csv.gz", tmp_path / "r.zip"
    plain.write_bytes(text)
    packed.write_bytes(gzip.compress(text))
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr("r.csv", text)
    usual = read(plain)
    for path in (plain, packed, archive):
        with large() as found:
            assert_equal(read(path), usual)
        assert found[0]


def test_ids_of_64_bits_and_sparse_ones_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(
        "user,item,rating\n" + "\n".join(f"{10**16 - n % 5},{n * 40_000_003},1" for n in range(50))
    )
    usual = read(path)
    with large() as found:
        assert_equal(read(path), usual)
    assert found[0]


def test_one_text_id_late_in_the_file_makes_all_of_them_texts(tmp_path: Path) -> None:
    lines = numbers()
    lines[50] = "007,1,3,964982703"
    path = tmp_path / "ratings.csv"
    path.write_text("user,item,rating,time\n" + "\n".join(lines))
    with large() as found:
        events = read(path)
    assert found == [False]
    assert events.users.to_pylist() == [line.split(",")[0] for line in lines]
    assert events.items.to_pylist() == [int(line.split(",")[1]) for line in lines]


def test_bad_row_after_plain_blocks_is_located(tmp_path: Path) -> None:
    lines = numbers()
    lines[40] = "1,2,nan,964982703"
    path = tmp_path / "ratings.csv"
    path.write_text("user,item,rating,time\n" + "\n".join(lines))
    with large(), pytest.raises(DataError, match="line 42: '1,2,nan,964982703'"):
        read(path)


def test_a_time_in_the_future_is_located_in_plain_rows(tmp_path: Path) -> None:
    lines = numbers()
    lines[40] = "1,2,3,4102444800"
    path = tmp_path / "ratings.csv"
    path.write_text("user,item,rating,time\n" + "\n".join(lines))
    with large() as found, pytest.raises(DataError, match="line 42: '1,2,3,4102444800'"):
        read(path, now=1.7e9)
    assert found[0]


@pytest.mark.parametrize(
    "text", ["user,item,rating\n", "user,item,rating", "user,item\n1\n" + "2" * 400]
)
def test_what_has_no_rows_or_no_fields_is_refused_as_usual(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(text)
    with pytest.raises(DataError) as usual:
        read(path)
    with large(), pytest.raises(DataError) as found:
        read(path)
    assert str(found.value) == str(usual.value)


# Mostly plain fields, and now and then one that isn't, of every kind that files hold.
whole = st.integers(-(2**35), 2**35).map(str) | st.integers(0, 40).map(str)
real = st.decimals(-999999, 999999, places=3, allow_nan=False).map(str) | st.integers(0, 10).map(
    lambda n: str(n / 2)
)
odd = st.sampled_from(
    [
        "",
        "x",
        "007",
        "1e3",
        "nan",
        '"3"',
        " 4",
        "+5",
        "-0",
        "é",
        "1.5",
        "3..5",
        "-",
        "9" * 19,
        "0.123456789012",
    ]
)
row = st.tuples(whole, whole, real, st.integers(0, 2**31).map(str))


@st.composite
def files(draw: Any) -> tuple[bytes, str]:
    rows = [list(fields) for fields in draw(st.lists(row, min_size=1, max_size=30))]
    if draw(st.booleans()):
        rows[draw(st.integers(0, len(rows) - 1))][draw(st.integers(0, 3))] = draw(odd)
    delimiter, end = (
        draw(st.sampled_from([",", "\t", "::", "|", ";"])),
        draw(st.sampled_from(["\n", "\r\n"])),
    )
    header = ["user", "item", "rating", "timestamp"] if draw(st.booleans()) else None
    lines = [delimiter.join(fields) for fields in ([header] if header else []) + rows]
    if draw(st.integers(0, 9)) == 0:
        lines.insert(
            draw(st.integers(0, len(lines))),
            draw(st.sampled_from(["", "1" + delimiter + "2", "5"])),
        )
    return (end.join(lines) + (end if draw(st.booleans()) else "")).encode(), delimiter


def outcome(path: Path, delimiter: str) -> Events | str:
    try:
        return read(path, delimiter=delimiter, time_unit="s", now=2.0**40)
    except DataError as error:
        return str(error)


@settings(max_examples=examples(36))
@example(file=(b"\n0,0,0.000,0\n0,0,0.000,0\n0,0,0.000,0\n0,-1,0.000,0", ","), block=40)
@given(files(), st.integers(40, 300))
def test_both_ways_agree_on_any_file(file: tuple[bytes, str], block: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.csv"
        path.write_bytes(file[0])
        usual = outcome(path, file[1])
        with large(block):
            fast = outcome(path, file[1])
    if isinstance(usual, str) or isinstance(fast, str):
        assert fast == usual
    else:
        assert_equal(fast, usual)


def test_large_sorted_rows_equal_shuffled_ones_and_are_the_callers_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sorting, "LARGE", 1)
    users, items = (
        np.repeat(np.arange(9, dtype=np.int32), 4),
        np.tile(np.array([0, 2, 3, 6], np.int32), 9),
    )
    values, times = np.arange(36, dtype=np.float32), np.arange(36) + 5
    made = Interactions.from_rows(users, items, values, times, users=9, items=7)
    shuffled = np.random.default_rng(2).permutation(36)
    other = Interactions.from_rows(
        users[shuffled], items[shuffled], values[shuffled], times[shuffled], users=9, items=7
    )
    assert made.fingerprint == other.fingerprint
    assert made.source_order is None
    assert dataclasses.replace(made, source="again").where(made.values > 30).order.tolist() == [
        31,
        32,
        33,
        34,
        35,
    ]
    assert made.order.tolist() == list(range(36))
    before = made.fingerprint
    values[:], times[:], items[:] = 0, 0, 0
    assert dataclasses.replace(made).fingerprint == before
