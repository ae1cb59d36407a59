"""Cross-validation: each interaction is tested once, baselines stand beside, folds are tested."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy  # imports stats, a third of a second, where it is used

import cofactor
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.data.splits import k_fold
from cofactor.data.synthetic import power_law

DATA = power_law(120, 50, 1500, seed=3)
RUN = Run(seed=4, threads=1)


def test_every_fold_is_what_fitting_and_measuring_it_gives() -> None:
    found = cofactor.cross_validate("ease", DATA, folds=3, metrics="ndcg@5,mrr", run=RUN)
    parts = list(k_fold(DATA, 3, seed=RUN.seed))
    models = [cofactor.EASE().fit(one.train, run=RUN) for one in parts]
    alone = [
        cofactor.evaluate(model, one, "mrr")["mrr"]
        for model, one in zip(models, parts, strict=True)
    ]
    assert found.metrics == ("ndcg@5", "mrr")
    assert found.values("mrr") == pytest.approx(alone)
    assert found["mrr"] == pytest.approx(np.mean(alone))
    row = found.rows()[1]
    assert row["deviation"] == pytest.approx(np.std(alone, ddof=1))
    assert row["fold 2"] == pytest.approx(alone[1])
    assert row["popularity"] == pytest.approx(
        np.mean([result["mrr"] for result in found.baselines["popularity"]])
    )


def test_a_model_is_cloned_and_stays_as_it_is() -> None:
    model = cofactor.EASE(regularization=7.0)
    found = cofactor.cross_validate(model, DATA, folds=2, run=RUN)
    assert found.folds[0].config["regularization"] == 7.0
    with pytest.raises(cofactor.CofactorError):
        _ = model.data


def test_the_test_over_folds_is_corrected_for_their_common_training_data() -> None:
    found = cofactor.cross_validate("ease", DATA, folds=4, metrics="ndcg@5", run=RUN)
    difference = found.values("ndcg@5") - np.array(
        [result["ndcg@5"] for result in found.baselines["popularity"]]
    )
    spread = difference.var(ddof=1) * (1 / 4 + 1 / 3)
    t = difference.mean() / math.sqrt(spread)
    assert found.p_against("popularity", "ndcg@5") == pytest.approx(
        2 * scipy.stats.t.sf(abs(t), 3), rel=1e-3
    )
    assert "than popularity (ndcg@5" in found.sentences()[0]
    assert "ease on 4 folds" in repr(found)
    assert found.to_dict()["sentences"] == found.sentences()


def test_given_splits_are_the_folds() -> None:
    parts = list(k_fold(DATA, 5, seed=9))[:2]
    found = cofactor.cross_validate("popularity", DATA, folds=parts, run=RUN)
    assert [r.how.fingerprint for r in found.folds] == [one.fingerprint for one in parts]
    assert found.baselines == {}
    with pytest.raises(ArgumentError, match="validation is for folds that are drawn"):
        cofactor.cross_validate("ease", DATA, folds=parts, validation=0.1)
    with pytest.raises(ArgumentError, match="at least one split"):
        cofactor.cross_validate("ease", DATA, folds=[])


def test_models_of_ratings_stand_beside_bias() -> None:
    found = cofactor.cross_validate("biased_mf", DATA, folds=2, metrics="rmse,ndcg@5", run=RUN)
    assert set(found.baselines) == {"popularity", "bias"}
    assert any("than bias (rmse" in said for said in found.sentences())


def test_settings_are_searched_over_folds_by_set_params() -> None:
    model = cofactor.EASE()
    values = {}
    for regularization in (1.0, 200.0):
        model.set_params(regularization=regularization)
        found = cofactor.cross_validate(model, DATA, folds=2, metrics="ndcg@5", run=RUN)
        values[model.get_params()["regularization"]] = found["ndcg@5"]
    assert values[1.0] != values[200.0]
    assert set(values) == {1.0, 200.0}
