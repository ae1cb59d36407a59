"""Tuning: the validation part decides, the test part is asked once, a study goes on."""

from __future__ import annotations

import gc
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import cache
from itertools import chain, count, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import cofactor
from cofactor.base.errors import (
    ArgumentError,
    CofactorError,
    TrainingError,
    TraitError,
    UnknownNameError,
)
from cofactor.base.search import Choices, Range, among, between, log, parse_search
from cofactor.data.split import Part
from cofactor.data.splits import split
from cofactor.data.synthetic import power_law
from cofactor.metrics.table import parse_metric
from cofactor.models import registry
from cofactor.runs import trials as trials_module
from cofactor.runs.source import Cutting
from cofactor.runs.study import best_of_study
from cofactor.runs.trials import Bench

pytest.importorskip("optuna")
DATA = power_law(120, 50, 1500, seed=3)
RATED = replace(DATA, values=np.random.default_rng(0).integers(1, 6, len(DATA)).astype(float))
ONE = cofactor.Run(threads=1)
QUICK: dict[str, Any] = {"search": {"regularization": log(1.0, 5000.0)}, "trials": 4, "run": ONE}
COVERED = (
    "ials",
    "ease",
    "item_knn",
    "bpr",
    "warp",
    "logistic_mf",
    "biased_mf",
    "svdpp",
    "graph_filter",
    "simplex",
    "transitions",
)


@cache
def tuned() -> Any:
    """A quick search; tests don't change what it found."""
    return cofactor.tune(DATA, "ease", **QUICK)


@cache
def tuned_again() -> tuple[Any, list[Part]]:
    """The same search, and the parts that its trials are measured on."""
    seen: list[Part] = []
    real = trials_module.evaluate

    def watched(model: Any, part: Part, *words: Any, **options: Any) -> Any:
        seen.append(part)
        return real(model, part, *words, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trials_module, "evaluate", watched)
        return cofactor.tune(DATA, "ease", **QUICK), seen


@pytest.mark.parametrize("name", COVERED)
def test_every_declared_space_lies_within_what_its_setting_may_be(name: str) -> None:
    config = registry.get(name).Config
    assert len(config.search) >= 5
    for setting, one in config.search.items():
        for value in one.ends:
            # Of the same type, too: an integer setting is searched over integers.
            kept = getattr(config(**{setting: value}), setting)
            assert kept == value
            assert type(kept) is type(value)


@pytest.mark.parametrize(
    ("text", "space"),
    [
        ("8..64", between(8, 64)),
        ("log:1e-4..1", log(1e-4, 1)),
        ("0..0.5", between(0, 0.5)),
        ("cg,subspace", among("cg", "subspace")),
    ],
)
def test_a_space_is_read_from_words(text: str, space: Range | Choices) -> None:
    assert parse_search(text) == space
    assert parse_search(str(space)) == space


@pytest.mark.parametrize("text", ["", "8", "8..", "a..b", "log:0..1", "5..1", "lin:1..2"])
def test_what_is_no_space_is_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match=r"search space must be written|range must"):
        parse_search(text)


def test_the_best_settings_are_chosen_on_validation_and_reproduced_by_the_words() -> None:
    done = tuned()
    assert done.counts == {"finished": 4, "pruned": 0, "failed": 0}
    parts = split(DATA, "per-user", test=0.2, validation=0.1, seed=0)
    assert done.split.fingerprint == parts.fingerprint

    def on_validation(model: Any) -> float:
        return cofactor.evaluate(model.fit(parts.train), parts.validation, "ndcg@10")["ndcg@10"]

    assert done.default_value == pytest.approx(on_validation(cofactor.EASE()))
    assert done.value == pytest.approx(on_validation(cofactor.EASE(**done.settings)))
    assert done.value >= done.default_value
    assert done.curve[0] == (1, done.default_value)  # the first trial
    assert done.curve[-1][1] == done.value
    words = done.command(["shop.csv"]).split()
    assert words[:5] == ["cofactor", "train", "shop.csv", "--model", "ease"]
    given = [words[n + 1] for n, word in enumerate(words) if word == "--set"]
    assert cofactor.EASE.Config.from_text(given) == cofactor.EASE.Config(**done.settings)
    assert repr(done).startswith(f"ease: {', '.join(given)}\n")
    assert "Tuned ease" in done._repr_html_()


def test_the_test_part_is_measured_once_by_models_fitted_on_the_rest() -> None:
    done = tuned()
    assert list(done.compared.results) == ["tuned", "default", "popularity"]
    whole = done.split.with_validation_merged()
    assert done.compared.split.fingerprint == whole.fingerprint
    expected = cofactor.evaluate(cofactor.EASE(**done.settings).fit(whole.train), whole, "ndcg@10")
    assert done.compared.results["tuned"]["ndcg@10"] == pytest.approx(expected["ndcg@10"])
    assert done.test_looks == 1
    assert {test.first for test in done.verdicts} | {t.second for t in done.verdicts} == {
        "tuned",
        "default",
        "popularity",
    }
    assert "The test part was looked at once" in done.sentences()[-1]


def test_no_trial_looks_at_the_test_part() -> None:
    done, seen = tuned_again()
    assert len(seen) == 4
    assert all(part is done.split.validation for part in seen)


def test_a_search_is_the_same_from_the_same_seed() -> None:
    first, (second, _) = tuned(), tuned_again()
    assert first.curve == second.curve
    assert first.settings == second.settings


def test_a_study_goes_on_from_its_file_and_counts_its_looks(tmp_path: Path) -> None:
    """Also if the search was killed during a trial."""
    optuna = pytest.importorskip("optuna")
    file = tmp_path / "study.db"
    quick = {**QUICK, "out": file}
    assert cofactor.tune(DATA, "ease", **{**quick, "trials": 2}).counts["finished"] == 2
    there = {"skip_table_creation": True, "skip_compatibility_check": True}
    storage = optuna.storages.RDBStorage(f"sqlite:///{file}", **there)
    optuna.load_study(study_name="cofactor", storage=storage).ask()  # left on its way
    storage.engine.dispose()
    done = cofactor.tune(DATA, "ease", **quick)
    assert done.counts == {"finished": 4, "pruned": 0, "failed": 0}
    assert done.test_looks == 2
    assert "looked at 2 times" in done.sentences()[-1]
    with closing(sqlite3.connect(file)) as database:
        (kept,) = database.execute("SELECT count(*) FROM trials WHERE state='COMPLETE'").fetchone()
    assert kept == 4


def test_an_interrupted_search_keeps_its_trials_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    quick, real, calls = {**QUICK, "out": tmp_path / "study.db"}, Bench.measure, count(1)

    def interrupted(self: Bench, config: Any, watch: Any) -> Any:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return real(self, config, watch)

    monkeypatch.setattr(Bench, "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cofactor.tune(DATA, "ease", **quick)
    done = cofactor.tune(DATA, "ease", **quick)
    assert next(calls) == 6  # 2 whole trials and a broken one before, 2 after
    assert done.counts == {"finished": 4, "pruned": 0, "failed": 0}
    assert done.test_looks == 1  # the interrupted search hadn't asked


def test_epochs_prune_and_the_best_one_is_kept() -> None:
    done = cofactor.tune(
        DATA,
        "ials",
        settings=["factors=8"],
        trials=10,
        search={"regularization": log(1e-3, 100.0), "unobserved_weight": log(1e-3, 10.0)},
    )
    assert done.counts["pruned"] > 0
    assert sum(done.counts.values()) == 10
    assert done.settings["factors"] == 8  # what is set stays, and isn't searched
    assert "factors" not in done.searched
    assert 1 <= done.settings.get("epochs", 8) <= 8


@pytest.mark.parametrize("name", COVERED)
def test_every_declared_space_is_searched(name: str) -> None:
    """Also where epochs are searched, and end at the best one."""
    config = registry.get(name).Config
    small = {
        setting: replace(one, low=min(one.low, 2), high=4)
        for setting, one in config.search.items()
        if setting in ("epochs", "factors", "neighbours", "window") and isinstance(one, Range)
    }
    data = RATED if registry.get(name).traits.predicts_ratings else DATA
    # Simplex's epochs and negatives aren't searched, and all of them in each fit take seconds.
    short = ["epochs=2", "negatives=4"] if name == "simplex" else []
    run = cofactor.Run(threads=1)
    done = cofactor.tune(data, name, settings=short, trials=3, search=small, run=run)
    assert done.counts["failed"] == 0
    assert done.counts["finished"] >= 2
    assert set(done.searched) == set(config.search)
    assert "default" in done.compared.results
    if "epochs" in small and done.value != done.default_value:
        assert done.settings["epochs"] <= 4


def test_several_seeds_are_averaged() -> None:
    parts = split(DATA, "per-user", test=0.2, validation=0.1, seed=0)
    kind, run = registry.get("ials"), cofactor.Run(seed=5, threads=1)
    config = kind.Config(factors=4, epochs=2)
    metric = parse_metric("ndcg@10")
    seen: list[tuple[int, int]] = []

    def watch(seed: int, epoch: int, value: float | None) -> None:
        assert value is not None
        seen.append((seed, epoch))

    both = Bench(kind, parts, metric, 2, run).measure(config, watch).value
    alone = [
        Bench(kind, parts, metric, 1, cofactor.Run(seed=seed, threads=1))
        .measure(config, lambda *_: None)
        .value
        for seed in (5, 6)
    ]
    assert alone[0] != alone[1]
    assert both == pytest.approx(np.mean(alone))
    assert seen == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_a_budget_ends_the_search_after_the_default_settings() -> None:
    done = cofactor.tune(DATA, "ials", settings=["factors=4"], trials=500, budget=1e-6)
    assert done.counts == {"finished": 1, "pruned": 0, "failed": 0}
    assert done.value == done.default_value


def test_a_budget_stops_a_trial_on_its_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from cofactor.runs import tune as tune_module

    # Asked when the search begins, before the second trial, and after each of its epochs.
    moments = chain([0.0, 0.0, 0.0], repeat(100.0))
    clock = SimpleNamespace(monotonic=lambda: next(moments))
    monkeypatch.setattr(tune_module, "time", clock)
    settings = ["factors=4", "epochs=3", "patience=0"]
    file = tmp_path / "study.db"
    done = cofactor.tune(DATA, "ials", settings=settings, trials=9, budget=50, out=file)
    assert done.counts == {"finished": 1, "pruned": 0, "failed": 0}
    with closing(sqlite3.connect(file)) as database:
        states = [state for (state,) in database.execute("SELECT state FROM trials ORDER BY 1")]
        steps = database.execute("SELECT max(step) FROM trial_intermediate_values WHERE trial_id=2")
        assert states == ["COMPLETE", "FAIL"]
        assert steps.fetchone() == (1,)  # the second epoch was one too many


def test_ratings_are_searched_by_rmse_and_lower_is_better() -> None:
    done = cofactor.tune(
        RATED,
        "biased_mf",
        settings=["epochs=3", "factors=4"],
        trials=4,
        search={"regularization": log(1e-3, 10.0)},
        cutting=Cutting(how="random", validation=0.2),
    )
    assert done.metric == "rmse"
    assert done.default_value is not None
    assert done.value <= done.default_value
    assert list(done.compared.results)[-2:] == ["default", "bias"]
    values = [value for _, value in done.curve]
    assert values == sorted(values, reverse=True)


def test_a_trial_that_fails_is_counted_and_the_search_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = Bench.measure

    def fragile(self: Bench, config: Any, watch: Any) -> Any:
        if config.regularization == 200.0:  # the default
            raise TrainingError("it diverged.")
        return real(self, config, watch)

    monkeypatch.setattr(Bench, "measure", fragile)
    done = cofactor.tune(DATA, "ease", **QUICK)
    assert done.counts == {"finished": 3, "pruned": 0, "failed": 1}
    assert done.default_value is None


def test_where_every_trial_fails_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise TrainingError("it diverged.")

    monkeypatch.setattr(Bench, "measure", broken)
    with pytest.raises(CofactorError, match=r"no trial could be finished. it diverged\."):
        cofactor.tune(DATA, "ease", **QUICK)


@pytest.mark.parametrize("name", ["ease", "ials"])
def test_defaults_that_nothing_beats_are_said_to_be_best(name: str) -> None:
    done = cofactor.tune(DATA, name, trials=1)
    assert done.settings == {}  # of a model in epochs, too: they stay whole
    assert list(done.compared.results) == ["default", "popularity"]
    assert "No settings were better than the defaults" in done.sentences()[0]


def test_tuning_that_did_not_pay_is_said_to_have_not_paid() -> None:
    done = tuned()
    (test,) = [t for t in done.verdicts if "default" in (t.first, t.second)]
    sentence = "Nothing shows that tuning improved on the default settings."
    for better in ("tuned", "default", None):
        verdicts = (replace(test, better=better),)
        assert (sentence in replace(done, verdicts=verdicts).sentences()) == (better != "tuned")


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"search": {"factor": log(1, 2)}}, UnknownNameError, "factor"),
        ({"search": {"dropout": between(0.0, 1.5)}}, ArgumentError, "dropout"),
        (
            {"search": {"dropout": between(0.0, 0.5)}, "settings": ["dropout=0"]},
            ArgumentError,
            "is both set and searched",
        ),
        ({"trials": 0}, ArgumentError, "trials"),
        ({"cutting": Cutting()}, ArgumentError, "validation part"),
        ({"out": "/nowhere/at/all/study.db"}, ArgumentError, "no folder"),
        ({"out": "what?.db"}, ArgumentError, "question mark"),
        ({"metric": "rmse"}, TraitError, "^ease doesn't predict ratings, so rmse can't"),
    ],
)
def test_what_is_wrong_is_refused(options: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        cofactor.tune(DATA, "ease", **options)


def test_a_model_without_a_space_asks_for_one() -> None:
    with pytest.raises(ArgumentError, match=r"nothing to search in popularity"):
        cofactor.tune(DATA, "popularity")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are seen on Linux")
def test_a_studys_file_is_closed_when_the_search_is_over(tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    cofactor.tune(DATA, "ease", **{**QUICK, "trials": 1}, out=file)
    gc.disable()
    try:
        best_of_study(file)
        held = [os.path.realpath(one) for one in Path("/proc/self/fd").iterdir()]
    finally:
        gc.enable()
    assert str(file.resolve()) not in held
