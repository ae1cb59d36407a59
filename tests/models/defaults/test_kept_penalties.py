"""A saved model folds unseen users in by the penalties that it was fitted with, whatever the rule
for settings that are left open is in the version that loads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cofactor
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models import registry
from cofactor.models.defaults import damped_biases
from cofactor.models.defaults.damped_biases import Damping
from cofactor.models.defaults.noise import RatingPenalties
from cofactor.models.implicit import ials_defaults

_MANY = RatingPenalties(9.0, 9.0, 9.0)


def _rated() -> Interactions:
    draw = np.random.default_rng(3)
    users, items = np.repeat(np.arange(40), 8), draw.integers(0, 25, 320)
    values = 1 + (users % 3) + (items % 2) + draw.random(320)
    return Interactions.from_rows(users, items, values, users=40, items=25)


def _other_rule(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a later version had other defaults."""
    kind: Any = registry.get(name)
    if name == "bias":
        monkeypatch.setattr(damped_biases, "estimated_damping", lambda data: Damping(50.0, 50.0))
    elif name in ("biased_mf", "svdpp"):
        monkeypatch.setattr(kind, "_penalties_of", lambda self, data: _MANY)
    elif name == "ials":
        monkeypatch.setattr(ials_defaults, "regularization", lambda *given: 9.0)
    elif name == "latent_factor":
        from cofactor.models.neural import latent_factor

        monkeypatch.setattr(latent_factor, "rating_penalties", lambda data: _MANY)
    else:
        monkeypatch.setattr(kind, "_default_l2", lambda self, data: 9.0)


@pytest.mark.parametrize(
    "name",
    ["bias", "biased_mf", "svdpp", "latent_factor", "ials", "bpr", "warp", "logistic_mf"],
)
def test_a_saved_model_keeps_what_it_folds_in_by(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs = {} if name == "bias" else {"epochs": 2}
    model = registry.create(name, **epochs).fit(_rated(), run=Run(threads=1))
    history = {3: 4.0, 7: 1.0, 11: 5.0}
    before = model.recommend(history=history, k=5).to_arrow()
    cofactor.save(model, tmp_path / "model")
    _other_rule(name, monkeypatch)
    after = cofactor.load(tmp_path / "model").recommend(history=history, k=5).to_arrow()
    np.testing.assert_allclose(after["score"], before["score"], rtol=1e-6)
    assert after["item_id"].to_pylist() == before["item_id"].to_pylist()


def test_a_model_of_an_older_version_has_what_the_rule_gives() -> None:
    model = registry.create("bias").fit(_rated(), run=Run(threads=1))
    arrays = {k: v for k, v in model.state().items() if k != "fold_in_penalties"}
    again = type(model).from_state(model.config, arrays, model.data)
    right = model.recommend(history={3: 4.0}, k=5).to_arrow()["score"]
    np.testing.assert_allclose(again.recommend(history={3: 4.0}, k=5).to_arrow()["score"], right)
