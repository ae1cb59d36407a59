"""Arrays of saved models that don't fit each other: what a kernel would follow out of bounds, or
what no answer could be made of, is refused by name when the model is loaded.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import cofactor
from artifact.test_artifact_attacks import with_arrays, wrapped
from cofactor.artifact import format as fmt
from cofactor.base.errors import ArtifactError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.synthetic import shop
from cofactor.models import registry

Change = Callable[[np.ndarray], np.ndarray]
DRAWS = {"factors": 2, "sweeps": 6, "burn_in": 2, "samples": 2}


@pytest.fixture(scope="module")
def data() -> Interactions:
    """Sixty users and forty items with titles and features."""
    return shop(n_users=60, n_items=40)


@pytest.fixture
def sessions(data: Interactions, tmp_path: Path) -> Path:
    """A saved index of sessions, which one kernel follows from items to sessions to items."""
    return cofactor.save(cofactor.SessionKNN().fit(data), tmp_path / "model")


@pytest.mark.parametrize(("name", "ends"), [("indptr", "items"), ("item_indptr", "sessions")])
def test_session_offsets_that_wrap_around_are_refused(sessions: Path, name: str, ends: str) -> None:
    arrays = load_file(sessions / fmt.TENSORS)
    steps, last = len(arrays[f"model.{name}"]) - 1, len(arrays[f"model.{ends}"])
    with_arrays(sessions, **{f"model__{name}": wrapped(last, steps)})
    with pytest.raises(ArtifactError, match=rf"'{name}'"):
        cofactor.load(sessions)


def test_a_session_index_of_fewer_or_more_items_is_refused(sessions: Path) -> None:
    kept = load_file(sessions / fmt.TENSORS)["model.item_indptr"]
    for other in (kept[[0, -1]], np.append(kept, kept[-1]), kept[:0]):
        with_arrays(sessions, model__item_indptr=other)
        with pytest.raises(ArtifactError, match="'item_indptr' must have 41 items"):
            cofactor.load(sessions)


@pytest.mark.parametrize(
    ("name", "value"),
    [("items", 40), ("items", -1), ("sessions", 60), ("sessions", -1), ("places", 99)],
)
def test_a_session_index_that_leads_out_of_bounds_is_refused(
    sessions: Path, name: str, value: int
) -> None:
    changed = load_file(sessions / fmt.TENSORS)[f"model.{name}"].copy()
    changed[len(changed) // 2] = value
    with_arrays(sessions, **{f"model__{name}": changed})
    with pytest.raises(ArtifactError, match=rf"'{name}'"):
        cofactor.load(sessions)


def first(value: float) -> Change:
    """The same with another first number."""

    def change(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array.reshape(-1)[0] = value
        return array

    return change


def shorter(array: np.ndarray) -> np.ndarray:
    """The same without its last line."""
    return array[:-1].copy()


RATINGS = {"models": ("biased_mf", "bias"), "scale": "none"}
# The model, its settings; which array is changed and how; what is said.
CASES: list[tuple[str, dict[str, Any], str, Change, str]] = [
    ("feature_ials", {"epochs": 1}, "map", shorter, "'map' must have a line for each"),
    ("feature_ials", {"epochs": 1}, "spec_blocks", first(255), "numbers in 0..2, not 255"),
    ("feature_ials", {"epochs": 1}, "alpha0", first(-1), "'alpha0' must hold numbers from 0"),
    ("content_blend", {}, "ials_map", shorter, "'map' must have a line for each"),
    ("content_ridge", {}, "warm", first(40), "'warm' must hold rows of items"),
    ("bridge", {"base": "ease"}, "basis", shorter, "trained on 40 items, which its other"),
    ("biased_mf", {"epochs": 1, "bias_weight": 0.5}, "bias_term", first(-1), "numbers from"),
    ("bias", {}, "fold_in_penalties", first(-1), "'fold_in_penalties' must hold numbers from 0"),
    ("ials", {"epochs": 1}, "alpha0", first(-1), "'alpha0' must hold numbers from 0"),
    ("blend", RATINGS, "weights", first(-1), "'weights' must hold numbers from 0"),
    ("blend", RATINGS, "weights", np.zeros_like, "a weight above 0"),
    ("bayesian_mf", DRAWS, "alpha", first(0), "'alpha' must hold numbers above 0"),
    ("bayesian_mf", DRAWS, "prior_precision", first(-1), "'prior_precision' must hold"),
    ("bayesian_mf", DRAWS, "scale", np.zeros_like, "a deviation above 0"),
    ("bayesian_mf", DRAWS, "levels", np.zeros_like, "'levels' must ascend"),
    ("bayesian_mf", DRAWS, "inner_cuts", np.zeros_like, "'inner_cuts' must ascend"),
    ("bayesian_mf", DRAWS, "inner_cuts", lambda a: a[:, :-1].copy(), "a bound between each two"),
]  # fmt: off


@pytest.fixture(scope="module")
def saved(data: Interactions, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A copy of a saved model, which is fitted once."""
    folder = tmp_path_factory.mktemp("saved")
    known: dict[str, Path] = {}

    def copied(name: str, settings: dict[str, Any], to: Path) -> Path:
        key = f"{name} {settings}"
        if key not in known:
            model = registry.create(name, **settings).fit(data, run=Run(threads=1))
            known[key] = cofactor.save(model, folder / str(len(known)))
        return Path(shutil.copytree(known[key], to))

    return copied


@pytest.mark.parametrize(("name", "settings", "array", "change", "said"), CASES)
def test_arrays_that_do_not_fit_the_model_are_refused_by_name(
    saved: Callable[..., Path],
    tmp_path: Path,
    name: str,
    settings: dict[str, Any],
    array: str,
    change: Change,
    said: str,
) -> None:
    path = saved(name, settings, tmp_path / "model")
    kept = load_file(path / fmt.TENSORS)[f"model.{array}"]
    with_arrays(path, **{f"model__{array}": np.ascontiguousarray(change(kept))})
    with pytest.raises(ArtifactError, match=said):
        cofactor.load(path)
