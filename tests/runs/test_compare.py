"""Comparing models: several settings of one, failures that cost nothing, every metric tested."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cofactor
from cofactor.base.errors import ArgumentError, CofactorError, UnknownNameError
from cofactor.data.synthetic import power_law
from cofactor.runs.compare import compare, suitable

DATA = power_law(120, 50, 1500, seed=3)
ONE = cofactor.Run(threads=1)


def test_one_model_stands_there_with_several_settings_and_a_label() -> None:
    done = compare(DATA, ["ials", "ials:factors=4;epochs=2", "tiny=ials:factors=2"])
    assert list(done.results) == ["popularity", "ials", "ials:factors=4;epochs=2", "tiny"]
    assert done.models["ials:factors=4;epochs=2"].config.epochs == 2
    assert done.models["tiny"].config.factors == 2
    assert {row["model"] for row in done.rows()} == set(done.results)


def test_two_models_of_one_label_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"two models are called 'ials'.*mine=ials:SETTING"):
        compare(DATA, ["ials", "ials"])


def test_models_themselves_are_compared_by_their_settings() -> None:
    fitted = cofactor.IALS(factors=2, epochs=1).fit(DATA, run=ONE)
    done = compare(DATA, ["ease", fitted, cofactor.ItemKNN(neighbours=5)], metrics="ndcg@5")
    assert list(done.results) == ["popularity", "ease", "ials", "item_knn"]
    assert done.models["ials"].config.to_dict() == fitted.config.to_dict()
    assert done.models["item_knn"].config.neighbours == 5
    # It was fitted on the train part alone, and the caller's stays as it is.
    assert done.models["ials"] is not fitted
    assert len(fitted.data) == len(DATA) > len(done.models["ials"].data)


def test_models_may_stand_in_a_mapping_by_their_labels() -> None:
    several = {"one": cofactor.IALS(factors=2), "two": cofactor.IALS(factors=3), "three": "ease"}
    more = {"two": {"epochs": 1}}
    done = compare(DATA, several, settings=more, metrics="ndcg@5", baselines=False, run=ONE)
    assert list(done.results) == ["one", "two", "three"]
    assert [done.models[name].config.factors for name in ("one", "two")] == [2, 3]
    assert done.models["two"].config.epochs == 1


def test_two_models_of_one_name_need_labels() -> None:
    with pytest.raises(ArgumentError, match=r"two models are called 'ials'.*'mine': model"):
        compare(DATA, [cofactor.IALS(factors=2), cofactor.IALS(factors=3)])


@pytest.mark.parametrize("models", [[cofactor.IALS], [5], cofactor.IALS(), {"a": None}], ids=str)
def test_what_is_no_model_is_not_compared(models: object) -> None:
    with pytest.raises(ArgumentError, match="models must be models or names of them"):
        compare(DATA, models)  # type: ignore[arg-type]


def test_a_wrong_name_or_setting_is_refused_before_any_work() -> None:
    with pytest.raises(UnknownNameError, match="factors"):
        compare("/nowhere/at/all.csv", ["ials:factor=3", "ease"])


def test_a_model_that_fails_costs_the_others_nothing() -> None:
    done = compare(DATA, ["content_knn", "ease"])
    assert list(done.results) == ["popularity", "ease"]
    assert "catalogue" in done.failures["content_knn"]
    assert done.to_dict()["failures"] == done.failures


def test_where_every_model_fails_all_reasons_are_said() -> None:
    with pytest.raises(CofactorError, match=r"content_knn: .*bridge: "):
        compare(DATA, ["content_knn", "bridge"], baselines=False)


def test_every_metric_is_tested_against_its_own_best() -> None:
    done = compare(DATA, ["ease", "ials:factors=2"], metrics=["ndcg@5", "coverage@5", "auc"])
    tested = {test.metric for test in done.tests}
    assert tested == {m for m in ("ndcg@5", "auc") if m in done.results["ease"].values}
    for metric in tested:
        best = max(done.results, key=lambda name, m=metric: done.results[name][m])
        assert {t.second for t in done.tests if t.metric == metric} == {best}


def test_baselines_are_measured_unless_refused() -> None:
    rated = cofactor.Interactions.from_rows(
        DATA.user_rows, DATA.item_rows, np.arange(len(DATA)) % 5 + 1, users=120, items=50
    )
    assert list(compare(rated, ["biased_mf:epochs=2", "ease"], run=ONE).results)[:2] == [
        "popularity",
        "bias",
    ]
    assert list(compare(DATA, ["ease", "ials"], baselines=False, run=ONE).results) == [
        "ease",
        "ials",
    ]
    errors = compare(rated, ["biased_mf:epochs=2"], metrics=["rmse"], run=ONE)
    # Popularity has none.
    assert (list(errors.results), errors.failures) == (["bias", "biased_mf:epochs=2"], {})


def test_the_models_that_are_taken_suit_the_data() -> None:
    plain = cofactor.Interactions.from_rows(DATA.user_rows, DATA.item_rows, users=120, items=50)
    assert suitable(plain) == ["popularity", "item_knn", "ease", "ials", "bpr"]
    assert suitable(DATA) == [*suitable(plain), "bias", "biased_mf", "svdpp"]  # it has ratings
    bought = np.minimum(np.random.default_rng(0).geometric(0.6, len(DATA)), 9)
    counted = replace(plain, values=bought.astype(np.float32))
    assert suitable(counted) == suitable(plain)  # quantities are no ratings
    assert list(compare(plain, metrics=["ndcg@5"], run=ONE).results) == suitable(plain)


def test_a_report_that_cannot_be_written_is_refused_before_fitting(tmp_path: Path) -> None:
    from cofactor.cli.output import check_writable

    with pytest.raises(ArgumentError, match=r"--report .*there is no folder"):
        check_writable(str(tmp_path / "no" / "report.html"), "--report")
    with pytest.raises(ArgumentError, match="this is a folder"):
        check_writable(str(tmp_path), "--report")


def test_models_may_stand_in_one_text() -> None:
    made = compare(DATA, "popularity, ials:factors=2,epochs=1", baselines=False)
    assert list(made.models) == ["popularity", "ials:factors=2,epochs=1"]
