"""The base of models that are trained in epochs: early stopping on any metric, checkpoints,
callbacks, a time budget, the learning curve.

Nothing here imports torch, so a model whose state is plain arrays can be served without it.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from cofactor.base import checks
from cofactor.base.run import Run
from cofactor.data.conversion import as_events
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models import validation
from cofactor.models.defaults.held_out_bias import settled_bias_weight, weight_in
from cofactor.models.defaults.held_out_epochs import settled_epochs
from cofactor.models.defaults.settled import settled_precision
from cofactor.models.recommender import Recommender
from cofactor.models.traits import ArraySpec
from cofactor.models.warm_start import KeptRows
from cofactor.training.checkpoint import Checkpoint
from cofactor.training.curve import LearningCurve
from cofactor.training.learner import Facts, Learner
from cofactor.training.loop import Control, fit
from cofactor.training.monitor import Monitor

if TYPE_CHECKING:
    from cofactor.data.conversion import EventsLike

# callback(epoch, values, model); False, or StopTraining, ends training after this epoch.
EpochCallback = Callable[[int, Facts, Any], bool | None]

# The arrays of a learning curve; an axis "epochs_run" is as long as training was.
CURVE_ARRAYS: Mapping[str, ArraySpec] = {
    "history_loss": ArraySpec("float64", ("epochs_run",), optional=True, most=None),
    "history_rate": ArraySpec("float64", ("epochs_run",), optional=True, most=None),
    "history_seconds": ArraySpec("float64", ("epochs_run",), optional=True, most=None),
    "history_metrics": ArraySpec("float64", ("metrics", "epochs_run"), optional=True, most=None),
    "history_measured": ArraySpec("uint8", ("metrics", "epochs_run"), optional=True),
    "history_metric_names": ArraySpec("uint8", ("characters",), optional=True),
    "history_best_epoch": ArraySpec("int64", ("1",), optional=True),
}


@dataclass(frozen=True)
class ValidationMetric:
    """A metric on validation data: its name, ``measure(model, part)``, and its direction."""

    name: str
    measure: Callable[[Any, Part], float]
    higher_is_better: bool


class IterativeModel(Recommender):
    """A model that the training loop trains.

    With validation data, the metric of `monitor` (or the default: RMSE for ratings, nDCG for
    rankings) is measured every ``validate_every`` epochs, and the best epoch's arrays are kept;
    ``patience`` of the Config says when to stop."""

    iterative = True
    # For rankings: the cutoff of the default metric, and the number of users it is measured on.
    monitored_ndcg: ClassVar[tuple[int, int]] = (10, 2000)

    # Whether held-out interactions didn't show that it ranks better than popularity.
    only_popular = False

    curve: LearningCurve

    def __init__(self, config: Any = None, **settings: Any) -> None:
        super().__init__(config, **settings)
        self.curve = LearningCurve()
        self._metrics: tuple[ValidationMetric, ...] = ()
        self._callbacks: tuple[EpochCallback, ...] = ()
        self._checkpoint: Checkpoint | None = None
        self._before: Self | None = None
        self._learning = False

    def __copy__(self) -> Self:
        new = type(self).__new__(type(self))
        new.__dict__.update(self.__dict__)
        if self._learning:  # the learner goes on writing into its arrays
            own = {n: a.copy() for n, a in vars(self).items() if isinstance(a, np.ndarray)}
            new.__dict__.update(own, _learning=False)
        return new

    def monitor(
        self, name: str, measure: Callable[[Any, Part], float], *, higher_is_better: bool
    ) -> Self:
        """Monitor a metric of your own during training; the first one decides which epoch is the
        best.

        Parameters
        ----------
        name
            Its name in the learning curve. A name that begins with ``"train "`` is drawn in the
            chart of the rest of the name.
        measure
            ``measure(model, part)`` returns the metric of the present model on the validation data
            given to `fit`.
        higher_is_better
            Its direction.

        Returns
        -------
        Self
            The model.
        """
        checks.of_kind(name, "name", str, "a text")
        checks.function(measure, "measure")
        checks.boolean(higher_is_better, "higher_is_better")
        self._metrics += (ValidationMetric(name, measure, higher_is_better),)
        return self

    def on_epoch_end(self, callback: EpochCallback) -> Self:
        """Call a function after each epoch: ``callback(epoch, values, model)``.

        Parameters
        ----------
        callback
            Called with the epoch's number from 0, its loss and metrics by name, and the model as it
            would be if training ended here. If it returns False or raises `StopTraining`, training
            ends.

        Returns
        -------
        Self
            The model.
        """
        checks.function(callback, "callback")
        self._callbacks += (callback,)
        return self

    def checkpoint_to(
        self, path: str | os.PathLike[str], *, every_epochs: int = 1, every_steps: int = 0
    ) -> Self:
        """Save checkpoints to a file while fitting, and resume from it if it exists.

        An interrupted and resumed run ends with the same arrays as an uninterrupted one, bit for
        bit on one thread.

        Parameters
        ----------
        path
            The file. A checkpoint of a run with other data, settings or seed is refused.
        every_epochs, every_steps
            How often; 0 steps saves at the ends of epochs only.

        Returns
        -------
        Self
            The model.
        """
        self._checkpoint = Checkpoint(path, every_epochs, every_steps)
        return self

    def plot(self, path: str | os.PathLike[str]) -> Path:
        """Draw losses and metrics, raw and smoothed, as a self-contained web page; return its
        path.
        """
        _ = self.data  # or it isn't fitted
        from cofactor.training.curves import draw

        return draw({self.name: self.curve}, path, f"{type(self).__name__}: learning curves")

    @property
    def refit_config(self) -> Any:
        """The settings with the best number of epochs on the validation part of the last fit
        (without one, the number of epochs it ran), and with the share of biases that was chosen.
        """
        epochs = self.curve.best_epoch + 1 or len(self.curve)
        return self.config.replace(epochs=epochs, **weight_in(self)) if epochs else self.config

    def state(self) -> dict[str, np.ndarray]:
        """Return the learned state and the learning curve as named arrays."""
        return {**super().state(), **self.curve.to_arrays()}

    @classmethod
    def from_state(cls, config: Any, arrays: Mapping[str, np.ndarray], data: Interactions) -> Self:
        """Build a fitted model from its named arrays; see `Model.from_state`."""
        model = super().from_state(config, arrays, data)
        model.curve = LearningCurve.from_arrays(arrays)
        return model

    def update(
        self, events: EventsLike, *, epochs: int | None = None, run: Run | None = None
    ) -> Self:
        """Learn new events by a warm start: training on all events, old and new, starts from the
        current arrays and takes a few epochs.

        Users and items without earlier interactions start as in a fit. The learning rate follows
        its whole schedule over these epochs.

        Parameters
        ----------
        events
            New events with outside ids, or what `cofactor.read` takes (a data frame, tuples, a
            path); users and items may be new.
        epochs
            Passes over all events; a quarter of the setting ``epochs`` (or of those that were run)
            if None.
        run
            Seed, device, threads, progress.

        Returns
        -------
        Self
            The model itself; unchanged if an error is raised.

        Raises
        ------
        ArgumentError
            If the events can't be read.
        TraitError
            If this model doesn't support warm starts.
        """
        from cofactor.data.sessions import extended

        events = as_events(events)
        if not len(events):
            return self
        before, config = copy.copy(self), self.config
        wanted = max(1, (config.epochs or len(self.curve)) // 4) if epochs is None else epochs
        try:
            self.config, self._before = config.replace(epochs=wanted), before
            self.fit(extended(before.data, events), run=run)
        except BaseException:
            self.__dict__.update(before.__dict__)
            raise
        finally:
            self.config, self._before = config, None
        return self

    @contextmanager
    def _settled(self, data: Interactions, validation: Part | None, run: Run) -> Iterator[None]:
        with (
            settled_epochs(self, data, validation, run),
            settled_precision(self, run),
            settled_bias_weight(self, data, validation, run),
        ):
            yield

    def _learn(
        self,
        learner: Learner,
        data: Interactions,
        validation: Part | None,
        run: Run,
        update: Callable[[], None] = lambda: None,
    ) -> None:
        """Train by the training loop, and keep the learning curve; see `_control`."""
        self.curve = LearningCurve()
        self.curve = fit(
            learner,
            epochs=self.config.epochs,
            schedule=self.config.rates(),
            run=run,
            control=self._control(data, validation, run, update),
            name=self.name,
        )

    def _control(
        self, data: Interactions, part: Part | None, run: Run, update: Callable[[], None]
    ) -> Control:
        """The monitors, checkpoint and callbacks of a fit; ``update`` sets the model's arrays to
        what they would be if training ended now.
        """
        checkpoint = self._checkpoint
        if checkpoint is not None:
            settings = sorted(self.config.to_dict().items())
            checkpoint = Checkpoint(
                checkpoint.path,
                checkpoint.every_epochs,
                checkpoint.every_steps,
                f"{self.name} {settings} seed {run.seed} data {data.fingerprint}",
            )
        monitors: tuple[Monitor, ...] = ()
        if part is not None:
            self.chosen_by = part.truth.fingerprint
            monitors = tuple(
                Monitor(m.name, partial(m.measure, self, part), m.higher_is_better)
                for m in self._metrics or self._own_metrics(run)
            )
        return Control(
            monitors=monitors,
            every=self.config.validate_every,
            patience=self.config.patience,
            checkpoint=checkpoint,
            callbacks=tuple(partial(_call, callback, self) for callback in self._callbacks),
            max_time=self._max_time,
            measuring=partial(self._measuring, data, update),
            begin=self._warm_start(data),
        )

    def _warm_start(
        self, data: Interactions
    ) -> Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]] | None:
        """The warm start from a fitted model, or None."""
        before = self._before
        if before is None:
            return None
        rows = KeptRows.between(before.data, data)
        return lambda fresh: self._begin_with(before, fresh, rows)

    @contextmanager
    def _measuring(self, data: Interactions, update: Callable[[], None]) -> Iterator[None]:
        """While open, the model is a fitted one, so that a metric may use all of its calls."""
        update()
        self._data, self._cache, self._learning = data, {}, True
        try:
            yield
        finally:
            self._data, self._cache, self._learning = None, {}, False

    def _own_metrics(self, run: Run) -> tuple[ValidationMetric, ...]:
        if self.traits.predicts_ratings:
            return (
                ValidationMetric("rmse", validation.rmse, False),
                ValidationMetric("train rmse", validation.train_rmse, False),
            )
        k, n_users = self.monitored_ndcg

        def measure(model: Recommender, part: Part) -> float:
            return validation.ndcg(
                model, part, part.user_rows[:n_users], k, n_threads=run.n_threads
            )

        return (ValidationMetric(f"ndcg@{k}", measure, True),)


def warm_ndcg_metric(run: Run) -> ValidationMetric:
    """Return nDCG@10 among items with interactions, the monitor of models with content: held-out
    events have no other items.
    """

    def measure(model: Recommender, part: Part) -> float:
        users = validation.warm_users(part, model.data)[:2000]
        return validation.warm_ndcg(model, part, users, n_threads=run.n_threads)

    return ValidationMetric("ndcg@10", measure, True)


def _call(
    callback: EpochCallback, model: IterativeModel, epoch: int, facts: Facts, learner: Learner
) -> bool | None:
    return callback(epoch, facts, model)
