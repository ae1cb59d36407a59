"""The posterior of `BayesianMF`: its kept draws, what they predict, and draws for new users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cofactor.base.cached import cached_property
from cofactor.base.errors import ArtifactError
from cofactor.data.interactions import Interactions
from cofactor.models.explicit.rating_levels import Levels, level_of
from cofactor.models.similarity import root_sums
from cofactor.models.traits import ArraySpec

if TYPE_CHECKING:
    from cofactor.models.explicit.gibbs_chain import FeatureBlock, Sample

EM_ITERATIONS = 8  # of a new user's latent values; each brings the vector most of the way left
PAIRS = 4096  # predicted at a time: their draws are some tens of MiB

POSTERIOR_ARRAYS = {
    "user_samples": ArraySpec("float32", ("users", "draws", "width")),
    "item_samples": ArraySpec.of_items("items", "draws", "width"),
    "implicit_samples": ArraySpec.of_items("items", "draws", "width", optional=True),
    "prior_mean": ArraySpec("float32", ("draws", "width")),
    "prior_precision": ArraySpec("float32", ("draws", "width"), above=0),
    "noise": ArraySpec("float32", ("draws", "width")),
    "alpha": ArraySpec("float64", ("draws",), above=0),
    "inner_cuts": ArraySpec("float64", ("draws", "cuts")),
    "levels": ArraySpec("float32", ("levels",)),
    "level_ends": ArraySpec("float32", ("levels", "2"), optional=True),
    "scale": ArraySpec("float64", ("2",)),
    "reference": ArraySpec("float32", ("pairs", "levels")),
}
DATE_ARRAYS = {
    "date_samples": ArraySpec("float32", ("dates", "draws", "width"), optional=True),
    "days": ArraySpec("int64", ("dates",), optional=True),
}


@dataclass
class Posterior:
    """The kept draws. A row's draw is its vector and, last, its bias.

    Parameters
    ----------
    user_samples, item_samples, date_samples
        float32 [rows, draws, factors + 1].
    implicit_samples
        float32 [n_items, draws, factors + 1]: what having rated an item adds to a user, times
        sqrt(|N(u)|); None without.
    prior_mean, prior_precision
        float32 [draws, factors + 1], of a user of whom nothing is known.
    noise
        float32 [draws, factors + 1]: the standard normal numbers of new users' draws.
    alpha
        float64 [draws], the precision of ratings.
    inner_cuts
        float64 [draws, levels - 1].
    levels, level_ends
        float32 [levels] and [levels, 2], see `Levels`; empty for the normal likelihood.
    scale
        float64 [2]: the ratings' mean and deviation; 0 and 1 with levels.
    reference
        float32 [pairs, levels]: the level probabilities of some training pairs.
    days
        int64 [dates], the first second of each.
    """

    user_samples: np.ndarray
    item_samples: np.ndarray
    implicit_samples: np.ndarray | None
    prior_mean: np.ndarray
    prior_precision: np.ndarray
    noise: np.ndarray
    alpha: np.ndarray
    inner_cuts: np.ndarray
    levels: np.ndarray
    scale: np.ndarray
    reference: np.ndarray
    level_ends: np.ndarray | None = None
    date_samples: np.ndarray | None = None
    days: np.ndarray | None = None

    @classmethod
    def empty(
        cls,
        data: Interactions,
        levels: Levels,
        n_draws: int,
        width: int,
        implicit: bool,
        days: np.ndarray | None,
    ) -> Posterior:
        """Make room for the draws."""

        def room(n_rows: int) -> np.ndarray:
            return np.zeros((n_rows, n_draws, width), np.float32)

        deviation = float(data.weights.std(dtype=np.float64))
        scale = [data.weights.mean(dtype=np.float64), deviation if deviation > 0 else 1.0]
        one = room(1)[0]
        return cls(
            user_samples=room(data.n_users),
            item_samples=room(data.n_items),
            implicit_samples=room(data.n_items) if implicit else None,
            prior_mean=one,
            prior_precision=one.copy(),
            noise=one.copy(),
            alpha=np.ones(n_draws),
            inner_cuts=np.zeros((n_draws, max(len(levels.values) - 1, 0))),
            levels=levels.values,
            level_ends=levels.ends,
            scale=np.array([0.0, 1.0] if len(levels.values) else scale),
            reference=np.zeros((0, len(levels.values)), np.float32),
            date_samples=None if days is None else room(len(days)),
            days=days,
        )

    def keep(self, at: int, sample: Sample, users: FeatureBlock, data: Interactions) -> None:
        """Keep a sample as draw number ``at``; ``users`` is the block of the users."""
        rows = sample.rows.T
        n_users, upto = data.n_users, data.n_users + data.n_items
        self.user_samples[:, at] = rows[:n_users]
        self.item_samples[:, at] = rows[n_users:upto]
        if self.date_samples is not None:
            self.date_samples[:, at] = rows[upto:]
        known = rows[:n_users] - users.weights[:, :n_users].T
        if self.implicit_samples is not None:
            drawn = users.weights[:, n_users : n_users + data.n_items].T
            self.implicit_samples[:, at] = drawn
            known = known - root_sums(data.indptr, data.item_rows, drawn)
        # What profiles add on the average; a new user's is not known.
        self.prior_mean[at] = sample.means[0][:, 0] + known.mean(axis=0)
        self.prior_precision[at] = sample.precisions[0][:, 0]
        self.alpha[at] = sample.alpha
        self.inner_cuts[at] = sample.cuts[1:-1]

    def finish(self, data: Interactions, generator: np.random.Generator) -> None:
        """Draw the random numbers of new users, the same for all of them, and keep the level
        probabilities of some training pairs, by which intervals are set.
        """
        self.noise = generator.standard_normal(self.noise.shape, np.float32)
        if len(self.levels):
            pairs = np.sort(generator.permutation(len(data))[:PAIRS])
            users, which = np.unique(data.user_rows[pairs], return_inverse=True)
            states = self.user_samples[users]
            times = None if data.times is None else data.times[pairs]
            share = self.probabilities(states, which, data.item_rows[pairs], times)
            self.reference = share.astype(np.float32)

    @property
    def ends(self) -> np.ndarray:
        """The lowest and the highest rating of each level, float32 [levels, 2]."""
        # Models of older versions keep none: their levels are single ratings.
        return np.stack([self.levels] * 2, 1) if self.level_ends is None else self.level_ends

    def standardised(self, ratings: np.ndarray) -> np.ndarray:
        """Return the nearest level's number, int32, or the standard score, float32."""
        if not len(self.levels):
            mean, deviation = self.scale
            return ((ratings - mean) / deviation).astype(np.float32)
        return level_of(ratings, self.ends)

    @cached_property
    def item_side(self) -> tuple[np.ndarray, np.ndarray]:
        """What of an item meets a user's draw on the last day: vectors float32 [n_items + 1, draws,
        width] with 1 for the user's bias, offsets float32 [n_items + 1, draws]; last, the mean
        item.
        """
        items = np.concatenate([self.item_samples, self.item_samples.mean(axis=0)[None]])
        offsets = items[:, :, -1].copy()
        items[:, :, -1] = 1
        if self.date_samples is not None:
            day = self.date_samples[-1]
            offsets += day[:, -1] + np.einsum("isf,sf->is", items[:, :, :-1], day[:, :-1])
            items[:, :, :-1] += day[:, :-1]
        return items, offsets

    @cached_property
    def cuts(self) -> np.ndarray:
        """float64 [draws, levels + 1], from -inf to inf; [draws, 0] without levels."""
        if not len(self.levels):
            return np.zeros((len(self.alpha), 0))
        return np.pad(self.inner_cuts, ((0, 0), (1, 1)), constant_values=(-np.inf, np.inf))

    def draw_users(
        self, indptr: np.ndarray, item_rows: np.ndarray, ratings: np.ndarray
    ) -> np.ndarray:
        """Draw new users given the items, float32 [B, draws, width]."""
        from cofactor.kernels.cpu.gibbs import draw_rows

        n_users, (n_draws, width) = len(indptr) - 1, self.prior_mean.shape
        prior = np.repeat(self.prior_mean[None], n_users, axis=0)
        if self.implicit_samples is not None:
            flat = self.implicit_samples.reshape(len(self.implicit_samples), -1)
            prior += root_sums(indptr, item_rows, flat).reshape(prior.shape)
        drawn = np.empty((n_users, n_draws, width), np.float32)
        vectors, offsets = self.item_side
        draw_rows(
            indptr,
            item_rows,
            self.standardised(ratings).astype(np.float32),
            item_vectors=vectors,
            item_offsets=offsets,
            prior_mean=prior,
            prior_precision=self.prior_precision,
            alpha=self.alpha,
            cuts=self.cuts,
            noise=self.noise,
            iterations=EM_ITERATIONS,
            out=drawn,
        )
        return drawn

    def predict(
        self,
        states: np.ndarray,
        which: np.ndarray,
        item_rows: np.ndarray,
        times: np.ndarray | None,
        interval: float | None,
    ) -> np.ndarray:
        """Return the expected rating of each pair, and beside it the ends of an interval, float64
        [n, 1] or [n, 3].
        """
        if not len(self.levels):
            return self._normal(states, which, item_rows, times, interval)
        share = self.probabilities(states, which, item_rows, times)
        value = share @ self.levels.astype(np.float64)
        if interval is None:
            return value[:, None]
        low, high = _interval(share, self._tail(interval))
        lows, highs = self.ends.T
        return np.column_stack(
            [value, np.minimum(lows[low], value), np.maximum(highs[high], value)]
        )

    def _tail(self, interval: float) -> float:
        """The tail to cut at both ends, so that the mean probability of the intervals of the
        reference pairs is as asked.

        With few levels, intervals that have at least the probability each have more of it on the
        average.
        """
        low, high = 0.0, 0.5
        upto = np.pad(np.cumsum(self.reference, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
        every = np.arange(len(upto))
        for _ in range(20):
            tail = (low + high) / 2
            first, last = _interval(self.reference, tail)
            mass = float(np.mean(upto[every, last + 1] - upto[every, first]))
            low, high = (tail, high) if mass > interval else (low, tail)
        return low

    def probabilities(
        self,
        states: np.ndarray,
        which: np.ndarray,
        item_rows: np.ndarray,
        times: np.ndarray | None,
    ) -> np.ndarray:
        """Return the probability of each level for each pair, float64 [n, levels]."""
        from cofactor.kernels.cpu.probit import level_probabilities

        states = states.reshape(len(states), *self.prior_mean.shape)
        share = np.empty((len(which), len(self.levels)))
        for at in range(0, len(which), PAIRS):
            part = slice(at, at + PAIRS)
            side = self._sides(item_rows[part], None if times is None else times[part])
            share[part] = level_probabilities(states, which[part], *side, self.cuts)
        return share

    def _normal(
        self,
        states: np.ndarray,
        which: np.ndarray,
        item_rows: np.ndarray,
        times: np.ndarray | None,
        interval: float | None,
    ) -> np.ndarray:
        from scipy.special import ndtri

        states = states.reshape(len(states), *self.prior_mean.shape)
        mean, deviation = self.scale
        found = np.empty((len(which), 1 if interval is None else 3))
        for at in range(0, len(which), PAIRS):
            part = slice(at, at + PAIRS)
            vectors, offsets, rows = self._sides(
                item_rows[part], None if times is None else times[part]
            )
            scores = np.einsum("nsf,nsf->ns", states[which[part]], vectors[rows]) + offsets[rows]
            found[part, 0] = mean + deviation * scores.mean(axis=1)
            if interval is not None:
                spread = np.sqrt(scores.var(axis=1) + np.mean(1 / self.alpha))
                reach = deviation * spread * ndtri(0.5 + interval / 2)
                found[part, 1], found[part, 2] = found[part, 0] - reach, found[part, 0] + reach
        return found

    def _sides(
        self, item_rows: np.ndarray, times: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Vectors and offsets as in `item_side`, and which of them each pair has."""
        if times is None or self.date_samples is None or self.days is None:
            return *self.item_side, item_rows
        day = np.maximum(np.searchsorted(self.days, times, side="right") - 1, 0)
        dates = self.date_samples[day]
        items = np.where(
            (item_rows >= 0)[:, None, None],
            self.item_samples[item_rows],
            self.item_samples.mean(axis=0),
        )
        offsets = items[:, :, -1] + dates[:, :, -1]
        offsets += np.einsum("nsf,nsf->ns", items[:, :, :-1], dates[:, :, :-1])
        vectors = items + dates
        vectors[:, :, -1] = 1
        return vectors, offsets, np.arange(len(item_rows), dtype=np.int64)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of the state."""
        names = (*POSTERIOR_ARRAYS, *DATE_ARRAYS)
        return {name: found for name in names if (found := getattr(self, name)) is not None}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Posterior:
        """Take them over from a saved state.

        Raises
        ------
        ArtifactError
            If levels or the bounds between them don't ascend, or aren't as many as they must be;
            or the deviation isn't above 0.
        """
        levels, cuts = arrays["levels"], arrays["inner_cuts"]
        for name, each in (("levels", levels[None]), ("inner_cuts", cuts)):
            if (each[:, 1:] <= each[:, :-1]).any():
                raise ArtifactError(f"array {name!r} must ascend.")
        if cuts.shape[1] != max(len(levels) - 1, 0):
            raise ArtifactError(
                f"array 'inner_cuts' must have a bound between each two of {len(levels)} levels,"
                f" not {cuts.shape[1]}."
            )
        if not arrays["scale"][1] > 0:
            raise ArtifactError("array 'scale' must hold a mean and a deviation above 0.")
        names = (*POSTERIOR_ARRAYS, *DATE_ARRAYS)
        return cls(**{name: arrays.get(name) for name in names})  # type: ignore[arg-type]


def _interval(share: np.ndarray, tail: float) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last level whose middle of the cumulative distribution leaves a tail at
    both ends, or the median, int [n] each.
    """
    upto = np.cumsum(share, axis=1)
    middle = upto - share / 2
    median = np.argmax(upto >= 0.5, axis=1)
    low = np.minimum(np.argmax(middle >= tail, axis=1), median)
    last = share.shape[1] - 1
    high = np.maximum(last - np.argmax(middle[:, ::-1] <= 1 - tail, axis=1), median)
    return low, high
