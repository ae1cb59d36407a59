"""Exploration: lists drawn at random around a model's ranking, with the exact probability of every
choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import ArgumentError

_KINDS = ("slots", "softmax", "thompson")
_COUNTS = ("new_budget", "pool")


class Pool(NamedTuple):
    """The candidates of one list.

    Parameters
    ----------
    scores
        float [n], descending; new items that the model doesn't rank come last.
    new
        bool [n]: which of them are new, with exposure budget left; None if none are.
    draws
        float [n_draws, n]: their scores in each posterior draw, for Thompson sampling.
    """

    scores: np.ndarray
    new: np.ndarray | None = None
    draws: np.ndarray | None = None


class Drawn(NamedTuple):
    """A drawn list: places in the pool, and the probability of each given those before."""

    places: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Exploration:
    r"""A policy that draws a list position by position, without repeats.

    .. math:: \pi(i \mid \mathrm{before}) = (1 - \epsilon - \eta)\, b(i) + \epsilon / n
              + \eta\, [i \text{ new}] / n_\mathrm{new}

    over the n candidates that are left, with b the best one (``slots``), a softmax of the
    standardised scores (``softmax``: the Plackett-Luce model), or the share of posterior draws in
    which i is the best (``thompson``). Where no new item is left, its share goes to b.

    Parameters
    ----------
    kind
        ``slots``, ``softmax`` or ``thompson``.
    share
        ε: the share of positions that are filled uniformly at random, 0 to 1.
    temperature
        Temperature of the softmax, above 0.
    new_share
        η: the share of positions that are kept for new items, 0 to 1.
    new_budget
        Interactions and impressions together, from which on an item is no longer new.
    pool
        How many of the model's best items are candidates.

    Notes
    -----
    Plackett, "The analysis of permutations", Applied Statistics 1975; Thompson, Biometrika 1933.
    The probabilities are what off-policy estimators need (Swaminathan and Joachims 2015).
    """

    kind: str = "slots"
    share: float = 0.0
    temperature: float = 1.0
    new_share: float = 0.0
    new_budget: int = 100
    pool: int = 100

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ArgumentError(f"kind must be one of {', '.join(_KINDS)}, not {self.kind!r}.")
        checks.real(self.share, "share", low=0, high=1)
        checks.real(self.new_share, "new_share", low=0, high=1)
        checks.real(self.temperature, "temperature", above=0)
        checks.integer(self.new_budget, "new_budget", low=1)
        checks.integer(self.pool, "pool", low=2, high=1_000)
        if self.share + self.new_share > 1:
            raise ArgumentError("share and new_share must be at most 1 together.")

    def draw(self, pool: Pool, k: int, rng: np.random.Generator) -> Drawn:
        """Draw k candidates, or all where there are fewer."""
        n = len(pool.scores)
        if not self.new_share or pool.new is None or not pool.new.any():
            # Two common cases that need no distribution over all candidates at each position.
            if self.kind == "slots":
                return _slots(n, min(k, n), self.share, rng)
            if self.kind == "softmax" and not self.share:
                drawn = _plackett_luce(self._logits(pool), min(k, n), rng)
                if drawn is not None:
                    return drawn
        taken = np.zeros(n, bool)
        base = self._base(pool)
        places, probabilities = [], []
        for chance in rng.random(min(k, n)):
            p = self._mixed(base(taken), pool, taken)
            place = min(int(np.searchsorted(np.cumsum(p), chance * p.sum(), side="right")), n - 1)
            while p[place] <= 0:  # rounding at the very end of the sum
                place -= 1
            taken[place] = True
            places.append(place)
            probabilities.append(float(p[place]))
        return Drawn(np.array(places, np.int64), np.array(probabilities))

    def distribution(self, pool: Pool, taken: np.ndarray) -> np.ndarray:
        """Return the probability of each candidate at the next position, float64 [n].

        Parameters
        ----------
        pool
            The candidates.
        taken
            bool [n]: those that are in the list already.
        """
        return self._mixed(self._base(pool)(taken), pool, taken)

    def _mixed(self, base: np.ndarray, pool: Pool, taken: np.ndarray) -> np.ndarray:
        left = ~taken
        fresh = None if pool.new is None else left & pool.new
        n_fresh = 0 if fresh is None else int(fresh.sum())
        kept = self.new_share if n_fresh else 0.0
        mixed = (1 - self.share - kept) * base
        if self.share:
            mixed = mixed + self.share * left / left.sum()
        if fresh is not None and n_fresh:
            mixed = mixed + kept * fresh / n_fresh
        return mixed

    def _logits(self, pool: Pool) -> np.ndarray:
        scores = np.asarray(pool.scores, np.float64)
        logits: np.ndarray = scores / (self.temperature * (scores.std() or 1.0))
        return logits

    def _base(self, pool: Pool) -> Callable[[np.ndarray], np.ndarray]:
        if self.kind == "softmax":
            logits = self._logits(pool)
            return lambda taken: _softmax(logits, taken)
        if self.kind == "thompson":
            if pool.draws is None:
                raise ArgumentError("thompson needs a model with posterior draws (bayesian_mf).")
            draws = np.asarray(pool.draws, np.float64)
            return lambda taken: _votes(draws, taken)
        return lambda taken: _best(taken)


def _slots(n: int, k: int, share: float, rng: np.random.Generator) -> Drawn:
    """The best remaining candidate, but for a share of positions drawn uniformly from the rest."""
    left = list(range(n))
    places, probabilities = [], []
    for flip, chance in rng.random((k, 2)).tolist():
        at = int(chance * len(left)) if flip < share else 0
        probabilities.append((1 - share) * (at == 0) + share / len(left))
        places.append(left.pop(at))
    return Drawn(np.array(places, np.int64), np.array(probabilities))


def _plackett_luce(logits: np.ndarray, k: int, rng: np.random.Generator) -> Drawn | None:
    """A list by the Gumbel-max trick (Kool, van Hoof and Welling 2019), with its probabilities;
    None where the remaining probability is too small to divide by.
    """
    order = np.argsort(-(logits + rng.gumbel(size=len(logits))), kind="stable")
    weights = np.exp(logits[order] - logits.max())
    left = np.cumsum(weights[::-1])[::-1][:k]
    if left.size and (left[-1] < 1e-200 or weights[:k].min() <= 0):
        return None
    return Drawn(order[:k], weights[:k] / left)


def _softmax(logits: np.ndarray, taken: np.ndarray) -> np.ndarray:
    weights = np.where(taken, 0.0, np.exp(np.minimum(logits - logits[~taken].max(), 0.0)))
    return weights / weights.sum()


def _votes(draws: np.ndarray, taken: np.ndarray) -> np.ndarray:
    best = np.where(taken, -np.inf, draws).argmax(axis=1)
    return np.bincount(best, minlength=draws.shape[1]) / len(draws)


def _best(taken: np.ndarray) -> np.ndarray:
    p = np.zeros(len(taken))
    p[int(np.argmin(taken))] = 1.0
    return p


def parse_exploration(text: str) -> Exploration:
    """Parse ``slots=0.1``, ``softmax=0.5`` or ``thompson``, optionally followed by ``+new=0.05``,
    ``+budget=100``, ``+pool=200``, ``+share=0.02``.

    Raises
    ------
    ArgumentError
        If it is something else.
    """
    first, *rest = text.replace(" ", "").split("+")
    kind, _, amount = first.partition("=")
    given: dict[str, float] = {}
    if kind == "slots":
        given["share"] = _number(amount, text)
    elif kind == "softmax":
        given["temperature"] = _number(amount, text)
    elif kind != "thompson" or amount:
        raise _unknown(text)
    names = {"new": "new_share", "budget": "new_budget", "pool": "pool", "share": "share"}
    for part in rest:
        name, _, amount = part.partition("=")
        if name not in names or names[name] in given:
            raise _unknown(text)
        given[names[name]] = _number(amount, text)
    # A count that isn't a whole number is refused there.
    whole = {name: int(n) if n.is_integer() else n for name, n in given.items() if name in _COUNTS}
    return Exploration(kind=kind, **(given | whole))  # type: ignore[arg-type]


def _number(amount: str, text: str) -> float:
    try:
        return float(amount)
    except ValueError:
        raise _unknown(text) from None


def _unknown(text: str) -> ArgumentError:
    return ArgumentError(
        "explore must be like slots=0.1, softmax=0.5 or thompson, with +new=0.05, +budget=100,"
        f" +share=0.02 and +pool=200 behind it if wanted; not {text!r}."
    )
