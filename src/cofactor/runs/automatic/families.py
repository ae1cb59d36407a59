"""The families of models that auto may try, what each suits, and the settings it begins with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cofactor.base.search import Choices, Range, Search, log
from cofactor.data.split import Split
from cofactor.metrics.table import Metric
from cofactor.models import registry
from cofactor.models.recommender import Recommender

Settings = dict[str, Any]

# With fewer seconds of budget, networks can't be trained well enough to be judged.
_NETWORK_BUDGET = 300.0
# Longer histories than these make session_knn slow, and aren't sessions.
_SESSION_LENGTH = 30.0


@dataclass(frozen=True)
class Circumstances:
    """What decides which families are tried.

    Parameters
    ----------
    n_users, n_items, n_interactions
        Of the training part.
    rates
        Whether the metric is one of predicted ratings.
    has_times, has_content
        Whether interactions have times, and the catalogue columns.
    new_items
        Whether the validation part holds out items without interactions.
    budget
        Seconds of the whole search.
    """

    n_users: int
    n_items: int
    n_interactions: int
    rates: bool
    has_times: bool
    has_content: bool
    new_items: bool
    budget: float

    @classmethod
    def of(cls, parts: Split, metric: Metric, budget: float) -> Circumstances:
        """Return those of a split."""
        train, validation = parts.train, parts.validation
        new = False
        if validation is not None and validation.candidates is not None:
            new = bool((train.item_counts[validation.truth.item_rows] == 0).any())
        return cls(
            n_users=train.n_users,
            n_items=train.n_items,
            n_interactions=len(train),
            rates=metric.family == "rating",
            has_times=train.times is not None,
            has_content=bool(train.catalogue.column_names),
            new_items=new,
            budget=budget,
        )


@dataclass(frozen=True)
class Family:
    """One model of the registry, as auto tries it.

    Parameters
    ----------
    name
        In the registry.
    starts
        Settings that are tried before any are drawn, each beside the defaults.
    kind_of
        ``implicit``, ``ratings``, ``order``, ``content`` or ``baseline``.
    quick
        Settings that it is tried with where every fit with the defaults would take too long.
    length
        The setting that says how long it is trained, if there is one.
    dense
        Whether a dense square matrix of the items (or users) is inverted.
    network
        Whether it needs PyTorch.
    """

    name: str
    kind_of: str
    starts: tuple[Settings, ...] = ()
    quick: Settings = field(default_factory=dict)
    length: str | None = None
    dense: bool = False
    network: bool = False

    @property
    def kind(self) -> type[Recommender]:
        """The model's class; raises MissingExtraError where what it needs isn't installed."""
        return registry.get(self.name)

    @property
    def usual_length(self) -> int:
        """How long it is trained by default, where its epochs aren't chosen."""
        assert self.length is not None
        config: Any = self.kind.Config
        return int(config.defaults()[self.length] or config.usual_epochs)

    def config(self, settings: Mapping[str, Any]) -> Any:
        """Return a configuration; a comparison with the model without features is left out."""
        from cofactor.runs.compared_models import without_comparison

        return without_comparison(self.kind.Config(**settings))

    def lasting(self, length: int) -> Settings:
        """Return settings of a training of this length, shorter than usual."""
        assert self.length is not None
        if self.length != "sweeps":
            return {self.length: length}
        burn_in = max(1, length // 5)
        return {"sweeps": length, "burn_in": burn_in, "samples": max(1, min(64, length - burn_in))}

    def space(self) -> dict[str, Search]:
        """Return the search space: what the Config declares, and the length of training."""
        space = dict(self.kind.Config.search)
        if self.length == "epochs" and "epochs" not in space:
            usual = self.usual_length
            space["epochs"] = log(max(2, usual // 3), 2 * usual)
        return space or dict(_SPACES.get(self.name, {}))

    def why_not(self, given: Circumstances) -> str | None:
        """Say why it isn't tried, or return None if it suits."""
        if self.kind_of == "ratings" and not given.rates:
            return "predicts ratings"
        if given.rates and self.kind_of != "ratings":
            return "predicts no ratings"
        if given.new_items and self.kind_of != "content":
            return "for known items only"
        if self.kind_of == "content" and not given.has_content:
            return "for items with a catalogue"
        if self.kind_of == "order" and not given.has_times:
            return "for interactions with times"
        if self.name == "session_knn" and (
            given.n_interactions > _SESSION_LENGTH * max(1, given.n_users)
        ):
            return "for shorter histories"
        if self.network and given.budget < _NETWORK_BUDGET:
            return f"for budgets of {_NETWORK_BUDGET / 60:g} minutes or more"
        return None


def drawn_value(one: Search, near: Any, draw: np.random.Generator) -> Any:
    """Draw from a space: near a value, a sixth of the range away, or anywhere if there is none."""
    if isinstance(one, Choices):
        return one.values[int(draw.integers(len(one.values)))]
    low, high = (math.log(e) if one.log else e for e in one.ends)
    if isinstance(near, (int, float)) and not isinstance(near, bool) and (near > 0 or not one.log):
        centre = math.log(near) if one.log else float(near)
        # A default may lie outside of the space; what is drawn near it is clipped into the space.
        found = float(np.clip(draw.normal(centre, (high - low) / 6), low, high))
    else:
        found = float(draw.uniform(low, high))
    value = math.exp(found) if one.log else found
    if one.whole:
        return round(min(max(value, one.low), one.high))
    return min(max(float(f"{value:.4g}"), one.low), one.high)


# Where a Config declares nothing: the strength of its regularization, and what matters most.
_SPACES: dict[str, dict[str, Search]] = {
    "sequence_linear": {"regularization": log(5.0, 5000.0)},
    "session_knn": {"neighbours": log(50, 2000), "neighbour_decay": Range(0.3, 1.0)},
    "content_ridge": {"ridge": log(1.0, 300.0), "neighbours": log(2.0, 200.0)},
    "content_blend": {"weight": log(0.1, 10.0), "normalize_scores": Range(0.0, 1.0)},
    "content_knn": {"text_weight": log(0.1, 10.0), "value_weight": log(0.1, 10.0)},
    "bayesian_mf": {"factors": log(8, 64)},
}

# In the order in which they are tried first: the cheap ones before the others, and of those that
# cost as much the ones that are best on more sets of the panel (benchmarks/panel.py).
FAMILIES: tuple[Family, ...] = (
    Family("popularity", "implicit"),
    Family("bias", "ratings"),
    Family("content_knn", "content", ({"text_weight": 3.0}, {"value_weight": 3.0})),
    Family(
        "item_knn",
        "implicit",
        (
            {"similarity": "asymmetric", "asymmetry": 0.6, "neighbours": 400},
            {"weighting": "bm25"},
            {"weighting": "none", "shrinkage": 20.0},
        ),
    ),
    Family(
        "ials",
        "implicit",
        (
            {"factors": 128, "regularization": 0.03},
            {"factors": 16, "regularization": 0.03},
            {"factors": 256, "regularization": 0.01},
            {"regularization": 0.003},
            {"factors": 32, "regularization": 0.003, "unobserved_weight": 0.1},
            {"regularization": 0.1, "factors": 128},
        ),
        quick={"factors": 16, "regularization": 0.03},
        length="epochs",
    ),
    Family(
        "ease",
        "implicit",
        (
            {"user_exponent": 0.6, "dropout": 0.3},
            {"regularization": 50.0, "user_exponent": 0.8, "dropout": 0.5},
            {"regularization": 500.0},
        ),
        dense=True,
    ),
    Family(
        "transitions",
        "order",
        ({"window": 5, "source_power": 0.25, "backward": 0.5}, {"window": 50, "decay": 0.9}),
    ),
    Family("warp", "implicit", ({"learning_rate": 0.03},), length="epochs"),
    Family(
        "graph_filter",
        "implicit",
        (
            {"factors": 64, "ideal_weight": 1.0},
            {"factors": 512, "ideal_weight": 0.6},
            {"user_exponent": 0.3, "ideal_weight": 1.0, "spectral_power": 1.0},
        ),
    ),
    Family("session_knn", "order"),
    Family("sequence_linear", "order", ({"regularization": 400.0},), dense=True),
    Family("content_ridge", "content"),
    Family("feature_ials", "content", ({"regularization": 0.03},), length="epochs"),
    Family("content_blend", "content"),
    Family(
        "bpr",
        "implicit",
        ({"learning_rate": 0.08, "epochs": 100}, {"regularization": 0.01}),
        length="epochs",
    ),
    Family("logistic_mf", "implicit", ({"factors": 16},), length="epochs"),
    Family("biased_mf", "ratings", ({"factors": 16}, {"regularization": 0.1}), length="epochs"),
    Family("svdpp", "ratings", ({"factors": 16}, {"learning_rate": 0.007}), length="epochs"),
    Family("bayesian_mf", "ratings", ({"factors": 8}, {"factors": 32}), length="sweeps"),
    Family("two_tower", "content", length="epochs", network=True),
    Family("bridge", "content"),
    Family("transformer", "order", length="epochs", network=True),
    Family("gru4rec", "order", length="epochs", network=True),
    Family("simplex", "implicit", length="epochs", network=True),
    Family("latent_factor", "implicit", length="epochs", network=True),
)

# The models that every other has to beat.
BASELINES = ("popularity", "bias", "content_knn")
