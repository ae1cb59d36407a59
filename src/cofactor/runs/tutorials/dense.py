"""A dense network on ml-100k, ratings scaled to 0..1 by (r − 1) / 4, random 80/20."""

from __future__ import annotations

from typing import Any

from cofactor.base.run import Run
from cofactor.models.neural.mlp import DenseNet
from cofactor.runs.tutorials.figures import Reproduced, beside_bias

SETTINGS: dict[str, Any] = {
    "factors": 64,
    "epochs": 8,
    "batch_size": 1024,
    "schedule": "cosine",
    "learning_rate": 0.005,
    "dropout": 0.1,
    "regularization": 0.025,
    "biases": False,
}


def recipe(run: Run) -> Reproduced:
    """Fit DenseNet and report the held-out RMSE on the scaled ratings beside the bias-only
    model's.
    """
    title = "Dense network, ratings in 0..1 (ml-100k)"
    return beside_bias("dense", title, DenseNet(**SETTINGS), "0.28", 0.232, run)
