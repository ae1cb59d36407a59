"""A term of popularity beside a model's own scores, where held-out interactions don't show that
these rank better than popularity does.

What is learned of few or of alike interactions is mostly chance, and a list by chance is worse than
the popular items, which are known well."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, Self

import numpy as np

from cofactor.base.config import Config, setting
from cofactor.base.errors import CofactorError
from cofactor.base.run import Run
from cofactor.base.threads import native_threads
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.data.splits import cut, leave_last
from cofactor.models import validation
from cofactor.models.checks.collapse import ITEMS, USERS, pairs_say_nothing, rows_to_score
from cofactor.models.defaults.held_out_epochs import log_popularity, some_users
from cofactor.models.traits import ArraySpec

# From 0 to where popularity alone decides.
WEIGHTS = (0.0, 0.25, 1.0, 4.0, 16.0, 64.0, 1024.0)
# Interactions of random users that are looked at, more as long as nothing is settled.
_SAMPLES = (20_000, 100_000, 500_000)
_FEWEST = 50  # users with held-out interactions below which nothing can be said
_ALL = 100  # users up to whom all are measured; of more, every second one, 4,000 at the most
_MEASURED = 4000
_HELD_OUT = 0.25  # of a user's interactions: one of two
_CUTOFF = 20  # of nDCG
_LATEST = 0.25  # of all interactions: what is popular then is compared with what was before

ARRAYS = {"popularity_offset": ArraySpec("float32", ("items",), optional=True)}


class PopularityTermConfig(Config):
    """The setting of models whose scores may need popularity beside them."""

    popularity_weight: float | None = setting(
        None,
        low=0,
        high=10_000,
        doc=(
            "Weight of the items' log popularity beside the model's own scores, both in units"
            " of their standard deviation; None: 0 if the model ranks held-out training"
            " interactions better than popularity does, otherwise the weight that ranks them"
            " best."
        ),
    )


def offset_of(model: Any, data: Interactions, run: Run) -> np.ndarray | None:
    """Return what popularity adds to the scores of a model that was just fitted, float32
    [n_items], or None for nothing.

    With the weight c, it is ``c d log(n_j + 1) / D`` for an item with n_j interactions: d is the
    mean deviation of a user's own scores over items (1 if they have none), D that of the
    logarithm.

    Parameters
    ----------
    model
        Fitted on ``data``, with its own scores alone.
    data, run
        On what and how.
    """
    weight = _weight(model, data, run) if model.weighs_popularity else 0.0
    return _offset(model, data, weight) if weight else None


def beside(model: Any, own: np.ndarray, item_rows: np.ndarray | None) -> np.ndarray:
    """Return a model's own scores of all items (or of some) with what popularity adds to them; of
    models whose inner products have it already, as they are.
    """
    offset = model.popularity_offset
    if offset is None or model.inner_product() is not None:
        return own
    return np.asarray(own + (offset if item_rows is None else offset[item_rows]))


def kept_offset(before: Any, model: Any, data: Interactions) -> np.ndarray | None:
    """Return what popularity adds to the scores of a model that has learned more events, with the
    weight that it had; see `offset_of`.
    """
    weight = weight_in(before)
    return _offset(model, data, weight) if weight else None


def state_of(model: Any) -> dict[str, np.ndarray]:
    """Return the part of a fitted model's state that this is."""
    offset = model.popularity_offset
    return {} if offset is None else {"popularity_offset": offset}


def _weight(model: Any, data: Interactions, run: Run) -> float:
    """c as it is set, as it was in the model that training went on from, or as it is chosen."""
    before = getattr(model, "_before", None)
    if before is not None:
        return weight_in(before)
    config = model.config
    if isinstance(config, PopularityTermConfig):
        if config.popularity_weight is not None:
            return float(config.popularity_weight)
        limited = getattr(model, "_max_time", None) is not None
        weight = 0.0 if limited else choose_weight(model, data, run)
    else:  # a network, for which it was found with its epochs
        weight = WEIGHTS[-1] if model.only_popular else 0.0
    if weight and not pairs_say_nothing(data):  # said by `say_if_collapsed`
        run.progress.say(
            f"{model.name}: its own scores don't rank held-out training interactions significantly"
            f" better than popularity, so popularity is added to them with a weight of {weight:g}"
        )
    return weight


def choose_weight(model: Any, data: Interactions, run: Run) -> float:
    """Return 0, or a weight of popularity beside a model's scores, by held-out training
    interactions.

    As many random users are taken as have about 20,000 interactions in all, a quarter of the
    interactions of every second one is held out (for models of order, each user's last event), and
    the model is fitted on the rest. If it ranks significantly better than popularity (paired t of
    users' nDCG@20), the weight is 0. If it doesn't, more interactions are taken, since more data
    shows more of what is personal. If it never does, the weight is the one that ranks best.

    Where the catalogue turns over, it is 0 unless popularity ranks significantly better than the
    model: a history says which items were there at the same time, and counts over all times don't,
    but what is held out is of all times too.
    """
    if pairs_say_nothing(data) and not _repeats(model):
        return WEIGHTS[-1]
    last: _HeldOut | None = None
    for most in _SAMPLES:
        try:
            found = _HeldOut.of(model, data, most, run)
        # Training that fails here does so on all of the data too, and is explained there.
        except CofactorError:
            return 0.0
        if found is not None and found.proves_personal():
            return 0.0
        last = found or last
        if len(data) <= most:
            break
    if last is None or (out_of_date(data, run) and not last.proves_popular()):
        return 0.0
    return last.best()


def out_of_date(data: Interactions, run: Run) -> bool:
    """Return whether the catalogue turns over: with p_j an item's share of the latest quarter of
    all interactions and q_j that of the others, ``Σ_j min(p_j, q_j)`` isn't half of what it is for
    a random quarter. False without times.
    """
    times, n = data.times, len(data)
    if times is None:
        return False
    at = n - max(1, int(_LATEST * n))
    latest = times >= np.partition(times, at)[at]
    if 2 * np.count_nonzero(latest) > n:  # of one time
        return False
    drawn = run.generator("popularity", "latest").permutation(latest)
    return _shared(data, latest) < 0.5 * _shared(data, drawn)


def _shared(data: Interactions, some: np.ndarray) -> float:
    """Σ_j min(p_j, q_j) of some interactions, bool [n], and the others."""
    shares = [
        np.bincount(data.item_rows[which], minlength=data.n_items) / max(1, which.sum())
        for which in (some, ~some)
    ]
    return float(np.minimum(*shares).sum())


class _HeldOut:
    """What a model reaches with each weight, user by user: nDCG."""

    def __init__(self, pilot: Any, parts: Split, users: np.ndarray, run: Run) -> None:
        self.pilot, self.parts, self.users, self.run = pilot, parts, users, run
        self.own, self.popular = self._measured((WEIGHTS[0], WEIGHTS[-1]))

    @classmethod
    def of(cls, model: Any, data: Interactions, most: int, run: Run) -> Self | None:
        """Fit a model on some interactions; None where there are too few users, or its settings
        leave nothing to choose.
        """
        some = some_users(data, most, run, "popularity")
        cut_off = _last_events if model.traits.uses_order else _share_of_half
        held_out = cut_off(some, run)
        if held_out is None:
            return None
        parts, users = held_out
        users = np.sort(users[:_MEASURED]).astype(np.int32)
        alone = replace(run.quiet(), device="cpu")
        pilot = model.as_chosen(parts.train)
        if pilot is None:
            return None
        pilot = pilot.set_params(popularity_weight=0.0).fit(parts.train, run=alone)
        return cls(pilot, parts, users, alone)

    def proves_personal(self) -> bool:
        """Whether the model's own scores rank significantly better than popularity."""
        return validation.proven(self.own - self.popular)

    def proves_popular(self) -> bool:
        """Whether popularity ranks significantly better than the model's own scores."""
        return validation.proven(self.popular - self.own)

    def best(self) -> float:
        """Return the weight that ranks best; of equal ones the largest."""
        between = WEIGHTS[1:-1]
        values = dict(zip(between, self._measured(between), strict=True))
        values |= {WEIGHTS[0]: self.own, WEIGHTS[-1]: self.popular}
        return max(values, key=lambda weight: (float(values[weight].mean()), weight))

    def _measured(self, weights: tuple[float, ...]) -> list[np.ndarray]:
        pilot, train, n_threads = self.pilot, self.parts.train, self.run.n_threads
        offsets = [_offset(pilot, train, weight) if weight else None for weight in weights]
        how: Any = {"exclude_seen": not _repeats(pilot), "n_threads": n_threads}
        # After a product, other threads of BLAS would wait busily for tens of milliseconds.
        with native_threads(n_threads, blas=1):
            return validation.ndcg_by_offset(
                pilot, self.parts.test, self.users, _CUTOFF, offsets, **how
            )


def _share_of_half(some: Interactions, run: Run) -> tuple[Split, np.ndarray] | None:
    """Hold out a quarter of the interactions of every second user, at random; return those users
    too, in random order, or None for too few.
    """
    draw, counts = run.generator("popularity", "held out"), some.user_counts
    users = draw.permutation(np.flatnonzero(counts >= 2))
    if len(users) < _FEWEST:
        return None
    users = users[: max(len(users) // 2, _ALL)]  # the others keep all of their pairs
    numbers = np.zeros(some.n_users)
    numbers[users] = np.minimum(np.floor(_HELD_OUT * counts[users] + 0.5), counts[users] - 1)
    (out,) = cut.among_last(some, [numbers.astype(np.int64)], "random", run.seed, "popularity")
    return cut.known_users(some, out, None, "held out"), users


def _last_events(some: Interactions, run: Run) -> tuple[Split, np.ndarray] | None:
    """Hold out each user's last event; see `_share_of_half`."""
    if np.count_nonzero(some.histories().lengths >= 2) < _FEWEST:
        return None
    parts = leave_last(some)
    return parts, run.generator("popularity", "held out").permutation(parts.test.user_rows)


def _repeats(model: Any) -> bool:
    """Whether its lists may hold items of the history."""
    return getattr(getattr(model, "config", None), "repeats", "exclude") == "allow"


def _offset(model: Any, data: Interactions, weight: float) -> np.ndarray | None:
    """c d log(n_j + 1) / D; None where the items are all as popular."""
    unit = _unit(model, data)
    return None if unit is None else np.float32(weight * unit) * log_popularity(data)


def _unit(model: Any, data: Interactions) -> float | None:
    """d / D of a model with its own scores alone; see `offset_of`."""
    logs = log_popularity(data)[data.item_counts > 0]
    spread = float(logs.std(dtype=np.float64))
    users, items = rows_to_score(data.user_counts, USERS), rows_to_score(data.item_counts, ITEMS)
    # After a product, other threads of BLAS would wait busily for tens of milliseconds.
    with native_threads(1, blas=1):
        scores = model.score_rows(users, items)
    own = float(scores.std(axis=1, dtype=np.float64).mean()) or 1.0
    return own / spread if spread > 1e-9 else None


def weight_in(model: Any) -> float:
    """Return the weight that a fitted model has."""
    offset = model.popularity_offset
    if offset is None:
        return 0.0
    alone = copy.copy(model)
    alone.popularity_offset = None
    unit = _unit(alone, model.data)
    return 0.0 if unit is None else float(offset.max() / log_popularity(model.data).max()) / unit
