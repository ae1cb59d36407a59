"""Settings in words, by name or as a configuration: the same in train, compare and tune."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import cofactor
from cofactor.base.errors import ArgumentError, UnknownNameError
from cofactor.data.synthetic import power_law
from cofactor.runs.compared_models import unfitted

DATA = power_law(60, 30, 600, seed=3)
ONE = cofactor.Run(threads=1)
FORMS: list[Any] = [
    ["regularization=7", "keep=9"],
    {"regularization": 7.0, "keep": 9},
    cofactor.EASE.Config(regularization=7.0, keep=9),
]


@pytest.mark.parametrize("settings", FORMS, ids=["words", "mapping", "configuration"])
def test_train_takes_settings_in_any_form(settings: Any, tmp_path: Path) -> None:
    done = cofactor.train(DATA, "ease", tmp_path / "m", settings=settings, run=ONE)
    assert (done.model.config.regularization, done.model.config.keep) == (7.0, 9)


@pytest.mark.parametrize("more", FORMS, ids=["words", "mapping", "configuration"])
def test_compare_takes_settings_of_a_label_in_words_or_by_name(more: Any) -> None:
    made = unfitted(["a=ease:bm25_k1=5", "ease"], {"a": more})["a"].config
    assert (made.regularization, made.keep, made.bm25_k1) == (7.0, 9, 5.0)


def test_tune_keeps_what_is_given_by_name() -> None:
    pytest.importorskip("optuna")
    found = cofactor.tune(DATA, "ease", settings={"regularization": 7.0}, trials=2, run=ONE)
    assert found.settings["regularization"] == 7.0


def test_what_settings_by_name_can_not_be(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean regularization"):
        cofactor.train(DATA, "ease", tmp_path / "m", settings={"regularisation": 7.0})
    with pytest.raises(ArgumentError, match="factors=7 is a setting of one model"):
        cofactor.train(DATA, out=tmp_path / "m", settings={"factors": 7})


def test_objects_say_in_a_line_what_they_hold() -> None:
    histories = DATA.histories()
    assert repr(histories) == "Histories(60 users, 600 events of 30 items, values, times)"
    rules = cofactor.Rerank.parse("mmr=0.7 by genres; cap=2 by author")
    assert repr(rules) == "Rerank.parse('mmr=0.7 by genres; cap=2 by author')"
    lists = cofactor.LoggedLists(["a", "a"], [["x"], ["y"]], [[1.0], [0.5]], [[0.0], [1.0]])
    assert repr(lists) == "LoggedLists(2 lists of 1 users, from the log)"
