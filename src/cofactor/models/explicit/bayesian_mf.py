"""BayesianMF: a factorisation machine of ratings, sampled from its posterior, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from cofactor.base import checks, memory
from cofactor.base.config import setting
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.base.threads import native_threads
from cofactor.data.features import FeatureSpec
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.explicit.bayesian_shape import Shape, choose_shape, shapes
from cofactor.models.explicit.gibbs_chain import Features, GibbsChain, Ratings
from cofactor.models.explicit.posterior import DATE_ARRAYS, POSTERIOR_ARRAYS, Posterior
from cofactor.models.explicit.rating_levels import JOINED, Levels
from cofactor.models.liked import rated_csr
from cofactor.models.rating_scale import ScaleConfig, on_scale, rating_scale
from cofactor.models.recommender import Recommender
from cofactor.models.similarity import root_rows
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import InnerProduct, States, UserBatch

MOST_LEVELS = 256  # distinct ratings that "ordinal" takes for levels
_TRIED_SWEEPS = 100  # of the chains that choose factors and features
MOST_DATES = 512  # days; more are joined to so many spans with as many ratings each
DAY = 86_400


class BayesianMFConfig(ScaleConfig):
    """Settings of `BayesianMF`."""

    factors: int | None = setting(
        None,
        low=0,
        high=512,
        doc=(
            "Length of the vectors; None: 16, or 0 (biases alone) if vectors don't predict held-out"
            " ratings better."
        ),
    )
    sweeps: int = setting(
        200, low=2, high=100_000, doc="Passes of the sampler over all parameters."
    )
    burn_in: int = setting(40, low=1, doc="Sweeps at the start that aren't kept.")
    samples: int = setting(
        64, low=1, high=4096, doc="Draws kept of those after the burn-in, evenly spaced."
    )
    likelihood: str = setting(
        "auto",
        choices=("auto", "ordinal", "normal"),
        doc=(
            "Ordered probit over rating levels, or normal; auto: levels, merged if there are"
            " more than 32."
        ),
    )
    implicit: bool | None = setting(
        None,
        doc=(
            "Whether the fact that a user rated an item, whatever the rating, is a feature of"
            " both; None: if that predicts held-out ratings better."
        ),
    )
    user_features: tuple[str, ...] = setting(
        (), doc="Columns of the profiles read as features of users."
    )
    item_features: tuple[str, ...] = setting(
        (), doc="Columns of the catalogue read as features of items."
    )
    dates: bool = setting(
        False, doc="Whether the day of a rating has a vector too; predictions then take times."
    )

    def check(self) -> None:
        """Check that something is left after the burn-in."""
        super().check()
        if self.burn_in >= self.sweeps:
            raise ArgumentError(
                f"{self._label('burn_in')} must be below sweeps, not {self.burn_in} of"
                f" {self.sweeps}."
            )


class BayesianMF(Recommender):
    """Predict ratings by the mean over posterior draws of ``b_u + b_i + p_u · q_i``.

    A user's vector (and bias) is the sum of its own, of those of the items it rated over
    sqrt(|N(u)|), and of those of its profile's features; an item's likewise. With dates, a rating's
    day has a vector d too: ``b_d + p_u · d + q_i · d`` is added to the score. Every vector has a
    normal prior with the mean and precision of its group (ids, implicit, each column), which are
    drawn too. Ratings are levels of an ordered probit model, whose cuts are drawn, or normal around
    the score after standardising, so that their scale doesn't matter. More than 32 distinct ratings
    are merged into about 32 levels: under normal noise, vectors would be fitted to outliers.

    `predict` with ``interval`` and `predict_levels` give the uncertainty. A new user's vectors are
    drawn given each kept draw of the items, with random numbers that are fixed. Scores rank by the
    mean latent value.

    Memory: 4 bytes for each kept draw, coordinate and row of users and (twice, with implicit) of
    items.

    Notes
    -----
    S. Rendle, "Factorization Machines with libFM", ACM TIST 3(3), 2012 (the sampler, by
    coordinates); R. Salakhutdinov, A. Mnih, "Bayesian Probabilistic Matrix Factorization using
    MCMC", ICML 2008; Y. Koren, J. Sill, "OrdRec", RecSys 2011 and J. Albert, S. Chib, JASA 88,
    1993 (ordered levels). Unlike a plain factorisation machine, only rows of different blocks
    interact. The cuts are drawn with the latent values integrated out (M. Cowles, 1996), by an
    independent proposal at their mode.
    """

    name = "bayesian_mf"
    Config = BayesianMFConfig
    traits = Traits(predicts_ratings=True, has_vectors=True, answers_empty=True)
    arrays = {
        **POSTERIOR_ARRAYS,
        **DATE_ARRAYS,
        "limits": ArraySpec("float32", ("2",)),
    }

    posterior: Posterior
    limits: np.ndarray

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        config = self.config
        self.limits = rating_scale(config, data, type(self).__name__)
        shape = choose_shape(shapes(config.factors, config.implicit), data, self._tried, run)
        kept = np.unique(
            np.linspace(config.burn_in, config.sweeps - 1, config.samples).round().astype(int)
        )
        rows = data.n_users + (2 if shape.implicit else 1) * data.n_items
        memory.require(
            8 * rows * len(kept) * (shape.factors + 1) + 80 * len(data),
            what=f"bayesian_mf with {len(kept)} samples of {shape.factors} factors",
            cure="lower samples or factors",
        )
        days = self._days(data)
        self.posterior = Posterior.empty(
            data, self._levels(data), len(kept), shape.factors + 1, shape.implicit, days
        )
        rated = [data.user_rows, data.item_rows]
        blocks = self._blocks(data, shape.implicit)
        if days is not None and data.times is not None:
            rated.append(np.searchsorted(days, data.times, side="right") - 1)
            blocks.append(Features.of(len(days), []))
        ratings = Ratings(
            np.stack(rated).astype(np.int32), self.posterior.standardised(data.weights)
        )
        generator = run.generator(self.name, "chain")
        with (
            run.progress.task(f"fit {self.name}", config.sweeps) as task,
            native_threads(run.n_threads),
        ):
            n_levels = len(self.posterior.levels)
            chain = GibbsChain(ratings, blocks, shape.factors, n_levels, generator)
            for sweep, sample in enumerate(chain.sweeps(config.sweeps)):
                at = int(np.searchsorted(kept, sweep))
                if at < len(kept) and kept[at] == sweep:
                    self.posterior.keep(at, sample, chain.blocks[0], data)
                task.advance(1)
            self.posterior.finish(data, run.generator(self.name, "fold-in"))

    def _tried(self, data: Interactions, shape: Shape, run: Run) -> Recommender:
        """Fit a shorter chain, to see what the shape is worth."""
        sweeps = min(self.config.sweeps, _TRIED_SWEEPS)
        short = self.config.replace(
            **shape._asdict(), sweeps=sweeps, burn_in=min(self.config.burn_in, sweeps // 3 or 1)
        )
        return type(self)(short).fit(data, run=run)

    def _levels(self, data: Interactions) -> Levels:
        """The levels that ratings are taken for; none for the normal likelihood."""
        levels, likelihood = Levels.distinct(data.weights), self.config.likelihood
        few = len(levels.values) < 2
        if likelihood == "normal" or (likelihood == "auto" and few):
            return Levels.none()
        if likelihood == "auto":
            return levels if len(levels.values) <= JOINED else Levels.joined(data.weights)
        if few or len(levels.values) > MOST_LEVELS:
            raise ArgumentError(
                f"bayesian_mf likelihood='ordinal' needs 2 to {MOST_LEVELS} distinct ratings, and"
                f" there are {len(levels.values):,}; use 'auto', which joins them, or 'normal'."
            )
        return levels

    def _days(self, data: Interactions) -> np.ndarray | None:
        """The first second of each span of dates, int64, or None without dates."""
        if not self.config.dates:
            return None
        if data.times is None:
            raise ArgumentError("bayesian_mf dates=True needs times, and this data has none.")
        days = np.unique(data.times // DAY * DAY)
        if len(days) > MOST_DATES:
            quantiles = np.linspace(0, 1, MOST_DATES + 1)[:-1]
            days = np.unique(np.quantile(data.times, quantiles, method="lower"))
        return days.astype(np.int64)

    def _blocks(self, data: Interactions, implicit: bool) -> list[Features]:
        """The features of users and of items: who or what was rated together, and columns."""
        of_users = (data.indptr, data.item_rows, data.n_items)
        of_items = (*data.by_item[:2], data.n_users)
        blocks = []
        for rated, known, columns in (
            (of_users, data.profiles, self.config.user_features),
            (of_items, data.catalogue, self.config.item_features),
        ):
            groups: list[Any] = [root_rows(*rated)] if implicit else []
            groups += [FeatureSpec.fit(known, features=(c,)).transform(known) for c in columns]
            blocks.append(Features.of(len(rated[0]) - 1, groups))
        return blocks

    # Scores.

    def _states(self, user_rows: np.ndarray) -> States:
        drawn = self.posterior.user_samples[user_rows]
        return _joined(drawn)

    def _fold_in(self, histories: Histories) -> States:
        indptr, item_rows, ratings = rated_csr(self, histories)
        drawn = self.posterior.draw_users(indptr, item_rows, ratings)
        return _joined(drawn)

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        vectors, offsets = self.inner_product()
        assert offsets is not None
        if item_rows is not None:
            vectors, offsets = vectors[item_rows], offsets[item_rows]
        scores: np.ndarray = np.asarray(states) @ vectors.T + offsets
        return scores

    def score_draws(self, batch: UserBatch, item_rows: np.ndarray) -> np.ndarray:
        """Return the scores of some items for one user in each posterior draw, float32 [n_draws,
        n]; their mean is the score.
        """
        vectors, offsets = self.posterior.item_side
        mean, deviation = self.posterior.scale
        user = np.asarray(batch.states)[0].reshape(vectors.shape[1:])  # [draws, width]
        rows = np.asarray(item_rows)
        products = np.einsum("sf,isf->si", user, vectors[:-1][rows]) + offsets[:-1][rows].T
        return np.asarray(mean + deviation * products, np.float32)

    def inner_product(self) -> InnerProduct:
        """Return the items' draws over the number of draws, beside each other: the mean score is
        their product with a user's draws.
        """
        return self._once("inner product", self._mean_product)

    def _mean_product(self) -> InnerProduct:
        vectors, offsets = self.posterior.item_side
        n_items, n_samples, _ = vectors[:-1].shape
        mean, deviation = self.posterior.scale
        return InnerProduct(
            (vectors[:-1] * np.float32(deviation / n_samples)).reshape(n_items, -1),
            (mean + deviation * offsets[:-1].mean(axis=1)).astype(np.float32),
        )

    def item_vectors(self) -> np.ndarray:
        """Return the items' draws beside each other, float32 [n_items, samples × (factors + 1)]."""
        _ = self.data
        return self.inner_product().item_vectors

    def _compared_items(self) -> np.ndarray:
        return _without_biases(self.posterior.item_samples)

    def _compared_users(self) -> np.ndarray:
        return _without_biases(self.posterior.user_samples)

    # Predictions.

    def _predict(self, states: States, which: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        found = self.posterior.predict(np.asarray(states), which, item_rows, None, None)
        return on_scale(found[:, 0], self.config, self.limits)

    def predict(
        self, users: Any, items: Any, *, interval: float | None = None, times: Any = None
    ) -> np.ndarray:
        """Return the value each user would give each item, pair by pair, on the data's own scale.

        Parameters
        ----------
        users, items
            Ids, pair by pair; unknown ones are answered by the prior.
        interval
            A probability between 0 and 1: the ends of the interval that contains the value with
            this probability are returned too. With rating levels, an interval runs from one level
            to another, so the probability holds on average over pairs, not for each.
        times
            When each rating would be given, int64 seconds [n], for a model with dates; None: on the
            last day of the training data.

        Returns
        -------
        float32 [n], or [n, 3] with an interval: the value, its lower and its upper end.
        """
        if interval is not None:
            checks.real(interval, "interval", above=0, below=1)
        states, which, item_rows, times = self._pairs(users, items, times)
        found = self.posterior.predict(states, which, item_rows, times, interval)
        found = on_scale(found, self.config, self.limits)
        return found if interval is not None else found[:, 0]

    def predict_levels(
        self, users: Any, items: Any, *, times: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rating's levels, float32 [levels], and for each pair of user and item the
        probability of each, float64 [n, levels]; parameters as in `predict`.

        Raises
        ------
        ArgumentError
            If the likelihood is normal: there are no levels.
        """
        levels = self.posterior.levels
        if not len(levels):
            raise ArgumentError(
                "predict_levels needs likelihood='ordinal'; this model's is normal, so ask predict"
                " for an interval."
            )
        states, which, item_rows, times = self._pairs(users, items, times)
        return levels, self.posterior.probabilities(states, which, item_rows, times)

    def _pairs(
        self, users: Any, items: Any, times: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
        """The users' draws, whose each pair is, its item row, and its time."""
        user_rows, item_rows = self._pair_rows(users, items)
        if times is not None:
            if not self.config.dates:
                raise ArgumentError("times need a model that was fitted with dates=True.")
            times = np.asarray(times, np.int64)
            if times.shape != user_rows.shape:
                raise ArgumentError(
                    f"times must have one entry for each of the {len(user_rows)} pairs, not shape"
                    f" {times.shape}."
                )
        distinct, which = np.unique(user_rows, return_inverse=True)
        known = distinct >= 0
        states = [np.asarray(self._states(distinct[known]))]
        if not known.all():
            states.insert(0, np.asarray(self._fold_in(Histories.of([[]], self.data.n_items))))
        return np.concatenate(states), which, item_rows, times

    # State.

    def _state(self) -> dict[str, np.ndarray]:
        return {**self.posterior.arrays(), "limits": self.limits}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.limits = arrays["limits"]
        self.posterior = Posterior.of_arrays(arrays)


def _without_biases(samples: np.ndarray) -> np.ndarray:
    return _joined(samples[:, :, :-1])


def _joined(samples: np.ndarray) -> np.ndarray:
    """The draws of each row one after another, also of no rows."""
    return samples.reshape(len(samples), math.prod(samples.shape[1:]))
