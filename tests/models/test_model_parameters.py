"""Settings of models as scikit-learn asks for them, and what `fit` takes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from cofactor.base.errors import ArgumentError, DataError, UnknownNameError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.readers import read
from cofactor.models import registry
from cofactor.models.baselines.popularity import Popularity
from cofactor.models.implicit.ease import EASE
from cofactor.models.implicit.ials import IALS

ROWS = [("ann", "tea"), ("ann", "milk"), ("bob", "tea"), ("cid", "rum"), ("cid", "tea")]
FRAME = pd.DataFrame(ROWS, columns=["user", "item"])


@pytest.mark.parametrize("name", registry.names())
def test_params_and_clone_give_the_same_settings(name: str) -> None:
    model = registry.create(name)
    params = model.get_params()
    assert params == registry.get(name).Config().to_params()
    again = model.clone()
    assert again is not model
    assert again.config == model.config
    assert model.set_params(**params) is model
    assert type(model)(**params).config == model.config


def test_set_params_checks_and_unfits() -> None:
    model = IALS(factors=4).fit(ROWS)
    with pytest.raises(UnknownNameError, match="factors"):
        model.set_params(factor=8)
    assert model.config.factors == 4
    model.recommend("ann")
    assert model.set_params(factors=8).config.factors == 8
    assert "fitted" not in repr(model)


def test_settings_change_what_a_model_is() -> None:
    model = registry.create("bridge")
    assert model.traits.has_vectors
    assert not model.set_params(base="ease").traits.has_vectors
    assert "base_weights" in model.arrays


def test_repr_shows_what_differs_from_the_defaults() -> None:
    assert repr(EASE(values="log")) == "EASE(values='log')"
    assert repr(registry.create("two_tower", hidden=(8,))) == "TwoTower(hidden=(8,))"
    assert repr(registry.create("two_tower")) == "TwoTower()"


@pytest.mark.parametrize(
    "data",
    [
        FRAME,
        pl.DataFrame(FRAME.to_dict("list")),
        pl.DataFrame(FRAME.to_dict("list")).lazy(),
        ROWS,
        [{"user": u, "item": i} for u, i in ROWS],
        read(ROWS),
        Interactions.build(read(ROWS)),
    ],
    ids=["pandas", "polars", "lazy", "tuples", "dictionaries", "events", "interactions"],
)
def test_fit_takes_what_people_have(data: Any) -> None:
    model = Popularity().fit(data)
    assert model.recommend("bob", k=1, exclude_seen=False).ids == ["tea"]
    assert (model.data.n_users, model.data.n_items) == (3, 3)


def test_fit_takes_a_path(tmp_path: Any) -> None:
    FRAME.to_csv(tmp_path / "rows.csv", index=False)
    assert Popularity().fit(tmp_path / "rows.csv").data.n_users == 3


@pytest.mark.parametrize("kind", ["csr_matrix", "coo_array", "csc_matrix"])
def test_a_matrix_keeps_its_shape(kind: str) -> None:
    matrix = getattr(sparse, kind)(np.array([[1.0, 0, 2, 0], [0, 0, 0, 0]]))
    model = Popularity().fit(matrix)
    assert (model.data.n_users, model.data.n_items) == (2, 4)
    assert model.recommend(1, k=2).ids == [0, 2]


def test_what_is_no_data_is_refused_with_both_ways() -> None:
    for wrong in (3, None, object()):
        with pytest.raises(ArgumentError, match=r"cofactor\.read.*data frame.*path"):
            Popularity().fit(wrong)  # type: ignore[arg-type]
    for wrong in ([], [1, 2]):
        with pytest.raises(DataError):
            Popularity().fit(wrong)  # type: ignore[arg-type]


def test_scikit_learn_clones_and_searches_settings() -> None:
    base = pytest.importorskip("sklearn.base", reason="scikit-learn isn't installed")
    from sklearn.model_selection import GridSearchCV, KFold

    model = registry.create("two_tower", hidden=(8, 4), epochs=2)
    assert base.clone(model).get_params() == model.get_params()
    rng = np.random.default_rng(5)
    users, items = np.nonzero(rng.random((40, 12)) < 0.5)
    rows = pd.DataFrame({"user": users, "item": items % 2 + 2 * (items // 2)})

    def hits(fitted: Any, part: pd.DataFrame, _: object = None) -> float:
        known = part[part.user.isin(fitted.data.users.ids(range(fitted.data.n_users)))]
        known = known[known.item.isin(fitted.data.items.ids(range(fitted.data.n_items)))]
        scores = fitted.score(known.user.to_numpy())
        return float(scores[np.arange(len(known)), fitted.data.items.rows(known.item)].mean())

    folds = KFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(EASE(), {"regularization": [1.0, 1e6]}, scoring=hits, cv=folds)
    search.fit(rows)
    assert search.best_params_ == {"regularization": 1.0}
    assert search.best_estimator_.recommend(0, k=2, run=Run(threads=1)).ids


@pytest.mark.parametrize("name", registry.names())
def test_no_setting_has_a_name_that_another_setting_once_had(name: str) -> None:
    """What is read by its new name alone would be ignored under the old one."""
    config = registry.get(name).Config
    fields = {field.name for field in dataclasses.fields(config)}
    once = {old for kind in config.__mro__ for old in vars(kind).get("renamed", {})}
    assert not fields & once
