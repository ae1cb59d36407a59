"""Matrix factorisation of ml-100k, ratings scaled to 0..1 by (r − 1) / 4, random 80/20."""

from __future__ import annotations

from typing import Any

from cofactor.base.run import Run
from cofactor.models.neural.latent_factor import LatentFactor
from cofactor.runs.tutorials.figures import Reproduced, beside_bias

SETTINGS: dict[str, Any] = {
    "factors": 128,
    "epochs": 8,
    "batch_size": 2048,
    "schedule": "cosine",
    "learning_rate": 0.01,
    "init_scale": 0.05,
    "regularization": 0.11,
    "bias_regularization": 0.02,
    "bias_weight": 0.0,
}


def recipe(run: Run) -> Reproduced:
    """Fit LatentFactor and report the held-out RMSE on the scaled ratings beside the bias-only
    model's.
    """
    title = "Matrix factorisation, ratings in 0..1 (ml-100k)"
    return beside_bias("mf", title, LatentFactor(**SETTINGS), "0.66", 0.228, run)
