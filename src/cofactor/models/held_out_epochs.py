"""How many epochs a network is trained for by default: as many as rank held-out training
interactions best.

Networks learn what is popular first, then what is personal, and then noise. Where interactions are
few, the usual number of epochs is far into the noise or not yet at what is popular."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cofactor.base.errors import CofactorError
from cofactor.base.progress import SilentProgress
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.splits import split
from cofactor.models import validation

if TYPE_CHECKING:
    from cofactor.data.split import Part

MOST = 100_000  # interactions; with more, the usual number is long enough and not too long
_FEWEST = 50  # users with held-out interactions below which nothing can be said
_MOST_PAIRS = 2e7  # of users and items, which are scored after each epoch
_LONGEST = 2  # times the usual number; half of it without improvement ends the search
_HELD_OUT = 0.2
_LEAST_T = 1.0  # paired t from which an epoch counts as better: the one-standard-error rule


@contextmanager
def settled_epochs(model: Any, data: Interactions, part: Part | None, run: Run) -> Iterator[None]:
    """While open, a model whose ``epochs`` is None has a number there.

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
    config = model.config
    if getattr(config, "epochs", 0) is not None:
        yield
        return
    model.config = config.replace(epochs=_epochs(model, data, part, run))
    try:
        yield
    finally:
        model.config = config


def _epochs(model: Any, data: Interactions, part: Part | None, run: Run) -> int:
    usual: int = model.config.usual_epochs
    given = part is not None or model._max_time is not None or model._before is not None
    users = np.count_nonzero(data.user_counts >= 3)
    if given or len(data) > MOST or not _FEWEST <= users <= _MOST_PAIRS / data.n_items:
        return usual
    ordered = model.traits.uses_order
    held_out: dict[str, Any] = (
        {"how": "leave-last"} if ordered else {"how": "per-user", "test": _HELD_OUT}
    )
    parts = split(data, **held_out, seed=None if ordered else run.seed)
    pilot, measured = copy.copy(model), _Measured(run.n_threads)
    pilot.config = model.config.replace(epochs=_LONGEST * usual, patience=max(2, usual // 2))
    pilot._callbacks, pilot._metrics, pilot._checkpoint = (), (), None
    pilot.monitor("held out", measured, higher_is_better=True)
    alone = replace(run, progress=SilentProgress(), engine=None)
    # Training that fails here does so on all of the data too, and is explained there.
    try:
        pilot.fit(parts.train, validation=parts.test, run=alone)
    except CofactorError:
        return usual
    found = measured.first_good() + 1
    run.progress.say(f"{model.name}: {found} epochs")
    return found


class _Measured:
    """What each epoch reaches, user by user: nDCG@10, or by rating, minus the squared error."""

    def __init__(self, n_threads: int) -> None:
        self.n_threads = n_threads
        self.epochs: list[np.ndarray] = []

    def __call__(self, model: Any, part: Part) -> float:
        if model.traits.predicts_ratings:
            truth, rows = part.truth, part.user_rows
            which = np.searchsorted(rows, truth.user_rows)
            found = model.predict_batch(model.user_batch(rows), which, truth.item_rows)
            values = -np.square(found - truth.weights, dtype=np.float64)
        else:
            values = validation.users_ndcg(model, part, part.user_rows, n_threads=self.n_threads)
        self.epochs.append(values)
        return float(values.mean())

    def first_good(self) -> int:
        """Return the first epoch that the best one isn't significantly better than."""
        best = max(self.epochs, key=lambda values: float(values.mean()))
        for epoch, values in enumerate(self.epochs):
            gain = best - values
            if gain.mean() * len(gain) ** 0.5 <= _LEAST_T * gain.std():
                return epoch
        raise AssertionError("the best epoch isn't better than itself")
