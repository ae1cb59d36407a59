"""What all models share that the training loop trains: early stopping on any metric, checkpoints,
the history, its curves.

Nothing here imports torch, so a model whose state is plain arrays can be served without it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.recommender import Recommender
from cofactor.models.traits import ArraySpec
from cofactor.training.history import History
from cofactor.training.stopping import Watch

if TYPE_CHECKING:
    from cofactor.data.split import Part
    from cofactor.training.checkpoint import Checkpoint

Measure = Callable[[Recommender, "Part"], float]

# The arrays of a history; an axis "epochs_run" is as long as training was.
HISTORY_ARRAYS: Mapping[str, ArraySpec] = {
    "history_loss": ArraySpec("float64", ("epochs_run",), optional=True),
    "history_rate": ArraySpec("float64", ("epochs_run",), optional=True),
    "history_seconds": ArraySpec("float64", ("epochs_run",), optional=True),
    "history_metrics": ArraySpec("float64", ("metrics", "epochs_run"), optional=True),
    "history_metric_names": ArraySpec("uint8", ("characters",), optional=True),
    "history_best_epoch": ArraySpec("int64", ("1",), optional=True),
}


@dataclass(frozen=True)
class Metric:
    """A metric on validation data: its name, how to take it, and its direction."""

    name: str
    measure: Measure
    higher_is_better: bool


class TrainedRecommender(Recommender):
    """A model that `cofactor.training.loop.train` trains.

    With validation data, the metric of `stop_on` (or the model's own: RMSE for ratings, NDCG@10 for
    rankings) is taken after each epoch and the best epoch's weights are kept; ``patience`` of the
    Config says when to stop."""

    history: History
    own_metric: ClassVar[Metric]

    def __init__(self, config: Any = None, **settings: Any) -> None:
        super().__init__(config, **settings)
        self.history = History()
        self._metrics: tuple[Metric, ...] = ()
        self._checkpoint: Checkpoint | None = None

    def stop_on(self, name: str, measure: Measure, *, higher_is_better: bool) -> Self:
        """Watch a metric of your own; the first one decides which epoch is the best.

        Parameters
        ----------
        name
            What the history and the curves call it. A name that begins with ``"train "`` is drawn
            beside the other.
        measure
            ``measure(model, part)``: the metric of the model as it is, on the validation data given
            to `fit`.
        higher_is_better
            Its direction.

        Returns
        -------
        Self
            The model.
        """
        self._metrics += (Metric(name, measure, higher_is_better),)
        return self

    def keep_at(
        self, path: str | os.PathLike[str], *, every_epochs: int = 1, every_steps: int = 0
    ) -> Self:
        """Keep checkpoints in a file while fitting, and go on from it if it is there.

        A run that was interrupted and goes on ends with the same weights, bit for bit on one
        thread, as one that wasn't.

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
        from cofactor.training.checkpoint import Checkpoint

        self._checkpoint = Checkpoint(path, every_epochs, every_steps)
        return self

    def plot(self, path: str | os.PathLike[str]) -> Path:
        """Draw losses and metrics, raw and smoothed, as a self-contained web page; return its
        path.
        """
        from cofactor.training.curves import draw

        return draw({self.name: self.history}, path, f"{type(self).__name__}: learning curves")

    @property
    def refit_config(self) -> Any:
        """The settings with as many epochs as were best on the validation part of the last fit,
        if it was given one.
        """
        best = self.history.best_epoch
        return self.config if best < 0 else self.config.replace(epochs=best + 1)

    def _watches(
        self, data: Interactions, part: Part | None, publish: Callable[[], None]
    ) -> tuple[Watch, ...]:
        """The metrics as the loop takes them: the model's arrays are brought up to date before
        the first.
        """
        if part is None:
            return ()

        def taken(metric: Metric, first: bool) -> Callable[[], float]:
            def measure() -> float:
                if first:
                    publish()
                    # A metric may ask anything of the model, so for that moment it is a fitted one.
                    self._data, self._cache = data, {}
                try:
                    return metric.measure(self, part)
                except BaseException:
                    self._data = None
                    raise

            return measure

        chosen = self._metrics or self._own_metrics()
        return tuple(
            Watch(m.name, taken(m, n == 0), m.higher_is_better) for n, m in enumerate(chosen)
        )

    def _own_metrics(self) -> tuple[Metric, ...]:
        if self.traits.predicts_ratings:
            return (Metric("rmse", rmse, False), Metric("train rmse", _train_rmse, False))
        return (Metric("ndcg@10", ndcg_at_10, True),)

    def _belongs_to(self, data: Interactions, run: Run) -> str:
        """What a checkpoint of this fit belongs to."""
        return (
            f"{self.name} {sorted(self.config.to_dict().items())} seed {run.seed} data"
            f" {data.fingerprint}"
        )


def rmse(model: Recommender, part: Part) -> float:
    """Return the root of the mean squared error on a part's ratings; its users are folded in if
    the part says so.
    """
    truth = part.truth
    if truth.values is None:
        raise ValueError("the validation data has no values to take an RMSE on.")
    if part.fold_in:
        states = model.fold_in(part.histories(part.user_rows)).states
        which = np.searchsorted(part.user_rows, truth.user_rows)
        predicted = model._predict(states, which, truth.item_rows)
    else:
        predicted = model.predict_rows(truth.user_rows, truth.item_rows)
    return float(np.sqrt(np.mean((predicted.astype(np.float64) - truth.values) ** 2)))


def _train_rmse(model: Recommender, part: Part) -> float:
    """RMSE on at most 20,000 of the training ratings, evenly spaced: what the curve of the
    validation is held against.
    """
    data = model.data
    assert data.values is not None
    some = np.arange(0, len(data), max(1, len(data) // 20_000))
    predicted = model.predict_rows(data.user_rows[some], data.item_rows[some]).astype(np.float64)
    return float(np.sqrt(np.mean((predicted - data.values[some]) ** 2)))


def ndcg_at_10(model: Recommender, part: Part, n_users: int = 2000) -> float:
    """Return NDCG@10 over all unseen items, mean of (the first ``n_users``) users with any
    truth; relevance is 0 or 1.
    """
    asked = part.user_rows[:n_users]
    history, gains = part.histories(asked), []
    discounts = 1 / np.log2(np.arange(2, 12))
    for low in range(0, len(asked), 512):
        rows = asked[low : low + 512]
        some = history.take(np.arange(low, low + len(rows)))
        batch = model.fold_in(some) if part.fold_in else model.user_batch(rows)
        indptr, seen, _ = some.csr
        best = model.topk(batch, 10, excluded=(indptr, seen))
        for n, user in enumerate(rows):
            truth = part.truth.item_rows[part.truth.indptr[user] : part.truth.indptr[user + 1]]
            hits = np.isin(best.rows[n, : best.count[n]], truth)
            gains.append(
                float(discounts[: len(hits)][hits].sum() / discounts[: min(10, len(truth))].sum())
            )
    return float(np.mean(gains)) if gains else float("nan")
