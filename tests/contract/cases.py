"""What the contract suite needs to know of each model: settings that make it small. Five lines
for a new one.
"""

from __future__ import annotations

from typing import Any

# name -> settings for tiny data; how close fold-in has to come to the trained row is the same for
# all.
CASES: dict[str, dict[str, Any]] = {
    "popularity": {},
    "ials": {"factors": 6, "unobserved_weight": 0.1, "regularization": 0.01},
    "bias": {},
    "item_knn": {"neighbours": 12, "shrinkage": 1.0},
    "ease": {"regularization": 5.0},
    "graph_filter": {"factors": 8, "neighbours": 12},
    "bpr": {"factors": 16, "epochs": 200},
    "warp": {"factors": 4, "epochs": 60, "regularization": 0.02},
    "logistic_mf": {"factors": 4, "negatives": 0, "alpha": 1.0, "regularization": 2.0},
    "biased_mf": {
        "factors": 4,
        "epochs": 60,
        "learning_rate": 0.085,
        "decay": 0.99,
        "init_scale": 0.08,
        "regularization": 0.012,
    },
    "svdpp": {
        "factors": 4,
        "epochs": 60,
        "learning_rate": 0.05,
        "decay": 0.99,
        "init_scale": 0.1,
        "regularization": 0.02,
    },
    "bayesian_mf": {"factors": 4, "sweeps": 60, "burn_in": 20, "samples": 20},
    "latent_factor": {
        "factors": 4,
        "epochs": 30,
        "batch_size": 512,
        "learning_rate": 0.03,
        "regularization": 0.02,
    },
    "simplex": {
        "factors": 8,
        "epochs": 20,
        "batch_size": 512,
        "negatives": 16,
        "negative_weight": 4.0,
        "learning_rate": 0.06,
    },
    "mlp": {
        "factors": 8,
        "hidden": (16,),
        "epochs": 15,
        "batch_size": 512,
        "learning_rate": 0.04,
        "dropout": 0.0,
    },
    "dense_net": {
        "factors": 8,
        "hidden": (16,),
        "epochs": 20,
        "batch_size": 512,
        "learning_rate": 0.04,
        "dropout": 0.0,
    },
    "collab_fnet": {
        "factors": 8,
        "hidden": (16,),
        "epochs": 20,
        "batch_size": 256,
        "learning_rate": 0.03,
        "dropout": 0.0,
    },
    "neumf": {
        "factors": 8,
        "hidden": (16, 8),
        "epochs": 15,
        "batch_size": 512,
        "learning_rate": 0.04,
        "pretrain_epochs": 4,
    },
    "content_knn": {"text": ("title",)},
    "content_ridge": {"ridge": 0.3},
    "feature_ials": {
        "factors": 6,
        "unobserved_weight": 0.1,
        "regularization": 0.01,
        "item_weight_power": 0.3,
        "text": ("title",),
    },
    "two_tower": {
        "factors": 8,
        "epochs": 10,
        "batch_size": 512,
        "regularization": 0.05,
        "learning_rate": 0.04,
        "text": ("title",),
    },
    "content_blend": {
        "ridge_settings": ("ridge=0.3",),
        "ials_settings": ("factors=6", "unobserved_weight=0.1", "regularization=0.01"),
    },
    "bridge": {"base_settings": ("factors=6", "unobserved_weight=0.1", "regularization=0.01")},
    "transitions": {"decay": 1.0, "history_decay": 1.0, "backward": 1.0},
    "sequence_linear": {"decays": (0.95,), "regularization": 5.0, "keep_sums": True},
    "session_knn": {
        "neighbours": 10,
        "query_decay": 0.95,
        "neighbour_decay": 0.95,
        "backward": 1.0,
    },
    "blend": {
        "models": ("transitions", "ials"),
        "model_settings": (
            "transitions.history_decay=1",
            "transitions.backward=1",
            "ials.factors=6",
            "ials.unobserved_weight=0.1",
        ),
        "weights": (1.0, 0.5),
    },
    "transformer": {
        "factors": 16,
        "blocks": 1,
        "max_length": 30,
        "history_length": 30,
        "batch_tokens": 480,
        "epochs": 10,
        "learning_rate": 0.02,
        "dropout": 0.0,
    },
    "gru4rec": {
        "factors": 16,
        "max_length": 30,
        "history_length": 30,
        "batch_tokens": 480,
        "epochs": 10,
        "learning_rate": 0.02,
        "dropout": 0.0,
    },
    "lstm_rating": {
        "factors": 8,
        "hidden": 16,
        "epochs": 4,
        "batch_size": 16,
        "learning_rate": 0.04,
        "dropout": 0.0,
    },
}

# Models that rank everybody alike: the tests of personal taste don't concern them.
IMPERSONAL = {"popularity", "bias"}
