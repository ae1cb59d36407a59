"""What the ranking models share that are trained in epochs over the users."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from cofactor.base.config import setting
from cofactor.base.memory import aligned_empty
from cofactor.base.rng import state64
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.defaults import popularity_term
from cofactor.models.factors import FACTOR_ARRAYS
from cofactor.models.hooks import Hooks
from cofactor.models.iterative import CURVE_ARRAYS
from cofactor.models.traits import ArraySpec, Traits, penalty_array
from cofactor.training.learner import Epoch, Facts, Learner
from cofactor.training.training_config import DescentConfig

# What early stopping of these models follows: nDCG at this cutoff, on at most so many users.
MONITORED_NDCG = (20, 10_000)
NEGATIVE_SAMPLING = ("uniform", "popularity")
VECTOR_ARRAYS = {
    **FACTOR_ARRAYS,
    "item_bias": ArraySpec("float32", ("items",)),
}
SAMPLING_ARRAYS = {
    "negative_threshold": ArraySpec("uint32", ("distribution",)),
    "negative_alias": ArraySpec("int32", ("distribution",), rows_of="distribution"),
}

# The sampling distribution as kernels take it: an alias table, or two empty arrays for the uniform.
AliasTable = tuple[np.ndarray, np.ndarray]


def upgrade_schedule(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of an older version with the schedule that was called "drop"."""
    if values.get("schedule") != "drop":
        return dict(values)
    return {**values, "schedule": "step", "drop_every": 0.7, "drop_factor": 0.3}


class WalkConfig(DescentConfig):
    """Settings that these models share."""

    new_defaults = {"validate_every": 5, "patience": 5}

    factors: int = setting(
        64,
        low=1,
        high=4096,
        doc="Length of the user and item vectors; multiples of 16 are fastest.",
    )
    epochs: int = setting(30, low=1, doc="Passes over the data.")
    init_scale: float = setting(0.1, above=0, doc="Standard deviation of the initial vectors.")

    @classmethod
    def upgrade(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of an older version under their present names."""
        return super().upgrade(upgrade_schedule(values))


class SampledConfig(WalkConfig, popularity_term.PopularityTermConfig):
    """Settings of those that draw one negative at a time, by a distribution."""

    renamed = {"negative_law": "negative_sampling"}

    negative_sampling: str = setting(
        "uniform",
        choices=NEGATIVE_SAMPLING,
        doc="How negatives are drawn from the items a user hasn't interacted with.",
    )
    negative_power: float = setting(
        0.5,
        low=0,
        high=4,
        doc=(
            "Popularity sampling: an item's probability is proportional to its count to this power."
        ),
    )


class WalkHooks(Hooks[Any]):
    """What these models do alike, beside their factors: a penalty that follows the data."""

    arrays = {**VECTOR_ARRAYS, **CURVE_ARRAYS, **penalty_array(1)}

    _l2: float  # the regularization in use
    fold_in_penalties: np.ndarray | None = None  # the same

    @abstractmethod
    def _default_l2(self, data: Interactions) -> float:
        """Return the L2 of the settings, or what the data ask for."""

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        super()._restore(arrays)
        kept = self.fold_in_penalties
        self._l2 = self._default_l2(self.data) if kept is None else float(kept[0])

    def _settle_l2(self, data: Interactions) -> None:
        """Set the regularization in use."""
        self._l2 = self._default_l2(data)
        self.fold_in_penalties = np.array([self._l2])


class SampledHooks(WalkHooks):
    """Those that draw one negative at a time, without locks."""

    traits = Traits(has_vectors=True, same_on_any_threads=False)
    fits_on_engine = True  # in blocks, with another result than uncut
    weighs_popularity = True
    arrays = {**WalkHooks.arrays, **SAMPLING_ARRAYS, **popularity_term.ARRAYS}

    negative_threshold: np.ndarray
    negative_alias: np.ndarray

    def _configure_sampling(self, data: Interactions) -> None:
        """Set what a fit needs beside a learner: the L2, and how negatives are drawn."""
        self._settle_l2(data)
        table = alias_table(data.item_counts, self.config)
        self.negative_threshold, self.negative_alias = table


class Walk(NamedTuple):
    """What a kernel needs of one epoch beside the arrays."""

    indptr: np.ndarray
    item_rows: np.ndarray
    order: np.ndarray
    rate: float
    seed: np.uint64
    n_threads: int


class WalkLearner(Learner):
    """A learner that walks over the users in a new order each epoch; a subclass says what a walk
    does.

    Parameters
    ----------
    model
        Its arrays are set to where learning starts, and then learned in place.
    data, run
        On what, with which seed and threads.
    """

    def __init__(self, model: Any, data: Interactions, run: Run) -> None:
        self.model, self.data, self.run, config = model, data, run, model.config
        self.way = "" if run.engine is None else "blocks"
        self.cure = f"lower learning_rate (now {config.learning_rate:g}) or raise regularization"
        draw = run.generator(model.name, "init")
        model.user_factors, model.item_factors = (
            _normal(draw, n, config.factors, config.init_scale)
            for n in (data.n_users, data.n_items)
        )
        # Users without interactions have no vector, and items without keep theirs: they are pushed
        # down as negatives.
        model.user_factors[data.user_counts == 0] = 0.0
        model.item_bias = np.zeros(data.n_items, np.float32)

    @abstractmethod
    def walk(self, walk: Walk) -> Facts:
        """Improve the arrays in place by one walk over the users in ``order``."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the model's vectors and biases, live."""
        return {name: getattr(self.model, name) for name in VECTOR_ARRAYS}

    def run_epoch(self, epoch: Epoch) -> Facts:
        """Walk once."""
        name, data = self.model.name, self.data
        draw = self.run.generator(name, "order", epoch.number)
        order = draw.permutation(data.n_users).astype(np.int32)
        seed = np.uint64(state64(self.run.seed, name, "epoch", epoch.number))
        rate = float(epoch.rate())
        return self.walk(Walk(data.indptr, data.item_rows, order, rate, seed, self.run.n_threads))


def alias_table(counts: np.ndarray, config: SampledConfig) -> AliasTable:
    """Return the sampling distribution of negatives: uniform over items, or in proportion to
    ``counts ** negative_power`` (int64 [n_items]).
    """
    if config.negative_sampling == "uniform" or config.negative_power == 0:
        return np.empty(0, np.uint32), np.empty(0, np.int32)
    from cofactor.kernels.cpu.sampling import alias_table as made

    threshold, alias = made(counts.astype(np.float64) ** config.negative_power)
    return threshold, alias


def either(first: float | None, other: float) -> float:
    """Return the first as a float, or the other where it is None."""
    return float(other if first is None else first)


def _normal(draw: np.random.Generator, n_rows: int, n_columns: int, scale: float) -> np.ndarray:
    vectors = aligned_empty((n_rows, n_columns))
    vectors[:] = draw.standard_normal((n_rows, n_columns), np.float32) * np.float32(scale)
    return vectors
