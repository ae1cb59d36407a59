"""The Markov chain of `BayesianMF`: blocks of features, their priors, the ratings' likelihood."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from cofactor.base.offsets import offsets, owners_of, row_offsets

# Gamma(1/2, 1/2) priors of all precisions, and one pseudo-observation at 0 of every group's mean
# (libFM's defaults).
PRIOR = 0.5
CUTS_EVERY = 4  # sweeps between two draws of the cuts, which move little and cost as much as one
REFRESH_EVERY = 16  # sweeps after which the scores are computed again: float32 sums drift


@dataclass(frozen=True)
class Features:
    """What the rows of a block have: feature j of group g on some rows, with values.

    Parameters
    ----------
    indptr
        int64 [features + 1].
    rows
        int32 [entries], the block's rows that have each feature.
    values
        float32 [entries].
    group
        int32 [features], from 0; features of one group share a prior.
    """

    indptr: np.ndarray
    rows: np.ndarray
    values: np.ndarray
    group: np.ndarray

    @classmethod
    def of(cls, n_rows: int, groups: list[object]) -> Features:
        """Make them from each row's own feature and SciPy matrices of rows × features, a group
        each.
        """
        from scipy.sparse import csc_matrix, hstack, identity

        parts = [identity(n_rows, np.float32, "csc"), *groups]
        whole = csc_matrix(hstack(parts, "csc"))
        sizes = [part.shape[1] for part in parts]
        return cls(
            whole.indptr.astype(np.int64),
            whole.indices.astype(np.int32),
            whole.data.astype(np.float32),
            np.repeat(np.arange(len(parts), dtype=np.int32), sizes),
        )

    @property
    def n_groups(self) -> int:
        """How many groups there are."""
        return int(self.group[-1]) + 1


class Ratings(NamedTuple):
    """The row of each rating in each block, int32 [blocks, n], and its value float32 or level
    int32 [n].
    """

    rows: np.ndarray
    values: np.ndarray


class Sample(NamedTuple):
    """One draw: rows float32 [factors + 1, all rows], the precision of ratings, cuts [levels + 1]
    or [0], and of each block the prior's mean and precision [factors + 1, groups].
    """

    rows: np.ndarray
    alpha: float
    cuts: np.ndarray
    means: list[np.ndarray]
    precisions: list[np.ndarray]


@dataclass
class FeatureBlock:
    """A block's ratings in the order of its rows, and the state of its features."""

    start: int
    order: np.ndarray
    indptr: np.ndarray
    others: np.ndarray
    features: Features
    weights: np.ndarray
    mean: np.ndarray = field(init=False)
    precision: np.ndarray = field(init=False)

    def draw_prior(self, generator: np.random.Generator) -> None:
        """Draw the mean and precision of each group and coordinate, given the features' vectors."""
        starts = np.searchsorted(self.features.group, np.arange(self.features.n_groups))
        count = np.diff(np.append(starts, len(self.features.group)))
        w = self.weights.astype(np.float64)
        total = np.add.reduceat(w, starts, axis=1)
        squares = np.add.reduceat(w * w, starts, axis=1)
        centre = total / (count + 1)
        # The precision with the mean integrated out, then the mean: a joint draw.
        rate = PRIOR + 0.5 * np.maximum(squares - (count + 1) * centre**2, 0)
        self.precision = generator.gamma(PRIOR + 0.5 * np.broadcast_to(count, rate.shape)) / rate
        spread = 1 / np.sqrt((count + 1) * self.precision)
        self.mean = centre + spread * generator.standard_normal(centre.shape)


class GibbsChain:
    """A Gibbs sampler of a factorisation machine whose pairs are those of different blocks.

    Parameters
    ----------
    ratings
        The observations; levels from 0 if ``n_levels`` isn't 0, else values of mean 0 and variance
        1.
    blocks
        The features of each block's rows.
    factors
        Length of the vectors.
    n_levels
        Of the ordered probit likelihood; 0 for the normal one.
    generator
        All random numbers come from it.
    """

    def __init__(
        self,
        ratings: Ratings,
        blocks: list[Features],
        factors: int,
        n_levels: int,
        generator: np.random.Generator,
    ) -> None:
        self.generator = generator
        self.values, self.n_levels = ratings.values, n_levels
        sizes = [int((features.group == 0).sum()) for features in blocks]
        starts = offsets(sizes)
        self.columns = (ratings.rows + starts[:-1, None]).astype(np.int32)
        self.rows = np.zeros((factors + 1, int(starts[-1])), np.float32)
        self.blocks = [
            self._block(k, ratings.rows[k], sizes[k], int(starts[k]), features)
            for k, features in enumerate(blocks)
        ]
        self.alpha = 1.0
        self.cuts = np.zeros(0)
        if n_levels:
            self.cuts = _starting_cuts(ratings.values, n_levels)

    def _block(
        self, k: int, rows: np.ndarray, n_rows: int, start: int, features: Features
    ) -> FeatureBlock:
        order = np.argsort(rows, kind="stable")
        indptr = row_offsets(rows, n_rows)
        others = np.ascontiguousarray(np.delete(self.columns, k, axis=0)[:, order])
        # Small enough that the first products are noise, large enough to leave zero.
        shape = (len(self.rows), len(features.group))
        weights = (0.1 * self.generator.standard_normal(shape)).astype(np.float32)
        owner = owners_of(np.diff(features.indptr))
        for coordinate in range(len(self.rows)):
            added = weights[coordinate][owner] * features.values
            self.rows[coordinate, start : start + n_rows] = np.bincount(
                features.rows, added, minlength=n_rows
            )
        return FeatureBlock(start, order, indptr, others, features, weights)

    def sweeps(self, count: int) -> Iterator[Sample]:
        """Run some sweeps over all blocks, and give the state after each; a sample's arrays are
        the chain's own.
        """
        residual = np.zeros(0, np.float32)
        scores = self.scores()
        for sweep in range(count):
            residual = self._likelihood(scores, sweep)
            for block in self.blocks:
                block.draw_prior(self.generator)
                residual = self._draw(block, residual)
            if sweep % REFRESH_EVERY == REFRESH_EVERY - 1:
                scores = self.scores()
            else:
                scores = self._target - residual
            yield Sample(
                self.rows,
                self.alpha,
                self.cuts,
                [block.mean for block in self.blocks],
                [block.precision for block in self.blocks],
            )

    def scores(self) -> np.ndarray:
        """Return the score of each rating, float32 [n]."""
        total = np.zeros(len(self.values), np.float32)
        for row in self.rows[:-1]:
            parts = row[self.columns]
            whole = parts.sum(axis=0)
            total += 0.5 * (whole * whole - (parts * parts).sum(axis=0))
        biases: np.ndarray = self.rows[-1][self.columns].sum(axis=0)
        return total + biases

    def _likelihood(self, scores: np.ndarray, sweep: int) -> np.ndarray:
        """Draw the precision of the ratings, or cuts and latent values; return the residuals."""
        from cofactor.kernels.cpu.probit import draw_latent

        if not self.n_levels:
            self._target = self.values
            residual: np.ndarray = self.values - scores
            squares = float(np.sum(residual * residual, dtype=np.float64))
            shape, rate = PRIOR + 0.5 * len(residual), PRIOR + 0.5 * squares
            self.alpha = float(self.generator.gamma(shape) / rate)
            return residual
        if sweep % CUTS_EVERY == 0:
            self.cuts = draw_cuts(scores, self.values, self.cuts, self.generator)
        uniform = self.generator.random(len(scores), np.float32)
        self._target = draw_latent(scores, self.values, self.cuts, uniform)
        latent_residual: np.ndarray = self._target - scores
        return latent_residual

    def _draw(self, block: FeatureBlock, residual: np.ndarray) -> np.ndarray:
        from cofactor.kernels.cpu.gibbs import sample_block

        ordered = residual[block.order]
        features = block.features
        sample_block(
            block.indptr,
            block.others,
            ordered,
            rows=self.rows,
            start=block.start,
            feature_indptr=features.indptr,
            feature_rows=features.rows,
            feature_values=features.values,
            weights=block.weights,
            prior_mean=block.mean,
            prior_precision=block.precision,
            group=features.group,
            noise=self.generator.standard_normal(block.weights.shape),
            alpha=self.alpha,
        )
        residual[block.order] = ordered
        return residual


def _starting_cuts(levels: np.ndarray, n_levels: int) -> np.ndarray:
    """The cuts that give the levels' shares at scores of zero."""
    from scipy.special import ndtri

    share = np.cumsum(np.bincount(levels, minlength=n_levels))[:-1] / len(levels)
    return np.concatenate([[-np.inf], ndtri(share), [np.inf]])


def draw_cuts(
    scores: np.ndarray, levels: np.ndarray, cuts: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Draw the cuts given the scores, latent values integrated out, by a Metropolis-Hastings step.

    The proposal is the normal distribution at the mode of the likelihood, which is concave in the
    cuts; with thousands of ratings nearly all are accepted.

    Parameters
    ----------
    scores
        float32 [n].
    levels
        int32 [n], from 0.
    cuts
        float64 [levels + 1], from -inf to inf.
    generator
        Random numbers.

    Returns
    -------
    float64 [levels + 1]
        New cuts, or the old ones.
    """
    from cofactor.kernels.cpu.probit import cut_likelihood

    now, _, _ = cut_likelihood(scores, levels, cuts)
    mode = cuts.copy()
    for _ in range(8):
        _, gradient, hessian = cut_likelihood(scores, levels, mode)
        step = np.linalg.solve(hessian, gradient)
        while (np.diff(mode[1:-1] - step) <= 0).any():
            step = step / 2
        mode[1:-1] -= step
        if np.abs(step).max() < 1e-4:
            break
    root = np.linalg.cholesky(-hessian)
    drawn = generator.standard_normal(len(gradient))
    proposal = mode.copy()
    proposal[1:-1] += np.linalg.solve(root.T, drawn)
    if (np.diff(proposal[1:-1]) <= 0).any():
        return cuts
    new, _, _ = cut_likelihood(scores, levels, proposal)
    back = root.T @ (cuts[1:-1] - mode[1:-1])
    ratio = new - now + 0.5 * (drawn @ drawn - back @ back)
    return proposal if np.log(generator.random()) < ratio else cuts
