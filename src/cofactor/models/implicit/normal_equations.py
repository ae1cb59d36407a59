"""The normal equations of implicit ALS: what pairs weigh, how rows are regularized, and the exact
solution for a user with the items held fixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from cofactor.base.errors import ArgumentError
from cofactor.base.memory import aligned
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models.factors import solution
from cofactor.models.implicit import ials_defaults
from cofactor.models.implicit.priors import with_prior
from cofactor.models.user_batch import Shares, UserBatch

_BLOCK = 2_048  # items summed at a time


class FixedItems(NamedTuple):
    """The items' side of a user's equations."""

    vectors: np.ndarray  # float32 [items, factors]
    diagonal: np.ndarray  # float32 [factors]: their weighted Gram matrix, which is diagonal
    shares: np.ndarray | None  # float32 [items]: c; None where all are 1
    n_counted: int  # how many items a user's ridge counts as unobserved


@dataclass(frozen=True)
class NormalEquations:
    """Weights and ridges by the settings, and the solution of users.

    Parameters
    ----------
    config
        The settings of iALS, an `IALSConfig`, without None where the data decides.
    alpha0
        The unobserved weight in use.
    """

    config: Any
    alpha0: float

    @classmethod
    def of(
        cls,
        config: Any,
        data: Interactions,
        alpha0: float | None = None,
        noise_share: float = ials_defaults.NOISE_SHARE,
    ) -> Self:
        """Return those of some data, with settings as configured, or as the data has it; with an
        alpha0 that is known, it isn't computed again.
        """
        weights = cls(config, 0.0).confidence(data.weights)
        if alpha0 is None:
            alpha0 = config.unobserved_weight
        if alpha0 is None:
            alpha0 = ials_defaults.UNOBSERVED * ials_defaults.mean_pair_weight(data, weights)
        changes: dict[str, float] = {}
        if config.factors is None:
            changes["factors"] = ials_defaults.n_factors(data)
        if config.regularization is None:
            beta0 = config.unobserved_regularization
            changes["regularization"] = ials_defaults.regularization(
                config, data, weights, alpha0 if beta0 is None else beta0, noise_share
            )
        return cls(config.replace(**changes), float(alpha0))

    def confidence(self, values: np.ndarray) -> np.ndarray:
        """Return the weights w of observed pairs from their values, float32 [n]."""
        kind = self.config.confidence
        if kind == "ones":
            return np.ones(len(values), np.float32)
        if values.size and not values.min() >= 0:
            raise ArgumentError(
                f"IALS confidence {kind!r} needs values from 0, and the data"
                f" holds {values.min()}. Use confidence='ones', or filter the data first."
            )
        grown = values if kind == "linear" else np.log1p(values)
        weights: np.ndarray = (1.0 + self.config.confidence_scale * grown).astype(np.float32)
        return weights

    def ridge(self, indptr: np.ndarray, n_other: int) -> np.ndarray:
        """Return the L2 weights of rows, float32 [n_rows], each of ``n_other`` pairs."""
        from cofactor.kernels.cpu.ials import row_ridge

        c, beta0 = self.config, self.config.unobserved_regularization
        beta0 = self.alpha0 if beta0 is None else beta0
        return row_ridge(indptr, n_other, beta0, c.regularization, c.frequency_exponent)

    def item_shares(self, data: Interactions) -> np.ndarray | None:
        """Return c, what each item's part of the loss weighs, float32 [items]; None where all
        weigh 1.
        """
        if not self.config.item_weight_power:
            return None
        counts = data.item_counts
        weights = np.maximum(counts, 1.0) ** -self.config.item_weight_power
        if counts.any():
            weights *= counts.sum() / (weights @ counts)
        return weights.astype(np.float32)

    def initial_vectors(self, run: Run, side: str, count: int) -> np.ndarray:
        """Return the first vectors of one side, float32 [count, factors]."""
        drawn = run.generator("ials", side).standard_normal(
            (count, self.config.factors), dtype=np.float32
        )
        drawn *= np.float32(self.config.init_scale / np.sqrt(self.config.factors))
        return aligned(drawn)

    def gram_diagonal(self, items: np.ndarray, shares: np.ndarray | None) -> np.ndarray:
        """Return the items' weighted Gram matrix, float32 [factors], in the basis in which it is
        diagonal.
        """
        squares = np.zeros(self.config.factors)
        # In blocks that stay in the cache: a million items take a tenth of the time that one large
        # copy does.
        for start in range(0, len(items), _BLOCK):
            part = np.square(items[start : start + _BLOCK], dtype=np.float64)
            squares += part.sum(axis=0) if shares is None else shares[start : start + _BLOCK] @ part
        gram = self.alpha0 * squares
        floor = self.config.factors * np.finfo(np.float32).eps * gram.max()
        return np.maximum(gram, floor).astype(np.float32)

    def solve(
        self, histories: Histories, items: FixedItems, prior: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the exact solutions of users, float32 [B, factors], each pulled to a prior
        [B, factors] if there is one.

        Raises
        ------
        ArgumentError
            If a history's system is singular.
        """
        from cofactor.kernels.cpu.ials_direct import solve_direct
        from cofactor.kernels.reference.ials_cg import RowSystems

        indptr, item_rows, values = histories.csr
        ridge, weights = self.ridge(indptr, items.n_counted), self.confidence(values)
        if items.shares is not None:
            weights *= items.shares[item_rows]
        csr = (indptr, item_rows, weights, items.vectors)
        if prior is not None:
            csr = with_prior(*csr, prior, ridge)
        rows = np.arange(len(histories))
        solved = np.empty((len(histories), self.config.factors), np.float32)
        failed = solve_direct(RowSystems(*csr, items.diagonal, ridge), rows, solved)
        if failed >= 0:
            raise ArgumentError(
                f"history {failed} gives a singular system; fit the model with a higher"
                " regularization."
            )
        return solved

    def explain(self, batch: UserBatch, item_rows: np.ndarray, items: FixedItems) -> Shares:
        """Split x_u·y_i = sum_j c_j w_uj y_i' A_u^-1 y_j over the past items j (Hu, Koren and
        Volinsky 2008, equation 7); the rests are 0.
        """
        past, rest = batch.seen[1], np.zeros(len(item_rows))
        y = items.vectors[past].astype(np.float64)
        values = np.ones(len(past), np.float32) if batch.values is None else batch.values
        w = self.confidence(values).astype(np.float64)
        if items.shares is not None:
            w *= items.shares[past]
        ridge = float(self.ridge(np.array([0, len(past)]), items.n_counted)[0])
        diagonal = items.diagonal.astype(np.float64) + ridge
        wanted = items.vectors[item_rows].T.astype(np.float64)
        if len(past) < len(diagonal) and diagonal.min() > 1e-5 * diagonal.max():
            # W^1/2 Y A^-1 = (I + Z D^-1 Z')^-1 Z D^-1 with Z = W^1/2 Y: a system of the past items'
            # size.
            root = np.sqrt(w)
            z = y * root[:, None]
            scaled = z / diagonal
            system = scaled @ z.T
            system.flat[:: len(past) + 1] += 1.0
            added = (root[:, None] * solution(system, scaled @ wanted)).T
            return Shares(past, added, rest)
        system = np.diag(diagonal) + (y.T * w) @ y
        return Shares(past, (w[:, None] * (y @ solution(system, wanted))).T, rest)
