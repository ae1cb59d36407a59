"""A small shop whose items are known by their words, and the content models on it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base.run import Run
from cofactor.data.catalogue import Catalogue
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions
from cofactor.models import registry

KINDS = ("garden", "engine", "piano", "cheese")


MORE = {
    "garden": "roses soil spade seeds",
    "engine": "oil piston torque fuel",
    "piano": "keys music pedal notes",
    "cheese": "milk rind brie goat",
}


SMALL: dict[str, dict[str, Any]] = {
    "content_knn": {},
    "content_ridge": {"ridge": 1.0},
    "bridge": {"base_settings": ("factors=8", "unobserved_weight=0.05", "regularization=0.02")},
    "feature_ials": {"factors": 8, "unobserved_weight": 0.05, "regularization": 0.02, "ridge": 1.0},
    "two_tower": {"factors": 8, "epochs": 12, "batch_size": 128, "learning_rate": 0.02},
    "content_blend": {
        "ials_settings": ("factors=8", "unobserved_weight=0.05", "regularization=0.02")
    },
}


@cache
def shop(n_users: int = 90, n_items: int = 61) -> Interactions:
    """Everybody likes one of four kinds of things; the texts tell the kind; the last item nobody
    has had.
    """
    rng = np.random.default_rng(5)
    kinds = np.arange(n_items) % 4
    likes = (np.arange(n_users) % 4)[:, None] == kinds
    took = (rng.random((n_users, n_items)) < np.where(likes, 0.6, 0.03)) & (
        np.arange(n_items) < n_items - 1
    )
    texts = [f"{KINDS[k]} {' '.join(rng.choice(MORE[KINDS[k]].split(), 2))} thing" for k in kinds]
    catalogue = pa.table(
        {"description": texts, "colour": [["red", "blue", None][i % 3] for i in range(n_items)]}
    )
    users, items = np.nonzero(took)
    made = Interactions.from_rows(
        users, items, users=n_users, items=IdMap(np.arange(n_items) + 500)
    )
    profiles = Catalogue(pa.table({"hobby": [KINDS[u % 4] for u in range(n_users)]}))
    return replace(made, catalogue=Catalogue(catalogue), profiles=profiles)


@cache
def made(name: str, **more: Any) -> Any:
    """A model of the shop, fitted once in a process; tests don't change it."""
    settings = {**SMALL[name], "text": ("description",), **more}
    return registry.create(name, **settings).fit(shop(), run=Run(threads=1, device="cpu"))
