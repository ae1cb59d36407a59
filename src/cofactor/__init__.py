"""Cofactor: a recommender toolkit. It reads interactions, trains and compares models, and serves
recommendations.

The public names are loaded when they are first used, so that importing this package is cheap: until
a command has begun, Ctrl-C finds nobody who answers it.
"""

from __future__ import annotations

__version__ = "0.3.0.dev0"

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
    "Rerank": "cofactor.retrieval.rerank.rules",
    "Recommender": "cofactor.models.recommender",
    "evaluate": "cofactor.evaluation.evaluate",
    "auto": "cofactor.runs.auto",
    "compare": "cofactor.runs.compare",
    "cross_validate": "cofactor.runs.cross_validate",
    "train": "cofactor.runs.train",
    "tune": "cofactor.runs.tune",
    "ope": "cofactor.runs.ope",
    "OpeSettings": "cofactor.runs.ope",
    "LoggedLists": "cofactor.runs.logged_lists",
    "save": "cofactor.artifact.save",
    "load": "cofactor.artifact.load",
    "inspect": "cofactor.artifact.load",
    "model_card": "cofactor.artifact.card",
    "OwnModule": "cofactor.models.neural.own_module",
}


def _public() -> dict[str, str]:
    """All public names, each model's class among them."""
    from cofactor.models.registry import MODELS

    return _PUBLIC | {e.class_name: f"cofactor.models.{e.module}" for e in MODELS.values()}


def __getattr__(name: str) -> object:
    import importlib

    if name == "__all__":
        return ["__version__", *_public()]
    place = _PUBLIC.get(name) or ("" if name.startswith("_") else _public().get(name))
    if not place:
        raise AttributeError(f"module 'cofactor' has no attribute {name!r}")
    module, whole, _ = place.partition(":")
    value: object = importlib.import_module(module)
    value = value if whole else getattr(value, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(["__version__", *_public()])
