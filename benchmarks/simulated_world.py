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
WORLDS = ("arrival", "turnover")


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
        day on ten items come each day, and ten of those that were there are sold out.
    days
        How long it lasts.
    """

    def __init__(self, people: int, seed: int, kind: str = "arrival", days: int = 14) -> None:
        rng = np.random.default_rng([seed, 1])
        self.people, self.n_old, width = people, 320, 8
        n_days = max(0, days - _NEW_FROM)
        self.items = self.n_old + (80 if kind == "arrival" else _TURNOVER * n_days)
        users = rng.normal(0, 1, (people, width))
        vectors = rng.normal(0, 1, (self.items, width))
        quality = rng.normal(0, 0.7, self.items)
        logits = 1.6 * users @ vectors.T / np.sqrt(width) + quality - 2.2
        self.chance = (1 / (1 + np.exp(-logits))).astype(np.float32)  # [people, items]
        self.seen = np.zeros((people, self.items), bool)
        self.seed = seed
        self.there = np.zeros((max(days, 1), self.items), bool)  # [days, items]
        self._fill_days(kind, days)

    def _fill_days(self, kind: str, days: int) -> None:
        rng = np.random.default_rng([self.seed, 5])
        now = np.arange(self.items) < self.n_old
        for day in range(days):
            if kind == "arrival" and day == _NEW_FROM:
                now[:] = True
            elif kind == "turnover" and day >= _NEW_FROM:
                now[rng.choice(np.flatnonzero(now), _TURNOVER, replace=False)] = False
                first = self.n_old + _TURNOVER * (day - _NEW_FROM)
                now[first : first + _TURNOVER] = True
            self.there[day] = now

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
            weights = self.chance[user, : self.n_old] * known
            count = int(rng.integers(4, 9))
            chosen = rng.choice(self.n_old, count, replace=False, p=weights / weights.sum())
            self.seen[user, chosen] = True
            users += [f"p{user}"] * count
            items += [f"i{item}" for item in chosen]
            times += sorted((START - rng.integers(1, 30 * DAY, count)).tolist())
        return pa.table({"user_id": users, "item_id": items, "time": times})

    def best(self, user: int, day: int) -> float:
        """Return the expected clicks of the best list that could be shown."""
        left = self.chance[user][self.there[day] & ~self.seen[user]]
        return float(np.sort(left)[::-1][:K] @ VIEWED[: min(K, len(left))])


def catalogue_of(world: World) -> pa.Table:
    """Return the items that are there from the beginning."""
    names = range(world.n_old)
    return pa.table({"item_id": [f"i{n}" for n in names], "title": [f"Item {n}" for n in names]})
