"""People whose preferences are known, and the items of a shop day by day; docs/results.md defines
them.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

DAY = 86_400
START = 1_700_000_000
K = 10
VIEWED = 1 / (1 + 0.15 * np.arange(K))  # how likely each position is looked at
_NEW_FROM = 2  # the day from which on the new items are there
_TURNOVER = 10  # items that come and go each day where the assortment turns over
_DAILY = 16  # items that come each day where interest fades
_LIFE = 10  # days that each of them stays
_HALF_LIFE = 4.0  # days in which the interest in it halves
WORLDS = ("arrival", "turnover", "fading")


class World:
    """People and items; what is clicked, and which items there are on which day, is known.

    Parameters
    ----------
    people
        How many.
    seed
        The world and all that happens in it follow from it.
    kind
        ``arrival``: a fifth of the items is new from the third day on. ``turnover``: from the third
        day on ten items come each day, and ten of those that were there are sold out. ``fading``:
        sixteen items come each day, interest in each halves in four days, and it goes after ten.
    days
        How long it lasts.
    """

    def __init__(self, people: int, seed: int, kind: str = "arrival", days: int = 14) -> None:
        rng = np.random.default_rng([seed, 1])
        self.fading = kind == "fading"
        self.people, self.n_old, width = people, _DAILY * _LIFE if self.fading else 320, 8
        self.items = self.n_old + _n_new(kind, days)
        users = rng.normal(0, 1, (people, width))
        vectors = rng.normal(0, 1, (self.items, width))
        quality = rng.normal(0, 0.7, self.items)
        logits = 1.6 * users @ vectors.T / np.sqrt(width) + quality - 2.2
        self.chance = (1 / (1 + np.exp(-logits))).astype(np.float32)  # [people, items]
        self.seen = np.zeros((people, self.items), bool)
        self.seed = seed
        self.there = np.zeros((max(days, 1), self.items), bool)  # [days, items]
        self.born = np.arange(self.items) // _DAILY - _LIFE + 1  # the day on which an item comes
        self._fill_days(kind, days)

    def _fill_days(self, kind: str, days: int) -> None:
        rng = np.random.default_rng([self.seed, 5])
        now = np.arange(self.items) < self.n_old
        for day in range(days):
            if kind == "arrival" and day == _NEW_FROM:
                now[:] = True
            elif kind == "fading":
                now = (self.born <= day) & (day < self.born + _LIFE)
            elif kind == "turnover" and day >= _NEW_FROM:
                now[rng.choice(np.flatnonzero(now), _TURNOVER, replace=False)] = False
                first = self.n_old + _TURNOVER * (day - _NEW_FROM)
                now[first : first + _TURNOVER] = True
            self.there[day] = now

    def interest(self, user: int, day: int) -> np.ndarray:
        """Return the chance that a person clicks each item, if they look at it, on a day."""
        if not self.fading:
            return self.chance[user]
        faded: np.ndarray = self.chance[user] * 0.5 ** (np.maximum(0, day - self.born) / _HALF_LIFE)
        return faded

    def changes(self, day: int) -> tuple[list[int], list[int]]:
        """Return the items that come on a day, and those that go."""
        if not day:
            return [], []
        before, now = self.there[day - 1], self.there[day]
        return np.flatnonzero(now & ~before).tolist(), np.flatnonzero(before & ~now).tolist()

    def history(self) -> pa.Table:
        """What people found before the simulation: 4 to 8 old items each, liked and well known."""
        rng = np.random.default_rng([self.seed, 2])
        known = rng.zipf(1.6, self.n_old).clip(max=50)
        users, items, times = [], [], []
        for user in range(self.people):
            count = int(rng.integers(4, 9))
            if self.fading:
                chosen, found = self._found_fading(user, count, known, rng)
            else:
                weights = self.chance[user, : self.n_old] * known
                chosen = rng.choice(self.n_old, count, replace=False, p=weights / weights.sum())
                found = sorted((START - rng.integers(1, 30 * DAY, count)).tolist())
            self.seen[user, chosen] = True
            users += [f"p{user}"] * count
            items += [f"i{item}" for item in chosen]
            times += found
        return pa.table({"user_id": users, "item_id": items, "time": times})

    def _found_fading(
        self, user: int, count: int, known: np.ndarray, rng: np.random.Generator
    ) -> tuple[list[int], list[int]]:
        """What a person found on some of the last days, among what was there, as it stood then."""
        chosen: list[int] = []
        days = np.sort(rng.integers(1 - _LIFE, 0, count)).tolist()
        for day in days:
            there = self.born[: self.n_old] <= day
            weights = self.interest(user, day)[: self.n_old] * known * there
            weights[chosen] = 0
            chosen.append(int(rng.choice(self.n_old, p=weights / weights.sum())))
        return chosen, [START + DAY * day + DAY // 2 for day in days]

    def best(self, user: int, day: int) -> float:
        """Return the expected clicks of the best list that could be shown."""
        left = self.interest(user, day)[self.there[day] & ~self.seen[user]]
        return float(np.sort(left)[::-1][:K] @ VIEWED[: min(K, len(left))])


def _n_new(kind: str, days: int) -> int:
    """How many items come while the world lasts."""
    if kind == "arrival":
        return 80
    return _DAILY * max(0, days - 1) if kind == "fading" else _TURNOVER * max(0, days - _NEW_FROM)


def catalogue_of(world: World) -> pa.Table:
    """Return the items that are there from the beginning."""
    names = range(world.n_old)
    return pa.table({"item_id": [f"i{n}" for n in names], "title": [f"Item {n}" for n in names]})
