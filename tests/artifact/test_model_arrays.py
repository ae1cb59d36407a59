"""Arrays of saved models that don't fit each other: what a kernel would follow out of bounds, or
what no answer could be made of, is refused by name when the model is loaded.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import cofactor
from artifact.test_artifact_attacks import with_arrays, wrapped
from cofactor.artifact import format as fmt
from cofactor.base.errors import ArtifactError
from cofactor.data.interactions import Interactions
from cofactor.data.synthetic import shop


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
