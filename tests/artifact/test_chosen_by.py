"""A saved model knows which held-out interactions it was stopped or weighed by, so that it isn't
measured on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import cofactor
from cofactor.artifact import format as fmt
from cofactor.base.errors import ArgumentError
from cofactor.data.split import Split
from cofactor.data.synthetic import shop

ONE = cofactor.Run(threads=1)


@pytest.fixture(scope="module")
def parts() -> Split:
    return cofactor.split(shop(n_users=60, n_items=30), "random", test=0.2, seed=0)


@pytest.mark.parametrize(
    "model",
    [
        cofactor.BiasedMF(factors=2, epochs=2),
        cofactor.IALS(factors=2, epochs=2),
        cofactor.Blend(models=("popularity", "item_knn")),
    ],
    ids=lambda model: model.name,
)
def test_a_loaded_model_is_not_measured_on_what_it_was_chosen_by(
    model: Any, parts: Split, tmp_path: Path
) -> None:
    chosen = model.fit(parts.train, validation=parts.test, run=ONE)
    for one in (chosen, cofactor.load(cofactor.save(chosen, tmp_path / "model"))):
        with pytest.raises(ArgumentError, match="stopped, or its weights were chosen"):
            cofactor.evaluate(one, parts, run=ONE)


@pytest.mark.parametrize("kept", [None, 7, ["a"], {}])
def test_older_and_odd_manifests_load(kept: Any, parts: Split, tmp_path: Path) -> None:
    model = cofactor.IALS(factors=2, epochs=2).fit(parts.train, validation=parts.test, run=ONE)
    folder = cofactor.save(model, tmp_path / "model")
    manifest = json.loads((folder / fmt.MANIFEST).read_text())
    if kept is None:
        del manifest["run"]["chosen_by"]
    else:
        manifest["run"]["chosen_by"] = kept
    (folder / fmt.MANIFEST).write_text(json.dumps(manifest))
    assert cofactor.load(folder).chosen_by is None


def test_a_model_without_a_validation_part_keeps_nothing(parts: Split, tmp_path: Path) -> None:
    folder = cofactor.save(cofactor.EASE().fit(parts.train, run=ONE), tmp_path / "model")
    assert "chosen_by" not in cofactor.inspect(folder).run
    assert cofactor.evaluate(cofactor.load(folder), parts, run=ONE)["ndcg@10"] >= 0
