"""BPR with 5 and 10 factors: AUC over 10 held-out items of each user, on ml-1m and Gowalla."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cofactor.base import rng
from cofactor.base.run import Run
from cofactor.data import datasets
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.baselines.popularity import Popularity
from cofactor.models.implicit.bpr import BPR
from cofactor.models.neural.latent_factor import LatentFactor
from cofactor.models.recommender import Recommender
from cofactor.runs.source import Clock
from cofactor.runs.tutorials.figures import Figure, Reproduced

SETTINGS: dict[str, Any] = {
    "loss": "bpr",
    "popularity_prior": 0.0,
    "negatives": 1,
    "epochs": 20,
    "batch_size": 8192,
    "learning_rate": 0.02,
    "schedule": "cosine",
    "regularization": 0.002,
    "bias_regularization": 0.0,
    "init_scale": 0.1,
    "sparse": "no",
}
HELD_OUT = 10
# The datasets, and what others reached on them.
THEIRS = {
    "ml-1m": "0.781 to 0.788 (K=5, 10)",
    "lightgcn-gowalla": "training 0.90 after 100 epochs, 11 s",
}


def recipe(run: Run) -> Reproduced:
    """Fit LatentFactor with the BPR loss; report the AUC beside popularity's, and the seconds
    beside the BPR kernel's.
    """
    report = Reproduced("bpr", "BPR: AUC over ten held-out items of each user (ml-1m, Gowalla)", "")
    report.protocol = (
        "Ten items of each user who has at least twenty are held out at random (seed"
        f" {run.seed}); the AUC compares each with all items that the user hasn't"
        " interacted with."
    )
    for name, theirs in THEIRS.items():
        train, part = held_out(Interactions.build(datasets.load(name, value=False)), run.seed)
        popular = auc(Popularity().fit(train, run=run), part)
        report.figures.append(
            Figure("popularity", name, "test AUC", popular, higher_is_better=True)
        )
        for factors in (5, 10):
            model = LatentFactor(**SETTINGS, factors=factors)
            ours = _measure(f"LatentFactor, K = {factors}", name, model, train, part, run)
            kernel = BPR(factors=factors, epochs=20)
            beside = _measure(f"BPR kernel, K = {factors}", name, kernel, train, part, run)
            report.figures += [
                replace(ours, theirs=theirs, bar=max(0.9, popular)),
                replace(beside, theirs=theirs),
            ]
            report.curves[f"K = {factors}, {name}"] = model.curve
    return report


def _measure(
    label: str, dataset: str, model: Recommender, train: Interactions, part: Part, run: Run
) -> Figure:
    clock = Clock()
    model.fit(train, run=run)
    seconds = clock.seconds
    value = auc(model, part)
    return Figure(label, dataset, "test AUC", value, higher_is_better=True, seconds=seconds)


def held_out(data: Interactions, seed: int) -> tuple[Interactions, Part]:
    """Hold out ten random items of each user who has at least twenty; the others stay in
    training whole.
    """
    place = rng.generator(seed, "bpr", "held out").permutation(len(data))
    by_user = np.lexsort((place, data.user_rows))
    rank = np.empty(len(data), np.int64)
    rank[by_user] = np.arange(len(data)) - np.repeat(data.indptr[:-1], data.user_counts)
    test = (rank < HELD_OUT) & (data.user_counts[data.user_rows] >= 2 * HELD_OUT)
    train = data.where(~test)
    return train, Part(data.where(test), train)


def auc(model: Recommender, part: Part, block: int = 512) -> float:
    """Return the mean over users of the share of (held-out, never taken) pairs in the right
    order; ties count half.
    """
    found = []
    for low in range(0, len(part.user_rows), block):
        users = part.user_rows[low : low + block]
        scores = model.score_rows(users)
        for row, user in zip(scores, users, strict=True):
            own, seen = part.truth.items_of(user), part.history.items_of(user)
            others = np.ones(len(row), bool)
            others[own] = others[seen] = False
            rest = np.sort(row[others])
            below = np.searchsorted(rest, row[own], "left") + np.searchsorted(
                rest, row[own], "right"
            )
            found.append(below.mean() / (2 * len(rest)))
    return float(np.mean(found))
