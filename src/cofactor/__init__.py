"""Cofactor: a recommender toolkit. Raw interactions in, honest numbers and served recommendations
out.

The public names are loaded when they are first used, so that importing this package is cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public name -> the module that holds it; with a colon at its end, the module itself.
_PUBLIC: dict[str, str] = {
    "Run": "cofactor.base.run",
    "CofactorError": "cofactor.base.errors",
    "Events": "cofactor.data.events",
    "Interactions": "cofactor.data.interactions",
    "Catalogue": "cofactor.data.catalogue",
    "Histories": "cofactor.data.histories",
    "IdMap": "cofactor.data.ids",
    "Split": "cofactor.data.split",
    "Part": "cofactor.data.split",
    "read": "cofactor.data.readers",
    "datasets": "cofactor.data.datasets:",
    "split": "cofactor.data.splits",
    "describe": "cofactor.data.describe",
    "Filters": "cofactor.retrieval.filters",
    "Recommender": "cofactor.models.recommender",
    "evaluate": "cofactor.evaluation.evaluate",
    "compare": "cofactor.runs.compare",
    "train": "cofactor.runs.train",
    "save": "cofactor.artifact.save",
    "load": "cofactor.artifact.load",
    "inspect": "cofactor.artifact.load",
    "Popularity": "cofactor.models.baselines.popularity",
    "Bias": "cofactor.models.baselines.bias",
    "ItemKNN": "cofactor.models.implicit.item_knn",
    "EASE": "cofactor.models.implicit.ease",
    "IALS": "cofactor.models.implicit.ials",
    "BPR": "cofactor.models.implicit.bpr",
    "WARP": "cofactor.models.implicit.warp",
    "LogisticMF": "cofactor.models.implicit.logistic_mf",
    "BiasedMF": "cofactor.models.explicit.biased_mf",
    "SVDpp": "cofactor.models.explicit.svdpp",
    "LatentFactor": "cofactor.models.neural.latent_factor",
    "MLP": "cofactor.models.neural.mlp",
    "DenseNet": "cofactor.models.neural.mlp",
    "CollabFNet": "cofactor.models.neural.mlp",
    "NeuMF": "cofactor.models.neural.neumf",
    "OwnModule": "cofactor.models.neural.own_module",
    "ContentKNN": "cofactor.models.content.content_knn",
    "ContentRidge": "cofactor.models.content.content_ridge",
    "FeatureIALS": "cofactor.models.content.feature_ials",
    "TwoTower": "cofactor.models.content.two_tower",
    "ContentBlend": "cofactor.models.content.content_blend",
    "Bridge": "cofactor.models.content.bridge",
    "LSTMRating": "cofactor.models.sequence.lstm_rating",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'cofactor' has no attribute {name!r}")
    module, whole, _ = _PUBLIC[name].partition(":")
    value = importlib.import_module(module)
    value = value if whole else getattr(value, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from cofactor.base.errors import CofactorError as CofactorError
    from cofactor.base.run import Run as Run
