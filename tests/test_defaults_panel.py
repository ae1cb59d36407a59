"""The regret of defaults: kept, not measured twice, and the test part decides nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks import defaults, panel

from cofactor.base.run import Run
from cofactor.models import registry
from cofactor.models.defaults.popularity_term import out_of_date


def ledger_of(path: Path) -> defaults.Ledger:
    ledger = defaults.Ledger(path)
    for model, settings, validation, test in (
        ("popularity", {}, 0.10, 0.11),
        ("ease", {}, 0.18, 0.16),
        ("ease", {"regularization": 50.0}, 0.20, 0.20),
        ("ease", {"regularization": 500.0}, 0.19, 0.30),
        ("ials", {}, 0.09, 0.08),
        ("ials", {"factors": 16}, 0.25, 0.25),
    ):
        row = {"set": "a", "model": model, "settings": settings}
        ledger.put({**row, "validation": validation, "test": test})
    return ledger


def test_regret_is_against_what_was_best_on_the_validation_part(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path / "a.jsonl")
    models = ["popularity", "ease", "ials"]
    ease = defaults.regret(ledger, "a", "ease", models, "test")
    assert ease is not None
    # .30 on the test part is of a setting that validation didn't choose.
    assert ease.best == {"regularization": 50.0}
    assert ease.to_own == pytest.approx(0.2)
    assert ease.to_any == pytest.approx(1 - 0.16 / 0.25)
    assert not ease.below
    ials = defaults.regret(ledger, "a", "ials", models, "test")
    assert ials is not None
    assert ials.below
    (line,) = [x for x in defaults.report(ledger, ["a"], models, "test") if "ials" in x]
    assert "**below**" in line


def test_a_default_alone_has_no_regret(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path / "a.jsonl")
    for name, value in (("popularity", 0.1), ("ease", 0.2)):
        ledger.put({"set": "b", "model": name, "settings": {}, "validation": value})
    line = defaults.report(ledger, ["a", "b"], ["popularity", "ease"], "validation")[-1]
    assert line == "| ease | 10.0% | 10.0% | 0 | 10.0% (10.0%) | - (0.0%) |"


def test_where_nothing_is_found_the_default_misses_nothing(tmp_path: Path) -> None:
    ledger = defaults.Ledger(tmp_path / "a.jsonl")
    for name in ("popularity", "ease"):
        ledger.put({"set": "a", "model": name, "settings": {}, "validation": 0.0})
    found = defaults.regret(ledger, "a", "ease", ["popularity", "ease"], "validation")
    assert found is not None
    assert (found.to_own, found.to_any, found.below) == (0.0, 0.0, False)


def test_values_of_defaults_are_bold_where_they_are_below_the_baseline(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path / "a.jsonl")
    lines = defaults.of_defaults(ledger, ["a", "b"], ["popularity", "ease", "ials"], "validation")
    assert lines[2:] == ["| a | .1000 | .1800 | **.0900** |"]
    assert set(defaults.KINDS["fresh"].tried) == set(defaults.RANKING)


def test_what_was_measured_is_kept_and_the_last_value_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    ledger_of(path).put({"set": "a", "model": "ease", "settings": {}, "validation": 0.21})
    again = defaults.Ledger(path)
    assert again.get("a", "ease", {}) == {
        "set": "a",
        "model": "ease",
        "settings": {},
        "validation": 0.21,
        "test": 0.16,
    }
    again.compact()
    assert defaults.Ledger(path).rows == again.rows
    assert len(path.read_text().splitlines()) == 6


def test_draws_lie_within_the_declared_space_and_repeat() -> None:
    kind = registry.get("ials")
    first, second = (list(defaults.draws(kind, "ials", 5)) for _ in range(2))
    assert first == second
    assert len(first) == 5
    for settings in first:
        assert all(value in kind.Config.search[name] for name, value in settings.items())
        kind(**settings)


def test_simulated_data_has_the_shape_that_its_name_says() -> None:
    dense, counts = panel.simulated(200, 60, 0.2), panel.simulated(150, 80, 0.1, counts=600.0)
    assert dense.values is None
    assert 0.1 < dense.density < 0.3
    assert counts.values is not None
    assert counts.values.mean() == pytest.approx(600, rel=0.02)
    timed = panel.simulated(100, 50, 0.1, drift=0.5)
    assert timed.times is not None
    assert np.ptp(timed.times) > 5e6
    scaled = panel.on_scale(counts, 5.0, -15.0)
    np.testing.assert_allclose(scaled.values, 5 * counts.values - 15)


def test_few_ratings_are_compared_with_the_baseline(tmp_path: Path) -> None:
    ledger = defaults.Ledger(tmp_path / "a.jsonl")
    for data, model, settings, value in (
        ("a", "bias", {}, 1.0),
        ("b", "bias", {}, 2.0),
        ("a", "svdpp", {}, 1.01),
        ("b", "svdpp", {}, 2.0),
        ("a", "svdpp", {"bias_weight": 0.0}, 1.03),
    ):
        row = {"set": data, "model": model, "settings": settings, "validation": value}
        ledger.put(row)
    lines = defaults.above_baseline(ledger, ["a", "b"], ["bias", "svdpp"], "validation")
    assert lines[2:] == [
        "| svdpp | default | 2 | 0.50% | 1.00% |",
        '| svdpp | "bias_weight": 0.0 | 1 | 3.00% | 3.00% |',
    ]
    assert len(panel.FEW) == 20
    parts = panel.FEW["3 ratings, seed 0"]()
    assert parts.validation is not None
    assert 3 <= len(panel.few_ratings(600, 200, 3.1, personal=0.3)) / 600 < 3.3


def test_the_term_of_popularity_is_shown_without_and_with_it(tmp_path: Path) -> None:
    ledger = defaults.Ledger(tmp_path / "a.jsonl")
    for seed, model, settings, value in (
        (1, "popularity", {}, 0.1),
        (2, "popularity", {}, 0.2),
        (1, "ease", {}, 0.3),
        (2, "ease", {}, 0.4),
        (1, "ease", {"popularity_weight": 0.0}, 0.25),
        (2, "ease", {"popularity_weight": 0.0}, 0.35),
        (1, "item_knn", {}, 0.2),
        (1, "item_knn", {"popularity_weight": 0.0}, 0.2),
    ):
        row = {"set": f"a, seed {seed}", "model": model, "settings": settings}
        ledger.put({**row, "validation": value})
    models = ["popularity", "ease", "item_knn"]
    lines = defaults.without_and_with(ledger, ["a, seed 1", "a, seed 2"], models, "validation")
    assert lines[2:] == ["| a | .1500 | .3000 → .3500 | .2000 |"]


def test_a_catalogue_that_turns_over_is_out_of_date_and_one_in_any_order_is_not() -> None:
    turning = panel.turning(200, 100, 0.3)
    assert out_of_date(turning, Run(seed=0))
    assert not out_of_date(panel.walked(200, 100, 8.0, follow=0.05), Run(seed=0))
    assert len(panel.ORDER) == 18
    assert len(panel.TURNING) == 12
    parts = panel.ORDER["alike, 80 users, 60 items, seed 31"]()
    assert parts.validation is not None
