"""`cofactor runs`: what train, compare and tune kept, listed, shown and compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cofactor = Callable[..., Any]


@pytest.fixture
def runs(cofactor: Cofactor, shop_files: Path, tmp_path: Path) -> Path:
    """A folder with a run of compare and one of train."""
    events, folder = shop_files / "events.csv", tmp_path / "runs"
    compared = cofactor(
        *("compare", events, "--models", "big=ials:factors=8,epochs=2,ease", "--runs", folder)
    )
    assert compared.code == 0
    assert f"Kept as {folder}" in compared.out
    assert "is best" in compared.out
    out = tmp_path / "m"
    trained = cofactor("train", events, "--model", "ease", "--out", out, "--runs", folder)
    assert trained.code == 0
    return folder


def test_runs_are_listed_shown_and_compared(cofactor: Cofactor, runs: Path) -> None:
    listed = cofactor("runs", "list", runs, "--json").json["runs"]
    assert [sorted(run["models"]) for run in listed] == [
        ["big", "ease", "popularity"],
        ["ease", "popularity"],
    ]
    shown = cofactor("runs", "show", runs, "last")
    assert "train on" in shown.out
    assert "ease is" in shown.out
    assert "ease: ease, default settings\n" in shown.out
    first = cofactor("runs", "show", runs, listed[0]["id"])
    assert "big: ials, epochs=2, factors=8\n" in first.out
    facts = cofactor("runs", "compare", runs, listed[0]["id"], "last", "--json").json
    assert facts["same_split"]
    ease = [line for line in facts["comparison"] if line["model"] == "ease"]
    assert ease
    assert all(line["difference"] == 0 and line["p"] == 1 for line in ease)
    assert listed[0]["id"] in cofactor("runs", "list", runs).out


def test_what_is_asked_wrongly_is_said(cofactor: Cofactor, runs: Path, tmp_path: Path) -> None:
    assert cofactor("runs", "sow", runs).code == 2
    assert cofactor("runs", "compare", runs, "last").code == 2
    assert cofactor("runs", "list", runs, "last").code == 2
    assert "no folder of runs" in cofactor("runs", "list", tmp_path / "nowhere").sentence
    assert "holds no run x" in cofactor("runs", "show", runs, "x").sentence


def test_a_folder_that_cannot_be_is_refused_before_reading(
    cofactor: Cofactor, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = cofactor(
        *("compare", "/nowhere/at/all.csv", "--models", "ease", "--runs", tmp_path / "file")
    )
    assert "this is a file" in done.sentence
    refused = cofactor("train", "/nowhere/at/all.csv", "--track", "wandb:x")
    assert "must be written mlflow:EXPERIMENT" in refused.sentence
