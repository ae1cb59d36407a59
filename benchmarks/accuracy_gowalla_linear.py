"""Accuracy of the linear item models on Gowalla, the NGCF/LightGCN split: Recall@20 and nDCG@20
over all unseen items.

Settings are chosen on a tenth of the training interactions, held out at random (seed 0); the test
part is used once.

    COFACTOR_DATA=... python benchmarks/accuracy_gowalla_linear.py validate-item-knn
    COFACTOR_DATA=... python benchmarks/accuracy_gowalla_linear.py validate-ease --items 10000
    COFACTOR_DATA=... python benchmarks/accuracy_gowalla_linear.py test --models
    popularity,item_knn,ease

The whole of EASE needs 7 GiB and about 7e13 multiplications and additions; its validation is on the
most popular items."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from cofactor.base.run import Run
from cofactor.base.threads import native_threads
from cofactor.data.interactions import Interactions
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.runs.gowalla.published import CLOSED_FORM

N_USERS, N_ITEMS, K = 29_858, 40_981, 20

KNN_GRID = [
    {"neighbours": n, "similarity": "asymmetric", "asymmetry": a, "shrinkage": h, "weighting": w}
    for n, a, h, w in [
        (200, 0.5, 0.0, "none"),
        (100, 0.5, 10.0, "none"),
        (100, 0.5, 20.0, "none"),
        (100, 0.6, 10.0, "none"),
        (100, 0.6, 20.0, "tfidf"),
        (100, 0.7, 10.0, "none"),
        (100, 0.8, 10.0, "none"),
        (150, 0.8, 20.0, "none"),
        (200, 0.75, 10.0, "tfidf"),
        (200, 0.8, 20.0, "tfidf"),
        (300, 0.8, 40.0, "tfidf"),
        (200, 0.85, 40.0, "tfidf"),
        (300, 0.85, 80.0, "tfidf"),
    ]
]
EASE_GRID = [
    {"regularization": r, "frequency_exponent": p}
    for p, r in [
        (0.0, 50.0),
        (0.0, 150.0),
        (0.0, 400.0),
        (0.5, 20.0),
        (0.5, 150.0),
        (0.5, 300.0),
        (0.75, 150.0),
        (0.75, 300.0),
    ]
]


def read(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return user and item rows of train.txt or test.txt, in the order of the file."""
    root = Path(
        os.environ.get("COFACTOR_DATA")
        or sys.exit("set COFACTOR_DATA to the folder with lightgcn-gowalla")
    )
    users, items = [], []
    with gzip.open(root / "lightgcn-gowalla" / f"{part}.txt.gz", "rt") as lines:
        for line in lines:
            user, *rows = map(int, line.split())
            items += rows
            users += [user] * len(rows)
    return np.array(users), np.array(items)


def build(users: np.ndarray, items: np.ndarray, n_items: int = N_ITEMS) -> Interactions:
    return Interactions.from_rows(users, items, users=N_USERS, items=n_items)


def measure(
    model: Recommender, truth: Interactions, threads: int, users: np.ndarray | None = None
) -> tuple[float, float]:
    """Mean Recall@20 = hits / |truth| and nDCG@20 (ideal: min(20, |truth|) hits first) over the
    users with a truth.
    """
    users = np.flatnonzero(truth.user_counts) if users is None else users
    gain = 1 / np.log2(np.arange(2, K + 2))
    recall = ndcg = 0.0
    with native_threads(threads):
        for start in range(0, len(users), 1024):
            asked = users[start : start + 1024]
            batch = model.user_batch(asked)
            best = model.topk(batch, K, excluded=batch.seen, n_threads=threads)
            for n, user in enumerate(asked):
                mine = truth.item_rows[truth.indptr[user] : truth.indptr[user + 1]]
                hits = np.isin(best.rows[n, : best.count[n]], mine)
                recall += hits.sum() / len(mine)
                ndcg += gain[: len(hits)][hits].sum() / gain[: len(mine)].sum()
    return recall / len(users), ndcg / len(users)


def held_out() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    users, items = read("train")
    return users, items, np.random.default_rng(0).random(len(users)) < 0.1


def validate_item_knn(threads: int) -> None:
    users, items, out = held_out()
    train, truth = build(users[~out], items[~out]), build(users[out], items[out])
    asked = np.sort(np.random.default_rng(1).permutation(np.flatnonzero(truth.user_counts))[:6000])
    for settings in KNN_GRID:
        report("item_knn", settings, train, truth, threads, asked)


def validate_ease(threads: int, n_items: int) -> None:
    """On the n most popular items alone, since a factorisation costs the cube of their number."""
    users, items, out = held_out()
    popular = np.sort(
        np.argsort(-np.bincount(items[~out], minlength=N_ITEMS), kind="stable")[:n_items]
    )
    new = np.full(N_ITEMS, -1)
    new[popular] = np.arange(n_items)
    train, truth = (
        build(users[part], new[items[part]], n_items)
        for part in (~out & (new[items] >= 0), out & (new[items] >= 0))
    )
    asked = np.sort(np.random.default_rng(1).permutation(np.flatnonzero(truth.user_counts))[:6000])
    for settings in EASE_GRID:
        report("ease", settings, train, truth, threads, asked)


def report(
    name: str,
    settings: dict,
    train: Interactions,
    truth: Interactions,
    threads: int,
    users: np.ndarray | None = None,
) -> None:
    """Fit, measure and print one line of JSON."""
    began = time.perf_counter()
    model = registry.create(name, **settings).fit(train, run=Run(seed=0, threads=threads))
    fitted = time.perf_counter() - began
    recall, ndcg = measure(model, truth, threads, users)
    line = {
        "model": name,
        **settings,
        "recall@20": round(recall, 4),
        "ndcg@20": round(ndcg, 4),
        "fit_s": round(fitted, 1),
    }
    print(
        json.dumps({**line, "measure_s": round(time.perf_counter() - began - fitted, 1)}),
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("validate-item-knn", "validate-ease", "test"))
    parser.add_argument(
        "--models", default="popularity,item_knn", help="for test, separated by commas"
    )
    parser.add_argument("--items", type=int, default=10_000, help="for validate-ease")
    parser.add_argument("--keep", type=int, help="for test: weights that EASE keeps of each item")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    if given.what == "validate-item-knn":
        validate_item_knn(given.threads)
    elif given.what == "validate-ease":
        validate_ease(given.threads, given.items)
    else:
        train, truth = build(*read("train")), build(*read("test"))
        for name in given.models.split(","):
            kept = {"keep": given.keep} if name == "ease" and given.keep else {}
            report(name, {**CLOSED_FORM[name], **kept}, train, truth, given.threads)


if __name__ == "__main__":
    main()
