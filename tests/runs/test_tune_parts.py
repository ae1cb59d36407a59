"""Tuning blends and models with content: settings of parts, weights, and the right baseline."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

import cofactor
from cofactor.base.errors import ArgumentError, UnknownNameError
from cofactor.base.search import between, log
from cofactor.data.synthetic import power_law, shop
from cofactor.models import registry
from cofactor.runs.source import Cutting
from cofactor.runs.study import best_of_study, config_of
from cofactor.runs.trials import search_space

pytest.importorskip("optuna")
DATA = power_law(120, 50, 1500, seed=3)


def test_a_blend_is_searched_over_its_models_settings_and_keeps_its_weights(
    tmp_path: Path,
) -> None:
    study = tmp_path / "blend.db"
    settings = ["models=ease,item_knn", "model_settings=2.shrinkage=5"]
    found = cofactor.tune(DATA, "blend", settings=settings, trials=4, out=study)
    assert {"1.regularization", "2.neighbours"} <= set(found.searched)
    assert "2.shrinkage" not in found.searched
    best = registry.get("blend").Config(**found.settings)
    assert best.models == ("ease", "item_knn")
    assert len(best.weights) == 2
    assert best.value_of("2.shrinkage") == 5
    tried = {row["setting"]: row["best"] for row in found.rows()}
    assert float(tried["1.regularization"]) == best.value_of("1.regularization")
    again = registry.get("blend").Config.from_text(word for word in found.words() if "=" in word)
    assert again == best
    assert best_of_study(study) == ("blend", best)


def test_a_search_names_settings_of_a_blends_models() -> None:
    config = registry.get("blend").Config(models=("ease", "item_knn"))
    space = search_space(
        registry.get("blend"), config, {"weights"}, {"ease.regularization": log(1.0, 9.0)}
    )
    assert space["ease.regularization"] == log(1.0, 9.0)
    changed = config.with_values({"ease.regularization": 3.0, "choose_at": 5})
    assert changed.value_of("1.regularization") == 3.0
    assert changed.choose_at == 5
    again = changed.with_values({"ease.regularization": 4.0})
    assert again.model_settings == ("ease.regularization=4.0",)
    with pytest.raises(UnknownNameError, match="regularisation"):
        search_space(registry.get("blend"), config, {}, {"1.regularisation": log(1.0, 9.0)})
    with pytest.raises(ArgumentError, match="regularization must be"):
        search_space(registry.get("blend"), config, {}, {"1.regularization": between(-1.0, 9.0)})


def test_content_knn_stands_beside_where_new_items_are_held_out() -> None:
    found = cofactor.tune(
        shop(n_users=80, n_items=60, seed=1),
        "content_ridge",
        search={"ridge": log(1.0, 100.0)},
        trials=2,
        cutting=Cutting(how="items", test=0.2, validation=0.2),
    )
    assert {"popularity", "content_knn"} <= set(found.compared.results)
    assert any("content_knn" in said for said in found.sentences())


def test_settings_that_a_blends_fit_chose_stand_in_place_of_those_that_were_tried() -> None:
    config = registry.get("blend").Config(models=("ials", "popularity"))
    tried = {"settings": {"1.epochs": 9, "1.factors": 8}, "epochs": None}
    chosen = {"model_settings": ["1.factors=8", "1.epochs=3"], "weights": [1.0, 0.5]}
    found = config_of(SimpleNamespace(user_attrs={**tried, "chosen": chosen}), config)
    assert found.model_settings == ("1.factors=8", "1.epochs=3")
    assert found.weights == (1.0, 0.5)
