"""The list of models: a name, where it lives, and one line about it. Importing this loads no model."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from cofactor.base.names import unknown_name
from cofactor.models.base import Recommender


@dataclass(frozen=True)
class Entry:
    """Where a model lives, and what it is in one line."""

    module: str
    class_name: str
    summary: str
    family: str


MODELS: dict[str, Entry] = {
    "popularity": Entry(
        "cofactor.models.baselines.popularity", "Popularity", "what most people took; the floor to beat", "baseline"
    ),
    "bpr": Entry(
        "cofactor.models.implicit.bpr", "BPR", "what a user took ranks above what he didn't, pair by pair", "implicit"
    ),
    "warp": Entry(
        "cofactor.models.implicit.warp", "WARP", "descends an estimate of the rank: good at the top of the list", "implicit"
    ),
    "logistic-mf": Entry(
        "cofactor.models.implicit.logistic_mf", "LogisticMF", "the probability of taking an item, users and items in turn",
        "implicit",
    ),
}


def names() -> list[str]:
    """Return the names of all models, in the order of the list."""
    return list(MODELS)


def get(name: str) -> type[Recommender]:
    """Return the class of a model by its name.

    Raises
    ------
    UnknownNameError
        If there is none of that name; the nearest names are offered.
    """
    if name not in MODELS:
        raise unknown_name("model", name, MODELS)
    entry = MODELS[name]
    found: type[Recommender] = getattr(importlib.import_module(entry.module), entry.class_name)
    return found


def create(name: str, **settings: Any) -> Recommender:
    """Make an unfitted model by its name, with some settings changed from their defaults."""
    return get(name)(**settings)
