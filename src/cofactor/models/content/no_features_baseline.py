"""What features cost or gain: a model with content beside its no-features baseline, the same model
without features, on items with interactions.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.recommender import Recommender
from cofactor.models.validation import warm_ndcg, warm_users

# What features may cost before a note warns of it, as a share of the baseline's nDCG@10.
TOLERATED = 0.02
# How many users are measured, drawn by the run's seed; the same ones for both models.
_USERS = 5000
_SEED_NAME = "twin"  # glossary: old name, kept since it seeds the draw of users


@dataclass(frozen=True)
class FeatureComparison:
    """A model with content and its no-features baseline on the same users, with only the items
    that have interactions ranked.

    Parameters
    ----------
    baseline
        The baseline's name in the registry; empty if the model has none.
    rich, plain
        Mean nDCG@10 with features and without.
    n_users
        Over how many users.
    seconds
        Time to fit the baseline.
    """

    baseline: str
    rich: float
    plain: float
    n_users: int
    seconds: float = 0.0

    @property
    def cost(self) -> float:
        """The share of the baseline's nDCG@10 that features cost; below 0 if they gain."""
        return 1 - self.rich / self.plain if self.plain > 0 else 0.0

    @property
    def is_costly(self) -> bool:
        """Whether features cost more than is tolerated (2 %)."""
        return self.cost > TOLERATED

    @property
    def sentence(self) -> str:
        """The comparison in a sentence."""
        measured = (
            f"nDCG@10 {self.rich:.4f} with features, {self.plain:.4f} by {self.baseline} without"
            f" them ({self.n_users:,} users)"
        )
        if self.is_costly:
            return (
                f"features cost {self.cost:.1%} on items that have interactions: {measured}; where"
                f" new items don't matter, use {self.baseline}, and else keep this model for them"
                " alone"
            )
        what = (
            f"cost {self.cost:.1%}"
            if self.cost >= 0.0005
            else f"bring {-self.cost:.1%}"
            if self.cost < -0.0005
            else "cost nothing"
        )
        return f"features {what} on items that have interactions: {measured}"

    def array(self) -> np.ndarray:
        """Return the numbers, float64 [4]."""
        return np.array([self.rich, self.plain, self.n_users, self.seconds], np.float64)

    @classmethod
    def of_array(cls, baseline: str, array: np.ndarray) -> FeatureComparison:
        """Make a comparison from what `array` gave."""
        rich, plain, n_users, seconds = array.tolist()
        return cls(baseline, rich, plain, int(n_users), seconds)


def compare_without_features(
    model: Recommender,
    baseline: Recommender,
    part: Part,
    run: Run,
    *,
    validation: Part | None = None,
) -> FeatureComparison:
    """Fit the baseline on the model's data, and measure both on a part.

    Parameters
    ----------
    model
        Fitted.
    baseline
        The same model without content; fitted here unless it is already.
    part
        Held-out interactions of the users that the model was fitted on.
    run
        Seed, threads and progress.
    validation
        What stops the baseline, if it stopped the model.
    """
    began = time.perf_counter()
    if baseline._data is None:
        run.progress.say(f"fitting {baseline.name}, the same without features, to compare")
        baseline.fit(model.data, validation=validation, run=run)
    seconds = time.perf_counter() - began
    users = _users(part, model.data, run)
    return FeatureComparison(
        baseline.name,
        warm_ndcg(model, part, users, n_threads=run.n_threads),
        warm_ndcg(baseline, part, users, n_threads=run.n_threads),
        len(users),
        seconds,
    )


def shared(config: Any, kind: type[Recommender]) -> Recommender:
    """Return a new model of another kind with the settings that both have."""
    theirs = kind.Config.defaults()
    return kind(
        kind.Config(**{name: getattr(config, name) for name in config.to_dict() if name in theirs})
    )


def _users(part: Part, data: Interactions, run: Run) -> np.ndarray:
    """Users with a held-out item among those with interactions, drawn by the run's seed."""
    held = warm_users(part, data)
    return np.sort(run.generator("content", _SEED_NAME).permutation(held)[:_USERS]).astype(np.int32)
