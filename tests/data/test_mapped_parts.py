"""Data larger than memory is cut a block of users at a time; parts of mapped data are mapped."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cofactor.base import rng
from cofactor.base.offsets import kept_offsets, row_blocks, row_offsets
from cofactor.data import mapped, sorting
from cofactor.data.interactions import Interactions
from cofactor.data.splits import by_users, cut, leave_last, per_user


@pytest.fixture(scope="module")
def data() -> Interactions:
    """Users with 0 to 40 interactions, equal times among them."""
    draw = np.random.default_rng(3)
    users = np.sort(draw.integers(0, 60, 900) ** 2 // 60)
    times = draw.integers(0, 30, 900)
    items = draw.integers(0, 50, 900)
    return Interactions.from_rows(users, items, None, times, users=60, items=50)


def parts_of(data: Interactions) -> list[Interactions]:
    cuts = [partial(by_users, test=0.3), partial(per_user, test=0.2)]
    splits = [
        rule(data, validation=0.2, order=order, seed=5)
        for rule in cuts
        for order in ("random", "time")
    ]
    splits.append(leave_last(data, test=2, validation=1))
    assert all(split.validation is not None for split in splits)
    return [
        part
        for split in splits
        for part in (split.train, split.test.truth, split.test.history, split.validation.truth)
    ]


def assert_equal(ours: list[Interactions], theirs: list[Interactions]) -> None:
    for a, b in zip(ours, theirs, strict=True):
        assert a.fingerprint == b.fingerprint
        np.testing.assert_array_equal(a.order, b.order)


def test_splits_are_the_same_in_blocks(data: Interactions, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = parts_of(data)
    monkeypatch.setattr(cut, "row_blocks", partial(row_blocks, most=25))
    assert len(list(cut.row_blocks(data.indptr))) > 20
    assert_equal(parts_of(data), whole)


def test_the_last_are_those_of_the_whole_order(data: Interactions) -> None:
    keys = rng.generator(5, "split", "x").random(len(data))
    for order, positions in (
        ("time", data.chronological),
        ("random", sorting.chronological(data.indptr, None, keys.view(np.int64))),
    ):
        numbers = np.arange(data.n_users) % 4
        wanted = np.zeros(len(data), bool)
        for user in range(data.n_users):
            mine = positions[data.indptr[user] : data.indptr[user + 1]]
            wanted[mine[max(0, len(mine) - numbers[user]) :]] = True
        found = cut.among_last(data, [numbers, numbers * 0], order, 5, "x")
        np.testing.assert_array_equal(found[0], wanted)
        assert not found[1].any()


def test_blocks_of_rows_cover_all_rows_and_offsets_count_what_is_kept() -> None:
    indptr = np.array([0, 0, 5, 5, 6, 40, 40, 41])
    blocks = list(row_blocks(indptr, 6))
    assert blocks == [(0, 4), (4, 5), (5, 7)]
    assert list(row_blocks(np.zeros(1, np.int64))) == []
    keep = np.random.default_rng(0).random(41) < 0.5
    rows = np.repeat(np.arange(7), np.diff(indptr))
    np.testing.assert_array_equal(kept_offsets(indptr, keep), row_offsets(rows[keep], 7))


def test_parts_of_mapped_data_are_mapped(
    data: Interactions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped, "LEAST", 0)
    monkeypatch.setattr(mapped, "_BLOCK", 100)
    np.save(tmp_path / "a.npy", data.times)
    array = np.load(tmp_path / "a.npy", mmap_mode="c").view(np.ndarray)
    keep = np.arange(len(array)) % 3 > 0
    part = mapped.kept(array, keep)
    assert mapped.is_mapped(part)
    assert not mapped.is_mapped(mapped.kept(data.times, keep))
    np.testing.assert_array_equal(part, data.times[keep])
    part[:] = 7  # this process' own
    np.testing.assert_array_equal(array, data.times)
    assert mapped.kept(array, ~keep & keep).size == 0
    np.testing.assert_array_equal(mapped.kept(array, np.array([3, 1])), array[[3, 1]])


def test_without_room_for_a_file_a_part_is_held_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mapped, "LEAST", 0)
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    np.save(tmp_path / "a.npy", np.arange(9))
    array = np.load(tmp_path / "a.npy", mmap_mode="c").view(np.ndarray)
    assert mapped.kept(array, array > 4).tolist() == [5, 6, 7, 8]
