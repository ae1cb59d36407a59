"""Big data of a realistic shape, made fast: for timing and for memory, not for judging models."""

from __future__ import annotations

import numpy as np

from cofactor.base import checks, rng
from cofactor.base.errors import ArgumentError
from cofactor.base.offsets import begins, offsets
from cofactor.data.catalogue import Catalogue
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions

_DAY = 86_400


def power_law(
    n_users: int = 162_541,
    n_items: int = 56_642,
    n_interactions: int = 25_000_000,
    *,
    skew: float = 1.0,
    rated: bool = True,
    seed: int = 0,
) -> Interactions:
    """Make interactions with Zipf-Mandelbrot item frequencies, ``p(rank) ∝ (rank + 0.005
    n_items)^-skew``.

    The users' counts are log-normal (σ = 1.1), at least one each and at most half of the items.

    Parameters
    ----------
    n_users, n_items, n_interactions
        The shape, by default that of MovieLens 25M; distinct pairs, at most half of all there are.
    skew
        The exponent, from 0 (all items alike). Popular items have no special rows: the ranks are
        shuffled.
    rated
        Whether the interactions have values: ratings of 0.5..5 in halves, by user and item means
        and noise.
    seed
        Of everything.

    Returns
    -------
    Interactions
        With int64 ids 0.., times over ten years, no catalogue. Its order in the source is that of
        its rows.
    """
    n_users, n_items, n_interactions = _shape(n_users, n_items, n_interactions)
    skew = checks.real(skew, "skew", low=0, high=4)
    generator = rng.generator(seed, "synthetic", "power law")
    counts = _counts(n_users, n_items, n_interactions, generator)
    popularity = (np.arange(n_items) + 1 + 0.005 * n_items) ** -skew
    generator.shuffle(popularity)
    item_rows = _items(counts, popularity, generator)
    indptr = offsets(counts)
    values = _ratings(counts, item_rows, n_items, generator) if rated else None
    return Interactions(
        users=IdMap(np.arange(n_users, dtype=np.int64)),
        items=IdMap(np.arange(n_items, dtype=np.int64)),
        indptr=indptr,
        item_rows=item_rows,
        values=values,
        times=_times(counts, n_interactions, generator),
        source_order=np.arange(n_interactions, dtype=np.int64),
        catalogue=Catalogue.nothing(n_items),
        profiles=Catalogue.nothing(n_users),
        source=f"power law, seed {seed}",
    )


def _counts(
    n_users: int, n_items: int, n_interactions: int, generator: np.random.Generator
) -> np.ndarray:
    """The number of interactions of each user, int64, with exactly the given sum."""
    high = max(1, n_items // 2)
    if n_users * high < n_interactions:
        high = n_items
    weights = generator.lognormal(0.0, 1.1, n_users)
    low_scale, high_scale = 0.0, n_interactions / weights.min()
    for _ in range(100):  # bisection: the clipped sum grows with the scale
        scale = (low_scale + high_scale) / 2
        if np.clip(scale * weights, 1, high).sum() < n_interactions:
            low_scale = scale
        else:
            high_scale = scale
    counts = np.floor(np.clip(low_scale * weights, 1, high)).astype(np.int64)
    while (missing := n_interactions - int(counts.sum())) > 0:
        room = np.flatnonzero(counts < high)
        counts[generator.choice(room, min(missing, len(room)), replace=False)] += 1
    return counts


def _items(
    counts: np.ndarray, popularity: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Item rows in CSR order, distinct within each user, drawn by popularity, int32."""
    n_users, n_items = len(counts), len(popularity)
    runs: list[np.ndarray] = []  # a big sorted one, then one of all that came later
    missing = counts
    for _ in range(12):
        users = np.repeat(np.arange(n_users, dtype=np.int64), missing)
        drawn = users * n_items + _by_weight(popularity, missing, generator)
        drawn = drawn[begins(drawn)]
        for run in runs:
            place = np.minimum(np.searchsorted(run, drawn), len(run) - 1)
            drawn = drawn[run[place] != drawn]
        runs = [*runs[:1], np.sort(np.concatenate([*runs[1:], drawn]), kind="stable")]
        missing = missing - np.bincount(drawn // n_items, minlength=n_users)
        if not missing.any():
            break
    pairs = np.sort(np.concatenate(runs), kind="stable")  # two sorted runs: one merge
    return _topped_up(pairs, missing, popularity, generator)


def _topped_up(
    pairs: np.ndarray, missing: np.ndarray, popularity: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Finish the few users who have most of the popular items: exactly, one user at a time."""
    n_items = len(popularity)
    if not missing.any():
        return (pairs % n_items).astype(np.int32)
    extra = [pairs]
    for user in np.flatnonzero(missing):
        start, end = np.searchsorted(pairs, [user * n_items, (user + 1) * n_items])
        # Exponential races: the smallest of E / p are a draw by weight without replacement.
        race = generator.exponential(size=n_items) / popularity
        race[pairs[start:end] % n_items] = np.inf
        extra.append(user * n_items + np.argpartition(race, missing[user] - 1)[: missing[user]])
    whole = np.concatenate(extra)
    whole.sort()
    return (whole % n_items).astype(np.int32)


def _by_weight(
    weights: np.ndarray, counts: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Draw ``counts[u]`` places by weight for each user, ascending within the user, int64: no sort
    is needed.

    n sorted uniform numbers are the sums of the first n of n + 1 exponential ones, over the sum of
    all."""
    reach = np.cumsum(weights)
    reach /= reach[-1]
    ends = np.cumsum(counts + 1) - 1
    sums = np.cumsum(generator.standard_exponential(int(ends[-1]) + 1))
    before = np.append(0.0, sums[ends[:-1]])
    inner = np.ones(len(sums), bool)
    inner[ends] = False
    uniform = (sums[inner] - np.repeat(before, counts)) / np.repeat(sums[ends] - before, counts)
    return np.minimum(np.searchsorted(reach, uniform), len(weights) - 1)


def _ratings(
    counts: np.ndarray, item_rows: np.ndarray, n_items: int, generator: np.random.Generator
) -> np.ndarray:
    quality = generator.normal(3.4, 0.45, n_items).astype(np.float32)
    leaning = generator.normal(0.0, 0.4, len(counts)).astype(np.float32)
    values = generator.standard_normal(len(item_rows), np.float32)
    values *= np.float32(0.8)
    values += quality[item_rows]
    values += np.repeat(leaning, counts)
    return np.clip(np.rint(values * 2) / 2, 0.5, 5.0).astype(np.float32)


def _times(counts: np.ndarray, number: int, generator: np.random.Generator) -> np.ndarray:
    """Seconds: every user is active for a while that begins at some day of ten years."""
    begin = generator.integers(946_684_800, 946_684_800 + 3650 * _DAY, len(counts))
    span = np.maximum(counts, 1) * generator.integers(60, 2 * _DAY, len(counts)) // 8 + 1
    times: np.ndarray = np.repeat(begin, counts) + (
        generator.random(number) * np.repeat(span, counts)
    ).astype(np.int64)
    return times


def _shape(n_users: object, n_items: object, n_interactions: object) -> tuple[int, int, int]:
    """A shape as integers; refused if so many distinct pairs don't fit it."""
    users = checks.integer(n_users, "n_users", low=1)
    items = checks.integer(n_items, "n_items", low=1)
    number = checks.integer(n_interactions, "n_interactions", low=users)
    if number > users * items // 2:
        raise ArgumentError(
            f"n_interactions must be at most half of all {users * items:,} pairs, not {number:,}: "
            "a power law can't be held when nearly every pair is taken."
        )
    return users, items, number
