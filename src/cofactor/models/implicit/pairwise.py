"""What the models trained by stochastic ascent share: the epochs, the schedule, early stopping,
the law of negatives.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cofactor.base.errors import TrainingError
from cofactor.base.memory import aligned_empty
from cofactor.base.rng import state64
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.factors import FactorModel
from cofactor.models.traits import ArraySpec
from cofactor.retrieval.topk import best_dots

if TYPE_CHECKING:
    from cofactor.data.split import Part

SCHEDULES = ("constant", "linear", "drop")
NEGATIVE_LAWS = ("uniform", "popularity")
_CUTOFF = 20
_ASKED_AT_MOST = 10_000
_DROP_AT, _DROP_TO = 0.7, 0.3

# The law of negatives as kernels take it: an alias table, or two empty arrays for the uniform law.
Law = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Epoch:
    """What one epoch reports: the mean loss, and (in pairwise models) the share of draws that
    were ranked right.
    """

    loss: float
    correct: float | None = None

    @property
    def facts(self) -> dict[str, float]:
        """What is shown beside the progress bar."""
        shown = {"loss": round(self.loss, 4)}
        return shown if self.correct is None else {**shown, "correct": round(self.correct, 4)}


class StochasticModel(FactorModel):
    """A factor model that walks its data in epochs; a subclass says what one epoch is.

    Its Config must have ``epochs``, ``learning_rate``, ``schedule``, ``init_scale``, ``factors``,
    ``validate_every`` and ``patience``."""

    best_epochs: int | None = (
        None  # how many epochs were best on validation, if the last fit was given any
    )

    @abstractmethod
    def _epoch(
        self, data: Interactions, order: np.ndarray, rate: float, seed: np.uint64, n_threads: int
    ) -> Epoch:
        """Improve the arrays in place by one walk over the users in ``order``."""

    def _begin(self, data: Interactions, run: Run) -> None:
        """Set up what the epochs need; a subclass extends it."""
        scale, draw = self.config.init_scale, run.generator(self.name, "init")
        self.user_factors = _normal(draw, data.n_users, self.config.factors, scale)
        self.item_factors = _normal(draw, data.n_items, self.config.factors, scale)
        # Users nobody has seen act have no vector, and items nobody took keep theirs: they are
        # pushed down as negatives.
        self.user_factors[data.user_counts == 0] = 0.0
        self.item_bias = np.zeros(data.n_items, np.float32)

    def _end(self) -> None:
        """Drop what only training needed; a subclass extends it."""

    @property
    def refit_config(self) -> Any:
        """The settings with as many epochs as were best on the validation part of the last fit,
        if it was given one.
        """
        return (
            self.config
            if self.best_epochs is None
            else self.config.replace(epochs=self.best_epochs)
        )

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        self._begin(data, run)
        epochs, keeper = self.config.epochs, None
        if validation is not None:
            keeper = Keeper(self, validation, self.config.patience, run)
        with run.progress.task(self.name, epochs) as task:
            for epoch in range(epochs):
                order = (
                    run.generator(self.name, "order", epoch)
                    .permutation(data.n_users)
                    .astype(np.int32)
                )
                rate = learning_rate(
                    self.config.learning_rate, self.config.schedule, epoch / epochs
                )
                seed = np.uint64(state64(run.seed, self.name, "epoch", epoch))
                done = self._epoch(data, order, rate, seed, run.n_threads)
                if not math.isfinite(done.loss):
                    raise TrainingError(
                        f"{self.name} diverged in epoch {epoch + 1}: its loss is {done.loss}; lower"
                        f" learning_rate ({self.config.learning_rate}) or raise regularization."
                    )
                task.advance(1, **done.facts)
                last = epoch + 1 == epochs
                if (
                    keeper is not None
                    and (last or (epoch + 1) % self.config.validate_every == 0)
                    and keeper.stop(epoch + 1)
                ):
                    run.progress.say(
                        f"{self.name} stopped after epoch {epoch + 1}: no better on validation"
                    )
                    break
        self.best_epochs = None
        if keeper is not None:
            keeper.restore()
            self.best_epochs = keeper.best_epochs or None
        self._end()


class SampledModel(StochasticModel):
    """A stochastic model that draws the items a user lacks by a law, kept in the state since
    folding in draws by it too.

    Its Config must have ``negative_law`` and ``negative_power`` as well.
    """

    arrays = {  # noqa: RUF012
        "user_factors": ArraySpec("float32", ("users", "factors")),
        "item_factors": ArraySpec("float32", ("items", "factors")),
        "item_bias": ArraySpec("float32", ("items",)),
        "negative_threshold": ArraySpec("uint32", ("law",)),
        "negative_alias": ArraySpec("int32", ("law",)),
    }

    negative_threshold: np.ndarray
    negative_alias: np.ndarray

    def _begin(self, data: Interactions, run: Run) -> None:
        super()._begin(data, run)
        law = negative_law(data.item_counts, self.config.negative_law, self.config.negative_power)
        self.negative_threshold, self.negative_alias = law

    def _law(self) -> Law:
        return self.negative_threshold, self.negative_alias


class Keeper:
    """Remembers the best state by nDCG@20 on a validation part.

    Parameters
    ----------
    model
        A model in training.
    part
        What it is judged on; at most 10,000 of its users are asked, drawn once.
    patience
        How many checks without improvement are waited for; 0 never stops.
    run
        Seed and threads.
    """

    def __init__(self, model: StochasticModel, part: Part, patience: int, run: Run) -> None:
        self.model, self.part, self.patience, self.n_threads = model, part, patience, run.n_threads
        rows = part.user_rows
        if len(rows) > _ASKED_AT_MOST:
            drawn = run.generator(model.name, "validation").choice(
                rows, _ASKED_AT_MOST, replace=False
            )
            rows = np.sort(drawn).astype(np.int32)
        self.rows = rows
        self.best = -1.0
        self.best_epochs = 0
        self.waited = 0
        self.kept: dict[str, np.ndarray] = {}

    def stop(self, epochs: int) -> bool:
        """Judge the model as it is after some epochs, keep it if it is the best so far, and say
        whether patience is at its end.
        """
        ndcg = validation_ndcg(self.model, self.part, self.rows, self.n_threads)
        if ndcg > self.best:
            self.best, self.best_epochs, self.waited = ndcg, epochs, 0
            self.kept = {name: array.copy() for name, array in self.model._state().items()}
            return False
        self.waited += 1
        return 0 < self.patience <= self.waited

    def restore(self) -> None:
        """Give the model the best state back."""
        if self.kept:
            self.model._restore(self.kept)


def learning_rate(start: float, schedule: str, done: float) -> float:
    """Return the step for an epoch that begins when a share ``done`` in [0, 1) of all epochs is
    done.

    ``"constant"``: start; ``"linear"``: start * (1 - done); ``"drop"``: start until 70 % are done,
    then 30 % of it."""
    if schedule == "linear":
        return start * (1.0 - done)
    return start * _DROP_TO if schedule == "drop" and done >= _DROP_AT else start


def negative_law(counts: np.ndarray, law: str, power: float) -> Law:
    """Return the law of negatives: uniform over items, or in proportion to ``counts ** power``
    (int64 [n_items]).
    """
    if law == "uniform" or power == 0:
        return np.empty(0, np.uint32), np.empty(0, np.int32)
    from cofactor.kernels.cpu.sampling import alias_table

    threshold, alias = alias_table(counts.astype(np.float64) ** power)
    return threshold, alias


def validation_ndcg(model: StochasticModel, part: Part, rows: np.ndarray, n_threads: int) -> float:
    """Return the mean nDCG@20 of some users of a part, all items ranked but those in their
    histories.
    """
    if len(rows) == 0:
        return 0.0
    histories, truth = part.histories(rows), part.truth
    states = np.asarray(model._fold_in(histories) if part.fold_in else model._states(rows))
    indptr, seen, _ = histories.csr
    allowed = None
    if part.candidates is not None:
        allowed = np.zeros(truth.n_items, bool)
        allowed[part.candidates] = True
    found = best_dots(
        states,
        model.item_factors,
        _CUTOFF,
        item_offsets=model.item_bias,
        excluded=(indptr, seen),
        allowed=allowed,
        n_threads=n_threads,
    )
    question, rank, item, _ = found.flat()
    true_pairs = truth.user_rows.astype(np.int64) * truth.n_items + truth.item_rows
    pairs = rows[question].astype(np.int64) * truth.n_items + item
    place = np.minimum(np.searchsorted(true_pairs, pairs), len(true_pairs) - 1)
    hit = true_pairs[place] == pairs
    discounts = 1.0 / np.log2(np.arange(2, _CUTOFF + 2))
    gains = np.bincount(question[hit], discounts[rank[hit] - 1], minlength=len(rows))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[
        np.minimum(truth.user_counts[rows], _CUTOFF)
    ]
    return float(np.mean(gains / ideal))


def _normal(draw: np.random.Generator, n_rows: int, n_columns: int, scale: float) -> np.ndarray:
    made = aligned_empty((n_rows, n_columns))
    made[:] = draw.standard_normal((n_rows, n_columns), np.float32) * np.float32(scale)
    return made
