"""The file of a study: there as a whole or not at all, and never somebody else's."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import cofactor
from cofactor.base.errors import ArgumentError
from cofactor.base.search import log
from cofactor.data.synthetic import power_law

optuna = pytest.importorskip("optuna")
DATA = power_law(120, 50, 1500, seed=3)
QUICK: dict[str, Any] = {
    "search": {"regularization": log(1.0, 5000.0)},
    "trials": 2,
    "run": cofactor.Run(threads=1),
}


def test_a_search_that_ends_while_its_file_is_made_goes_on_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It left a file with tables and without a study, which the same command refused."""
    quick = {**QUICK, "trials": 1, "out": tmp_path / "study.db"}

    def ended(**_: object) -> None:  # the storage has made its tables by now
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(optuna, "create_study", ended)
        with pytest.raises(KeyboardInterrupt):
            cofactor.tune(DATA, "ease", **quick)
    assert not list(tmp_path.iterdir())
    assert cofactor.tune(DATA, "ease", **quick).counts["finished"] == 1


def test_a_study_of_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    cofactor.tune(DATA, "ease", **{**QUICK, "trials": 1}, out=file)
    with pytest.raises(ArgumentError, match=r"holds a study with another metric"):
        cofactor.tune(DATA, "ease", **QUICK, metric="recall@5", out=file)
    with pytest.raises(ArgumentError, match=r"another data and split"):
        cofactor.tune(power_law(90, 40, 900, seed=1), "ease", **QUICK, out=file)


@pytest.mark.parametrize("content", ["text", "database"])
def test_a_file_that_is_no_study_is_left_alone(content: str, tmp_path: Path) -> None:
    file = tmp_path / "events.db"
    if content == "text":
        file.write_text("user,item\n")
    else:
        database = sqlite3.connect(file)
        database.execute("CREATE TABLE events (id INTEGER)")
        database.close()
    before = file.read_bytes()
    with pytest.raises(ArgumentError, match=r"isn't a study of cofactor tune"):
        cofactor.tune(DATA, "ease", **QUICK, out=file)
    assert file.read_bytes() == before


def test_a_search_that_was_killed_while_it_wrote_goes_on(tmp_path: Path) -> None:
    """SQLite takes a half written change back by the journal beside the file, which a connection
    for reading alone can't do: the file was said to be no study.
    """
    made, killed = tmp_path / "study.db", tmp_path / "killed" / "study.db"
    cofactor.tune(DATA, "ease", **{**QUICK, "trials": 1, "out": made})
    killed.parent.mkdir()
    with closing(sqlite3.connect(made, isolation_level=None)) as writing:
        writing.execute("PRAGMA cache_size = 1")
        writing.execute("BEGIN")
        writing.execute("CREATE TABLE half (text)")
        writing.executemany("INSERT INTO half VALUES (?)", [("x" * 3_000,)] * 200)
        for end in ("", "-journal"):
            shutil.copy(f"{made}{end}", f"{killed}{end}")
        writing.execute("ROLLBACK")
    assert cofactor.tune(DATA, "ease", **{**QUICK, "out": killed}).counts["finished"] == 2
