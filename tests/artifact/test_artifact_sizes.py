"""Finite numbers of a saved model that are far too large: it is refused when it is loaded, or what
it answers is finite or refused; in every array of every kind of model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import cofactor
from artifact.test_artifact_attacks import with_arrays
from cofactor.artifact import format as fmt
from cofactor.base.errors import ArgumentError, ArtifactError, CofactorError
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.synthetic import shop
from cofactor.models import registry
from contract.cases import CASES

SIZES = (1e10, 1e18, 1e30, 3e38, 1e300)
NETWORKS = {"mlp", "dense_net", "collab_fnet", "neumf"}  # of one kind, and slow: one and one size
SHORT = {"epochs": 1, "sweeps": 6, "burn_in": 2, "samples": 2}


@pytest.fixture(scope="module")
def data() -> Interactions:
    return shop(n_users=20, n_items=20)


def small(name: str) -> Any:
    known = registry.get(name).Config.settings()
    return registry.create(name, **CASES[name] | {k: v for k, v in SHORT.items() if k in known})


def is_finite(*numbers: Any) -> bool:
    return all(np.isfinite(np.asarray(some)).all() for some in numbers)


def answers(model: Any) -> int:
    """Ask what a service asks; return how often there was an answer and no typed refusal."""
    n_items, answered = model.data.n_items, 0
    for batch in (
        lambda: model.user_batch(np.arange(4)),
        lambda: model.fold_in(Histories.of([[0, 2], [1]], n_items)),
    ):
        try:
            people = batch()
            best, scores = model.topk(people, 4), model.score_batch(people)
        except CofactorError:
            continue
        assert is_finite(scores, best.flat()[3])
        assert (best.count == 4).all()
        if model.traits.predicts_ratings:
            which = np.repeat(np.arange(len(people)), n_items)
            rows = np.tile(np.arange(n_items), len(people))
            assert is_finite(model.predict_batch(people, which, rows))
        answered += 1
    return answered


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", [name for name in CASES if name not in NETWORKS - {"mlp"}])
def test_huge_numbers_are_refused_or_answers_are_finite(name: str, data: Interactions) -> None:
    model = small(name).fit(data, run=cofactor.Run(threads=1))
    assert answers(model) == 2
    state, specs = model.state(), model.arrays
    for key, array in state.items():
        if array.dtype.kind != "f" or not array.size:
            continue
        sizes = SIZES[1:2] if name in NETWORKS else SIZES
        for size in [size for size in sizes if size < np.finfo(array.dtype).max]:
            for span in (slice(0, 1), slice(None)):
                changed = array.copy()
                changed.reshape(-1)[span] = size
                try:
                    loaded = type(model).from_state(model.config, {**state, key: changed}, data)
                except ArtifactError:
                    continue
                most = specs[key].most
                assert most is None or size <= most, key
                answers(loaded)


@pytest.mark.parametrize(
    ("kind", "array", "size", "cure"),
    [
        (cofactor.IALS, "model.item_factors", 1e30, "item_factors.*beyond 1e.15.*train the model"),
        (cofactor.IALS, "model.user_factors", 1e30, "user_factors.*beyond 1.8e.19"),
        (cofactor.Bias, "model.mean", 1e300, "mean.*beyond 1.8e.19"),
        (cofactor.Bias, "history.values", 1e30, "history.values.*beyond 1.8e.19"),
    ],
)
def test_what_is_too_large_is_named(
    kind: Any, array: str, size: float, cure: str, data: Interactions, tmp_path: Path
) -> None:
    folder = cofactor.save(kind().fit(data), tmp_path / "model")
    changed = load_file(folder / fmt.TENSORS)[array].copy()
    changed.reshape(-1)[-1] = size
    with_arrays(folder, **{array.replace(".", "__"): changed})
    with pytest.raises(ArtifactError, match=cure):
        cofactor.load(folder)


def test_what_float32_cannot_hold_is_no_answer(data: Interactions) -> None:
    model = small("bpr").fit(data, run=cofactor.Run(threads=1))
    penalties = {"fold_in_penalties": np.full(1, 1e10)}
    loaded = type(model).from_state(model.config, model.state() | penalties, data)
    with pytest.raises(ArgumentError, match="history 1 gives a vector of bpr"):
        loaded.fold_in(Histories.of([[], [0, 2]], data.n_items))
