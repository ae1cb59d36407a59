"""LatentFactor: matrix factorisation by gradient descent, with any loss. Its state is plain
arrays; only `fit` needs torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from cofactor.base.config import setting
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.defaults import popularity_term
from cofactor.models.defaults.bias_term import BIAS_TERM_ARRAYS, BiasTermConfig
from cofactor.models.defaults.noise import RatingPenalties, rating_penalties, relative_noise
from cofactor.models.factors import FACTOR_ARRAYS, FactorModel
from cofactor.models.iterative import CURVE_ARRAYS, IterativeModel
from cofactor.models.neural.biased_factors import BiasedFactors
from cofactor.models.neural.factor_fold_in import Factors
from cofactor.models.neural.factor_settings import FactorConfig
from cofactor.models.traits import UNBOUNDED, ArraySpec, Traits, penalty_array
from cofactor.models.warm_start import KeptRows

# Of rankings' L2. A tenth, as in BPR, holds the vectors at 0 where they grow beside a prior.
_NOISE_SHARE = 0.02
_PENALTIES = ("regularization", "bias_regularization", "item_bias_regularization")


class LatentFactorConfig(FactorConfig, BiasTermConfig):
    """Settings of `LatentFactor`."""

    regularization: float | None = setting(  # type: ignore[assignment]
        None,
        low=0.0,
        doc=(
            "L2 on the vectors that a batch touches, per example; None: on ratings computed"
            " from their noise, otherwise a fiftieth of the data's relative noise."
        ),
    )
    bias_regularization: float | None = setting(  # type: ignore[assignment]
        None,
        low=0.0,
        doc=(
            "L2 on the biases that a batch touches, per example; None: on ratings the damping"
            " that they ask for, otherwise .005."
        ),
    )
    item_bias_regularization: float | None = setting(
        None, low=0.0, doc="L2 on item biases; None: as for user biases, if those are set."
    )

    popularity_prior: float = setting(
        1.0,
        low=0.0,
        high=2.0,
        doc=(
            "With a loss that ranks: weight of an item's popularity (its log odds) in the"
            " scores, on top of which the biases are learned; 0, or without biases: none."
        ),
    )

    def on(self, data: Interactions) -> Self:
        """Return the settings with the penalties that are None as the data has it."""
        found = (
            rating_penalties(data)
            if self.fits(data)
            else RatingPenalties(_NOISE_SHARE * relative_noise(data), 0.005, 0.005)
        )
        if self.bias_regularization is not None:
            found = found._replace(item_bias=self.bias_regularization)
        given = (self.regularization, self.bias_regularization, self.item_bias_regularization)
        return self.replace(
            **{
                name: default if value is None else value
                for name, value, default in zip(_PENALTIES, given, found, strict=True)
            }
        )


class LatentFactor(BiasedFactors, IterativeModel, FactorModel):
    """A vector and a bias for each user and item: ``r̂_ui = μ + b_u + b_i + p_u · q_i``.

    ``L = 1/B Σ_(u,i) [loss + λ (‖p_u‖² + ‖q_i‖²) + λ_b (b_u² + b_i²)] + g · gravity``

    With ``loss="squared"`` on ratings it predicts them, with a share ``bias_weight`` of the mean
    and damped biases alone, as `BiasedMF` does; with the other losses, or on data without
    values, it ranks (squared on data without values takes observed pairs as 1, and the rest as 0:
    through gravity if there is any, else by drawing). Unseen users are answered by the vector that
    minimises the same loss with the items frozen: in closed form for squared error, by a convex
    descent for the other losses (against negatives drawn once from the sampling distribution, so
    that the answer depends on nothing but the history).

    Notes
    -----
    With ``frequency_exponent`` f, the L2 of a row with n ratings is multiplied by
    ``n^(f−1) / c`` in each of them, where c makes the mean over the data 1: rows with few ratings
    are regularized more. Squared error's fold-in is exact for ``regularization`` and ``gravity``;
    ``weight_decay`` isn't part of it. The in-batch softmax folds in against negatives by
    popularity, the full softmax against the whole catalogue. Source: Koren, Bell and Volinsky,
    2009; Rendle et al., UAI 2009; Krichene et al., ICLR 2019.
    """

    name = "latent_factor"
    fits_on_engine = trained_together = weighs_popularity = True
    uses_device = True
    Config = LatentFactorConfig
    traits = Traits(predicts_ratings=True, has_vectors=True)
    arrays = {
        **FACTOR_ARRAYS,
        "user_bias": ArraySpec("float32", ("users",)),
        "item_bias": ArraySpec("float32", ("items",)),
        "scale": ArraySpec("float64", ("3",), most=UNBOUNDED),
        **popularity_term.ARRAYS,
        **CURVE_ARRAYS,
        **penalty_array(3),
        **BIAS_TERM_ARRAYS,
    }
    adds_user_bias = True

    item_bias: np.ndarray
    _in_use: FactorConfig  # the settings without None
    fold_in_penalties: np.ndarray | None = None  # float64 [3]: those of `_PENALTIES` in use
    _rating_unit: np.float32  # in which ratings are learned
    _prior: np.ndarray  # float32 [n_items]: what biases are learned as differences from

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        from cofactor.models.neural import factor_training as training
        from cofactor.models.neural import fitting

        self.scale = training.rating_bounds(data, self.config)
        self._in_use = config = self.config.on(data)
        self.fold_in_penalties = np.array([getattr(config, name) for name in _PENALTIES])
        self._rating_unit = np.float32(fitting.unit_of(data, config))
        prior = None
        if config.biases:
            prior = fitting.popularity_prior(data, config, config.popularity_prior)
        self._prior = np.zeros(data.n_items, np.float32) if prior is None else prior
        module = training.begin(data, config, run, self.name, prior=prior)

        def publish() -> None:
            self._put(training.factors_of(module, data, config))

        self.curve = training.train_factors(
            module,
            data,
            config,
            run,
            name=self.name,
            control=self._control(data, validation, run, publish),
        )
        publish()

    def _begin_with(
        self, before: Self, fresh: Mapping[str, np.ndarray], rows: KeptRows
    ) -> Mapping[str, np.ndarray]:
        # From the data's own scale to the unit of learning.
        unit = self._rating_unit
        users = np.column_stack((before.user_factors, before.user_bias)) / unit
        items = np.column_stack((before.item_factors, before.item_bias / unit))
        begun = np.array(fresh["items.weight"])
        begun[:, -1] += self._prior
        moved = rows.moved("items", items, begun)
        moved[:, -1] -= self._prior
        made = {
            "users.weight": rows.moved("users", users, fresh["users.weight"]),
            "items.weight": moved,
        }
        return {**fresh, **made}

    def _put(self, factors: Factors) -> None:
        self.user_factors, self.item_factors, self.user_bias, self.item_bias = factors

    def _learnt_with(self) -> FactorConfig:
        return self._in_use

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        for name in (*Factors._fields, "scale", *BIAS_TERM_ARRAYS):
            setattr(self, name, arrays.get(name))
        self._in_use = self.config.on(self.data)
        kept = self.fold_in_penalties = arrays.get("fold_in_penalties")
        if kept is not None:
            penalties = zip(_PENALTIES, map(float, kept), strict=True)
            self._in_use = self._in_use.replace(**dict(penalties))
