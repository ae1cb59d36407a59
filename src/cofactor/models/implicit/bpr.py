"""BPR: Bayesian personalised ranking by lock-free stochastic ascent."""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.base.config import setting
from cofactor.base.run import Run
from cofactor.base.search import among, between, log
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.defaults.noise import relative_noise
from cofactor.models.factors import FactorModel
from cofactor.models.implicit.held_out_choice import NOISE_SHARE_ARRAY, NoiseShareHooks, Usual
from cofactor.models.implicit.pairwise import (
    MONITORED_NDCG,
    SampledConfig,
    SampledHooks,
    Walk,
    either,
)
from cofactor.models.implicit.pairwise_blocks import Arrays, SampledLearner
from cofactor.models.iterative import IterativeModel
from cofactor.models.user_batch import States

# All folded-in users draw the same numbers, so that a vector depends on the history alone.
_FOLD_IN_SEED = np.uint64(0xC0FAC70)
_FOLD_IN_DRAWS = 2_000


class BPRConfig(SampledConfig):
    """Settings of `BPR`."""

    search = {
        "factors": log(16, 256),
        "epochs": log(50, 500),
        "learning_rate": log(0.01, 1.0),
        "regularization": log(1e-4, 0.1),
        "negative_sampling": among("uniform", "popularity"),
        "negative_power": between(0.1, 1.0),
    }

    new_defaults = {"schedule": "linear", "validate_every": 10}

    epochs: int = setting(
        300, low=1, doc="Passes over the data; each samples one negative per interaction."
    )
    learning_rate: float = setting(0.2, above=0, doc="Peak learning rate of the schedule.")
    regularization: float | None = setting(
        None,
        low=0,
        doc=(
            "L2 on the user vector per draw, times the step size; 0: none; None: a tenth of the"
            " data's relative noise, or another share that ranks held-out interactions better."
        ),
    )
    item_regularization: float | None = setting(
        None, low=0, doc="L2 on the positive item's vector; None takes regularization."
    )
    negative_regularization: float | None = setting(
        None, low=0, doc="L2 on the negative item's vector; None takes that of the positive item's."
    )
    bias_regularization: float | None = setting(
        None, low=0, doc="L2 on both items' biases; None takes regularization."
    )
    fold_in_epochs: int = setting(
        100,
        low=1,
        high=10_000,
        doc="Passes over the history of an unseen user (at least 2,000 draws).",
    )


# Settings that were chosen on the last tenth of each user's training line (300 epochs), never on
# test; see benchmarks/accuracy_gowalla_bpr.py.
PRESETS: dict[str, dict[str, Any]] = {
    "gowalla": {
        "factors": 64,
        "epochs": 500,
        "learning_rate": 0.2,
        "schedule": "linear",
        "regularization": 0.003,
        "bias_regularization": 0.0005,
    },
}


class BPR(NoiseShareHooks, IterativeModel, SampledHooks, FactorModel):
    """Matrix factorisation trained to rank items with an interaction above those without.

    For a user u, an item i with an interaction and an item j without, ``ln σ(x_ui - x_uj) -
    λ|θ|²/2`` is maximised by stochastic gradient ascent, where ``x_ui = u_u · v_i + b_i``. Each
    epoch takes every interaction once, with one sampled negative, which is never an item that the
    user interacted with.

    Notes
    -----
    By default λ is a share s of the data's `relative_noise`: 1/10, or 1/40, 1/20, 1/5 or 2/5 if
    that ranks held-out interactions of the training data significantly better (`choose_value`);
    with ``max_time`` this isn't tried. Unless held-out training interactions show that scores rank
    better than popularity, a term of popularity is added to them
    (`models.defaults.popularity_term`). Threads write without locks: only ``threads=1`` repeats bit
    for bit. Values of the interactions aren't read. A new user's vector is fitted by the same
    ascent with the items held.

    Source: Rendle, Freudenthaler, Gantner, Schmidt-Thieme 2009, "BPR: Bayesian personalized ranking
    from implicit feedback"; Niu, Recht, Ré, Wright 2011, "Hogwild!".

    Examples
    --------
    >>> import numpy as np
    >>> from cofactor.data.interactions import Interactions
    >>> users, items = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 2, 3, 0])
    >>> data = Interactions.from_rows(users, items, users=3, items=4)
    >>> model = BPR(factors=16, epochs=200).fit(data)
    >>> model.recommend([2], k=1).ids
    [1]
    """

    name = "bpr"
    Config = BPRConfig
    monitored_ndcg = MONITORED_NDCG
    arrays = {**SampledHooks.arrays, **NOISE_SHARE_ARRAY}
    usual_share = Usual(0.1, 2.0)  # chosen on validation parts of the panel (benchmarks/panel.py)

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        self._choose_share(data, run)
        self._configure_sampling(data)
        self._learn(BPRLearner(self, data, run), data, validation, run)

    def _fold_in(self, histories: Histories) -> States:
        from cofactor.kernels.cpu.bpr import bpr_fold_in

        indptr, item_rows, _ = histories.csr
        folded: np.ndarray = bpr_fold_in(
            indptr,
            item_rows,
            self.item_factors,
            item_bias=self.item_bias,
            learning_rate=self.config.learning_rate,
            user_regularization=self._decays()[0],
            threshold=self.negative_threshold,
            alias=self.negative_alias,
            epochs=self.config.fold_in_epochs,
            least_draws=_FOLD_IN_DRAWS,
            seed=_FOLD_IN_SEED,
        )
        return folded

    def _l2_by(self, data: Interactions, share: float) -> float:
        return share * relative_noise(data)

    def _decays(self) -> tuple[float, float, float, float]:
        """L2 of the user, the positive item, the negative item and the biases."""
        c = self.config
        item = either(c.item_regularization, self._l2)
        negative = either(c.negative_regularization, item)
        return self._l2, item, negative, either(c.bias_regularization, self._l2)


def bpr_steps(
    _: BPRConfig,
    walk: Walk,
    users: Arrays,
    items: Arrays,
    decays: Arrays,
    table: Arrays,
    __: int = 1,
) -> tuple[float, float]:
    """Take the steps of a walk by the users' vectors, and vectors and biases of the items."""
    from cofactor.kernels.cpu.bpr import bpr_epoch

    arguments: Arrays = (*walk[:3], *users, *items, walk.rate, *decays, *table, *walk[4:])
    return bpr_epoch(*arguments)


class BPRLearner(SampledLearner):
    """One negative for every interaction."""

    take_steps = staticmethod(bpr_steps)

    def sides(self) -> tuple[Arrays, Arrays]:
        """Return the vectors of the users; vectors and biases of the items."""
        model: BPR = self.model
        return (model.user_factors,), (model.item_factors, model.item_bias)
