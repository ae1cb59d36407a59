"""Factorisation without and with biases, and CollabFNet: test MSE on ml-latest-small and ml-1m,
random 80/20.
"""

from __future__ import annotations

from typing import Any

from cofactor.base.run import Run
from cofactor.models.baselines.bias import Bias
from cofactor.models.neural.latent_factor import LatentFactor
from cofactor.models.neural.mlp import CollabFNet
from cofactor.runs.tutorials.figures import Figure, Reproduced, fitted, mse, random_split, ratings

_MF: dict[str, Any] = {
    "schedule": "cosine",
    "learning_rate": 0.01,
    "bias_regularization": 0.005,
    "bias_weight": 0.0,
}
# The embeddings begin with a factorisation's vectors, as [p ; −p], since ReLU keeps only half of
# each; then few epochs are enough.
_NET: dict[str, Any] = {
    "schedule": "cosine",
    "learning_rate": 0.003,
    "factors": 128,
    "hidden": (128,),
    "dropout": 0.05,
    "pretrain_epochs": 15,
    "bias_weight": 0.0,
}
# dataset -> the settings of each model, and the bars of MF with biases and of CollabFNet
CASES: dict[str, dict[str, Any]] = {
    "ml-latest-small": {
        "mf": {**_MF, "factors": 64, "epochs": 30, "batch_size": 2048, "regularization": 0.15},
        "net": {
            **_NET,
            "epochs": 2,
            "batch_size": 1024,
            "regularization": 0.05,
            "pretrain_regularization": 0.15,
        },
        "bars": (0.735, 0.75),
    },
    "ml-1m": {
        "mf": {**_MF, "factors": 128, "epochs": 10, "batch_size": 8192, "regularization": 0.07},
        "net": {
            **_NET,
            "epochs": 2,
            "batch_size": 8192,
            "regularization": 0.02,
            "pretrain_regularization": 0.08,
        },
        "bars": (0.72, 0.76),
    },
}


def recipe(run: Run) -> Reproduced:
    """Fit the three models on both datasets and report the test MSE; unknown ids are answered by
    biases and means.
    """
    report = Reproduced("collab_fnet", "Factorisation and CollabFNet: test MSE", "")
    for name, case in CASES.items():
        cut = random_split(ratings(name), run.seed)
        whole = cut.with_validation_merged()
        report.protocol = f"{cut.sentence} Ids unknown to training are kept in the test."
        bias = Bias().fit(whole.train, run=run)
        report.figures.append(Figure("bias only", name, "test MSE", mse(bias, whole.test)))
        bars = case["bars"]
        for label, model, bar in (
            ("MF without biases", LatentFactor(**case["mf"], biases=False), None),
            ("MF with biases", LatentFactor(**case["mf"]), bars[0]),
            ("CollabFNet", CollabFNet(**case["net"]), bars[1]),
        ):
            found, seconds = fitted(model, cut, run, report, f"{label}, {name}")
            report.figures.append(
                Figure(
                    label,
                    name,
                    "test MSE",
                    mse(found, whole.test),
                    "0.795 (ml-25m)",
                    bar,
                    seconds=seconds,
                )
            )
    return report
