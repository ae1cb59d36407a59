"""Off-policy evaluation: the reward that a model would have earned, estimated from lists that
another one showed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from cofactor.artifact.load import load
from cofactor.base import checks
from cofactor.base.errors import ArgumentError, DataError, TraitError
from cofactor.data.histories import Histories
from cofactor.data.ids import IdMap
from cofactor.metrics.off_policy import (
    METHODS,
    Estimate,
    Logged,
    cascade_weights,
    effective_sample_size,
    estimate,
)
from cofactor.models.recommender import Recommender
from cofactor.models.user_batch import UserBatch
from cofactor.retrieval.exploration import Exploration, Pool, parse_exploration
from cofactor.retrieval.topk import TopK
from cofactor.runs.logged_lists import LoggedLists, padded, read_lists

_BLOCK = 256
_LEAST_SIZE = 50.0  # effective sample size below which nothing is estimated
_LEAST_WEIGHT = 0.9  # mean weight (1 under full support) below which support counts as missing
_PRIOR = 5.0  # expected rewards at which an item's own data and the mean have equal weight


class Evaluated(NamedTuple):
    """The estimated reward of a policy per list.

    Parameters
    ----------
    logged
        The mean reward of the lists as they were shown, with its interval.
    estimates
        Of the policy, by each method.
    n_lists, n_users
        How many lists of how many users.
    positions
        How many positions of each list count.
    effective
        The effective sample size at each position.
    mean_weights
        The mean weight at each position: 1 where the log supports the policy.
    """

    logged: Estimate
    estimates: tuple[Estimate, ...]
    n_lists: int
    n_users: int
    positions: int
    effective: tuple[float, ...]
    mean_weights: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class OpeSettings:
    """How a policy is evaluated.

    Parameters
    ----------
    explore
        How its lists would be drawn, in the form of `parse_exploration`; None for the ranking
        itself.
    positions
        How many positions count; None for all. With fewer positions, weights are smaller.
    methods
        Estimators of `cofactor.metrics.off_policy`.
    clip
        The largest weight of the estimator ``clipped``.
    level
        Confidence level of the intervals.
    """

    explore: str | None = None
    positions: int | None = None
    methods: Sequence[str] = METHODS
    clip: float = 10.0
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.explore is not None:
            checks.of_kind(self.explore, "explore", str, "a text such as 'slots=0.1', or None")
        if self.positions is not None:
            checks.integer(self.positions, "positions", low=1)
        if isinstance(self.methods, str) or not self.methods:
            raise ArgumentError(
                f"methods must be a list of {', '.join(METHODS)}, not {self.methods!r}."
            )
        for method in self.methods:
            checks.choice(method, "method", METHODS)
        checks.real(self.clip, "clip", above=0)
        checks.real(self.level, "level", above=0, below=1)


def ope(
    logs: Any, policy: str | os.PathLike[str] | Recommender, settings: OpeSettings = OpeSettings()
) -> Evaluated:
    """Estimate what a model would have earned on logged lists.

    Parameters
    ----------
    logs
        A `LoggedLists`, or what `read_lists` reads.
    policy
        A saved model's folder, or a fitted model. It must not have been trained on what followed
        the lists.
    settings
        How the policy draws its lists, which estimators, and the level of the intervals.

    Returns
    -------
    Evaluated
        Estimates with intervals; a user's lists count as one cluster.

    Raises
    ------
    DataError
        If the log doesn't support the policy: nothing in it was random, the policy shows what was
        never shown (the mean weight is far from 1), or the effective number of lists is too small.
    ArgumentError
        For a setting out of its range.
    """
    checks.of_kind(settings, "settings", OpeSettings, "OpeSettings")
    lists = logs if isinstance(logs, LoggedLists) else read_lists(logs)
    model = policy if isinstance(policy, Recommender) else load(policy)
    if len(lists) < 2:
        why = "off-policy evaluation needs lists of at least two users."
        raise DataError(why, source=lists.source)
    width = max(map(len, lists.items))
    positions = width
    if settings.positions is not None:
        positions = min(settings.positions, width)
    logged = _logged(lists, model, settings, positions)
    weights = cascade_weights(logged)
    effective = tuple(effective_sample_size(column) for column in weights.T)
    mean_weights = tuple(float(column.mean()) for column in weights.T)
    _check_support(lists, logged, effective, mean_weights)
    usual = logged._replace(target=logged.behaviour)
    return Evaluated(
        logged=estimate(usual, "ips", level=settings.level)._replace(method="as shown"),
        estimates=tuple(
            estimate(logged, method, settings.clip, settings.level) for method in settings.methods
        ),
        n_lists=len(lists),
        n_users=len(set(lists.users)),
        positions=positions,
        effective=effective,
        mean_weights=mean_weights,
    )


def _check_support(
    lists: LoggedLists,
    logged: Logged,
    effective: Sequence[float],
    mean_weights: Sequence[float],
) -> None:
    if (logged.behaviour == 1).all() and (logged.target != 1).any():
        raise DataError(
            "nothing in these lists was random (all probabilities are 1), so they say nothing"
            " about items that weren't shown; let the service explore (serve --explore slots=0.1)"
            " first.",
            source=lists.source,
        )
    sound = 0
    for size, weight in zip(effective, mean_weights, strict=True):
        if size < _LEAST_SIZE or weight < _LEAST_WEIGHT:
            break
        sound += 1
    if sound == len(effective):
        return
    cure = f"--positions {sound} is supported" if sound else "log more lists, with more exploration"
    raise DataError(
        f"the log doesn't support this policy at position {sound}: the mean weight is"
        f" {mean_weights[sound]:.3f} (1 under full support) and the effective sample"
        f" {effective[sound]:.0f} of {len(lists):,} lists (at least {_LEAST_SIZE:.0f}); the"
        f" policy's items were shown too rarely. {cure}.",
        source=lists.source,
    )


def _logged(
    lists: LoggedLists, model: Recommender, settings: OpeSettings, positions: int
) -> Logged:
    exploration = Exploration() if settings.explore is None else parse_exploration(settings.explore)
    if exploration.new_share:
        raise ArgumentError("explore: a share for new items depends on the day; leave new= out.")
    if exploration.kind == "thompson" and not model.has_draws():
        raise TraitError(
            f"thompson needs a model with posterior draws (bayesian_mf), not {model.name}."
        )
    rewards = padded(lists.rewards, positions, 0.0)
    behaviour = padded(lists.probabilities, positions, 1.0)
    groups = np.unique(np.array(lists.users), return_inverse=True)[1]
    guesses = [_guess(lists, rewards, groups % 2 != half, model.data.items) for half in (0, 1)]
    target, q_logged, q_target = np.ones_like(rewards), rewards * 0, rewards * 0
    for start in range(0, len(lists), _BLOCK):
        block = range(start, min(start + _BLOCK, len(lists)))
        batch, best = _rank(lists, model, block, max(exploration.pool, positions))
        for at, place in enumerate(block):
            one = _one_list(lists, model, place, positions)
            guess = guesses[int(groups[place]) % 2]
            pool = _pool(model, batch, best, at, exploration)
            target[place], q_logged[place], q_target[place] = _along(one, pool, exploration, guess)
    return Logged(rewards, behaviour, target, q_logged, q_target, groups)


class _Candidates(NamedTuple):
    """The policy's candidates for one list."""

    rows: np.ndarray
    pool: Pool


class _ItemGuess(NamedTuple):
    """The expected reward of an item at a position: the position's mean times the item's factor."""

    by_position: np.ndarray
    by_item: dict[str, float]
    by_row: np.ndarray


class _List(NamedTuple):
    """One logged list: its items, their rows in the policy's model (-1: unknown), all positions."""

    items: Sequence[str]
    rows: np.ndarray
    positions: int


def _one_list(lists: LoggedLists, model: Recommender, place: int, positions: int) -> _List:
    items = lists.items[place][:positions]
    return _List(items, model.data.items.find(list(items)), positions)


def _guess(lists: LoggedLists, rewards: np.ndarray, used: np.ndarray, ids: IdMap) -> _ItemGuess:
    """The mean rewards of positions and items in some lists. They come from the other half of the
    users, so that no list is predicted from itself.
    """
    places = np.flatnonzero(used)
    by_position = rewards[places].mean(axis=0) if len(places) else np.zeros(rewards.shape[1])
    earned: dict[str, float] = {}
    expected: dict[str, float] = {}
    for place in places.tolist():
        items = lists.items[place][: rewards.shape[1]]
        for position, item in enumerate(items):
            earned[item] = earned.get(item, 0.0) + rewards[place, position]
            expected[item] = expected.get(item, 0.0) + by_position[position]
    factors = {item: (earned[item] + _PRIOR) / (expected[item] + _PRIOR) for item in earned}
    by_row = np.ones(len(ids))
    rows = ids.find(list(factors)) if factors else np.zeros(0, np.int32)
    by_row[rows[rows >= 0]] = np.array(list(factors.values()))[rows >= 0]
    return _ItemGuess(by_position, factors, by_row)


def _rank(
    lists: LoggedLists, model: Recommender, block: range, width: int
) -> tuple[UserBatch, TopK]:
    """The policy's best items for the users of some lists, given their histories before each."""
    data = model.data
    users = data.users.find([lists.users[place] for place in block])
    typical = None if data.values is None else float(np.median(data.values))
    rows, values = [], []
    for place, user in zip(block, users.tolist(), strict=True):
        span = slice(data.indptr[user], data.indptr[user + 1]) if user >= 0 else slice(0, 0)
        positions = data.chronological[span] if model.traits.uses_order else span
        past = data.item_rows[positions]
        own = np.zeros(0, np.float32) if data.values is None else data.values[positions]
        later = [] if lists.histories is None else list(lists.histories[place])
        found = data.items.find(later) if later else np.zeros(0, np.int32)
        found = found[found >= 0]
        rows.append(np.concatenate([past, found]))
        values.append(np.concatenate([own, np.full(len(found), typical or 1.0, np.float32)]))
    given: Any = None if typical is None else values
    batch = model.fold_in(Histories.of(rows, data.n_items, given))
    return batch, model.topk(batch, width, excluded=batch.seen, n_threads=1)


def _pool(
    model: Recommender, batch: UserBatch, best: TopK, at: int, exploration: Exploration
) -> _Candidates:
    count = int(best.count[at])
    rows, scores = best.rows[at, :count], best.scores[at, :count]
    draws = None
    if exploration.kind == "thompson":
        one = replace(batch, states=np.asarray(batch.states)[at : at + 1])
        draws = model.score_draws(one, rows)
    return _Candidates(rows, Pool(scores, None, draws))


def _along(
    one: _List, candidates: _Candidates, exploration: Exploration, guess: _ItemGuess
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Walk down a list: the policy's probability of each item, and the predicted reward under the
    policy.
    """
    target = np.ones(one.positions)
    q_logged, q_target = np.zeros(one.positions), np.zeros(one.positions)
    place_of = {row: place for place, row in enumerate(candidates.rows.tolist())}
    factors = guess.by_row[candidates.rows]
    taken = np.zeros(len(candidates.rows), bool)
    reached = True
    for position, (item, row) in enumerate(zip(one.items, one.rows.tolist(), strict=True)):
        expected = guess.by_position[position]
        q_logged[position] = expected * guess.by_item.get(item, 1.0)
        if not reached or taken.all():
            target[position] = 0.0
            continue
        p = exploration.distribution(candidates.pool, taken)
        q_target[position] = expected * float(p @ factors)
        place = place_of.get(row, -1)
        target[position] = p[place] if place >= 0 else 0.0
        reached = target[position] > 0
        if place >= 0:
            taken[place] = True
    return target, q_logged, q_target
