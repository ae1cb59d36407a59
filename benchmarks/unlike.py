"""Shapes unlike those of the panel, for auto: other mechanisms than hidden dimensions and fame.

No rule and no setting of any model was chosen by them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa

from cofactor.data.catalogue import Catalogue
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.data.splits import split

_BEGIN, _PERIOD = 1_000_000_000, 10_000_000  # seconds


def _made(
    users: np.ndarray, items: np.ndarray, sizes: tuple[int, int], name: str, **more: np.ndarray
) -> Interactions:
    return Interactions.from_rows(users, items, users=sizes[0], items=sizes[1], source=name, **more)


def _chosen(
    shares: np.ndarray, sizes: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """User and item rows: of each row of shares so many different items, drawn by share and in the
    order in which they were drawn.
    """
    with np.errstate(divide="ignore"):
        keys = np.log(shares) + rng.gumbel(size=shares.shape)
    order = np.argsort(-keys, axis=1)
    sizes = np.minimum(sizes, (shares > 0).sum(axis=1))
    kept = np.arange(shares.shape[1]) < sizes[:, None]
    return np.repeat(np.arange(len(shares)), sizes), order[kept]


def clusters(n_users: int, n_items: int, n: int, each: float, seed: int = 11) -> Interactions:
    """Users who choose uniformly among the items of one cluster, and none of any other."""
    rng = np.random.default_rng(seed)
    own, of_items = rng.integers(n, size=n_users), rng.integers(n, size=n_items)
    shares = (own[:, None] == of_items).astype(np.float64)
    users, items = _chosen(shares, 2 + rng.poisson(each - 2, n_users), rng)
    return _made(users, items, (n_users, n_items), "clusters")


def topics(
    n_users: int, n_items: int, each: float, *, n: int = 12, tail: float = 1.2, seed: int = 12
) -> Interactions:
    """Users with a mixture of topics (Dirichlet .2), topics with some of the items, of fame with a
    Pareto tail; geometric numbers of items.
    """
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(n, 0.2), n_users) @ rng.dirichlet(np.full(n_items, 0.1), n)
    shares *= rng.pareto(tail, n_items) + 0.1
    sizes = np.clip(rng.geometric(1 / each, n_users), 3, n_items // 3)
    users, items = _chosen(shares + 1e-12, sizes, rng)
    return _made(users, items, (n_users, n_items), "topics")


def favourites(n_users: int, n_items: int, each: float, seed: int = 13) -> Interactions:
    """Visits with repeats: with probability n / (n + 4) one of the user's n items again, else one
    near the user's home among items in a square. Values count repeats, times are those of the last.
    """
    rng = np.random.default_rng(seed)
    places, fame = rng.random((n_items, 2)), rng.pareto(1.5, n_items) + 0.2
    users, items, times = [], [], []
    for u in range(n_users):
        share = fame * np.exp(-((places - rng.random(2)) ** 2).sum(1) / 0.02)
        own: list[int] = []
        begin = int(rng.integers(8 * _PERIOD // 10))
        for n in range(4 + rng.poisson(each - 4)):
            again = rng.random() < len(set(own)) / (len(set(own)) + 4)
            own.append(own[rng.integers(len(own))] if again else _one(share, rng))
            users.append(u)
            times.append(_BEGIN + begin + 3600 * n)
        items += own
    return Interactions.from_rows(
        np.array(users),
        np.array(items),
        np.ones(len(users), np.float32),
        np.array(times),
        users=n_users,
        items=n_items,
        repeats="sum",
        source="favourites",
    )


def _one(share: np.ndarray, rng: np.random.Generator) -> int:
    return int(np.searchsorted(share.cumsum(), rng.random() * share.sum()))


def ring(n_users: int, n_items: int, seed: int = 14) -> Interactions:
    """Histories of very unequal length (Pareto, 3 to 400) that go along a ring of items, a few
    steps at a time, and jump anywhere one time in six.
    """
    rng = np.random.default_rng(seed)
    sizes = np.clip(3 * (1 - rng.random(n_users)) ** (-1 / 1.2), 3, 400).astype(int)
    users = np.repeat(np.arange(n_users), sizes)
    steps = np.where(rng.random(len(users)) < 1 / 6, rng.integers(n_items, size=len(users)), 0)
    steps += rng.geometric(0.3, len(users))
    walked = steps.cumsum()
    first = np.repeat(np.r_[0, sizes.cumsum()[:-1]], sizes)
    items = (walked - walked[first] + rng.integers(n_items, size=n_users)[users]) % n_items
    times = _BEGIN + rng.integers(_PERIOD, size=n_users)[users] + 30 * np.arange(len(users))
    return _made(users, items, (n_users, n_items), "ring", times=times)


def waves(n_users: int, n_items: int, each: float, seed: int = 15) -> Interactions:
    """Items that appear one after the other and are chosen for a twentieth of the period, most by
    one of six groups of users.
    """
    rng = np.random.default_rng(seed)
    born, fame = rng.uniform(-0.05, 1, n_items), rng.pareto(1.3, n_items) + 0.1
    own, of_items = rng.integers(6, size=n_users), rng.integers(6, size=n_items)
    users = np.repeat(np.arange(n_users), np.maximum(3, rng.poisson(each, n_users)))
    at = rng.random(len(users))
    items = np.empty(len(users), np.int64)
    for some in np.array_split(np.arange(len(users)), 20):
        age = at[some, None] - born
        shares = np.where(age >= 0, fame * np.exp(-age / 0.05), 1e-12)
        shares = shares * np.where(own[users[some], None] == of_items, 5, 1)
        items[some] = np.argmax(np.log(shares) + rng.gumbel(size=shares.shape), axis=1)
    times = (_BEGIN + _PERIOD * at).astype(np.int64)
    return _made(users, items, (n_users, n_items), "waves", times=times)


def heavy_counts() -> Interactions:
    """Topics with numbers of uses that have no mean (Pareto .8)."""
    data, rng = topics(1_500, 900, 20), np.random.default_rng(16)
    uses = np.floor((1 - rng.random(len(data))) ** (-1 / 0.8)).clip(1, 1e6)
    return replace(data, values=uses.astype(np.float32))


def likes() -> Interactions:
    """Topics with 1 for a like and 0 for a dislike, by the item's quality and the user's rigour."""
    data, rng = topics(1_500, 600, 25, seed=17), np.random.default_rng(17)
    z = rng.normal(0, 1, 600)[data.item_rows] + rng.normal(0, 0.7, 1_500)[data.user_rows]
    liked = z + rng.normal(0, 1, len(data)) > -0.5
    return replace(data, values=liked.astype(np.float32))


def only_liked(data: Interactions) -> Interactions:
    """The interactions with a value above 0, as auto reads them."""
    assert data.values is not None
    return data.where(data.values > 0)


def described(n_users: int = 1_000, n_items: int = 800, seed: int = 18) -> Interactions:
    """Topics, and of each item a text of fifteen words, two in three of them of its topic."""
    rng = np.random.default_rng(seed)
    n = 15
    of_items, tastes = rng.integers(n, size=n_items), rng.dirichlet(np.full(n, 0.15), n_users)
    shares = (tastes[:, of_items] + 0.01) * (rng.pareto(1.5, n_items) + 0.2)
    users, items = _chosen(shares, 3 + rng.poisson(12, n_users), rng)
    data = _made(users, items, (n_users, n_items), "described")
    own = of_items[:, None] * 40 + (40 * rng.random((n_items, 15)) ** 2).astype(int)
    any_ = n * 40 + (200 * rng.random((n_items, 15)) ** 2).astype(int)
    words = np.where(rng.random((n_items, 15)) < 2 / 3, own, any_)
    texts = [" ".join(f"w{word}" for word in line) for line in words]
    return replace(data, catalogue=Catalogue(pa.table({"text": texts})))


def rated(kind: str, n_users: int = 1_000, n_items: int = 400, each: float = 20) -> Interactions:
    """Ratings of items chosen by topic, in `_SCALES`: ``b_u + b_i``, a product of four hidden
    dimensions, and noise. Of ``"stricter"``, times too: ratings fall by 1.5 over the period.
    """
    chosen = topics(n_users, n_items, each, n=6, seed=19)
    rng = np.random.default_rng(20)
    users, items = chosen.user_rows, chosen.item_rows
    p, q = rng.standard_normal((n_users, 4)), rng.standard_normal((n_items, 4))
    z = rng.normal(0, 0.5, n_users)[users] + rng.normal(0, 0.5, n_items)[items]
    z += 0.35 * (p[users] * q[items]).sum(1) + 0.8 * rng.standard_normal(len(users))
    at = rng.random(len(users))
    times = (_BEGIN + _PERIOD * at).astype(np.int64) if kind == "stricter" else None
    values = _SCALES[kind](z - 1.5 * at if kind == "stricter" else z)
    return replace(chosen, values=values.astype(np.float32), times=times)


_SCALES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "half stars": lambda z: np.clip(np.rint(2 * (3.4 + 0.9 * z)) / 2, 0.5, 5),
    "mostly fives": lambda z: np.clip(np.rint(5.2 + z), 1, 5),
    "1 to 100": lambda z: np.clip(np.rint(65 + 18 * z), 1, 100),
    "0 and 1": lambda z: (z > 0.3).astype(float),
    "-10 to 10": lambda z: np.clip(np.round(3 + 4 * z, 1), -10, 10),
    "exponential": lambda z: np.ceil(np.exp(2 + 1.2 * z)),
    "stricter": lambda z: np.clip(np.rint(4 + z), 1, 5),
}


def _cut(make: Callable[[], Interactions], rule: str = "per-user") -> Split:
    if rule == "leave-last":
        return split(make(), rule, validation=1, test=1)
    return split(make(), rule, test=0.2, validation=0.1, seed=0)


RANKING: dict[str, Callable[[], Split]] = {
    "clusters": partial(_cut, lambda: clusters(1_500, 600, 30, 9)),
    "topics": partial(_cut, lambda: topics(2_000, 1_500, 18)),
    "favourites": partial(_cut, lambda: favourites(1_200, 800, 35), "leave-last"),
    "ring": partial(_cut, lambda: ring(2_500, 1_200), "leave-last"),
    "waves": partial(_cut, lambda: waves(2_500, 1_000, 10), "time"),
    "50 x 5,000": partial(_cut, lambda: topics(50, 5_000, 60, seed=21)),
    "20,000 x 60": partial(_cut, lambda: topics(20_000, 60, 5, n=8, seed=22), "random"),
    "heavy counts": partial(_cut, heavy_counts),
    "likes": partial(_cut, lambda: only_liked(likes())),
    "new items": partial(_cut, described, "items"),
    "described": partial(_cut, described),
    "30 rows": partial(_cut, lambda: topics(8, 12, 4, n=3, seed=23), "random"),
    "200 rows": partial(_cut, lambda: topics(30, 40, 7, n=4, seed=24), "random"),
    "1,000 rows": partial(_cut, lambda: topics(90, 120, 11, n=5, seed=25)),
    "pairs": partial(_cut, lambda: clusters(6_000, 900, 40, 2.2), "random"),
}
RATING: dict[str, Callable[[], Split]] = {
    **{name: partial(_cut, partial(rated, name)) for name in _SCALES if name != "stricter"},
    "stricter": partial(_cut, partial(rated, "stricter"), "time"),
    "40 users": partial(_cut, partial(rated, "half stars", 40, 900, 60)),
    "few each": partial(_cut, partial(rated, "half stars", 3_000, 1_500, 4), "random"),
}
