"""BPR: Bayesian personalised ranking by lock-free stochastic ascent."""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.base.config import Config, setting
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models.implicit.pairwise import NEGATIVE_LAWS, SCHEDULES, Epoch, SampledModel
from cofactor.models.traits import Traits
from cofactor.models.user_batch import States

# All folded-in users draw the same numbers, so that a vector depends on the history alone.
_FOLD_IN_SEED = np.uint64(0xC0FAC70)
_FOLD_IN_DRAWS = 2_000


class BPRConfig(Config):
    """Settings of `BPR`."""

    factors: int = setting(
        64,
        low=1,
        high=4096,
        doc="Length of the user and item vectors; multiples of 16 are fastest.",
    )
    epochs: int = setting(
        100, low=1, doc="Walks over the data; each draws one negative for every interaction."
    )
    learning_rate: float = setting(0.08, above=0, doc="The step at the start.")
    schedule: str = setting(
        "linear",
        choices=SCHEDULES,
        doc="The step over time: constant, linearly to zero, or to 30 % after 70 % of the epochs.",
    )
    regularization: float = setting(
        0.01, low=0, doc="Decay of the user vector per draw, times the step; zero for none."
    )
    item_regularization: float | None = setting(
        None, low=0, doc="Decay of the positive item's vector; None takes regularization."
    )
    negative_regularization: float | None = setting(
        None,
        low=0,
        doc="Decay of the negative item's vector; None takes that of the positive item's.",
    )
    bias_regularization: float | None = setting(
        None, low=0, doc="Decay of both items' biases; None takes regularization."
    )
    negative_law: str = setting(
        "uniform", choices=NEGATIVE_LAWS, doc="How negatives are drawn from the items a user lacks."
    )
    negative_power: float = setting(
        0.5,
        low=0,
        high=4,
        doc="Under the law of popularity: an item's chance goes with its count to this power.",
    )
    init_scale: float = setting(0.1, low=0, doc="Standard deviation of the vectors' first values.")
    validate_every: int = setting(
        10, low=1, doc="Epochs between two checks, if a validation part is given."
    )
    patience: int = setting(
        5, low=0, doc="Checks without improvement before training stops; zero never stops."
    )
    fold_in_epochs: int = setting(
        100,
        low=1,
        doc="Walks over the history of a user never seen (and never fewer than 2,000 draws).",
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


class BPR(SampledModel):
    """Matrix factorisation trained to rank what a user took above what he didn't.

    For a user u, an item i he took and an item j he didn't, ``ln σ(x_ui - x_uj) - λ|θ|²/2`` is
    ascended, where ``x_ui = u_u · v_i + b_i``. Each epoch takes every interaction once, with one
    drawn negative, which is never an item the user took.

    Notes
    ----- Threads write without locks: only ``threads=1`` repeats bit for bit. Values of the
    interactions aren't read. A new user's vector is fitted by the same ascent with the items held.

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
    traits = Traits(has_vectors=True, same_on_any_threads=False)

    def _epoch(
        self, data: Interactions, order: np.ndarray, rate: float, seed: np.uint64, n_threads: int
    ) -> Epoch:
        from cofactor.kernels.cpu.bpr import bpr_epoch

        loss, correct = bpr_epoch(
            data.indptr,
            data.item_rows,
            order,
            self.user_factors,
            self.item_factors,
            self.item_bias,
            float(rate),
            *self._decays(),
            *self._law(),
            seed,
            n_threads,
        )
        return Epoch(float(loss), float(correct))

    def _fold_in(self, histories: Histories) -> States:
        from cofactor.kernels.cpu.bpr import bpr_fold_in

        indptr, item_rows, _ = histories.csr
        folded: np.ndarray = bpr_fold_in(
            indptr,
            item_rows,
            self.item_factors,
            self.item_bias,
            self.config.learning_rate,
            self._decays()[0],
            *self._law(),
            self.config.fold_in_epochs,
            _FOLD_IN_DRAWS,
            _FOLD_IN_SEED,
        )
        return folded

    def _decays(self) -> tuple[float, float, float, float]:
        """Regularisation of the user, the positive item, the negative item and the biases."""
        c = self.config
        item = c.regularization if c.item_regularization is None else c.item_regularization
        negative = item if c.negative_regularization is None else c.negative_regularization
        bias = c.regularization if c.bias_regularization is None else c.bias_regularization
        return float(c.regularization), float(item), float(negative), float(bias)
