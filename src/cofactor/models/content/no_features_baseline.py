"""What features cost or bring: a model with content beside its plain twin, the same model
without them, on items with interactions.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.recommender import Recommender
from cofactor.models.validation import warm_ndcg, warm_users

if TYPE_CHECKING:
    from cofactor.data.split import Part

# What features may cost before it is said aloud, as a share of the twin's nDCG@10.
TOLERATED = 0.02
# So many users are asked, drawn by the run's seed; both models answer the same ones.
_USERS = 5000


@dataclass(frozen=True)
class Comparison:
    """A model with content and its plain twin on the same users, items with interactions ranked
    among themselves.

    Parameters
    ----------
    twin
        The twin's name in the registry; empty where the model has none.
    rich, plain
        Mean nDCG@10 with features and without.
    n_users
        Over how many users.
    seconds
        What fitting the twin took.
    """

    twin: str
    rich: float
    plain: float
    n_users: int
    seconds: float = 0.0

    @property
    def cost(self) -> float:
        """The share of the twin's nDCG@10 that features cost; below 0 where they bring
        something.
        """
        return 1 - self.rich / self.plain if self.plain > 0 else 0.0

    @property
    def is_costly(self) -> bool:
        """Whether features cost more than is tolerated (2 %)."""
        return self.cost > TOLERATED

    @property
    def sentence(self) -> str:
        """The comparison in a sentence."""
        measured = (
            f"nDCG@10 {self.rich:.4f} with features, {self.plain:.4f} by {self.twin} without them"
            f" ({self.n_users:,} users)"
        )
        if self.is_costly:
            return (
                f"features cost {self.cost:.1%} on items that have interactions: {measured}; where"
                f" new items don't matter, use {self.twin}, and else keep this model for them alone"
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
    def of_array(cls, twin: str, array: np.ndarray) -> Comparison:
        """Make a comparison from what `array` gave."""
        rich, plain, n_users, seconds = array.tolist()
        return cls(twin, rich, plain, int(n_users), seconds)


def compare(
    model: Recommender, twin: Recommender, part: Part, run: Run, *, validation: Part | None = None
) -> Comparison:
    """Fit the twin on the model's data, and measure both on a part.

    Parameters
    ----------
    model
        Fitted.
    twin
        The same model without content; fitted here unless it is already.
    part
        Held-out interactions of the users that the model was fitted on.
    run
        Seed, threads and progress.
    validation
        What stops the twin, where it stopped the model.
    """
    began = time.perf_counter()
    if twin._data is None:
        run.progress.say(f"fitting {twin.name}, the same without features, to compare")
        twin.fit(model.data, validation=validation, run=run)
    seconds = time.perf_counter() - began
    users = _users(part, model.data, run)
    return Comparison(
        twin.name,
        warm_ndcg(model, part, users, n_threads=run.n_threads),
        warm_ndcg(twin, part, users, n_threads=run.n_threads),
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
    return np.sort(run.generator("content", "twin").permutation(held)[:_USERS]).astype(np.int32)
