"""Models to compare, in words: settings after commas, labels, studies."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import cofactor
from cofactor.base.errors import ArgumentError, UnknownNameError
from cofactor.base.search import log
from cofactor.data.synthetic import power_law
from cofactor.runs.compared_models import split_entries, unfitted
from cofactor.runs.words import verdict

DATA = power_law(120, 50, 1500, seed=3)
ONE = cofactor.Run(threads=1)


@pytest.mark.parametrize(
    ("text", "models"),
    [
        ("ials", ["ials"]),
        ("ials, ease,", ["ials", "ease"]),
        ("ials,big=ials:factors=256,epochs=20", ["ials", "big=ials:factors=256,epochs=20"]),
        ("big=ials:factors=256,epochs=20,ease", ["big=ials:factors=256,epochs=20", "ease"]),
        ("a=ials:factors=2;epochs=3,b=ease", ["a=ials:factors=2;epochs=3", "b=ease"]),
        (
            "s=sequence_linear:decays=0.4,0.8,regularization=9,tuned=study.db",
            ["s=sequence_linear:decays=0.4,0.8,regularization=9", "tuned=study.db"],
        ),
        ("ials:factors=4,ials:factors=8", ["ials:factors=4", "ials:factors=8"]),
    ],
)
def test_commas_part_settings_and_models(text: str, models: list[str]) -> None:
    assert split_entries(text) == models


def test_settings_are_read_with_commas_and_lists() -> None:
    made = unfitted(["big=ials:factors=256,epochs=20", "s=sequence_linear:decays=0.4,0.8"], {})
    assert (made["big"].config.factors, made["big"].config.epochs) == (256, 20)
    assert made["s"].config.decays == (0.4, 0.8)


def test_more_settings_of_a_label_and_what_is_refused() -> None:
    assert unfitted(["a=ials:factors=4"], {"a": ["epochs=3"]})["a"].config.epochs == 3
    with pytest.raises(ArgumentError, match="settings are given for b, but the models are a"):
        unfitted(["a=ials"], {"b": ["epochs=3"]})
    with pytest.raises(UnknownNameError, match="eese"):
        unfitted(["eese"], {})
    with pytest.raises(ArgumentError, match=r"there is no study nowhere\.db"):
        unfitted(["nowhere.db"], {})


def test_a_study_stands_for_its_best_settings(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    study = tmp_path / "study.db"
    found = cofactor.tune(
        DATA, "ease", search={"regularization": log(1.0, 5000.0)}, trials=4, out=study, run=ONE
    )
    best = cofactor.EASE(**found.settings).config
    assert unfitted([f"tuned={study}"], {})["tuned"].config == best
    changed = unfitted([f"tuned={study}:dropout=0.25"], {})["tuned"].config
    assert changed == best.replace(dropout=0.25)
    done = cofactor.compare(DATA, ["ease", f"tuned={study}"], run=ONE)
    assert done.models["tuned"].config == best
    (tmp_path / "other.db").write_bytes(b"no study")
    with pytest.raises(ArgumentError, match="isn't a study of cofactor tune"):
        unfitted([str(tmp_path / "other.db")], {})


def test_a_comparison_says_what_its_tests_mean() -> None:
    done = cofactor.compare(DATA, ["ease", "again=ease", "ials:factors=2"], metrics=["ndcg@5"])
    first, *rest = done.sentences()
    assert first.startswith("ndcg@5: ease, again are equal and best; not significantly worse: ")
    assert done.best == "ease"
    p_of = {row["model"]: row["p vs best"] for row in done.rows()}
    assert (p_of["ease"], p_of["again"]) == ("equal", "equal")
    assert p_of["popularity"] not in ("", "equal")
    lost = [t for t in done.tests if t.better is not None]
    assert all(t.first not in first.partition("worse:")[2] for t in lost)
    assert done.to_dict()["sentences"] == [first, *rest]


def test_models_that_are_all_equal_have_no_best_one() -> None:
    done = cofactor.compare(DATA, ["ease", "again=ease"], metrics=["ndcg@5"], baselines=False)
    assert done.sentences() == ["ndcg@5: ease, again are equal."]
    assert verdict(done.tests[0], "again") == "again and ease are equal (ndcg@5, each user)."


def test_metrics_of_which_the_tests_say_the_same_share_a_sentence() -> None:
    done = cofactor.compare(
        DATA, ["ease", "again=ease"], metrics=["ndcg@5", "recall@5"], baselines=False
    )
    assert done.sentences() == ["ndcg@5, recall@5: ease, again are equal."]
    quick = replace(done, seconds=dict.fromkeys(done.seconds, 0.001))
    assert re.search(r"(?m)^ease .* 0\.00 +equal", repr(quick))


def test_a_model_that_is_no_better_than_popularity_is_named() -> None:
    done = cofactor.compare(
        DATA, ["ease", "poor=bpr:epochs=1,learning_rate=0.0001"], metrics=["ndcg@5"]
    )
    assert done.sentences()[-1].startswith("Not significantly better than popularity: ")
    assert "poor" in done.sentences()[-1]
