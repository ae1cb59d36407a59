"""The models of `benchmarks.defaults`, and the settings that are tried beside their defaults."""

from __future__ import annotations

from typing import Any

Settings = dict[str, Any]

# A model of the panel: its name, or a name of its own for settings that stay as they are.
VARIANTS: dict[str, tuple[str, Settings]] = {
    "als": ("biased_mf", {"solver": "als"}),
    "bpr_factor": ("latent_factor", {"loss": "bpr"}),
    "logistic_mlp": ("mlp", {"loss": "logistic"}),
    "neumf_ratings": ("neumf", {"loss": "squared"}),
    "ials_counts": ("ials", {"confidence": "log"}),
    "ials_linear": ("ials", {"confidence": "linear"}),
}
RANKING: dict[str, list[Settings]] = {
    "popularity": [],
    "item_knn": [
        {"similarity": "asymmetric", "asymmetry": 0.6, "neighbours": 400},
        {"weighting": "bm25"},
        {"weighting": "none", "shrinkage": 20.0},
        {
            "neighbours": 300,
            "similarity": "asymmetric",
            "asymmetry": 0.8,
            "shrinkage": 40.0,
            "weighting": "tfidf",
        },
    ],
    "ease": [
        {"regularization": 50.0},
        {"regularization": 500.0},
        {"regularization": 200.0, "user_exponent": 0.6, "dropout": 0.3},
        {"regularization": 50.0, "user_exponent": 0.8, "dropout": 0.5},
    ],
    "graph_filter": [
        {"factors": 64, "ideal_weight": 1.0},
        {"factors": 512},
        {"user_exponent": 0.3, "ideal_weight": 1.0, "spectral_power": 1.0},
        {"factors": 0},
    ],
    "ials": [
        {"regularization": 0.01, "factors": 64},
        {"regularization": 0.03, "factors": 64},
        {"regularization": 0.06, "factors": 64},
        {"regularization": 0.02, "factors": 256},
    ],
    "bpr": [
        {"regularization": 0.01},
        {"regularization": 0.03},
        {"regularization": 0.1},
        {"learning_rate": 0.1},
    ],
    "warp": [
        {"learning_rate": 0.03, "epochs": 100},
        {"regularization": 1.0},
        {"regularization": 3.0},
        {"factors": 16},
    ],
    "logistic_mf": [
        {"regularization": 10.0},
        {"regularization": 30.0},
        {"factors": 16},
        {"epochs": 120},
    ],
}
RATING: dict[str, list[Settings]] = {
    "bias": [{"user_damping": 10.0, "item_damping": 5.0}, {"user_damping": 2.0}],
    "biased_mf": [
        {"factors": 16},
        {"learning_rate": 0.01},
        {"regularization": 0.1},
        {"regularization": 0.03},
    ],
    "als": [
        {"factors": 16, "epochs": 15},
        {"regularization": 0.1},
        {"regularization": 0.2},
        {"regularization": 0.5},
    ],
    "svdpp": [{"factors": 16}, {"learning_rate": 0.007}, {"regularization": 0.1}],
    "latent_factor": [
        {"regularization": 0.1},
        {"regularization": 0.2},
        {"epochs": 40},
        {"batch_size": 512},
    ],
    "bayesian_mf": [{"factors": 8}, {"factors": 32}],
    "mlp": [{"regularization": 0.05}, {"epochs": 5}, {"dropout": 0.3}],
    "dense_net": [{"regularization": 0.05}, {"epochs": 5}],
    "collab_fnet": [{"regularization": 0.05}, {"epochs": 5}],
}
# Models that are trained by gradient descent: their defaults alone, on small sets.
NEURAL: dict[str, list[Settings]] = {
    name: []
    for name in (
        "popularity",
        "latent_factor",
        "bpr_factor",
        "simplex",
        "neumf",
        "logistic_mlp",
        "gru4rec",
        "transformer",
        "two_tower",
        "bridge",
    )
}
# Models of few ratings: their defaults, and without the share of biases alone.
FEW: dict[str, list[Settings]] = {
    "bias": [],
    **{
        name: [{"bias_weight": 0.0}]
        for name in (
            "biased_mf",
            "svdpp",
            "latent_factor",
            "mlp",
            "neumf_ratings",
            "als",
            "lstm_rating",
        )
    },
    "bayesian_mf": [],
}
# Models with a term of popularity: their defaults, and without it.
_ALONE: list[Settings] = [{"popularity_weight": 0.0}]
ORDER: dict[str, list[Settings]] = {
    "popularity": [],
    **dict.fromkeys(("transitions", "session_knn", "sequence_linear"), _ALONE),
}
TURNING: dict[str, list[Settings]] = {
    "popularity": [],
    **dict.fromkeys(("item_knn", "ease", "graph_filter", "transitions", "session_knn"), _ALONE),
}
