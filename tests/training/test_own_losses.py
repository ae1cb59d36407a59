"""Losses of one's own: a user's class trains and folds in; what isn't whole is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cofactor.base.errors import ArgumentError, ArtifactError, UnknownNameError
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models.content.two_tower import TwoTower
from cofactor.models.neural.latent_factor import LatentFactor
from cofactor.models.neural.mlp import MLP
from cofactor.training import losses
from cofactor.training.losses import (
    LOSSES,
    Candidates,
    Loss,
    LossSettings,
    Needs,
    Pointwise,
    Slopes,
)


class Cubed(Loss):
    """A smooth hinge of one's own: ``max(0, 1 − s⁺ + s⁻)³``."""

    name = "cubed"
    needs = Needs.NEGATIVES

    def value(self, scores: Tensor, candidates: Candidates, settings: LossSettings) -> Tensor:
        return (1 - scores[:, :1] + scores[:, 1:]).relu().pow(3).mean()

    def slopes(
        self, own: np.ndarray, others: np.ndarray, settings: LossSettings, n_items: int
    ) -> Slopes:
        gap = np.maximum(1 - own[:, None] + others[None, :], 0)
        slope = 3 * gap**2 / gap.size
        return Slopes(float((gap**3).mean()), -slope.sum(1), slope.sum(0))


class Huber(Pointwise):
    """A loss of ratings of one's own, without a closed form."""

    name = "huber"
    fits_values = True

    def each(self, scores: Tensor, target: Tensor) -> Tensor:
        return torch.nn.functional.huber_loss(scores, target, reduction="none")

    def each_slope(self, scores: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gap = scores - target
        small = np.abs(gap) < 1
        return np.where(small, gap**2 / 2, np.abs(gap) - 0.5), np.clip(gap, -1, 1)


def _parity(rated: bool) -> Interactions:
    rng = np.random.default_rng(2)
    same = np.arange(50)[:, None] % 2 == np.arange(30) % 2
    users, items = np.nonzero((same | rated) & (rng.random(same.shape) < 0.6))
    values = np.where(users % 2 == items % 2, 4.5, 1.5).astype(np.float32)
    return Interactions.from_rows(users, items, values if rated else None, users=50, items=30)


SMALL = {"factors": 4, "epochs": 25, "batch_size": 64, "learning_rate": 0.03}


RUN = Run(seed=1, threads=1, device="cpu")


@pytest.mark.parametrize("kind", [LatentFactor, MLP])
def test_a_loss_of_ones_own_trains_and_folds_in(kind: type[LatentFactor] | type[MLP]) -> None:
    model = kind(**SMALL, loss=Cubed(), regularization=0.005).fit(_parity(False), run=RUN)
    assert model.config.to_dict()["loss"] == "cubed"
    assert not model.traits.predicts_ratings
    assert all(item % 2 == 1 for item in model.recommend(1, k=3, run=RUN).ids)
    assert all(item % 2 == 1 for item in model.recommend(history=[1, 3, 5, 7], k=3, run=RUN).ids)


@pytest.mark.parametrize("kind", [LatentFactor, MLP])
def test_a_loss_of_ratings_of_ones_own_predicts_and_folds_in(
    kind: type[LatentFactor] | type[MLP],
) -> None:
    data = _parity(True)
    model = kind(**SMALL, loss=Huber(), regularization=0.005).fit(data, run=RUN)
    assert model.traits.predicts_ratings
    assert np.abs(model.predict_rows(data.user_rows, data.item_rows) - data.values).mean() < 0.6
    history = Histories.of([[1, 3, 5, 0, 2, 4]], 30, [[4.5, 4.5, 4.5, 1.5, 1.5, 1.5]])
    states = model.fold_in(history).states
    high, low = model._predict(states, np.zeros(2, int), np.array([7, 8]))
    assert high > low + 1


def test_a_loss_of_ones_own_is_kept_by_copies_of_the_settings() -> None:
    loss = Cubed()
    tower = TwoTower(loss=loss)
    assert tower.config.replace(epochs=3).loss is loss
    assert tower.without_features().config.loss is loss


def test_an_artifact_with_an_unknown_loss_names_it_and_the_cure(tmp_path: Path) -> None:
    from cofactor.artifact.load import load
    from cofactor.artifact.save import save

    model = LatentFactor(**SMALL, loss=Cubed()).fit(_parity(False), run=RUN)
    save(model, tmp_path / "model")
    with pytest.raises(ArtifactError, match=r"unknown loss 'cubed'.*register\(MyLoss\(\)\)"):
        load(tmp_path / "model")
    losses.register(Cubed())
    try:
        again = load(tmp_path / "model")
        np.testing.assert_array_equal(
            again.score_rows(np.arange(5)), model.score_rows(np.arange(5))
        )
        with pytest.raises(ArgumentError, match="belongs to Cubed already"):
            losses.register(type("Other", (Cubed,), {})())
    finally:
        del LOSSES["cubed"]


def test_a_loss_that_is_not_whole_is_refused_and_never_becomes_another() -> None:
    class NoSlopes(Loss):
        name = "no_slopes"
        needs = Needs.NEGATIVES

        def value(self, scores: Tensor, candidates: Candidates, settings: LossSettings) -> Tensor:
            return scores.mean()

    class NoNeeds(Cubed):
        name = "no_needs"
        needs = "negatives"  # type: ignore[assignment]

    class NoName(Cubed):
        name = ""

    with pytest.raises(TypeError, match="abstract method.*slopes"):
        NoSlopes()  # type: ignore[abstract]
    for kind, message in ((NoNeeds, "needs must be a member of Needs"), (NoName, "must be a name")):
        for use in (losses.register, lambda loss: LatentFactor(loss=loss)):
            with pytest.raises(ArgumentError, match=message):
                use(kind())
    with pytest.raises(ArgumentError, match="name of a loss or a Loss object, not 7"):
        LatentFactor(loss=7)
    with pytest.raises(UnknownNameError, match="unknown loss 'brp'; did you mean"):
        LatentFactor(loss="brp")
