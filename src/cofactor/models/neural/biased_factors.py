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

    def _states(self, user_rows: np.ndarray) -> States:
        states = np.asarray(super()._states(user_rows))
        states[:, :-1] *= self._own_share
        return states

    def _fold_in(self, histories: Histories) -> States:
        csr = self._csr(histories)
        return self._with_term(self._learned_states(csr), csr, 0.0)

    def _csr(self, histories: Histories) -> tuple[np.ndarray, ...]:
        """Histories as they are folded in: with ratings, if those are learnt."""
        return rated_csr(self, histories) if self.config.fits(self.data) else histories.csr

    def _learned_states(self, csr: tuple[np.ndarray, ...]) -> np.ndarray:
        """Return ``[p ; b]`` of unseen users, without the biases alone."""
        items = self._own_item_bias()
        factors = Factors(self.user_factors, self.item_factors, self.user_bias, items)
        indptr, rows, values = csr
        config, mean = self._learnt_with(), self.global_mean
        return fold_in(indptr, rows, values, factors, mean, config, self.data)

    @property
    def _level(self) -> float:
        return float(self.global_mean)
