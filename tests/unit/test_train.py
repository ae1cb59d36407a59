"""The train verb: what early stopping chose is what the saved model is fitted with."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.runs.source import Cutting
from cofactor.runs.train import train

RUN = Run(seed=2, threads=1)


def interactions() -> Interactions:
    draw = np.random.default_rng(5)
    users, items = np.nonzero(draw.random((60, 31)) < 0.25)
    return Interactions.from_rows(
        users, items, draw.integers(1, 6, len(users)).astype(np.float32), users=60, items=31
    )


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        (
            "bpr",
            (
                "factors=4",
                "learning_rate=0.5",
                "regularization=0",
                "validate_every=1",
                "patience=2",
            ),
        ),
        (
            "latent_factor",
            ("factors=4", "learning_rate=0.5", "batch_size=16", "regularization=0", "patience=2"),
        ),
    ],
)
def test_refit_takes_the_epochs_that_were_best_on_validation(model, settings, tmp_path):
    cutting = Cutting(how="random", test=0.2, validation=0.2, seed=1)
    measured = train(
        interactions(),
        model,
        tmp_path / "measured",
        settings=(*settings, "epochs=40"),
        cutting=cutting,
        refit=False,
        run=RUN,
    ).model
    best = measured.refit_config.epochs
    assert best < measured.config.epochs == 40
    saved = train(
        interactions(),
        model,
        tmp_path / "saved",
        settings=(*settings, "epochs=40"),
        cutting=cutting,
        run=RUN,
    )
    assert saved.refitted
    assert saved.model.config.epochs == best


def test_refit_without_a_validation_part_keeps_the_settings(tmp_path):
    cutting = Cutting(how="random", test=0.2, seed=1)
    saved = train(
        interactions(),
        "bpr",
        tmp_path / "m",
        settings=("factors=4", "epochs=3"),
        cutting=cutting,
        run=RUN,
    )
    assert saved.refitted
    assert saved.model.config.epochs == 3
