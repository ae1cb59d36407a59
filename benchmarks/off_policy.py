"""How often the intervals of off-policy estimates cover the truth, on simulations that know it.

    python -m benchmarks.off_policy [--runs 500] [--lists 2000] [--seed 0]

Lists of 3 of 8 items are drawn by a Plackett-Luce policy for four kinds of users; each position
earns a click with a chance that depends on item, user and position. The evaluated policies are less
and less like the one that drew the lists; their value is computed exactly, list by list."""

from __future__ import annotations

import argparse
import itertools
from typing import NamedTuple

import numpy as np

from cofactor.metrics.off_policy import (
    METHODS,
    Logged,
    cascade_weights,
    effective_sample_size,
    estimate,
)

N_ITEMS, K, N_KINDS = 8, 3, 4
LISTS = np.array(list(itertools.permutations(range(N_ITEMS), K)))
_VIEWED = np.array([1.0, 0.7, 0.5])


class World(NamedTuple):
    """What is true: click chances by kind of user and item, and the logging policy's scores."""

    clicks: np.ndarray
    scores: np.ndarray


def world(rng: np.random.Generator) -> World:
    """Draw a world."""
    clicks = rng.beta(1.5, 6.0, (N_KINDS, N_ITEMS))
    return World(clicks, 3 * clicks + rng.normal(0, 0.5, (N_KINDS, N_ITEMS)))


def chances(scores: np.ndarray) -> np.ndarray:
    """Return the chance of each item at each position of each list, given those before, float64
    [n_kinds, n_lists, k].
    """
    weights = np.exp(scores)[:, LISTS]  # [n_kinds, n_lists, k]
    before = np.cumsum(weights, axis=2) - weights
    total = np.exp(scores).sum(axis=1)[:, None, None]
    made: np.ndarray = weights / (total - before)
    return made


def value(one: World, scores: np.ndarray) -> float:
    """Return what a policy earns per list, exactly."""
    earned = (one.clicks[:, LISTS] * _VIEWED).sum(axis=2)
    return float((chances(scores).prod(axis=2) * earned).sum(axis=1).mean())


def log(rng: np.random.Generator, one: World, scores: np.ndarray, n_lists: int) -> Logged:
    """Draw lists by the logging policy, and weigh them for another; a user has two lists or so."""
    n_users = n_lists // 2
    groups = rng.integers(n_users, size=n_lists)
    kinds = groups % N_KINDS
    by_kind = chances(one.scores)
    drawn = np.empty(n_lists, np.int64)
    for kind in range(N_KINDS):
        mine = np.flatnonzero(kinds == kind)
        p = by_kind[kind].prod(axis=1)
        drawn[mine] = rng.choice(len(LISTS), len(mine), p=p / p.sum())
    items = LISTS[drawn]
    rewards = (rng.random((n_lists, K)) < one.clicks[kinds[:, None], items] * _VIEWED).astype(float)
    target = chances(scores)[kinds, drawn]
    # A rough model of the rewards, wrong as such models are: item popularity, without kinds.
    guess = one.clicks.mean(axis=0) * 0.8 + 0.02
    q_target = np.empty((n_lists, K))
    for position in range(K):
        weights = np.exp(scores)[kinds]
        for earlier in range(position):
            weights[np.arange(n_lists), items[:, earlier]] = 0
        p = weights / weights.sum(axis=1, keepdims=True)
        q_target[:, position] = (p * guess).sum(axis=1) * _VIEWED[position]
    return Logged(rewards, by_kind[kinds, drawn], target, guess[items] * _VIEWED, q_target, groups)


def policies(rng: np.random.Generator, one: World) -> dict[str, np.ndarray]:
    """Return the scores of the policies to evaluate, from the same to very different ones."""
    other = rng.normal(0, 1.0, one.scores.shape)
    return {
        "the logging policy": one.scores,
        "near": one.scores + 0.3 * other,
        "another": 3 * one.clicks + 0.7 * other,
        "sharper": 2 * one.scores,
    }


def main() -> None:
    """Run the simulations and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--lists", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    covered: dict[tuple[str, str], list[bool]] = {}
    widths: dict[tuple[str, str], list[float]] = {}
    sizes: dict[str, list[float]] = {}
    for run in range(given.runs):
        rng = np.random.default_rng([given.seed, run])
        one = world(rng)
        for name, scores in policies(rng, one).items():
            truth, logged = value(one, scores), log(rng, one, scores, given.lists)
            last = cascade_weights(logged)[:, -1]
            sizes.setdefault(name, []).append(effective_sample_size(last))
            for method in METHODS:
                found = estimate(logged, method)
                key = (name, method)
                covered.setdefault(key, []).append(found.low <= truth <= found.high)
                widths.setdefault(key, []).append((found.high - found.low) / truth)
    print("| Policy | effective lists | " + " | ".join(METHODS) + " |")
    print("| --- | --- |" + " --- |" * len(METHODS))
    for name in policies(np.random.default_rng(0), world(np.random.default_rng(0))):
        cells = [
            f"{np.mean(covered[name, m]):.1%} (width {np.median(widths[name, m]):.2f})"
            for m in METHODS
        ]
        print(f"| {name} | {np.median(sizes[name]):,.0f} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
