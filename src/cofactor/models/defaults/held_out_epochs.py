"""How many epochs a network is trained for by default: as many as rank held-out training
interactions best; and how much popularity weighs beside a score that can't express it.

Networks learn what is popular first, then what is personal, and then noise. Where interactions are
few or sparse, the usual number of epochs is far into the noise or not yet at what is popular."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from cofactor.base.errors import CofactorError
from cofactor.base.offsets import owners_of, pick_rows
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part, Split
from cofactor.data.splits import split
from cofactor.models import validation
from cofactor.models.checks import collapse
from cofactor.models.defaults.bias_term import BiasTerm, best_weight, proves_personal
from cofactor.models.defaults.settled import configured
from cofactor.retrieval.topk import best_scores

_FEW = 100_000  # interactions up to which training may take longer than usual
_MOST = 300_000  # interactions of random users, on which the number is found if there are more
_FEWEST = 50  # users with held-out interactions below which nothing can be said
_LONGEST = 2  # times the usual number, of few; half the usual without improvement ends the search
_HELD_OUT = 0.2
# Users who are measured, and pairs of them and items, which are scored after each epoch: by vectors
# or by a network.
_MEASURED, _PAIRS = (4000, 1000), (40_000_000, 2_000_000)
_BLOCK = 512  # users who are scored at a time
_WEIGHTS = (0.0, 0.05, 0.2, 1.0, 5.0)  # of log popularity beside a cosine
_LEAST_T = 1.0  # paired t from which an epoch counts as better: the one-standard-error rule


class EpochsFound(NamedTuple):
    """What held-out interactions say: the number of epochs, the weight of log popularity in models
    that have one, whether the network isn't shown to rank better than popularity, and the share of
    biases alone in predictions of ratings, None where these weren't measured.
    """

    epochs: int
    weight: float = 0.0
    only_popular: bool = False
    bias_weight: float | None = None


@contextmanager
def settled_epochs(model: Any, data: Interactions, part: Part | None, run: Run) -> Iterator[None]:
    """While open, a model whose ``epochs`` is None has a number there, and one in
    ``popularity_weight`` too, if it has that setting; ``only_popular`` says what was found of it.

    Parameters
    ----------
    model
        About to be fitted; of one without ``epochs``, or with a number, nothing changes.
    data, part
        What it will be fitted on; with a validation part that says which epoch is the best, it runs
        the usual number.
    run
        Seed and threads.
    """
    config, model.only_popular = model.config, False
    if getattr(config, "epochs", 0) is not None:
        yield
        return
    found = _found(model, data, part, run)
    model.only_popular = found.only_popular
    with configured(model, _set(config, found.epochs, found.weight, found.bias_weight)):
        yield


def _set(config: Any, epochs: int, weight: float, bias_weight: float | None, **more: float) -> Any:
    """The settings with numbers in place of None."""
    unset = getattr(config, "bias_weight", 0.0) is None and getattr(config, "biases", True)
    if unset and bias_weight is not None:
        more["bias_weight"] = bias_weight
    if getattr(config, "popularity_weight", 0.0) is None:
        more["popularity_weight"] = weight
    return config.replace(epochs=epochs, **more)


def _found(model: Any, data: Interactions, part: Part | None, run: Run) -> EpochsFound:
    usual: int = model.config.usual_epochs
    given = part is not None or model._max_time is not None or model._before is not None
    if given or np.count_nonzero(data.user_counts >= 3) < _FEWEST:
        return EpochsFound(usual)
    longest = _LONGEST * usual if len(data) <= _FEW else usual
    ordered = model.traits.uses_order
    held_out: dict[str, Any] = (
        {"how": "leave-last"} if ordered else {"how": "per-user", "test": _HELD_OUT}
    )
    some = some_users(data, _MOST, run, "epochs")
    parts = split(some, **held_out, seed=None if ordered else run.seed)
    weighed = getattr(model.config, "popularity_weight", 0.0) is None
    weights = _WEIGHTS if weighed else _WEIGHTS[:1]
    measured = _Measured(parts, model.traits.has_vectors, run, weights)
    measured.sampled = some is not data
    config = _set(model.config, longest, 0.0, 0.0, patience=max(2, usual // 2))
    pilot, alone = pilot_of(model, config, run)
    pilot.monitor("held out", measured, higher_is_better=True)
    # Training that fails here does so on all of the data too, and is explained there.
    try:
        pilot.fit(parts.train, validation=parts.test, run=alone)
    except CofactorError:
        return EpochsFound(usual)
    found = measured.found(_may_be_popular(model))
    beside = f", popularity weighs {found.weight:g}" if found.weight else ""
    run.progress.say(f"{model.name}: {found.epochs} epochs{beside}")
    return found


def pilot_of(model: Any, config: Any, run: Run) -> tuple[Any, Run]:
    """Return an unfitted copy of a model with some settings, to be fitted on a part of the
    training interactions, and how: silently and here. Nobody else hears of its epochs.
    """
    pilot = copy.copy(model)
    pilot.config = config
    pilot._callbacks, pilot._metrics, pilot._checkpoint = (), (), None
    return pilot, run.quiet()


def _may_be_popular(model: Any) -> bool:
    """Whether it ranks, items are known by interactions, and its settings leave popularity free."""
    traits, config = model.traits, model.config
    free = getattr(config, "popularity_prior", 1.0) != 0
    free &= getattr(config, "popularity_weight", None) is None
    return free and not traits.predicts_ratings and not traits.uses_features


def some_users(data: Interactions, most: int, run: Run, name: str) -> Interactions:
    """Return the interactions of random users with about so many in all, and the items that they
    have; the data itself if it holds no more.

    Parameters
    ----------
    data, most
        The interactions, and how many are wanted.
    run, name
        The seed, and what the users are drawn for.
    """
    share = most / max(1, len(data))
    if share >= 1:
        return data
    chosen = run.generator(name, "users").random(data.n_users) < share
    return data.where(chosen[data.user_rows]).compact()


def log_popularity(data: Interactions) -> np.ndarray:
    """Return ``log(n + 1)`` of items with n interactions, float32 [n_items]."""
    logs: np.ndarray = np.log(data.item_counts + 1.0).astype(np.float32)
    return logs


class _Measured:
    """What each epoch reaches with each weight of popularity, user by user: nDCG@10, or by rating,
    minus the squared error.

    Rankings are of a bounded number of random users and, in large catalogues, of what they have
    among the held-out items and random others.
    """

    def __init__(
        self, parts: Split, by_vectors: bool, run: Run, weights: tuple[float, ...] = (0.0,)
    ) -> None:
        truth, self.run, self.weights = parts.test.truth, run, weights
        self.epochs: list[list[np.ndarray]] = []  # by epoch and weight
        self.predicted: list[np.ndarray] = []  # by epoch: held-out ratings
        self.biases, self.truth = np.zeros(0), truth.weights
        self.sampled = False  # whether they are those of some users
        self.alike: list[bool] = []  # by epoch: whether the items rank alike for all users
        most, pairs = (which[0 if by_vectors else 1] for which in (_MEASURED, _PAIRS))
        draw = run.generator("epochs", "measured")
        users = draw.permutation(parts.test.user_rows)[:most]
        self.users = np.sort(users).astype(np.int32)
        self.true_indptr, at = pick_rows(truth.indptr, self.users)
        true = truth.item_rows[at]
        others = draw.permutation(parts.train.n_items)[: pairs // max(1, len(users))]
        self.items = np.union1d(true, others).astype(np.int32)
        self.true_places = np.searchsorted(self.items, true).astype(np.int32)
        self.log_counts = log_popularity(parts.train)[self.items]
        indptr, at = pick_rows(parts.train.indptr, self.users)
        seen = parts.train.item_rows[at]
        place = np.minimum(np.searchsorted(self.items, seen), len(self.items) - 1)
        known = self.items[place] == seen
        owner = owners_of(np.diff(indptr))
        self.seen = owner[known], place[known]

    def __call__(self, model: Any, part: Part) -> float:
        if model.traits.predicts_ratings:
            truth, (batch, which, found) = part.truth, validation.predictions(model, part)
            if not self.predicted:
                term = BiasTerm.of(model.data)
                self.biases = term.pairs(model, batch, which, truth.item_rows)
            self.predicted.append(found)
            values = [-np.square(found - truth.weights, dtype=np.float64)]
        else:
            values = self._ndcg(partial(model.score_rows, item_rows=self.items), self.weights)
        self.epochs.append(values)
        return float(values[0].mean())  # with what popularity adds, patience would never end

    def _ndcg(
        self, score: Callable[[np.ndarray], np.ndarray], weights: tuple[float, ...]
    ) -> list[np.ndarray]:
        values: list[list[np.ndarray]] = [[] for _ in weights]
        for low in range(0, len(self.users), _BLOCK):
            users = self.users[low : low + _BLOCK]
            scores, (owner, place) = score(users), self.seen
            if not low:
                self.alike.append(collapse.one_ranking(scores[: collapse.USERS]))
            some = slice(*np.searchsorted(owner, (low, low + len(users))))
            scores[owner[some] - low, place[some]] = -np.inf
            indptr, at = pick_rows(self.true_indptr, np.arange(low, low + len(users)))
            for found, weight in zip(values, weights, strict=True):
                weighed = scores + np.float32(weight) * self.log_counts if weight else scores
                top = best_scores(weighed, 10, n_threads=self.run.n_threads)
                found.append(validation.ndcg_of(top, 10, (indptr, self.true_places[at])))
        return list(map(np.concatenate, values))

    def found(self, may_be_popular: bool) -> EpochsFound:
        """Return the first good epoch and its weight, and where it may be so, whether they aren't
        better than popularity by one standard error, or significantly if all users' rankings are
        alike: of many epochs that are popularity and noise, the best one is better by chance.
        """
        epoch, weight = self.first_good()
        if self.predicted:
            found = self.predicted[epoch], self.biases, self.truth
            # More ratings than those of some users would show more of what is personal.
            sure = self.sampled and proves_personal(*found)
            return EpochsFound(epoch + 1, bias_weight=0.0 if sure else best_weight(*found))
        if not may_be_popular:
            return EpochsFound(epoch + 1, weight)
        (popular,) = self._ndcg(lambda rows: np.tile(self.log_counts, (len(rows), 1)), (0.0,))
        reached = self.epochs[epoch][self.weights.index(weight)]
        least = validation.PROOF if self.alike[epoch] else _LEAST_T
        return EpochsFound(epoch + 1, weight, not _clear(reached - popular, least))

    def first_good(self) -> tuple[int, float]:
        """Return the first epoch that, with some weight, the best one isn't significantly better
        than, and the least such weight.
        """
        best = max((v for of in self.epochs for v in of), key=lambda values: float(values.mean()))
        for epoch, values in enumerate(self.epochs):
            for n, weight in enumerate(self.weights):
                if not _clear(best - values[n]):
                    return epoch, weight
        raise AssertionError("the best epoch isn't better than itself")


def _clear(gain: np.ndarray, least: float = _LEAST_T) -> bool:
    """Whether paired gains are above 0 by more than one standard error, or so many."""
    return bool(gain.mean() * len(gain) ** 0.5 > least * gain.std())
