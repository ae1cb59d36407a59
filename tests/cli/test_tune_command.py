"""`cofactor tune`: the tables, the study's file, and the command line that trains the best."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna")
QUICK = ("--model", "ease", "--trials", "3", "--search", "regularization=log:1..5000")


def test_it_shows_settings_curve_and_test_and_the_next_command_works(
    cofactor: Callable[..., Any], shop_files: Path, tmp_path: Path
) -> None:
    events = shop_files / "events.csv"
    done = cofactor("tune", events, *QUICK, "--core", "2", "--budget", "5m", "--threads", "1", "-q")
    assert done.code == 0, done.err
    assert "3 trials finished" in done.out
    for words in (
        "Settings",
        "Best so far, ndcg@10 on validation",
        "On the test part",
        "looked at",
    ):
        assert words in done.out
    (line,) = [line for line in done.out.splitlines() if line.startswith("Next: ")]
    words = shlex.split(line.removeprefix("Next: ").replace("DIR", str(tmp_path / "model")))
    assert words[:3] == ["cofactor", "train", str(events)]
    assert words[words.index("--core") + 1] == "2"
    assert cofactor(*words[1:], "-q").code == 0


def test_as_json_and_from_a_study_that_is_there(
    cofactor: Callable[..., Any], shop_files: Path, tmp_path: Path
) -> None:
    words = ("tune", shop_files / "events.csv", *QUICK, "--out", tmp_path / "study.db", "--json")
    first, second = cofactor(*words).json, cofactor(*words).json
    assert first["trials"] == second["trials"] == {"finished": 3, "pruned": 0, "failed": 0}
    assert first["settings"] == second["settings"]
    assert (first["test_looks"], second["test_looks"]) == (1, 2)
    assert first["test"]["results"]["default"]["metrics"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--budget", "soon"), "--budget must be a number with a unit"),
        (("--search", "factors"), "--search must be written NAME=RANGE"),
        (("--search", "dropout=1"), "a search space must be written"),
        (("--validation", "0"), "validation part"),
        (("--metric", "ndgc"), "ndcg"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    words: tuple[str, ...], said: str, cofactor: Callable[..., Any], shop_files: Path
) -> None:
    ran = cofactor("tune", shop_files / "events.csv", "--model", "ease", *words)
    assert ran.code == 1
    assert said in ran.sentence
