"""What the training loop drives in implicit ALS: both sides in turn, each given the other."""

from __future__ import annotations

import numpy as np

from cofactor.base.cached import cached_property
from cofactor.base.memory import aligned_empty
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.implicit.normal_equations import FixedItems, NormalEquations
from cofactor.training.learner import Epoch, Facts, Learner

_LOSS_PAIRS = 4_096  # at most so many are looked at for the loss of an epoch

# Of the residual that is left of a row in the last solve: vectors then differ from the exact ones
# by less than a thousandth.
_SOLVED = 1e-5

UserTerms = tuple[float, np.ndarray, float]  # what `user_terms` returns


class IALSLearner(Learner):
    """Both sides in turn, each given the other.

    Parameters
    ----------
    equations
        Weights and ridges, by the settings.
    data, run
        On what, and with which seed.
    n_counted
        How many items a user's ridge counts as unobserved; None: all of them.
    """

    cure = "raise regularization"

    def __init__(
        self,
        equations: NormalEquations,
        data: Interactions,
        run: Run,
        n_counted: int | None = None,
    ) -> None:
        self.equations, self.data, self.config = equations, data, equations.config
        self.alpha0 = equations.alpha0
        weights = equations.confidence(data.weights)
        item_indptr, user_rows, positions = data.by_item
        self.of_items = (item_indptr, user_rows, np.ascontiguousarray(weights[positions]))
        self.shares = shares = equations.item_shares(data)
        if shares is not None:
            weights = weights * shares[data.item_rows]
        self.of_users = (data.indptr, data.item_rows, weights)
        self.n_counted = data.n_items if n_counted is None else n_counted
        self.user_ridge = equations.ridge(data.indptr, self.n_counted)
        self.item_ridge = equations.ridge(item_indptr, data.n_users)
        self.x, self.y = self._start(run)

    def _start(self, run: Run) -> tuple[np.ndarray, np.ndarray]:
        y = self.equations.initial_vectors(run, "items", self.data.n_items)
        if self.config.solver == "subspace":
            return self.equations.initial_vectors(run, "users", self.data.n_users), y
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

        equations, (x, y) = self.equations, (self.x.copy(), self.y.copy())
        basis, _ = ials.gram_basis(y, self.alpha0, self.shares)
        ials.rotate(y, basis)
        diagonal = equations.gram_diagonal(y, self.shares)
        items = FixedItems(y, diagonal, self.shares, self.n_counted)
        rows = np.arange(self.data.n_users) if users is None else users
        x[rows] = equations.solve(self.data.histories(rows), items)
        return x, y

    def loss(self) -> float:
        """Return the objective per interaction; its observed part is taken on at most 4,096 of
        them, evenly spaced.
        """
        from cofactor.kernels.cpu.ials import weighted_squares

        data, (users, items, weights) = self.data, self._loss_pairs
        observed, user_squares, user_penalty = self._user_terms(users, items, weights)
        c = np.ones(data.n_items, np.float32) if self.shares is None else self.shares
        item_squares, item_penalty = weighted_squares(self.y, c, self.item_ridge)
        # An epoch ends in the basis in which X'X is diagonal, and so is its product with Y'CY.
        everywhere = self.alpha0 * float(user_squares @ item_squares)
        return observed / len(users) + (everywhere + user_penalty + item_penalty) / len(data)

    @cached_property
    def _loss_pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The interactions of the loss: their users, their items, and what they weigh."""
        data = self.data
        some = np.arange(0, len(data), max(1, len(data) // _LOSS_PAIRS))
        users, items = np.searchsorted(data.indptr, some, "right") - 1, data.item_rows[some]
        return users, items, self._pair_weights(some, items)

    def _user_terms(self, users: np.ndarray, items: np.ndarray, weights: np.ndarray) -> UserTerms:
        """What the users' vectors have in the objective, with some pairs and what they weigh."""
        return user_terms(self.x, self.user_ridge, users, self.y[items], weights)

    def _pair_weights(self, some: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        """The weights of some interactions, by their positions and their items."""
        weights: np.ndarray = self.of_users[2][some]
        return weights


def user_terms(
    x: np.ndarray, ridge: np.ndarray, rows: np.ndarray, vectors: np.ndarray, weights: np.ndarray
) -> UserTerms:
    """Return Σ w (1 - <x_u, y_i>)² over some pairs, X'X's diagonal, and Σ_u ridge_u |x_u|².

    Parameters
    ----------
    x, ridge
        Users' vectors, float32 [n, f], and L2 weights, float32 [n].
    rows, vectors, weights
        Of each pair: the user's row, the item's vector, and w.
    """
    from cofactor.kernels.cpu.ials import weighted_squares

    observed = pair_error(x[rows], vectors, weights)
    return observed, *weighted_squares(x, np.ones(len(x), np.float32), ridge)


def pair_error(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> float:
    """Return Σ w (1 - <x, y>)² over pairs of vectors, both float32 [n, f]."""
    missed = 1.0 - np.einsum("nf,nf->n", x, y)
    return float(weights @ np.square(missed))
