"""``model.update(events)`` beside a refit: ``python -m benchmarks.updates [--models bpr ...]``.

The data is ml-100k (``COFACTOR_DATA``). Each user's latest tenth is the test part; of what is left
each user's latest tenth are the new events. Three models of each kind are measured on the test
part: fitted on the old events alone, updated with the new ones, and fitted on both. Seconds are of
the processor, one thread. Nothing is chosen here: settings are the models' own."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

import numpy as np

from cofactor.base.run import Run
from cofactor.data.events import Events
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.data.splits import split
from cofactor.evaluation.evaluate import evaluate
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.runs.source import interactions

_NETWORK = {
    "factors": 32,
    "loss": "sampled_softmax",
    "negatives": 256,
    "batch_tokens": 3200,
    "popularity_prior": 0.0,
}
MODELS: dict[str, dict[str, Any]] = {
    "transitions": {},
    "sequence_linear": {"keep_sums": True},
    "ials": {},
    "bpr": {},
    "warp": {},
    "logistic_mf": {},
    "transformer": {**_NETWORK, "epochs": 20, "learning_rate": 0.003, "schedule": "cosine"},
    "gru4rec": {**_NETWORK, "epochs": 20, "learning_rate": 0.005, "schedule": "cosine"},
    "biased_mf": {},
    "svdpp": {},
}


def events_of(data: Interactions) -> Events:
    """The interactions as events, by outside ids."""
    import pyarrow as pa

    users, items = (
        pa.chunked_array([ids.take(rows)])
        for ids, rows in ((data.users, data.user_rows), (data.items, data.item_rows))
    )
    return Events(users, items, values=data.values, times=data.times)


def figure(model: Recommender, cut: Split, run: Run) -> float:
    metric = "rmse" if model.traits.predicts_ratings else "ndcg@10"
    return evaluate(model, cut, metric, run=run, resamples=0)[metric]


def main() -> None:
    """Print a line for each model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    run = Run(seed=given.seed, threads=1)
    rated = interactions("ml-100k")
    for name in given.models:
        data = rated if registry.get(name).traits.predicts_ratings else replace(rated, values=None)
        cut = split(data, "per-user", test=0.1, order="time")
        inner = split(cut.train, "per-user", test=0.1, order="time")
        old, new = inner.train, inner.test.truth
        old_seconds, updated = timed(lambda old=old, name=name: fitted(name, old, run))
        stale = figure(updated, cut, run)
        seconds, _ = timed(lambda updated=updated, new=new: updated.update(events_of(new), run=run))
        same = np.array_equal(updated.data.items.arrow, cut.train.items.arrow)
        refit_seconds, refit = timed(lambda cut=cut, name=name: fitted(name, cut.train, run))
        assert same, "the updated model must have the rows of the data"
        figures = [stale, figure(updated, cut, run), figure(refit, cut, run)]
        cells = [f"{one:.4f}" for one in figures]
        cells += [f"{one:.1f}" for one in (seconds, refit_seconds, old_seconds)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def fitted(name: str, data: Interactions, run: Run) -> Any:
    return registry.create(name, **MODELS[name]).fit(data, run=run)


def timed(work: Any) -> tuple[float, Any]:
    began = time.process_time()
    made = work()
    return time.process_time() - began, made


if __name__ == "__main__":
    main()
