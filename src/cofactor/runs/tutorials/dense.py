"""A dense network on ml-100k, ratings scaled to 0..1 by (r − 1) / 4, random 80/20."""

from __future__ import annotations

from typing import Any

from cofactor.base.run import Run
from cofactor.models.baselines.bias import Bias
from cofactor.models.neural.mlp import DenseNet
from cofactor.runs.tutorials.figures import Figure, Reproduced, fitted, random_split, ratings, rmse

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
    cut = random_split(ratings("ml-100k", scaled=True), run.seed)
    report = Reproduced("dense", "Dense network, ratings in 0..1 (ml-100k)", cut.sentence)
    model, seconds = fitted(DenseNet(**SETTINGS), cut, run, report, "DenseNet")
    whole = cut.with_validation_merged()
    bias = Bias().fit(whole.train, run=run)
    data, measure = "ml-100k", "test RMSE of (r − 1) / 4"
    report.figures = [
        Figure("bias only", data, measure, rmse(bias, whole.test)),
        Figure("DenseNet", data, measure, rmse(model, whole.test), "0.28", 0.232, seconds=seconds),
    ]
    return report
