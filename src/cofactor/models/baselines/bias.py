"""Bias: how far a user's and an item's ratings lie from the mean; the baseline for rating
prediction.
"""

from __future__ import annotations

import numpy as np

from cofactor.base.config import setting
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.defaults.damped_biases import Damping, damping_of
from cofactor.models.liked import rated_csr, seen_ratings
from cofactor.models.rating_scale import ScaleConfig, on_scale, rating_scale, spread_of
from cofactor.models.recommender import Recommender
from cofactor.models.traits import ArraySpec, Traits, penalty_array
from cofactor.models.user_batch import States, UserBatch


class BiasConfig(ScaleConfig):
    """Settings of `Bias`."""

    renamed = {
        "damping_users": "user_damping",
        "damping_items": "item_damping",
        "clip": "clip_predictions",
    }

    method: str = setting(
        "joint",
        choices=("joint", "damped"),
        doc="Least squares over both biases, or damped means: items first, then users.",
    )
    user_damping: float | None = setting(
        None,
        low=0,
        doc=(
            "Shrinkage: pseudo-ratings at the mean for each user; None: estimated from the ratings."
        ),
    )
    item_damping: float | None = setting(
        None,
        low=0,
        doc=(
            "Shrinkage: pseudo-ratings at the mean for each item; None: estimated from the ratings."
        ),
    )
    sweeps: int = setting(
        100, low=1, high=100_000, doc="Maximum number of sweeps over both sides (joint)."
    )
    tolerance: float = setting(
        1e-4,
        above=0,
        doc=(
            "Change of the biases at which to stop (joint), in standard deviations of the ratings."
        ),
    )


class Bias(Recommender[BiasConfig]):
    """Predict ratings by ``mu + b_u + b_i``.

    ``method="joint"`` minimises ``sum (r_ui - mu - b_u - b_i)^2 + user_damping |b_users|^2 +
    item_damping |b_items|^2`` by alternating until it converges; ``"damped"`` takes one sweep:
    damped means of the items, then of the users' residuals. By default the damping is the variance
    of the noise over that of the biases, see
    `cofactor.models.defaults.damped_biases.estimated_damping`.

    References
    ----------
    Y. Koren, "Factor in the Neighbors", ACM TKDD 4(1), 2010, section 2.1.
    """

    name = "bias"
    traits = Traits(
        predicts_ratings=True,
        finds_similar=False,
        explains=True,
        answers_empty=True,
    )
    arrays = {
        "mean": ArraySpec("float64", ("1",)),
        "scale": ArraySpec("float32", ("2",)),
        "user_bias": ArraySpec("float64", ("users",)),
        "item_bias": ArraySpec("float64", ("items",)),
        **penalty_array(2),
    }

    mean: np.ndarray
    scale: np.ndarray
    user_bias: np.ndarray
    item_bias: np.ndarray
    fold_in_penalties: np.ndarray | None = None  # float64 [2]: the damping in use

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        from cofactor.kernels.cpu.bias import bias_sweep

        config = self.config
        self.scale = rating_scale(config, data, "Bias")
        self.mean = np.array([data.weights.mean(dtype=np.float64)])
        self.user_bias, self.item_bias = np.zeros(data.n_users), np.zeros(data.n_items)
        item_indptr, user_rows, positions = data.by_item
        by_item, by_user = (
            (item_indptr, user_rows, data.weights[positions]),
            (data.indptr, data.item_rows, data.weights),
        )
        sweeps, mu = config.sweeps if config.method == "joint" else 1, float(self.mean[0])
        spread = spread_of(data)
        damping = damping_of(data, config.user_damping, config.item_damping)
        self.fold_in_penalties = np.array(damping)
        with run.progress.task("fit bias", sweeps) as task:
            for _ in range(sweeps):
                moved = bias_sweep(*by_item, mu, self.user_bias, damping.items, self.item_bias)
                moved = max(
                    moved, bias_sweep(*by_user, mu, self.item_bias, damping.users, self.user_bias)
                )
                task.advance(moved=float(moved))
                if moved < config.tolerance * spread:
                    break

    def _damping(self, data: Interactions) -> Damping:
        """The damping in use."""
        if self.fold_in_penalties is not None:
            return Damping(*map(float, self.fold_in_penalties))
        config = self.config
        return self._once(
            "damping", lambda: damping_of(data, config.user_damping, config.item_damping)
        )

    def _states(self, user_rows: np.ndarray) -> States:
        return self._level(self.user_bias[user_rows])

    def _fold_in(self, histories: Histories) -> States:
        from cofactor.kernels.cpu.bias import bias_sweep

        bias = np.zeros(len(histories))
        rated = rated_csr(self, histories)
        damping = self._damping(self.data).users
        bias_sweep(*rated, float(self.mean[0]), self.item_bias, damping, bias)
        return self._level(bias)

    def _level(self, bias: np.ndarray) -> np.ndarray:
        """mu + b_u as states, float32 [B, 1]."""
        return (self.mean[0] + bias).astype(np.float32)[:, None]

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        bias = self.item_bias if item_rows is None else self.item_bias[item_rows]
        return np.asarray(states) + bias.astype(np.float32)

    def _predict(self, states: States, which: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        known = item_rows >= 0
        values = np.asarray(states)[which, 0] + np.where(known, self.item_bias[item_rows], 0.0)
        return on_scale(values, self.config, self.scale)

    def _explain(self, batch: UserBatch, item_row: int) -> tuple[np.ndarray, np.ndarray, float]:
        # b_u is a sum over the past: each rating adds its (r - mu - b_i) / (damping + n), whatever
        # item is asked about.
        past = batch.seen[1]
        left_over = seen_ratings(self, batch) - self.mean[0] - self.item_bias[past]
        damping = self._damping(self.data).users
        added = left_over / (damping + len(past))
        score = float(self._score(batch.states, np.array([item_row]))[0, 0])
        return past, added, score - float(added.sum())
