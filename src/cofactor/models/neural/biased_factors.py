"""A role: vectors and biases of users and items, learnt by gradient descent with any loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cofactor.data.histories import Histories
from cofactor.models.defaults.bias_term import BiasedTermHooks
from cofactor.models.liked import rated_csr
from cofactor.models.neural.factor_fold_in import Factors, cold_row, fold_in
from cofactor.models.neural.factor_settings import FactorConfig
from cofactor.models.traits import Traits
from cofactor.models.user_batch import States


class BiasedFactors(BiasedTermHooks):
    """What `LatentFactor` and `TwoTower` answer with the arrays of `Factors`."""

    user_factors: np.ndarray
    item_factors: np.ndarray
    global_mean: float

    @classmethod
    def traits_of(cls, config: FactorConfig) -> Traits:
        """Return the traits under some settings: a loss that fits values predicts them."""
        fits = config.objective.fits_values
        return replace(cls.traits, predicts_ratings=fits)

    def unseen_item(self) -> tuple[np.ndarray, np.float32]:
        """Return what stands for an item that is not known at all; see `FactorModel`."""
        warm, fits = self.data.item_counts > 0, self.config.fits(self.data)
        return cold_row(self.item_factors, self.item_bias, warm, self.config, fits)

    def user_vectors(self) -> np.ndarray:
        """Return the trained users' vectors without their biases, float32 [n_users, factors], in
        row order.
        """
        _ = self.data
        return self.user_factors

    def _learnt_with(self) -> FactorConfig:
        """The settings that the vectors were learnt with."""
        config: FactorConfig = self.config
        return config

    def _fold_in(self, histories: Histories) -> States:
        csr = rated_csr(self, histories) if self.config.fits(self.data) else histories.csr
        items = self._own_item_bias()
        factors = Factors(self.user_factors, self.item_factors, self.user_bias, items)
        learned = fold_in(*csr, factors, self.global_mean, self._learnt_with(), self.data)
        return self._with_term(learned, csr, 0.0)

    @property
    def _level(self) -> float:
        return float(self.global_mean)
