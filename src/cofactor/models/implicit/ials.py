"""iALS: matrix factorisation of implicit feedback by alternating least squares over all
user-item pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cofactor.base.config import setting
from cofactor.base.errors import ArgumentError
from cofactor.base.memory import aligned, aligned_empty
from cofactor.base.run import Run
from cofactor.base.search import between, log
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models.factors import FactorModel
from cofactor.models.implicit.priors import with_prior
from cofactor.models.iterative import CURVE_ARRAYS, IterativeModel
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import States, UserBatch
from cofactor.training.learner import Epoch, Facts, Learner
from cofactor.training.settings import IterativeConfig

if TYPE_CHECKING:
    from cofactor.data.split import Part

_BLOCK = 2_048  # items summed at a time
_LOSS_PAIRS = 4_096


# Chosen on a tenth of Gowalla's training interactions: on data so sparse three epochs are enough,
# and the first two need one step only. nDCG@20 there .0904 with 64 factors, against .0891 after
# three full epochs. On denser data, as ml-1m, full epochs are better.
PRESETS: dict[str, dict[str, Any]] = {"sparse": {"warmup_epochs": 2, "epochs": 3}}

# Of the residual that is left of a row in the last solve: vectors then differ from the exact ones
# by less than a thousandth.
_SOLVED = 1e-5


class IALSConfig(IterativeConfig):
    """Settings of `IALS`."""

    renamed = {"warmup": "warmup_epochs", "popularity_power": "item_weight_power"}  # noqa: RUF012
    search = {  # noqa: RUF012
        "factors": log(16, 256),
        "unobserved_weight": log(1e-3, 1.0),
        "regularization": log(1e-3, 0.1),
        "frequency_exponent": between(0.7, 1.0),
        "item_weight_power": between(0.0, 0.4),
    }

    factors: int = setting(64, low=1, high=4096, doc="Length of the user and item vectors.")
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
    regularization: float = setting(
        0.01,
        low=0,
        doc=("L2 regularization of a vector per pair that it is part of (see frequency_exponent)."),
    )
    frequency_exponent: float = setting(
        1.0,
        low=0,
        high=2,
        doc=(
            "Frequency scaling of L2: 1 regularizes a vector in proportion to"
            " its data, 0 all the same (plain L2)."
        ),
    )
    epochs: int = setting(8, low=1, high=10_000, doc=("Epochs; each solves both sides once."))
    patience: int = setting(
        2,
        low=0,
        doc=(
            "Early stopping: measurements without improvement before training"
            " stops; 0 runs all epochs."
        ),
    )
    solver: str = setting(
        "cg", choices=("cg", "cholesky", "subspace"), doc=("Solver of a side; cg is the fastest.")
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


class IALS(IterativeModel, FactorModel):
    """Matrix factorisation of implicit feedback by alternating least squares.

    It minimises, over user vectors x and item vectors y::

        sum_i c_i ( sum_{u: (u,i) observed} w_ui (1 - x_u·y_i)^2 + alpha0 sum_{all u} (x_u·y_i)^2 )
            + reg ( sum_u (|I_u| + alpha0 n_items)^nu |x_u|^2 + sum_i (|U_i| + alpha0 n_users)^nu
            |y_i|^2 )

    with ``alpha0`` the unobserved weight, ``reg`` the regularization, ``nu`` the frequency
    exponent, and ``c_i`` proportional to ``|U_i|^-p``, p the item weight power, scaled so that the
    interactions' mean c is 1. All c are 1 by default.

    Notes
    -----
    The best alpha0 follows the density of the data, so by default it is 10 times the sum of the
    observed pairs' weights over the number of all pairs of users and items that have any: then all
    pairs together weigh 10 times what the observed ones do, on data of any size. The number that
    was used is kept in the state as ``alpha0``; `fold_in` and `explain` take it from there.

    Training ends with one solve of all users against the final items, exact or (solver cg) to a
    hundred-thousandth of the residual, so a trained user's vector is what `fold_in` gives for the
    same history. Vectors stand in the basis in which the items' Gram matrix is diagonal, which
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

    name = "ials"
    fits_on_engine = True
    Config = IALSConfig
    traits = Traits(has_vectors=True, explains=True, uses_values=True)
    arrays = {  # noqa: RUF012
        "user_factors": ArraySpec("float32", ("users", "factors")),
        "item_factors": ArraySpec("float32", ("items", "factors")),
        "alpha0": ArraySpec("float64", ("1",)),
        **CURVE_ARRAYS,
    }

    alpha0: np.ndarray  # float64 [1]: the unobserved weight in use
    _shares: np.ndarray | None  # float32 [items]: c; None where all are 1
    _diagonal: (
        np.ndarray
    )  # float32 [factors]: the weighted Gram matrix of the items, which is diagonal

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        self.alpha0 = self._unobserved_weight(data)
        learner = _learner(self, data, run)

        def update() -> None:
            rows = None if validation is None or self._callbacks else validation.user_rows
            self._take_over(*learner.answer(rows), learner.shares)

        self._learn(learner, self._control(data, validation, run, update), run)
        self._take_over(*learner.solve_users(), learner.shares)

    def _take_over(self, x: np.ndarray, y: np.ndarray, shares: np.ndarray | None) -> None:
        self.user_factors, self.item_factors = x, y
        self._settle(shares)

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        super()._restore(arrays)
        self._settle(self._item_shares(self.data))

    def _settle(self, shares: np.ndarray | None) -> None:
        """Keep what every fold-in needs of the items."""
        self._shares = shares
        squares = np.zeros(self.config.factors)
        # In blocks that stay in the cache: a million items take a tenth of the time that one large
        # copy does.
        for start in range(0, len(self.item_factors), _BLOCK):
            part = np.square(self.item_factors[start : start + _BLOCK], dtype=np.float64)
            squares += part.sum(axis=0) if shares is None else shares[start : start + _BLOCK] @ part
        gram = float(self.alpha0[0]) * squares
        floor = self.config.factors * np.finfo(np.float32).eps * gram.max()
        self._diagonal = np.maximum(gram, floor).astype(np.float32)

    def _start(self, run: Run, side: str, count: int) -> np.ndarray:
        """First vectors of one side, float32 [count, factors]."""
        drawn = run.generator("ials", side).standard_normal(
            (count, self.config.factors), dtype=np.float32
        )
        drawn *= np.float32(self.config.init_scale / np.sqrt(self.config.factors))
        return aligned(drawn)

    def _unobserved_weight(self, data: Interactions) -> np.ndarray:
        """alpha0, float64 [1]: as configured, or by the density of the data."""
        if self.config.unobserved_weight is not None:
            return np.array([self.config.unobserved_weight], np.float64)
        # Users and items without interactions keep zero vectors, and a catalogue may hold any
        # number of them.
        pairs = np.count_nonzero(data.user_counts) * np.count_nonzero(data.item_counts)
        total = self._confidence(data.weights).sum(dtype=np.float64)
        return np.array([10.0 * total / pairs], np.float64)

    def _item_shares(self, data: Interactions) -> np.ndarray | None:
        """c, what each item's part of the loss weighs, float32 [items]; None where all weigh 1."""
        if not self.config.item_weight_power:
            return None
        counts = data.item_counts
        weights = np.maximum(counts, 1.0) ** -self.config.item_weight_power
        if counts.any():
            weights *= counts.sum() / (weights @ counts)
        return weights.astype(np.float32)

    def _ridges(self, data: Interactions) -> tuple[np.ndarray, np.ndarray]:
        """The users' and the items' L2 weights."""
        return self._ridge(data.indptr, data.n_items), self._ridge(data.by_item[0], data.n_users)

    def _ridge(self, indptr: np.ndarray, n_other: int) -> np.ndarray:
        from cofactor.kernels.cpu.ials import row_ridge

        config = self.config
        return row_ridge(
            indptr, n_other, float(self.alpha0[0]), config.regularization, config.frequency_exponent
        )

    def _confidence(self, values: np.ndarray) -> np.ndarray:
        """The weights w of observed pairs from their values, float32 [n]."""
        if self.config.confidence == "ones":
            return np.ones(len(values), np.float32)
        if values.size and not values.min() >= 0:
            raise ArgumentError(
                f"IALS confidence {self.config.confidence!r} needs values from 0, and the data"
                f" holds {values.min()}. Use confidence='ones', or filter the data first."
            )
        grown = values if self.config.confidence == "linear" else np.log1p(values)
        weights: np.ndarray = (1.0 + self.config.confidence_scale * grown).astype(np.float32)
        return weights

    def _fold_in(self, histories: Histories) -> States:
        return self._solved(histories, self._counted_items)

    @property
    def _counted_items(self) -> int:
        """How many items a user's ridge counts as unobserved."""
        return self.data.n_items

    def _solved(
        self, histories: Histories, n_items: int, prior: np.ndarray | None = None
    ) -> np.ndarray:
        """Solve the same normal equations exactly, with the items fixed, and each user pulled to
        a prior [B, factors] if there is one.
        """
        from cofactor.kernels.cpu.ials_direct import solve_direct

        indptr, item_rows, values = histories.csr
        ridge, weights = self._ridge(indptr, n_items), self._confidence(values)
        if self._shares is not None:
            weights *= self._shares[item_rows]
        system = (indptr, item_rows, weights, self.item_factors)
        if prior is not None:
            system = with_prior(*system, prior, ridge)
        rows = np.arange(len(histories))
        solved = np.empty((len(histories), self.config.factors), np.float32)
        failed = solve_direct(*system, self._diagonal, ridge, rows, solved)
        if failed >= 0:
            raise ArgumentError(
                f"history {failed} gives a singular system; fit the model with a higher"
                " regularization."
            )
        return solved

    def _explain(self, batch: UserBatch, item_row: int) -> tuple[np.ndarray, np.ndarray, float]:
        past, added, rest = self._explain_rows(batch, np.array([item_row]))
        return past, added[0], float(rest[0])

    def _explain_rows(
        self, batch: UserBatch, item_rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Split x_u·y_i = sum_j c_j w_uj y_i' A_u^-1 y_j over the past items j (Hu, Koren and
        Volinsky 2008, equation 7).
        """
        _, past = batch.seen
        if not past.size:
            return (
                past,
                np.zeros((len(item_rows), 0)),
                self._popularity[item_rows].astype(np.float64),
            )
        y = self.item_factors[past].astype(np.float64)
        values = np.ones(len(past), np.float32) if batch.values is None else batch.values
        w = self._confidence(values).astype(np.float64)
        if self._shares is not None:
            w *= self._shares[past]
        ridge = float(self._ridge(np.array([0, len(past)]), self._counted_items)[0])
        diagonal = self._diagonal.astype(np.float64) + ridge
        asked = self.item_factors[item_rows].T.astype(np.float64)
        if len(past) < len(diagonal) and diagonal.min() > 1e-5 * diagonal.max():
            # W^1/2 Y A^-1 = (I + Z D^-1 Z')^-1 Z D^-1 with Z = W^1/2 Y: a system of the past items'
            # size.
            root = np.sqrt(w)
            z = y * root[:, None]
            scaled = z / diagonal
            system = scaled @ z.T
            system.flat[:: len(past) + 1] += 1.0
            return (
                past,
                (root[:, None] * np.linalg.solve(system, scaled @ asked)).T,
                np.zeros(len(item_rows)),
            )
        system = np.diag(diagonal) + (y.T * w) @ y
        return past, (w[:, None] * (y @ np.linalg.solve(system, asked))).T, np.zeros(len(item_rows))


class IALSLearner(Learner):
    """Both sides in turn, each given the other.

    Parameters
    ----------
    model
        Its settings, and its ``alpha0``.
    data, run
        On what, and with which seed.
    """

    cure = "raise regularization"

    def __init__(self, model: IALS, data: Interactions, run: Run) -> None:
        self.model, self.data, self.config = model, data, model.config
        self.alpha0 = float(model.alpha0[0])
        weights = model._confidence(data.weights)
        item_indptr, user_rows, positions = data.by_item
        self.of_items = (item_indptr, user_rows, np.ascontiguousarray(weights[positions]))
        self.shares = shares = model._item_shares(data)
        if shares is not None:
            weights = weights * shares[data.item_rows]
        self.of_users = (data.indptr, data.item_rows, weights)
        self.user_ridge, self.item_ridge = model._ridges(data)
        self.x, self.y = self._start(run)

    def _start(self, run: Run) -> tuple[np.ndarray, np.ndarray]:
        y = self.model._start(run, "items", self.data.n_items)
        if self.config.solver == "subspace":
            return self.model._start(run, "users", self.data.n_users), y
        # The other solvers begin with the items, and don't look at the users.
        x = aligned_empty((self.data.n_users, self.config.factors))
        x[:] = 0
        return x, y

    def arrays(self) -> dict[str, np.ndarray]:
        """Return both sides' vectors, live."""
        return {"user_factors": self.x, "item_factors": self.y}

    def run_epoch(self, epoch: Epoch) -> Facts:
        """Solve both sides once."""
        from cofactor.kernels.cpu.ials import half_epoch

        how, alpha0 = self.how(epoch), self.alpha0
        half_epoch(*self.of_users, self.y, self.x, alpha0, self.user_ridge, *how, self.shares)
        half_epoch(*self.of_items, self.x, self.y, alpha0, self.solved_ridge, *how)
        return {"loss": self.loss()}

    def how(self, epoch: Epoch) -> tuple[str, int, int]:
        """Return the solver, its steps in this epoch, and its block size."""
        c = self.config
        steps = 1 if epoch.number < c.warmup_epochs else c.cg_steps
        return c.solver, steps, c.block_size

    @property
    def solved_ridge(self) -> np.ndarray:
        """The ridge of an item's own problem, divided by its c."""
        return self.item_ridge if self.shares is None else self.item_ridge / self.shares

    def solve_users(self) -> tuple[np.ndarray, np.ndarray]:
        """Solve all users against the items as they are; return both sides."""
        from cofactor.kernels.cpu.ials import half_epoch

        problem = (*self.of_users, self.y, self.x, self.alpha0, self.user_ridge)
        name, steps, tolerance = self.last_solve
        half_epoch(*problem, name, steps, shares=self.shares, tolerance=tolerance)
        return self.x, self.y

    @property
    def last_solve(self) -> tuple[str, int, float]:
        """The solver of the last solve of all users, its steps, and its tolerance."""
        if self.config.solver == "cg":
            return "cg", 2 * self.config.factors, _SOLVED
        return "cholesky", 0, 0.0

    def answer(self, users: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Return copies of both sides as `solve_users` would leave them, of some users or all."""
        from cofactor.kernels.cpu import ials

        model, (x, y) = self.model, (self.x.copy(), self.y.copy())
        basis, _ = ials.gram_basis(y, self.alpha0, self.shares)
        ials.rotate(y, basis)
        model._take_over(x, y, self.shares)
        rows = np.arange(self.data.n_users) if users is None else users
        x[rows] = model._solved(self.data.histories(rows), self.data.n_items)
        return x, y

    def loss(self) -> float:
        """Return the objective per interaction; its observed part is taken on at most 4,096 of
        them, evenly spaced.
        """
        data, c, x, y = self.data, self.shares, self.x, self.y
        some = np.arange(0, len(data), max(1, len(data) // _LOSS_PAIRS))
        users, items = np.searchsorted(data.indptr, some, "right") - 1, data.item_rows[some]
        weights = self._pair_weights(some, items)
        missed = 1.0 - np.einsum("nf,nf->n", x[users], y[items])
        observed = len(data) / len(some) * float(weights @ np.square(missed))
        weighted = y if c is None else y * np.sqrt(c)[:, None]
        everywhere = self.alpha0 * float(np.sum((x.T @ x) * (weighted.T @ weighted)))
        penalty = sum(
            float(ridge @ np.einsum("nf,nf->n", vectors, vectors))
            for ridge, vectors in ((self.user_ridge, x), (self.item_ridge, y))
        )
        return (observed + everywhere + penalty) / len(data)

    def _pair_weights(self, some: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        """The weights of some interactions, by their positions and their items."""
        weights: np.ndarray = self.of_users[2][some]
        return weights


def _learner(model: IALS, data: Interactions, run: Run) -> IALSLearner:
    if run.engine is None:
        return IALSLearner(model, data, run)
    from cofactor.models.implicit.ials_sharded import ShardedIALSLearner

    return ShardedIALSLearner(model, data, run, run.engine)
