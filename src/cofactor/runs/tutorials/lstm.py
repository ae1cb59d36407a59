"""An LSTM over ml-100k's histories: each user's last 20 % by time, predicted from what came
before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.base.run import Run
from cofactor.data.split import Split, joined
from cofactor.data.splits import split
from cofactor.models.baselines.bias import Bias
from cofactor.models.sequence.lstm_rating import LSTMRating
from cofactor.runs.tutorials.figures import Figure, Reproduced, fitted, ratings, rmse

SETTINGS: dict[str, Any] = {
    "factors": 48,
    "hidden": 32,
    "epochs": 3,
    "pretrain_epochs": 15,
    "batch_size": 64,
    "max_length": 100,
    "damping": 25,
    "schedule": "cosine",
    "learning_rate": 0.002,
    "dropout": 0.4,
    "regularization": 0.13,
    "init_scale": 0.06,
    "bias_weight": 0.0,
}


def recipe(run: Run) -> Reproduced:
    """Fit LSTMRating; report the RMSE from the training history alone, and with each rating
    known before the next.
    """
    cut = split(
        ratings("ml-100k", scaled=True), "per-user", test=0.2, validation=0.08, order="time"
    )
    report = Reproduced("lstm", "LSTM over histories, ratings in 0..1 (ml-100k)", cut.sentence)
    model, seconds = fitted(LSTMRating(**SETTINGS), cut, run, report, "LSTMRating")
    assert isinstance(model, LSTMRating)
    whole = cut.with_validation_merged()
    bias = Bias().fit(whole.train, run=run)
    walking = _walking_rmse(model, whole)
    data, measure = "ml-100k", "test RMSE of (r − 1) / 4"
    report.figures = [
        Figure("bias only", data, measure, rmse(bias, whole.test)),
        Figure(
            "LSTMRating",
            data,
            f"{measure}, training history alone",
            rmse(model, whole.test),
            "0.43",
            0.245,
            seconds=seconds,
        ),
        Figure(
            "LSTMRating",
            data,
            f"{measure}, each rating known before the next",
            walking,
            "0.43",
            0.245,
        ),
    ]
    return report


def _walking_rmse(model: LSTMRating, whole: Split) -> float:
    """The RMSE with each rating known before the next."""
    # Walking on: each test rating is predicted from all that came before it, earlier test ratings
    # among them.
    everything = joined(whole.train, whole.test.truth)
    expected, order = model.predict_next(everything), everything.chronological
    assert everything.values is not None
    place = np.arange(len(everything)) - np.repeat(everything.indptr[:-1], everything.user_counts)
    late = place >= np.repeat(whole.train.user_counts, everything.user_counts)
    return float(
        np.sqrt(np.mean((expected[late].astype(np.float64) - everything.values[order][late]) ** 2))
    )
