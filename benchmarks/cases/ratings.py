"""Factorisations of ratings: by SGD, by ALS, SVD++."""

from __future__ import annotations

from benchmarks.case import Case, Entrant
from benchmarks.notes import BUILT

_MF_LIKE_SURPRISE = {
    "learning_rate": 0.005,
    "bias_learning_rate": 0.005,
    "decay": 1.0,
    "regularization": 0.02,
    "bias_regularization": 0.02,
    "frequency_exponent": 1.0,
    "init_scale": 0.1,
}
# Both with the best of some settings on this very part: ours of 6 (16 and 32 factors), cmfrec's
# of 15 (16 to 40 factors, one lambda for all or one each, scaled by the number of ratings or
# not, conjugate gradient or Cholesky).
_ALS = {
    "solver": "als",
    "factors": 16,
    "regularization": 0.1,
    "bias_regularization": 0.05,
    "frequency_exponent": 0.4,
    "init_scale": 0.1,
}
ALS = Case(
    "mf-als",
    "biased MF by ALS, seconds to cmfrec's best RMSE, 16 factors",
    "ml-1m-ratings",
    (
        Entrant(
            "cofactor",
            "ours:Model",
            settings={"model": "biased_mf", "set": _ALS},
            steps=(4, 5, 6, 7, 8, 10),
        ),
        Entrant(
            "cmfrec",
            "peers.cmfrec_side:Ratings",
            "cmfrec",
            {"set": {"k": 16, "lambda_": [5.0, 5.0, 15.0, 15.0, 0, 0]}},
            steps=(8, 12, 15),
            note=BUILT,
        ),
    ),
    "rmse",
    target=1.0,
    of="cmfrec",
)

_MF = {"factors": 100, "epochs": 4, **_MF_LIKE_SURPRISE}
_SVDPP = {"factors": 20, "epochs": 4, **_MF_LIKE_SURPRISE, "regularization": 0.02}
_SURPRISE = {"lr_all": 0.005, "reg_all": 0.02}
CASES = (
    Case(
        "mf",
        "biased MF by SGD, an epoch, 100 factors",
        "ml-1m-ratings",
        (
            Entrant("cofactor", "ours:Epochs", settings={"model": "biased_mf", "set": _MF}),
            Entrant(
                "Surprise",
                "peers.surprise_side:Epochs",
                "ratings",
                {"model": "SVD", "epochs": 4, "set": {"n_factors": 100, **_SURPRISE}},
                20.0,
                rounds=3,
                note="one thread is all it has",
            ),
            Entrant(
                "cornac",
                "peers.cornac_side:MFEpochs",
                "ratings",
                {"epochs": 4, "set": {"k": 100, "learning_rate": 0.005, "lambda_reg": 0.02}},
                1.3,
            ),
        ),
        "rmse",
    ),
    ALS,
    Case(
        "svdpp",
        "SVD++, an epoch, 20 factors",
        "ml-100k-ratings",
        (
            Entrant("cofactor", "ours:Epochs", settings={"model": "svdpp", "set": _SVDPP}),
            Entrant(
                "Surprise",
                "peers.surprise_side:Epochs",
                "ratings",
                {
                    "model": "SVDpp",
                    "epochs": 3,
                    "set": {"n_factors": 20, "cache_ratings": True, **_SURPRISE},
                },
                20.0,
                rounds=2,
                note="one thread is all it has; ratings cached",
            ),
        ),
        "rmse",
    ),
)
