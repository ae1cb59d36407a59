"""Numbers that leave float32, or sense, are said when a model is fitted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import cofactor
from cofactor.base.errors import TrainingError
from cofactor.data.synthetic import shop
from cofactor.models import registry
from cofactor.models.checks.learned import check_learned

ONE = cofactor.Run(threads=1)


@pytest.fixture(scope="module")
def data():
    return shop(n_users=60, n_items=30)


def test_weights_of_1e18_are_said(data):
    large = replace(data, values=np.full(len(data), 1e18, np.float32))
    with pytest.raises(TrainingError, match="ials learned nothing: every vector is 0"):
        cofactor.IALS(confidence="linear", unobserved_weight=2.0, regularization=0.01).fit(
            large, run=ONE
        )
    # By default the unobserved weight follows that of observed pairs.
    cofactor.IALS(confidence="linear").fit(large, run=ONE)
    cofactor.IALS(confidence="log").fit(large, run=ONE)


@pytest.mark.parametrize("name", ["bpr", "warp", "biased_mf", "svdpp", "logistic_mf"])
def test_a_learning_rate_of_1e6_is_said(data, name):
    with pytest.raises(TrainingError, match="learning.rate"):
        registry.get(name)(learning_rate=1e6, epochs=3).fit(data, run=ONE)


def test_infinity_among_finite_numbers_whose_sum_is_none():
    array = np.ones((4, 4), np.float32)
    check_learned(
        "m", {"user_factors": array, "alpha0": np.ones(1), "n": np.arange(3)}, rates=False
    )
    for bad in (np.nan, np.inf, -np.inf):
        array[2, 1] = bad
        with pytest.raises(TrainingError, match="NaN or infinity in weights"):
            check_learned("m", {"weights": array}, rates=True)
    array[2, 1] = 2e3
    check_learned("m", {"user_factors": array}, rates=True)
    with pytest.raises(TrainingError, match=r"user_factors holds numbers as large as 2e\+03"):
        check_learned("m", {"user_factors": array}, rates=False)


@pytest.mark.parametrize(
    ("model", "cure"),
    [
        (cofactor.EASE(), "; raise regularization or look for extreme values"),
        (cofactor.BPR(), "; lower learning_rate, raise regularization or look for extreme values"),
        (cofactor.Bias(), "; look for extreme values"),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_only_settings_that_a_model_has_are_named(model, cure):
    for bad, what in ((np.nan, "NaN or infinity"), (1e30, r"numbers beyond 1.8e\+19")):
        arrays = {"weights": np.array([bad])}
        with pytest.raises(TrainingError, match=f"ended with {what} in weights{cure}"):
            check_learned(model.name, arrays, rates=True, settings=model.config.settings())


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            cofactor.BPR(init_scale=1e6, epochs=1),
            "lower learning_rate, raise regularization or lower",
        ),
        (cofactor.BPR(init_scale=1e-60, epochs=1), "0; lower regularization or raise init_scale."),
        (cofactor.IALS(regularization=1e6), "lower unobserved_weight, .*confidence='log'"),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_vectors_too_large_or_all_zero_name_what_helps(data, model, said):
    with pytest.raises(TrainingError, match=said):
        model.fit(data, run=ONE)
