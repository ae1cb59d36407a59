"""A full disk under what is written: one sentence that names the file, nothing in half. The
largest file that the process may write stands for the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import cofactor
from cofactor.base.disk import what_is_full
from cofactor.base.errors import CofactorError, DataError
from cofactor.base.page import write_page
from cofactor.data.readers import sharded
from cofactor.data.readers.columns import Options
from cofactor.runs.tune import tune
from cofactor.service.http.keys import Keys, new_key

resource = pytest.importorskip("resource", reason="this system has no limits of processes")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Events, every other of which has no value."""
    path = tmp_path / "log.csv"
    rows = "".join(f"u{n % 40},i{n % 30},{'' if n % 2 else 4}\n" for n in range(3000))
    path.write_text("user,item,rating\n" + rows)
    return path


def test_rejects_that_do_not_fit_are_named_and_hold_whole_lines(log: Path) -> None:
    rejects = log.with_name("rejects.jsonl")
    with (
        files_of_at_most(10_000),
        pytest.raises(CofactorError, match=r"rejects\.jsonl can't be written: .*ulimit -f"),
    ):
        cofactor.read(log, on_bad="skip", rejects=rejects)
    assert rejects.read_bytes() == b""


def test_shards_that_do_not_fit_leave_nothing(log: Path) -> None:
    with files_of_at_most(4000), pytest.raises(DataError, match=r"ulimit -f.*Nothing was kept"):
        sharded.shard([log], log.with_name("out"), options=Options(on_bad="skip"), memory=256 << 20)
    assert [p.name for p in log.parent.iterdir()] == ["log.csv"]


def test_a_page_that_does_not_fit_leaves_the_old_one(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text("<!doctype html>old")
    with (
        files_of_at_most(1000),
        pytest.raises(CofactorError, match=r"report\.html can't be written: .*ulimit -f"),
    ):
        write_page(page, "x" * 5000)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    assert page.read_text() == "<!doctype html>old"


def test_a_study_that_does_not_fit_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    chance = np.random.default_rng(0)
    rows = [(int(u), int(i)) for u, i in chance.integers(0, 30, (600, 2))]
    with (
        files_of_at_most(50_000),
        pytest.raises(CofactorError, match=r"study\.db: the study can't"),
    ):
        tune(rows, "item_knn", trials=1, out=tmp_path / "study.db")


def test_a_full_disk_is_known_from_numpys_words(tmp_path: Path) -> None:
    with files_of_at_most(1000), pytest.raises(OSError, match="requested") as caught:
        np.save(tmp_path / "a.npy", np.zeros(5000))
    assert what_is_full(caught.value) == "the disk or a quota is full"
    assert not what_is_full(PermissionError(13, "Permission denied"))


def test_a_key_that_does_not_fit_is_none(tmp_path: Path) -> None:
    """A part of its line was written, and the key, which nothing knew then, printed."""
    path = tmp_path / "keys.txt"
    known = new_key(path, "read")
    before = path.read_bytes()
    with files_of_at_most(len(before) + 20), pytest.raises(CofactorError, match="no key was made"):
        new_key(path, "write")
    assert path.read_bytes() == before
    assert Keys.read(path).check(f"Bearer {known}", "read") is not None
