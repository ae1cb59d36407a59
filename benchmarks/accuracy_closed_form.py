"""Accuracy of the closed-form models on Gowalla (the LightGCN split) and ML-1M (the LCFN split):
Recall, nDCG and F1 at 20 over all unseen items.

    python benchmarks/accuracy_closed_form.py gowalla validate graph_filter --set factors=512
    python benchmarks/accuracy_closed_form.py lcfn-ml-1m test ease

``validate`` holds the last tenth of each user's training lines out on Gowalla, where the test part
is what came last, and a random tenth on ML-1M (seed 0), where it isn't; it never opens the test
part. Without ``--set`` the settings are those that validation chose. ``blend`` adds up several
models' scores, each divided by its standard deviation over a user's items. Needs COFACTOR_DATA."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np

from cofactor.base.run import Run
from cofactor.base.threads import native_threads
from cofactor.data.interactions import Interactions
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.runs.gowalla.published import CLOSED_FORM

K = 20
BOARDS = {
    "gowalla": ("lightgcn-gowalla", 29_858, 40_981),
    "lcfn-ml-1m": ("lcfn-ml-1m", 6_022, 3_043),
}

# What validation chose; a blend's weights stand beside its models.
CHOSEN: dict[str, dict[str, dict[str, Any]]] = {
    "gowalla": {name: CLOSED_FORM[name] for name in ("graph_filter", "graph_filter:recency")},
    "lcfn-ml-1m": {
        "ease": {
            "regularization": 200.0,
            "user_exponent": 0.8,
            "dropout": 0.5,
            "frequency_exponent": 0.3,
        },
        "ials": {"factors": 128, "unobserved_weight": 0.1, "regularization": 0.003},
    },
}
BLENDS: dict[str, dict[str, float]] = {"lcfn-ml-1m": {"ease": 1.0, "ials": 0.5}}


def read(board: str, part: str) -> tuple[np.ndarray, np.ndarray]:
    """User and item rows of one part, in the order of the file."""
    path = Path(os.environ["COFACTOR_DATA"]) / BOARDS[board][0] / f"{part}.txt"
    users: list[int] = []
    items: list[int] = []
    with path.open() if path.exists() else gzip.open(f"{path}.gz", "rt") as lines:
        for line in lines:
            user, *rows = map(int, line.split())
            items += rows
            users += [user] * len(rows)
    return np.array(users), np.array(items)


def parts(board: str, test: bool) -> tuple[Interactions, Interactions]:
    """What is trained on, and the truth."""
    _, n_users, n_items = BOARDS[board]
    users, items = read(board, "train")
    if test:
        pieces = (users, items), read(board, "test")
    else:
        if board == "gowalla":
            counts = np.bincount(users, minlength=n_users)
            place = np.arange(len(users)) - np.repeat(np.cumsum(counts) - counts, counts)
            held = np.where(counts >= 10, counts // 10, counts > 3)
            out = place >= (counts - held)[users]
        else:
            out = np.random.default_rng(0).random(len(users)) < 0.1
        pieces = (users[~out], items[~out]), (users[out], items[out])
    train, truth = (Interactions.from_rows(u, i, users=n_users, items=n_items) for u, i in pieces)
    return train, truth


def measure(
    models: dict[str, tuple[Recommender, float]], train: Interactions, truth: Interactions
) -> dict[str, float]:
    """Mean Recall and nDCG (ideal: min(20, |truth|) hits first) over the users with a truth, and F1
    of mean precision and mean Recall, as that board's papers have it.
    """
    discount = 1 / np.log2(np.arange(2, K + 2))
    found = []
    users = np.flatnonzero(truth.user_counts)
    for start in range(0, len(users), 512):
        asked = users[start : start + 512]
        scores: Any = 0.0
        for model, weight in models.values():
            own = model.score_rows(asked)
            scores = scores + weight * own / own.std(axis=1, keepdims=True)
        for row, user in zip(scores, asked, strict=True):
            row[train.item_rows[train.indptr[user] : train.indptr[user + 1]]] = -np.inf
            best = np.argpartition(-row, K)[:K]
            mine = truth.item_rows[truth.indptr[user] : truth.indptr[user + 1]]
            hit = np.isin(best[np.argsort(-row[best], kind="stable")], mine)
            ndcg = (discount * hit).sum() / discount[: len(mine)].sum()
            found.append((hit.sum() / len(mine), ndcg, hit.mean()))
    recall, ndcg, precision = map(float, np.mean(found, axis=0))
    f1 = 2 * recall * precision / (recall + precision)
    return {"recall@20": recall, "ndcg@20": ndcg, "f1@20": f1}


def main() -> None:
    """Print one line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("board", choices=list(BOARDS))
    parser.add_argument("part", choices=("validate", "test"))
    parser.add_argument("model", help="a model's name, NAME:VARIANT, or blend")
    parser.add_argument("--set", nargs="*", default=[], help="settings instead, NAME=VALUE")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    train, truth = parts(given.board, given.part == "test")
    weights = BLENDS[given.board] if given.model == "blend" else {given.model: 1.0}
    models: dict[str, tuple[Recommender, float]] = {}
    settings: dict[str, Any] = {}
    wall, cpu = time.perf_counter(), time.process_time()
    for name, weight in weights.items():
        kind = name.partition(":")[0]
        settings[name] = dict(CHOSEN[given.board].get(name, {}))
        if given.set:
            named = {word.partition("=")[0] for word in given.set}
            read_in = registry.get(kind).Config.from_text(given.set).to_dict()
            settings[name].update({k: v for k, v in read_in.items() if k in named})
        model = registry.create(kind, **settings[name])
        models[name] = model.fit(train, run=Run(seed=given.seed, threads=given.threads)), weight
    line: dict[str, Any] = {
        "board": given.board,
        "part": given.part,
        "model": given.model,
        "fit_wall_s": round(time.perf_counter() - wall, 1),
        "fit_cpu_s": round(time.process_time() - cpu, 1),
        "fit_peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }
    with native_threads(given.threads):
        line |= {name: round(value, 4) for name, value in measure(models, train, truth).items()}
    line |= {"settings": settings, "weights": weights, "seed": given.seed, "threads": given.threads}
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
