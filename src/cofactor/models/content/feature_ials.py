"""FeatureIALS: implicit ALS whose item vectors (and user vectors) have a linear prior from
features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cofactor.base.config import setting
from cofactor.base.memory import aligned
from cofactor.base.offsets import mask_of
from cofactor.base.run import Run
from cofactor.data.features import FeatureSpec
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.content import check as checking
from cofactor.models.content.check import Check, HeldOutScores, Scores
from cofactor.models.content.content_config import (
    CalibrationConfig,
    ContentConfig,
    NormalizationConfig,
    PriorConfig,
    ProfileConfig,
)
from cofactor.models.content.content_features import COMPARISON, ContentFeatures, cold_rows
from cofactor.models.content.feature_map import SPEC_ARRAYS, FeatureMap
from cofactor.models.content.no_features_baseline import shared
from cofactor.models.content.profiles import (
    USER_ARRAYS,
    features_of_profiles,
    learn_profiles,
    user_spec_arrays,
    user_spec_of,
)
from cofactor.models.content.ridge import sparse_ridge
from cofactor.models.content.score_normalisation import covariance_of, levels, spreads_of_vectors
from cofactor.models.factors import FACTOR_ARRAYS, FactorModel
from cofactor.models.implicit.ials import IALS, IALSConfig
from cofactor.models.implicit.ials_learner import IALSLearner
from cofactor.models.implicit.normal_equations import FixedItems, NormalEquations
from cofactor.models.implicit.priors import Side, half_epoch_with_prior
from cofactor.models.iterative import (
    CURVE_ARRAYS,
    IterativeModel,
    ValidationMetric,
    warm_ndcg_metric,
)
from cofactor.models.recommender import Recommender
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import Shares, States, UserBatch
from cofactor.training.learner import Epoch, Facts


class FeatureIALSConfig(
    IALSConfig, PriorConfig, CalibrationConfig, NormalizationConfig, ProfileConfig, ContentConfig
):
    """Settings of `FeatureIALS`: those of iALS and of the content."""

    factors: int = setting(64, low=1, high=4096, doc="Length of the user and item vectors.")
    regularization: float = setting(
        0.01,
        low=0,
        doc="L2 regularization of a vector per pair that it is part of (see frequency_exponent).",
    )
    ridge: float = setting(
        10.0,
        above=0.0,
        doc="λ of the regression of vectors on features, beside the items' mean weight.",
    )


class FeatureIALS(ContentFeatures, IterativeModel, FactorModel):
    """Implicit ALS whose vectors are regularized towards a map of their features instead of zero.

    It minimises iALS's loss with ``reg_i |y_i - t_i W' f_i|²`` in place of ``reg_i |y_i|²``, where
    ``t_i = c / (c + n_i)`` gives features less weight the more interactions n_i an item has (c is
    ``feature_prior_count``; None: t = 1), and ``reg_u |x_u - V' g_u|²`` for users with profiles,
    plus ``λ r̄ |W|²``, with an item's part of the loss weighed as in `IALS`, alternately:
    users given items, W given y (a ridge regression), items given users and W. An item without
    interactions has the vector ``s W' f_i``, in closed form; s is chosen so that held-out warm
    items would take their share of users' top 10 (see `cofactor.models.content.check`), on W
    as it is fitted without them. With ``normalize_scores`` q, it is divided by ``(σ_i / σ̄)^q``
    too, where σ is the spread of its scores over the trained users and σ̄ the median of those with
    interactions.

    Notes
    -----
    The training ends with W, then one exact solve of all users. The prior of a row enters the
    solver as one more interaction. Source: Agarwal and Chen. 2009. Regression-based Latent Factor
    Models. KDD, with point estimates; for iALS see `IALS`."""

    name = "feature_ials"
    Config = FeatureIALSConfig
    traits = Traits(has_vectors=True, explains=True, uses_features=True)
    arrays = {
        **SPEC_ARRAYS,
        **USER_ARRAYS,
        **COMPARISON,
        **CURVE_ARRAYS,
        **FACTOR_ARRAYS,
        "map": ArraySpec.of_items("width", "factors"),
        "user_map": ArraySpec("float32", ("user_width", "factors"), optional=True),
        "alpha0": ArraySpec("float64", ("1",), low=0),
        "diagonal": ArraySpec("float32", ("factors",)),
        "check": ArraySpec("float64", ("check numbers",)),
    }

    alpha0: np.ndarray
    _equations: NormalEquations
    map: np.ndarray
    user_map: np.ndarray | None
    user_spec: FeatureSpec | None
    check: Check

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        self._equations = NormalEquations.of(self.config, data)
        self.alpha0 = np.array([self._equations.alpha0], np.float64)
        self.feature_map = FeatureMap.learn(data, self.config, run)
        matrix = self.features
        self.user_spec, profiles = learn_profiles(data, self.config)
        for note in self.user_spec.notes if self.user_spec else ():
            run.progress.say(f"profiles: {note}")
        self._count(data)
        learner = FeatureIALSLearner(self, data, run, matrix, profiles)

        def update() -> None:
            self._complete(learner, learner.x.copy(), learner.y.copy(), run)

        self._learn(learner, data, validation, run, update)
        self._complete(learner, learner.x, learner.y, run)
        run.progress.say(self.check.sentence)

    def _complete(
        self, learner: FeatureIALSLearner, x: np.ndarray, y: np.ndarray, run: Run
    ) -> None:
        """Bring the model to what it is if training ends with these vectors, which are rotated."""
        from cofactor.kernels.cpu import ials

        data, self._cache = learner.data, {}
        weights = learner.item_map(y)
        # Both sides in the basis in which the items' Gram matrix is diagonal.
        basis, self._diagonal = ials.gram_basis(y, learner.alpha0, learner.shares)
        ials.rotate(y, basis)
        ials.rotate(x, basis)
        self.map = np.ascontiguousarray(weights @ basis)
        self.item_factors, self.user_factors = y, x
        self.user_map = prior = None
        if learner.profiles is not None:
            self.user_map = learner.user_map(x)
            prior = np.asarray(learner.profiles @ self.user_map, np.float32)
        whole = Histories(data.indptr, data.item_rows, data.values, None, data.n_items)
        self.user_factors = self._equations.solve(whole, self._items, prior)
        self._check(data, learner.matrix, learner.item_ridge, prior, run)
        self._put(learner.matrix, cold_rows(data))

    def _count(self, data: Interactions) -> None:
        """Keep which items have interactions, and what each weighs in the loss."""
        self._known = np.flatnonzero(data.item_counts)
        self._shares = self._equations.item_shares(data)

    @property
    def _items(self) -> FixedItems:
        return FixedItems(self.item_factors, self._diagonal, self._shares, len(self._known))

    def _own_metrics(self, run: Run) -> tuple[ValidationMetric, ...]:
        return (warm_ndcg_metric(run),)

    def without_features(self) -> Recommender:
        """Return iALS with the same settings."""
        return shared(self.config, IALS)

    def _regressed(
        self, matrix: Any, vectors: np.ndarray, ridge: np.ndarray, known: np.ndarray
    ) -> np.ndarray:
        """W, float32 [width, factors]: the regression of vectors on features, each row by its
        weight in the loss.
        """
        rows = np.flatnonzero(known)
        weights = ridge[rows] / max(float(ridge[rows].mean()), 1e-12) if ridge[rows].any() else None
        return sparse_ridge(
            matrix[rows], vectors[rows], self.config.ridge, weights, tolerance=1e-2, steps=25
        )

    def _check(
        self,
        data: Interactions,
        matrix: Any,
        ridge: np.ndarray,
        prior: np.ndarray | None,
        run: Run,
    ) -> None:
        """How good W is on warm items held out from it, and the scale for new ones."""
        held, users, rest = checking.HeldOutItems.draw(data, run.seed)
        known = mask_of(rest, data.n_items)
        found = self.item_factors[held]
        if len(rest):
            found = self._levelled(
                np.asarray(
                    matrix[held] @ self._regressed(matrix, self.item_factors, ridge, known),
                    np.float32,
                )
            )
        past = checking.other_items(data, users, held)
        folded = self._equations.solve(past, self._items, None if prior is None else prior[users])
        x, trained = self.user_factors[users], self.item_factors[held]
        self.check = checking.check_of(
            data,
            HeldOutScores(
                users,
                held,
                Scores(folded @ found.T, folded @ trained.T),
                Scores(x @ found.T, x @ trained.T),
                x @ self.item_factors[rest].T,
            ),
            cosine=checking.cosine(found, self.item_factors[held]),
            ridge=self.config.ridge,
            calibrate=self.config.calibrate_exposure,
            features=matrix,
        )

    def _levelled(self, vectors: np.ndarray) -> np.ndarray:
        """Content vectors [n, factors], each divided by its spread over the trained users to the
        power of `normalize_scores`.
        """
        return (
            vectors * self._levels_of(vectors)[:, None] if self.config.normalize_scores else vectors
        )

    def _levels_of(self, vectors: np.ndarray) -> np.ndarray:
        """What content vectors are multiplied by, float32 [n]."""
        covariance = self._once("covariance", lambda: covariance_of(self.user_factors))
        known = self.item_factors[self._known]
        typical = self._once(
            "typical spread", lambda: float(np.median(spreads_of_vectors(known, covariance)))
        )
        return levels(
            spreads_of_vectors(vectors, covariance), typical, self.config.normalize_scores
        )

    def _content_vectors(self, matrix: Any) -> np.ndarray:
        """What features say, float32 [n, factors]."""
        return self.check.scale * self._levelled(np.asarray(matrix @ self.map, np.float32))

    def _put(self, matrix: Any, rows: np.ndarray) -> None:
        self.item_factors[rows] = self._content_vectors(matrix[rows])

    def _extend(self, features: Any) -> None:
        self.item_factors = aligned(
            np.concatenate((self.item_factors, self._content_vectors(features)))
        )
        self._shares = self._equations.item_shares(self.data)

    # Users: trained, folded in, known by a profile.

    def _fold_in(self, histories: Histories) -> States:
        return self._equations.solve(histories, self._items)

    def _fold_in_profiles(self, histories: Histories, profiles: Any) -> States:
        """Solve with the prior that profiles (an Arrow table, a line a user) give."""
        features = features_of_profiles(self.user_spec, profiles)
        prior = np.asarray(features @ self.user_map, np.float32)
        return self._equations.solve(histories, self._items, prior)

    def _explain_rows(self, batch: UserBatch, item_rows: np.ndarray) -> Shares:
        """As iALS does; what a profile adds is the rest."""
        past, added, rest = self._equations.explain(batch, item_rows, self._items)
        if self.user_map is not None:
            rest = self.item_factors[item_rows] @ np.asarray(batch.states)[0] - added.sum(axis=1)
        return Shares(past, added, rest)

    def feature_weights(self, batch: UserBatch, item_row: int) -> np.ndarray | None:
        """Return what a unit of each feature adds; see `ContentFeatures.feature_weights`."""
        slope = self.check.scale * (self.map @ np.asarray(batch.states)[0])
        if not self.config.normalize_scores:
            return slope
        return (
            slope * self._levels_of(np.asarray(self.features[item_row] @ self.map, np.float32))[0]
        )

    def _state(self) -> dict[str, np.ndarray]:
        own = {
            "user_factors": self.user_factors,
            "item_factors": self.item_factors,
            "map": self.map,
            "diagonal": self._diagonal,
            "alpha0": self.alpha0,
            "check": self.check.array(),
        }
        if self.user_map is not None:
            own |= {"user_map": self.user_map, **user_spec_arrays(self.user_spec)}
        return {**self.spec.arrays(), **own}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        super()._restore(arrays)
        self.user_factors, self.item_factors = (
            arrays["user_factors"],
            aligned(arrays["item_factors"]),
        )
        self.map = arrays["map"]
        self.alpha0 = arrays["alpha0"]
        self._equations = NormalEquations.of(self.config, self.data, float(self.alpha0[0]))
        self._diagonal, self.check = arrays["diagonal"], Check.of_array(arrays["check"])
        self._count(self.data)
        self.user_map = arrays.get("user_map")
        self.user_spec = user_spec_of(arrays, self.arrays)


class FeatureIALSLearner(IALSLearner):
    """As iALS, with each row regularized towards its prior, which is regressed again in each epoch.

    Parameters
    ----------
    model, data, run
        Whose settings; on what, and with which seed.
    matrix
        The items' features, SciPy CSR float32 [n_items, width].
    profiles
        The users', or None.
    """

    def __init__(
        self, model: FeatureIALS, data: Interactions, run: Run, matrix: Any, profiles: Any
    ) -> None:
        super().__init__(model._equations, data, run, len(model._known))
        self.regressed, self.matrix, self.profiles = model._regressed, matrix, profiles
        self.warm, self.active = data.item_counts > 0, data.user_counts > 0
        c = model.config.feature_prior_count
        self.trust = np.ones(data.n_items, np.float32)
        if c is not None:
            self.trust = (c / (c + data.item_counts)).astype(np.float32)
        self.y[~self.warm] = 0

    def _start(self, run: Run) -> tuple[np.ndarray, np.ndarray]:
        data = self.data
        x, y = (
            self.equations.initial_vectors(run, side, n)
            for side, n in (("users", data.n_users), ("items", data.n_items))
        )
        return x, y

    def item_map(self, y: np.ndarray) -> np.ndarray:
        """Regress item vectors on the items' features, float32 [width, factors]."""
        return self.regressed(self.matrix, y, self.item_ridge, self.warm)

    def user_map(self, x: np.ndarray) -> np.ndarray:
        """Regress user vectors on the profiles, float32 [user_width, factors]."""
        return self.regressed(self.profiles, x, self.user_ridge, self.active)

    def run_epoch(self, epoch: Epoch) -> Facts:
        """Solve both sides once, each with its prior from the second epoch on."""
        how, alpha0 = self.how(epoch), self.alpha0
        user_prior = item_prior = None
        if self.profiles is not None and epoch.number:
            user_prior = self.profiles @ self.user_map(self.x)
        users = Side(*self.of_users, self.user_ridge, self.shares)
        half_epoch_with_prior(users, self.y, self.x, user_prior, alpha0, how)
        if epoch.number:
            from_features = np.asarray(self.matrix @ self.item_map(self.y), np.float32)
            item_prior = self.trust[:, None] * from_features
        items = Side(*self.of_items, self.solved_ridge)
        half_epoch_with_prior(items, self.x, self.y, item_prior, alpha0, how)
        self.y[~self.warm] = 0
        return {"loss": self.loss()}
