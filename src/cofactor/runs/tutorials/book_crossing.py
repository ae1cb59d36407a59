"""Full-batch gradient descent with gravity on Book-Crossing's ratings 1..10, the best epoch kept, and a book's nearest books."""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.base.run import Run
from cofactor.models.baselines.bias import Bias
from cofactor.models.neural.latent_factor import LatentFactor
from cofactor.runs.tutorials.recipe import Figure, Reproduced, fitted, mean_mse, mse, random_split, ratings

# batch_size 0: each step sees all ratings, as in the tutorial.
_GD: dict[str, Any] = {"batch_size": 0, "factors": 32, "gravity": 0.05, "frequency_power": 0.5}
PLAIN: dict[str, Any] = {
    **_GD, "mean": False, "biases": False, "epochs": 300, "learning_rate": 0.05, "init_scale": 0.5, "regularization": 0.01,
    "frequency_power": 1.0, "gravity": 1.0, "patience": 40,
}  # fmt: skip
BIASED: dict[str, Any] = {
    **_GD, "epochs": 150, "learning_rate": 0.02, "regularization": 0.2, "bias_regularization": 0.1, "schedule": "cosine",
}  # fmt: skip
# Who met what shows a series better than how it was rated: the neighbours come of the same model on the histories.
NEIGHBOURS: dict[str, Any] = {
    "loss": "sampled_softmax", "negatives": 16, "factors": 64, "epochs": 20, "batch_size": 8192, "learning_rate": 0.02,
    "regularization": 0.002, "schedule": "cosine", "sparse": "no", "gravity": 0.0,
}  # fmt: skip
KNOWN_TITLE, SERIES = "harry potter and the chamber of secrets", "harry potter"


def recipe(run: Run) -> Reproduced:
    """Report the test MSE of descent with and without mean and biases, and whether a series lies together."""
    data = ratings("book-crossing")
    cut = random_split(data, run.seed)
    report = Reproduced("book_crossing", "Full-batch descent with gravity (Book-Crossing)", cut.sentence)
    whole = cut.with_validation_merged()
    bias = Bias().fit(whole.train, run=run)
    plain = LatentFactor(**PLAIN).fit(cut.train, validation=cut.validation, run=run)
    report.histories["plain"] = plain.history
    biased, seconds = fitted(LatentFactor(**BIASED), cut, run, report, "with mean and biases")
    name = "book-crossing"
    report.figures = [
        Figure("mean", name, "test MSE", mean_mse(whole.train, whole.test)),
        Figure("bias only", name, "test MSE", mse(bias, whole.test)),
        Figure("descent with gravity, plain", name, "test MSE, best epoch", mse(plain, cut.test), "13.49"),
        Figure("with mean and biases", name, "test MSE", mse(biased, whole.test), "13.49", 2.14, seconds=seconds),
    ]
    return report
