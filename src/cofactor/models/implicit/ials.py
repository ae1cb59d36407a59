"""iALS: matrix factorisation of implicit feedback by alternating least squares over all
user-item pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from cofactor.base.config import setting
from cofactor.base.run import Run
from cofactor.base.search import between, log
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.defaults import popularity_term
from cofactor.models.defaults.popularity_term import PopularityTermConfig
from cofactor.models.factors import FACTOR_ARRAYS, FactorModel, vector_bytes
from cofactor.models.implicit.held_out_choice import NOISE_SHARE_ARRAY, NoiseShareHooks, Usual
from cofactor.models.implicit.ials_defaults import NOISE_SHARE, n_factors
from cofactor.models.implicit.ials_device import DeviceIALSLearner, on_gpu
from cofactor.models.implicit.ials_learner import IALSLearner
from cofactor.models.implicit.ials_reduced import ReducedIALSLearner, reduces
from cofactor.models.implicit.ials_sharded import ShardedIALSLearner
from cofactor.models.implicit.normal_equations import FixedItems, NormalEquations
from cofactor.models.iterative import CURVE_ARRAYS, IterativeModel
from cofactor.models.traits import ArraySpec, Traits, penalty_array
from cofactor.models.user_batch import Shares, States, UserBatch
from cofactor.training.training_config import IterativeConfig

# Chosen on a tenth of Gowalla's training interactions: on data so sparse three epochs are enough,
# and the first two need one step only. nDCG@20 there .0904 with 64 factors, against .0891 after
# three full epochs. On denser data, as ml-1m, full epochs are better.
PRESETS: dict[str, dict[str, Any]] = {"sparse": {"warmup_epochs": 2, "epochs": 3}}


class IALSConfig(IterativeConfig, PopularityTermConfig):
    """Settings of `IALS`."""

    renamed = {"warmup": "warmup_epochs", "popularity_power": "item_weight_power"}
    search = {
        "factors": log(16, 256),
        "unobserved_weight": log(1e-3, 1.0),
        "regularization": log(1e-3, 0.1),
        "frequency_exponent": between(0.7, 1.0),
        "item_weight_power": between(0.0, 0.4),
    }

    new_defaults = {"patience": 2}

    factors: int | None = setting(
        None,
        low=1,
        high=4096,
        doc=(
            "Length of the user and item vectors; None: √interactions / 2, from 32 to 256, within 2"
            " GiB."
        ),
    )
    unobserved_weight: float | None = setting(
        None,
        low=0,
        doc=(
            "Weight of every pair as unobserved (alpha0), against 1 for an observed one; None: 10"
            " times the mean weight of all pairs (the density, where observed ones weigh 1)."
        ),
    )
    confidence: str = setting(
        "ones",
        choices=("ones", "linear", "log"),
        doc=(
            "Weight of an observed pair: 1, or 1 + confidence_scale * value, or 1 +"
            " confidence_scale * ln(1 + value)."
        ),
    )
    confidence_scale: float = setting(
        1.0, low=0, doc="How much a value adds to the weight; with confidence ones, nothing."
    )
    regularization: float | None = setting(
        None,
        low=0,
        doc=(
            "L2 regularization of a vector per pair that it is part of (see"
            " frequency_exponent); None: computed from the data's noise."
        ),
    )
    unobserved_regularization: float | None = setting(
        None,
        low=0,
        doc=(
            "Weight of every pair as unobserved in the L2 (beta0), against 1 for an observed"
            " one; None: the unobserved weight; 0: only observed pairs count."
        ),
    )
    frequency_exponent: float = setting(
        1.0,
        low=0,
        high=2,
        doc=(
            "Frequency scaling of L2: 1 regularizes a vector in proportion to its data, 0"
            " regularizes all alike (plain L2)."
        ),
    )
    epochs: int = setting(8, low=1, high=10_000, doc="Epochs; each solves both sides once.")
    solver: str = setting(
        "cg", choices=("cg", "cholesky", "subspace"), doc="Solver of a side; cg is the fastest."
    )
    cg_steps: int = setting(
        3, low=1, high=1000, doc="Conjugate gradient steps for each row; for the solver cg."
    )
    warmup_epochs: int = setting(
        0,
        low=0,
        high=10_000,
        doc=(
            "Number of epochs at the start that take only one conjugate"
            " gradient step, at a third of the cost; for the solver cg."
        ),
    )
    block_size: int = setting(
        16, low=1, high=4096, doc="Factors in a block; for the solver subspace."
    )
    init_scale: float = setting(
        0.1,
        above=0,
        doc=(
            "Approximate length of the initial vectors; small ones find the main directions first."
        ),
    )
    item_weight_power: float = setting(
        0.0,
        low=0,
        high=2,
        doc=(
            "p: item i's part of the loss weighs n_i^-p; 0: all the same;"
            " higher values fit rare items better."
        ),
    )


class IALS(NoiseShareHooks, IterativeModel, FactorModel):
    """Matrix factorisation of implicit feedback by alternating least squares.

    It minimises, over user vectors x and item vectors y::

        sum_i c_i ( sum_{u: (u,i) observed} w_ui (1 - x_u·y_i)^2 + alpha0 sum_{all u} (x_u·y_i)^2 )
            + reg ( sum_u (|I_u| + beta0 n_items)^nu |x_u|^2 + sum_i (|U_i| + beta0 n_users)^nu
            |y_i|^2 )

    with ``alpha0`` the unobserved weight, ``beta0`` the same unless ``unobserved_regularization``
    says otherwise, ``reg`` the regularization, ``nu`` the frequency exponent, and ``c_i``
    proportional to ``|U_i|^-p``, p the item weight power, scaled so that the interactions' mean c
    is 1. All c are 1 by default.

    Notes
    -----
    The best alpha0 follows the density of the data, so by default it is 10 times the sum of the
    observed pairs' weights over the number of all pairs of users and items that have any: then all
    pairs together weigh 10 times what the observed ones do, on data of any size. The number that
    was used is kept in the state as ``alpha0``; `fold_in` and `explain` take it from there. The
    regularization and the number of factors follow the data too, where they aren't set; the rules
    are in `cofactor.models.implicit.ials_defaults`. The regularization is that of its rule, or one
    or two steps of a factor 1.5 below or above it, if that ranks held-out interactions of the
    training data significantly better (`choose_value`); with ``max_time`` this isn't tried. Unless
    held-out training interactions show that scores with it rank better than popularity, a term of
    popularity is added to them (`models.defaults.popularity_term`).

    Training ends with one solve of all users against the final items, exact or (solver cg) to a
    hundred-thousandth of the residual, so a trained user's vector is what `fold_in` gives for the
    same history. Vectors are stored in the basis in which the items' Gram matrix is diagonal, which
    changes no score.

    The first epochs find the main directions, for which one step is enough (``warmup_epochs``):
    their error is corrected later.

    Few epochs are often better than many: on sparse data ranking quality peaks before the loss
    does.

    The item weight power isn't from the papers below. Popular items hold most of the observed loss,
    and c takes some of that back: on Gowalla, with 256 factors, a power of .3 is worth .0036 of
    Recall@20 on validation data.

    References
    ----------
    Hu, Koren and Volinsky. 2008. Collaborative Filtering for Implicit Feedback Datasets. ICDM.
    Rendle, Krichene, Zhang and Koren. 2022. Revisiting the Performance of iALS on Item
    Recommendation Benchmarks. RecSys. Rendle, Krichene, Zhang and Koren. 2021. iALS++: Speeding up
    Matrix Factorization with Subspace Optimization. arXiv:2110.14044 (the subspace solver).
    """

    uses_device = True
    name = "ials"
    fits_on_engine = chooses_exchange = weighs_popularity = True
    Config = IALSConfig
    traits = Traits(has_vectors=True, explains=True)
    arrays = {
        **FACTOR_ARRAYS,
        "alpha0": ArraySpec("float64", ("1",), low=0),
        **NOISE_SHARE_ARRAY,
        **popularity_term.ARRAYS,
        **CURVE_ARRAYS,
        **penalty_array(1),
    }
    # By larger steps, ranking gets much worse on most data.
    usual_share = Usual(NOISE_SHARE, 1.5)

    alpha0: np.ndarray  # float64 [1]: the unobserved weight in use
    fold_in_penalties: np.ndarray | None = None  # float64 [1]: the regularization in use
    _equations: NormalEquations
    _items: FixedItems

    def memory_needed(self, data: Interactions) -> int | None:
        """Return the bytes of both sides' vectors, twice; see `FactorModel`."""
        return vector_bytes(data, self.config.factors or n_factors(data))

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        self._choose_share(data, run)
        before, config = self._before, self.config
        if before is not None:
            # By the rule more data may have more factors, which vectors that are there haven't.
            config = config.replace(factors=before.item_factors.shape[1])
        equations = NormalEquations.of(config, data, noise_share=float(self.noise_share[0]))
        self._equations = equations
        self.alpha0 = np.array([equations.alpha0], np.float64)
        self.fold_in_penalties = np.array([equations.config.regularization], np.float64)
        learner = _learner(equations, data, run)

        def update() -> None:
            rows = None if validation is None or self._callbacks else validation.user_rows
            self._take_over(*learner.answer(rows), data)

        self._learn(learner, data, validation, run, update)
        self._take_over(*learner.solve_users(), data)

    def _take_over(self, x: np.ndarray, y: np.ndarray, data: Interactions) -> None:
        """Keep both sides, and what every fold-in needs of the items."""
        self.user_factors, self.item_factors = x, y
        shares = self._equations.item_shares(data)
        diagonal = self._equations.gram_diagonal(y, shares)
        self._items = FixedItems(y, diagonal, shares, data.n_items)

    def as_chosen(self, data: Interactions) -> Self | None:
        """Return what `NoiseShareHooks` does; None where the L2 is given."""
        return None if self.config.regularization is not None else super().as_chosen(data)

    def _l2_by(self, data: Interactions, share: float) -> float:
        equations = NormalEquations.of(self.config, data, noise_share=share)
        return float(equations.config.regularization)

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        super()._restore(arrays)
        config = self.config.replace(factors=self.item_factors.shape[1])
        if self.fold_in_penalties is not None:
            config = config.replace(regularization=float(self.fold_in_penalties[0]))
        self._equations = NormalEquations.of(
            config, self.data, float(self.alpha0[0]), float(self.noise_share[0])
        )
        self._take_over(self.user_factors, self.item_factors, self.data)

    def _fold_in(self, histories: Histories) -> States:
        return self._equations.solve(histories, self._items)

    def _explain_rows(self, batch: UserBatch, item_rows: np.ndarray) -> Shares:
        return self._equations.explain(batch, item_rows, self._items)


def _learner(equations: NormalEquations, data: Interactions, run: Run) -> IALSLearner:
    """What the training loop drives: in this process, on its GPU, or in shards on an engine."""
    if run.engine is not None:
        by_sums = reduces(run.engine.exchange, equations, data, run)
        kind = ReducedIALSLearner if by_sums else ShardedIALSLearner
        return kind(equations, data, run, run.engine)
    if on_gpu(run.device):
        return DeviceIALSLearner(equations, data, run)
    return IALSLearner(equations, data, run)
