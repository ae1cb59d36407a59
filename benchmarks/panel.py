"""The panel: data of many shapes, sizes and scales, on which defaults are compared.

Real sets are those that are available locally; of a large one, some users drawn at random. The
synthetic ones have shapes that the real ones lack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from cofactor.data import datasets
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.data.splits import split

_TRAITS = 8  # hidden dimensions of the synthetic data


def simulated(
    n_users: int,
    n_items: int,
    share: float,
    *,
    skew: float = 0.5,
    counts: float = 0.0,
    drift: float = 0.0,
    seed: int = 0,
) -> Interactions:
    """Users with the items that are largest in ``2 p_u · q_i / sqrt(8) + log fame_i`` plus Gumbel
    noise, as many as a log-normal number with the mean ``share`` of all.

    With ``counts``, values are numbers of uses with that mean, larger for items that suit the user.
    With ``drift``, an item has a time at which it is most famous, interactions have times, and its
    log fame falls by ``drift`` for each tenth of the whole period that lies between.
    """
    rng = np.random.default_rng(seed)
    p, q = rng.standard_normal((n_users, _TRAITS)), rng.standard_normal((n_items, _TRAITS))
    fame = -skew * np.log(rng.permutation(n_items) + 1.0 + 0.01 * n_items)
    sizes = np.exp(rng.normal(np.log(share * n_items) - 0.32, 0.8, n_users))
    sizes = np.clip(sizes.round().astype(int), 4, n_items // 2)
    peak, begin = rng.random(n_items), rng.random(n_users)
    items, values, times = [], [], []
    turns = np.random.default_rng(seed)  # nothing but the order of the interactions
    for u in range(n_users):
        suits = 2 * (q @ p[u]) / np.sqrt(_TRAITS)
        when = np.clip(begin[u] + 0.2 * rng.random(n_items), 0, 1)
        score = suits + fame - 10 * drift * np.abs(when - peak) + rng.gumbel(size=n_items)
        chosen = np.argpartition(-score, sizes[u])[: sizes[u]]
        chosen = chosen[np.argsort(-score[chosen])]
        uses = np.exp(0.5 * suits[chosen] + 1.5 * rng.standard_normal(len(chosen)))
        order = turns.permutation(len(chosen))
        chosen, uses = chosen[order], uses[order]
        items.append(chosen)
        values.append(np.maximum(1, np.rint(counts * uses / uses.mean())))
        times.append((1e9 + 1e7 * when[chosen]).astype(np.int64))
    return Interactions.from_rows(
        np.repeat(np.arange(n_users), sizes),
        np.concatenate(items),
        np.concatenate(values).astype(np.float32) if counts else None,
        times=np.concatenate(times) if drift else None,
        users=n_users,
        items=n_items,
        source="simulated",
    )


def rated(kind: str, n_users: int = 1_200, n_items: int = 500, seed: int = 0) -> Interactions:
    """Ratings of items that are chosen by fame alone, ``b_u + b_i + p_u · q_i`` and noise: on
    ``"own-means"``, from 1 to 100 around a mean of the user's own, on ``"zeros"`` from -10 to 10,
    nine in ten of them 0 whatever the item.
    """
    rng = np.random.default_rng(seed)
    fame = -0.6 * np.log(rng.permutation(n_items) + 1.0)
    sizes = np.clip(np.exp(rng.normal(2.8, 0.9, n_users)).astype(int), 3, n_items // 3)
    chosen = [np.argsort(-(fame + rng.gumbel(size=n_items)))[:size] for size in sizes]
    users, items = np.repeat(np.arange(n_users), sizes), np.concatenate(chosen)
    p, q = rng.standard_normal((n_users, 5)) / 2, rng.standard_normal((n_items, 5)) / 2
    biases = rng.normal(0, 0.4, n_users)[users] + rng.normal(0, 0.4, n_items)[items]
    z = biases + (p[users] * q[items]).sum(1) + 0.8 * rng.standard_normal(len(users))
    if kind == "own-means":
        mean, width = rng.uniform(15, 85, n_users), rng.uniform(3, 15, n_users)
        values = np.clip(np.rint(mean[users] + width[users] * z), 1, 100)
    else:
        values = np.where(rng.random(len(z)) < 0.9, 0, np.clip(np.round(4 * z, 1), -10, 10))
    return Interactions.from_rows(
        users, items, values.astype(np.float32), users=n_users, items=n_items, source=kind
    )


def few_ratings(
    n_users: int, n_items: int, mean: float, *, personal: float, seed: int = 0
) -> Interactions:
    """Users with a Poisson number of ratings from 1 to 5 (three at least) of items that are chosen
    by fame: biases with deviations of .45 and .5, ``personal p_u · q_i / sqrt(5)``, noise of .9.
    """
    rng = np.random.default_rng(seed)
    fame = -0.8 * np.log(rng.permutation(n_items) + 1.0 + 0.01 * n_items)
    sizes = np.clip(3 + rng.poisson(mean - 3, n_users), 3, n_items // 2)
    chosen = [np.argsort(-(fame + rng.gumbel(size=n_items)))[:size] for size in sizes]
    users, items = np.repeat(np.arange(n_users), sizes), np.concatenate(chosen)
    p, q = rng.standard_normal((n_users, 5)), rng.standard_normal((n_items, 5))
    biases = 0.45 * rng.standard_normal(n_users)[users] + 0.5 * rng.standard_normal(n_items)[items]
    z = 3.6 + biases + personal * (p[users] * q[items]).sum(1) / np.sqrt(5)
    values = np.clip(np.rint(z + 0.9 * rng.standard_normal(len(users))), 1, 5)
    return Interactions.from_rows(
        users, items, values.astype(np.float32), users=n_users, items=n_items, source="few ratings"
    )


def alike(n_users: int, n_items: int, share: float, seed: int = 0) -> Interactions:
    """Users who all choose by the items' fame, in any order, so that nothing is personal."""
    rng, turns = np.random.default_rng(seed), np.random.default_rng(seed)
    fame = -0.8 * np.log(rng.permutation(n_items) + 1.0)
    sizes = np.clip(rng.poisson(share * n_items, n_users), 4, n_items // 2)
    chosen = [np.argsort(-(fame + rng.gumbel(size=n_items)))[:size] for size in sizes]
    chosen = [turns.permutation(rows) for rows in chosen]  # nothing but their order
    users = np.repeat(np.arange(n_users), sizes)
    return Interactions.from_rows(
        users, np.concatenate(chosen), users=n_users, items=n_items, source="alike"
    )


def walked(
    n_users: int, n_items: int, length: float, *, follow: float = 0.75, seed: int = 0
) -> Interactions:
    """Sessions: a share ``follow`` of the events go to one of the five items that usually follow
    the last one, the others anywhere by fame; times are in order.
    """
    rng = np.random.default_rng(seed)
    share = (rng.permutation(n_items) + 10.0) ** -0.7
    share /= share.sum()
    follows = rng.choice(n_items, (n_items, 5), p=share)
    sizes = np.maximum(3, rng.poisson(length, n_users))
    users = np.repeat(np.arange(n_users), sizes)
    anywhere = rng.choice(n_items, len(users), p=share)
    turn, near = rng.integers(5, size=len(users)), rng.random(len(users)) < follow
    items = anywhere.copy()
    for n in range(1, len(users)):
        if users[n] == users[n - 1] and near[n]:
            items[n] = follows[items[n - 1], turn[n]]
    begin = rng.integers(0, 10_000_000, n_users)
    times = 1_000_000_000 + begin[users] + 60 * np.arange(len(users))
    return Interactions.from_rows(
        users, items, times=times, users=n_users, items=n_items, source="walked"
    )


def turning(n_users: int, n_items: int, life: float, seed: int = 0) -> Interactions:
    """A catalogue that turns over: an item is there for the share ``life`` of the whole period, and
    a user chooses, at some twelve moments of three tenths of it, among the items there: by fame
    ``-0.8 log(rank + 10)`` plus ``0.3 p_u · q_i / sqrt(8)``, each item once.
    """
    rng = np.random.default_rng(seed)
    p, q = rng.standard_normal((n_users, _TRAITS)), rng.standard_normal((n_items, _TRAITS))
    fame = -0.8 * np.log(rng.permutation(n_items) + 10.0)
    since, begin = rng.uniform(-life, 1, n_items), 0.7 * rng.random(n_users)
    users, items, times = [], [], []
    for u in range(n_users):
        score = fame + 0.3 * (q @ p[u]) / np.sqrt(_TRAITS)
        for when in np.sort(begin[u] + 0.3 * rng.random(max(3, rng.poisson(12)))):
            there = (since <= when) & (when < since + life)
            chosen = int(np.argmax(np.where(there, score + rng.gumbel(size=n_items), -np.inf)))
            score[chosen] = -np.inf
            users.append(u)
            items.append(chosen)
            times.append(int(1e9 + 1e7 * when))
    return Interactions.from_rows(
        np.array(users),
        np.array(items),
        times=np.array(times),
        users=n_users,
        items=n_items,
        source="turning",
    )


def real(name: str, n_users: int | None = None, *, values: bool = True) -> Interactions:
    """A local data set, or some users of it drawn at random, with the items that they have."""
    data = Interactions.build(datasets.load(name))
    if not values:
        data = replace(data, values=None)
    if n_users is None or data.n_users <= n_users:
        return data
    some = np.random.default_rng(0).choice(data.n_users, n_users, replace=False)
    return data.where(np.isin(data.user_rows, some)).compact()


def shop() -> Interactions:
    """The synthetic shop."""
    from cofactor.data.synthetic import shop as made

    return made()


def on_scale(data: Interactions, times: float, plus: float) -> Interactions:
    """The same ratings on another scale."""
    assert data.values is not None
    values = (data.values.astype(np.float64) * times + plus).astype(np.float32)
    return replace(data, values=values)


def _cut(make: Callable[[], Interactions], rule: str = "per-user") -> Split:
    return split(make(), rule, test=0.2, validation=0.1, seed=0)


def _last(make: Callable[[], Interactions]) -> Split:
    return split(make(), "leave-last", validation=1, test=1)


_RANKING: dict[str, Callable[[], Interactions]] = {
    "dense-100": lambda: simulated(2_000, 100, 0.23),
    "sparse": lambda: simulated(10_000, 12_000, 0.0005),
    "popular": lambda: simulated(3_000, 2_000, 0.01, skew=1.5),
    "time": lambda: simulated(2_500, 1_500, 0.015, drift=0.5),
    "wide": lambda: simulated(1_500, 100_000, 0.0005),
    "counts-600": lambda: simulated(1_500, 1_000, 0.04, counts=600.0),
    "shop": shop,
    "ml-100k": partial(real, "ml-100k", values=False),
    "ml-latest-small": partial(real, "ml-latest-small", values=False),
    "scientific": partial(real, "amazon-scientific"),
    "musical": partial(real, "amazon-musical-instruments-5core", values=False),
    "beauty": partial(real, "amazon-beauty-5core", 8_000),
    "citeulike": partial(real, "citeulike-a", 2_500),
    "books": partial(real, "book-crossing", values=False),
    "gowalla": partial(real, "lightgcn-gowalla", 4_000),
    "lcfn": partial(real, "lcfn-ml-1m", 1_200),
    "sessions": partial(real, "sessions-diginetica", 15_000),
}
_BY_TIME = {"time", "shop"}
_RATED: dict[str, Callable[[], Interactions]] = {
    "ml-100k": partial(real, "ml-100k"),
    "ml-latest-small": partial(real, "ml-latest-small"),
    "musical": partial(real, "amazon-musical-instruments-5core"),
    "books": partial(real, "book-crossing"),
    "ml-1m": partial(real, "ml-1m", 1_200),
    "own-means": partial(rated, "own-means"),
    "zeros": partial(rated, "zeros"),
    "few-means": partial(rated, "own-means", 60, 80, seed=1),
    "few-zeros": partial(rated, "zeros", 60, 80, seed=1),
}
# Where models that are trained by gradient descent take seconds.
_SMALL: dict[str, Callable[[], Interactions]] = {
    "thousand": lambda: simulated(100, 150, 0.067),
    "sparse-5": lambda: simulated(4_000, 3_000, 0.0017),
    "dense-100": lambda: simulated(1_000, 100, 0.23),
    "wide-500": lambda: simulated(500, 100_000, 0.0005),
    "counts": lambda: simulated(800, 500, 0.04, counts=600.0),
    "time": lambda: simulated(1_000, 800, 0.02, drift=0.5),
    "alike": lambda: alike(1_500, 400, 0.03),
    "walked": lambda: walked(3_000, 800, 8.0),
    "shop": shop,
}
# Of several seeds, since a single draw of so few ratings says little.
_FEW: dict[str, Callable[[int], Interactions]] = {
    "3 ratings": lambda seed: few_ratings(600, 200, 3.1, personal=0.3, seed=seed),
    "5 ratings": lambda seed: few_ratings(600, 200, 5.0, personal=0.3, seed=seed),
    "10 ratings": lambda seed: few_ratings(600, 400, 10.0, personal=0.3, seed=seed),
    "15 ratings": lambda seed: few_ratings(600, 400, 15.0, personal=0.6, seed=seed),
}
_SEEDS = range(5)
# Shapes that no rule and no setting was chosen by.
_FRESH: dict[str, Callable[[], Interactions]] = {
    "30 users": lambda: simulated(30, 20, 0.3, seed=7),
    "60 users": lambda: simulated(60, 100, 0.1, seed=7),
    "20,000 items": lambda: simulated(300, 20_000, 0.0008, seed=7),
    "one famous item": lambda: simulated(1_500, 500, 0.02, skew=2.0, seed=7),
    "drift": lambda: simulated(800, 600, 0.02, drift=0.6, seed=7),
    "alike, 200 items": lambda: alike(1_500, 200, 0.08, seed=7),
    "alike, 60 items": lambda: alike(400, 60, 0.1, seed=7),
    "sessions of 6": lambda: walked(2_000, 500, 6.0, seed=7),
}
# Where the order of events says little or nothing; of two seeds, like those below.
_ORDER: dict[str, Callable[[int], Interactions]] = {
    "alike, 1,500 users, 400 items": lambda seed: alike(1_500, 400, 0.03, seed=seed),
    "alike, 600 users, 100 items": lambda seed: alike(600, 100, 0.08, seed=seed),
    "alike, 80 users, 60 items": lambda seed: alike(80, 60, 0.1, seed=seed),
    "alike, 2,000 users, 4,000 items": lambda seed: alike(2_000, 4_000, 0.0025, seed=seed),
    "walked, 1 in 20 follows": lambda seed: walked(3_000, 800, 8.0, follow=0.05, seed=seed),
    "walked, 3 in 20 follow": lambda seed: walked(3_000, 800, 8.0, follow=0.15, seed=seed),
    "walked, 3 in 10 follow, 2,000 items": lambda seed: walked(
        3_000, 2_000, 8.0, follow=0.3, seed=seed
    ),
    "without order, 2,500 items": lambda seed: simulated(3_000, 2_500, 0.002, seed=seed),
    "without order, 80 users, 60 items": lambda seed: simulated(80, 60, 0.15, seed=seed),
}
_TURNING: dict[str, Callable[[int], Interactions]] = {
    "600 items, a quarter": lambda seed: turning(1_500, 600, 0.25, seed=seed),
    "1,200 items, a third": lambda seed: turning(1_500, 1_200, 1 / 3, seed=seed),
    "400 items, four tenths": lambda seed: turning(800, 400, 0.4, seed=seed),
}
SCALES: dict[str, tuple[float, float]] = {
    "100..500": (100.0, 0.0),
    "51..55": (1.0, 50.0),
    "-10..10": (5.0, -15.0),
    "0..1": (0.25, -0.25),
}
RANKING: dict[str, Callable[[], Split]] = {
    name: partial(_cut, make, "time" if name in _BY_TIME else "per-user")
    for name, make in _RANKING.items()
}
SMALL: dict[str, Callable[[], Split]] = {
    name: partial(_cut, make, "time" if name in _BY_TIME else "per-user")
    for name, make in _SMALL.items()
}
FRESH: dict[str, Callable[[], Split]] = {
    name: partial(_cut, make, "time" if name == "drift" else "per-user")
    for name, make in _FRESH.items()
}
FEW: dict[str, Callable[[], Split]] = {
    f"{name}, seed {seed}": partial(_cut, partial(make, seed), "random")
    for name, make in _FEW.items()
    for seed in _SEEDS
}
ORDER: dict[str, Callable[[], Split]] = {
    f"{name}, seed {seed}": partial(_last, partial(make, seed))
    for name, make in _ORDER.items()
    for seed in (31, 32)
}
TURNING: dict[str, Callable[[], Split]] = {
    f"{name}, seed {seed}": partial(_cut, partial(make, seed), "time")
    for name, make in _TURNING.items()
    for seed in (31, 32, 33, 34)
}
RATING: dict[str, Callable[[], Split]] = {
    **{name: partial(_cut, make) for name, make in _RATED.items()},
    **{
        f"ml-100k on {name}": partial(_cut, lambda s=scale: on_scale(real("ml-100k"), *s))
        for name, scale in SCALES.items()
    },
}
