"""Seconds for one training epoch of the rating models, ours beside Surprise and cornac, in one process, alternating.

    python benchmarks/rating_epoch.py [--data ml-1m] [--factors 100] [--rounds 5] [--threads 2] [--svdpp-data ml-100k]

An epoch's seconds are the difference of two fits' over the difference of their epochs, for the peers; ours are the kernel's
own. Surprise has one thread only; cornac's MF gets as many as ours. The ratios are of the best seconds of each side, which a
loaded machine disturbs least, and beside them of the medians. Needs COFACTOR_DATA, and
scikit-surprise and cornac beside Cofactor's own dependencies.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

from cofactor.base.threads import native_threads
from cofactor.data.interactions import Interactions
from cofactor.kernels.cpu.mf_sgd import mf_sgd_epoch
from cofactor.kernels.cpu.svdpp import svdpp_epoch
from cofactor.models.explicit.biased_mf import item_blocks
from cofactor.models.explicit.ratings import shuffled_walks, user_order

Triples = tuple[np.ndarray, np.ndarray, np.ndarray]


def load(name: str) -> Triples:
    """Users, items (rows from 0) and ratings of the training part of fold 1."""
    root = Path(os.environ["COFACTOR_DATA"]) / name
    if name == "ml-100k":
        table = np.loadtxt(root / "u1.base", dtype=np.int64)
    else:
        parts = []
        for k in range(2, 6):
            with gzip.open(root / f"folds/test_1m{k}.dat.gz") as file:
                parts.append(np.loadtxt(file, delimiter=",").astype(np.int64))
        table = np.concatenate(parts)
    users = np.unique(table[:, 0], return_inverse=True)[1]
    items = np.unique(table[:, 1], return_inverse=True)[1]
    return users, items, table[:, 2].astype(np.float32)


class Ours:
    """Our two kernels on one set of ratings."""

    def __init__(self, triples: Triples, factors: int, threads: int) -> None:
        users, items, values = triples
        self.n_users, self.n_items, self.threads = int(users.max()) + 1, int(items.max()) + 1, threads
        self.rng = np.random.default_rng(0)
        data = Interactions.from_rows(users, items, values, users=self.n_users, items=self.n_items)
        self.walks = shuffled_walks(data, item_blocks(data), self.rng)
        self.by_user = shuffled_walks(data, np.array([0, self.n_items]), self.rng)
        self.implicit_rows = (data.indptr, data.item_rows)
        self.mean = float(values.mean())
        n_u, n_i = self.n_users, self.n_items
        self.biases = [np.zeros(n, np.float32) for n in (n_u, n_i)]
        draw = lambda n: (0.1 * self.rng.standard_normal((n, factors))).astype(np.float32)  # noqa: E731
        self.user_factors, self.item_factors, self.implicit = draw(n_u), draw(n_i), draw(n_i)
        self.reg_u, self.reg_i = (np.full(n, 0.02, np.float32) for n in (n_u, n_i))

    def mf(self) -> float:
        """Seconds of one epoch of matrix factorisation."""
        order = user_order(self.n_users, self.rng)
        with native_threads(self.threads):
            began = time.perf_counter()
            mf_sgd_epoch(
                *self.walks, order, self.mean, *self.biases, self.user_factors, self.item_factors, 0.005, 0.005,
                self.reg_u, self.reg_i, self.reg_u, self.reg_i,
            )  # fmt: skip
            return time.perf_counter() - began

    def svdpp(self) -> float:
        """Seconds of one epoch of SVD++."""
        order = user_order(self.n_users, self.rng)
        with native_threads(self.threads):
            began = time.perf_counter()
            svdpp_epoch(
                *self.by_user, *self.implicit_rows, order, self.mean, *self.biases,
                self.user_factors, self.item_factors, self.implicit, 0.005, 0.005,
                self.reg_u, self.reg_i, self.reg_u, self.reg_u, self.reg_i, self.threads,
            )  # fmt: skip
            return time.perf_counter() - began


def per_epoch(fit: Callable[[int], None], few: int, many: int) -> float:
    """Seconds of one epoch, from fits of ``few`` and ``many`` epochs."""
    seconds = []
    for epochs in (few, many):
        began = time.perf_counter()
        fit(epochs)
        seconds.append(time.perf_counter() - began)
    return (seconds[1] - seconds[0]) / (many - few)


def surprise_set(triples: Triples) -> object:
    """The ratings as Surprise's training set."""
    import pandas as pd
    from surprise import Dataset, Reader

    frame = pd.DataFrame(dict(zip(("user", "item", "rating"), triples, strict=True)))
    return Dataset.load_from_df(frame, Reader(rating_scale=(1, 5))).build_full_trainset()


def main() -> None:
    """Run the comparison and print one line of JSON per model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-1m")
    parser.add_argument("--svdpp-data", default="ml-100k")
    parser.add_argument("--factors", type=int, default=100)
    parser.add_argument("--svdpp-factors", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    from cornac.data import Dataset as CornacSet
    from cornac.models import MF
    from surprise import SVD, SVDpp

    triples = load(asked.data)
    trainset = surprise_set(triples)
    cornac_set = CornacSet.from_uir(list(zip(*(column.tolist() for column in triples), strict=True)))
    ours = Ours(triples, asked.factors, asked.threads)

    def cornac(n: int) -> None:
        MF(k=asked.factors, max_iter=n, learning_rate=0.005, num_threads=asked.threads, seed=0).fit(cornac_set)

    ours.mf()
    cornac(1)
    rows: dict[str, list[float]] = {"ours": [], "surprise": [], "cornac": []}
    for _ in range(asked.rounds):
        rows["ours"] += [ours.mf() for _ in range(10)]
        rows["surprise"].append(per_epoch(lambda n: SVD(n_factors=asked.factors, n_epochs=n).fit(trainset), 1, 3))
        rows["cornac"].append(per_epoch(cornac, 2, 12))
    report("biased MF, SGD", asked.data, asked.factors, asked.threads, len(triples[0]), rows)

    triples = load(asked.svdpp_data)
    trainset, ours = surprise_set(triples), Ours(triples, asked.svdpp_factors, asked.threads)
    ours.svdpp()
    rows = {"ours": [], "surprise": []}
    for _ in range(asked.rounds):
        rows["ours"] += [ours.svdpp() for _ in range(10)]
        rows["surprise"].append(
            per_epoch(lambda n: SVDpp(n_factors=asked.svdpp_factors, n_epochs=n, cache_ratings=True).fit(trainset), 1, 2)
        )
    report("SVD++", asked.svdpp_data, asked.svdpp_factors, asked.threads, len(triples[0]), rows)


def report(model: str, data: str, factors: int, threads: int, n: int, rows: dict[str, list[float]]) -> None:
    """Print the best and the median seconds, and their ratios to ours."""
    best = {name: float(np.min(row)) for name, row in rows.items()}
    median = {name: float(np.median(row)) for name, row in rows.items()}
    ratios = lambda of: {name: round(of[name] / of["ours"], 2) for name in of if name != "ours"}  # noqa: E731
    print(
        json.dumps(
            {
                "model": model, "data": data, "ratings": n, "factors": factors, "threads": threads,
                "best_seconds": {name: round(value, 5) for name, value in best.items()}, "ratio_of_best": ratios(best),
                "median_seconds": {name: round(value, 5) for name, value in median.items()}, "ratio_of_median": ratios(median),
                "load": [round(x, 1) for x in os.getloadavg()],
                "versions": {p: version(p) for p in ("numpy", "numba", "scikit-surprise", "cornac")},
                "python": platform.python_version(), "machine": platform.machine(),
            }
        ),
        flush=True,
    )  # fmt: skip


if __name__ == "__main__":
    main()
