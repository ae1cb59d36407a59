"""Biases against the mean, ten latent factors against biases, and rounded predictions, on ml-1m,
random 80/20.
"""

from __future__ import annotations

from typing import Any

from cofactor.base.run import Run
from cofactor.models.baselines.bias import Bias
from cofactor.models.neural.latent_factor import LatentFactor
from cofactor.runs.tutorials.figures import (
    Figure,
    Reproduced,
    fitted,
    mean_mse,
    mse,
    random_split,
    ratings,
)

SETTINGS: dict[str, Any] = {
    "factors": 10,
    "epochs": 15,
    "batch_size": 8192,
    "schedule": "cosine",
    "learning_rate": 0.02,
    "regularization": 0.05,
    "bias_regularization": 0.005,
    "bias_weight": 0.0,
}


def recipe(run: Run) -> Reproduced:
    """Report the MSE of mean, biases and ten factors, their ratios, and what rounding to whole
    stars does.
    """
    cut = random_split(ratings("ml-1m"), run.seed)
    report = Reproduced("bias", "Biases, ten latent factors, rounding (ml-1m)", cut.sentence)
    model, seconds = fitted(LatentFactor(**SETTINGS), cut, run, report, "LatentFactor, K = 10")
    whole = cut.with_validation_merged()
    bias = Bias().fit(whole.train, run=run)
    mean, biased, factors = (
        mean_mse(whole.train, whole.test),
        mse(bias, whole.test),
        mse(model, whole.test),
    )
    data = "ml-1m"
    report.figures = [
        Figure("mean", data, "test MSE", mean, "1.325"),
        Figure("bias only", data, "test MSE", biased, "0.957"),
        Figure("bias only", data, "test MSE / that of the mean", biased / mean, "0.722", 0.68),
        Figure("LatentFactor, K = 10", data, "test MSE", factors, "1.02", biased, seconds=seconds),
        Figure(
            "bias only, rounded",
            data,
            "test MSE",
            mse(bias, whole.test, rounded=True),
            "worse than not rounded",
        ),
        Figure(
            "LatentFactor, rounded",
            data,
            "test MSE",
            mse(model, whole.test, rounded=True),
            "worse than not rounded",
        ),
    ]
    report.shown = [
        "Rounding adds the error of rounding itself, about 1/12 = 0.083: the expected rating is"
        " what makes the MSE least."
    ]
    return report
