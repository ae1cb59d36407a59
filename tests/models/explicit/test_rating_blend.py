"""A blend of models of ratings predicts ratings, with weights of the least squared error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cofactor
from cofactor.base.errors import TraitError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.data.splits import split
from cofactor.metrics.table import parse_metric
from cofactor.models.blends.blend import Blend
from cofactor.models.blends.blend_weights import least_squares_weights
from cofactor.runs.automatic import families
from cofactor.runs.automatic.blending import Blended, best_blend
from cofactor.runs.automatic.trials import Allowance, FamilyTrial

RUN = Run(seed=1, threads=1)
WORDS = ("1.factors=4", "1.epochs=4", "3.factors=4", "3.sweeps=20", "3.burn_in=5")


def rated(times: float = 1.0) -> Interactions:
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((150, 60)) < 0.5)
    p, q = rng.standard_normal((150, 3)), rng.standard_normal((60, 3))
    values = np.clip(np.rint(3 + 0.7 * (p[users] * q[items]).sum(1)), 1, 5).astype(np.float32)
    return Interactions.from_rows(users, items, times * values, users=150, items=60)


@pytest.fixture(scope="module")
def parts() -> Split:
    return split(rated(), "per-user", test=0.2, validation=0.2, seed=0)


@pytest.fixture(scope="module")
def blend(parts: Split) -> Blend:
    made = Blend(models=("biased_mf", "bias", "bayesian_mf"), model_settings=WORDS, scale="none")
    return made.fit(parts.train, validation=parts.validation, run=RUN)


def test_it_predicts_the_weighted_mean_for_trained_and_for_new_users(
    blend: Blend, parts: Split
) -> None:
    assert blend.weights.sum() == pytest.approx(1)
    users, items = np.repeat(np.arange(150), 3), np.tile([0, 7, 59], 150)
    each = [weight * part.predict_rows(users, items) for weight, part in _parts(blend)]
    np.testing.assert_allclose(blend.predict_rows(users, items), sum(each), rtol=1e-5)
    some = parts.train.histories(np.arange(5))
    asked = np.arange(5), np.arange(5)
    each = [w * part.predict_batch(part.fold_in(some), *asked) for w, part in _parts(blend)]
    np.testing.assert_allclose(
        blend.predict_batch(blend.fold_in(some), *asked), sum(each), rtol=1e-5
    )
    assert np.isfinite(blend.predict(["nobody"], ["nothing"])).all()


def _parts(blend: Blend) -> list[tuple[float, Any]]:
    return list(zip(blend.weights, blend.parts, strict=True))


def test_no_model_alone_is_better_on_the_validation_part(blend: Blend, parts: Split) -> None:
    mine, *others = (
        cofactor.evaluate(model, parts.validation, "rmse", resamples=0)["rmse"]
        for model in (blend, *blend.parts)
    )
    assert mine <= min(others) + 1e-6


def test_a_loaded_one_and_one_of_the_chosen_weights_answer_alike(
    blend: Blend, parts: Split
) -> None:
    users, items = np.arange(60), np.arange(60)
    expected = blend.predict_rows(users, items)
    loaded = Blend.from_state(blend.config, blend.state(), blend.data)
    again = Blend(blend.refit_config).fit(parts.train, run=RUN)
    for model in (loaded, again):
        np.testing.assert_allclose(model.predict_rows(users, items), expected, rtol=1e-6)
    assert blend.similar_item_rows(np.arange(3), 2).rows.shape == (3, 2)


def test_it_follows_the_scale(blend: Blend) -> None:
    larger = split(rated(100.0), "per-user", test=0.2, validation=0.2, seed=0)
    found = Blend(blend.config).fit(larger.train, validation=larger.validation, run=RUN)
    np.testing.assert_allclose(found.weights, blend.weights, atol=0.01)


def test_scores_of_different_scales_predict_nothing(parts: Split) -> None:
    for settings in ({"scale": "std"}, {"models": ("bias", "popularity"), "scale": "none"}):
        model = Blend(**{"models": ("bias", "svdpp"), **settings}).fit(parts.train, run=RUN)
        assert not model.traits.predicts_ratings
        with pytest.raises(TraitError, match="doesn't predict ratings"):
            model.predict(["0"], ["0"])


def test_weights_have_the_least_squared_error_and_none_is_below_0() -> None:
    rng = np.random.default_rng(0)
    true = rng.standard_normal(500)
    near, far = (true + size * rng.standard_normal(500) for size in (0.5, 1.0))
    found = least_squares_weights([near, far], true)
    each = np.linspace(0, 1, 1001)
    errors = [np.square(w * near + (1 - w) * far - true).mean() for w in each]
    assert found[0] == pytest.approx(each[np.argmin(errors)], abs=1e-3)
    assert least_squares_weights([near, near + 5], true).tolist() == pytest.approx([1, 0], abs=0.01)
    assert least_squares_weights([true, true], true).sum() == pytest.approx(1)


def blended(parts: Split, *given: tuple[str, dict[str, Any]]) -> Blended:
    by_name = {family.name: family for family in families.FAMILIES}
    tried = []
    for name, settings in given:
        family = by_name[name]
        model = family.kind(family.config(settings)).fit(parts.train, run=RUN)
        error = cofactor.evaluate(model, parts.validation, "rmse", resamples=0)["rmse"]
        tried.append(FamilyTrial(family, settings, -error, 0.1, True, model, None))
    assert parts.validation is not None
    tried.sort(key=lambda one: -one.score)
    found = best_blend(tried, parts.validation, parse_metric("rmse"), Allowance(60), RUN)
    assert found is not None
    return found


def test_auto_blends_models_of_ratings_that_err_differently() -> None:
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((500, 60)) < 0.3)
    values = 3 + rng.standard_normal(500)[users] + rng.standard_normal(60)[items]
    data = Interactions.from_rows(users, items, values.astype(np.float32), users=500, items=60)
    parts = split(data, "per-user", test=0.2, validation=0.2, seed=0)
    found = blended(parts, ("bias", {"user_damping": 1e6}), ("bias", {"item_damping": 1e6}))
    assert found.better
    fitted = Blend(found.config).fit(parts.train, run=RUN)
    error = cofactor.evaluate(fitted, parts.validation, "rmse", resamples=0)["rmse"]
    assert error == pytest.approx(found.value, rel=1e-5)


def test_auto_blends_no_model_with_its_like(parts: Split) -> None:
    like = ("biased_mf", {"epochs": 4}), ("biased_mf", {"epochs": 4, "regularization": 0.0501})
    assert not blended(parts, *like).better
