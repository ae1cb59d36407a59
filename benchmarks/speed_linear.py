"""Speed beside peers, two threads each, alternated, medians: top-20 for all users, item kNN and EASE fits.

    COFACTOR_DATA=... OPENBLAS_NUM_THREADS=1 python benchmarks/speed_linear.py topk knn ease --rounds 5

Peers: implicit (top-k, item kNN) and irspack (EASE as DenseSLIM). Each line holds both medians and their ratio; the first
call of each kernel, which compiles, isn't timed. irspack's inverse takes its threads from BLAS, set to the same number here.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parent))
from accuracy_gowalla_linear import build, read

from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.implicit.ease import EASE
from cofactor.models.implicit.item_knn import ItemKNN
from cofactor.retrieval.topk import best_dots


def movielens() -> Interactions:
    """ML-1M's rated pairs."""
    import gzip
    import os

    with gzip.open(Path(os.environ["COFACTOR_DATA"]) / "ml-1m" / "ratings.uir.dat.gz", "rt") as lines:
        pairs = np.array([line.split("::")[:2] for line in lines], np.int64)
    users, items = (np.unique(pairs[:, n], return_inverse=True)[1] for n in (0, 1))
    return Interactions.from_rows(users, items, users=users.max() + 1, items=items.max() + 1)


def most_popular(data: Interactions, n_items: int) -> Interactions:
    """The interactions with the most popular items alone: a dense inverse of all of them takes a quarter of an hour."""
    popular = np.zeros(data.n_items, bool)
    popular[np.argsort(-data.item_counts, kind="stable")[:n_items]] = True
    return data.where(popular[data.item_rows]).compact()


def beside(what: str, ours: Callable[[], object], theirs: Callable[[], object], rounds: int, **facts: object) -> None:
    """Time both in turn and print one line of JSON."""
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(rounds):
        for name, call in (("ours", ours), ("theirs", theirs)):
            began = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - began)
    mine, peer = (statistics.median(times[name]) for name in times)
    line = {"what": what, **facts, "ours_s": round(mine, 3), "theirs_s": round(peer, 3), "ratio": round(peer / mine, 2)}
    least = {f"least_{name}_s": round(min(seconds), 3) for name, seconds in times.items()}
    print(json.dumps({**line, **least}), flush=True)


def topk(data: Interactions, rounds: int, threads: int) -> None:
    from implicit.als import AlternatingLeastSquares

    matrix = data.matrix()
    als = AlternatingLeastSquares(factors=64, alpha=10, regularization=0.01, iterations=8, num_threads=threads, random_state=0)
    als.fit(matrix, show_progress=False)
    everybody = np.arange(data.n_users)
    seen = (data.indptr, data.item_rows)

    def ours() -> object:
        return best_dots(als.user_factors, als.item_factors, 20, excluded=seen, n_threads=threads)

    ours()
    beside("top-20 of all users", ours, lambda: als.recommend(everybody, matrix, 20), rounds, peer="implicit", users=data.n_users)


def knn(data: Interactions, name: str, rounds: int, threads: int) -> None:
    from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender

    matrix = data.matrix()
    for peer, settings in (
        (CosineRecommender, {}),
        (TFIDFRecommender, {"weighting": "tfidf"}),
        (BM25Recommender, {"weighting": "bm25", "similarity": "dot"}),
    ):
        def ours(settings: dict = settings) -> object:
            return ItemKNN(neighbours=100, **settings).fit(data, run=Run(threads=threads))

        def theirs(peer: type = peer) -> object:
            return peer(K=100, num_threads=threads).fit(matrix, show_progress=False)

        ours()
        beside("item kNN fit", ours, theirs, rounds, data=name, peer=f"implicit {peer.__name__}")


def ease(data: Interactions, name: str, rounds: int, threads: int) -> None:
    from irspack import DenseSLIMRecommender

    matrix = data.matrix().astype(np.float64)

    def ours() -> object:
        return EASE(regularization=200.0).fit(data, run=Run(threads=threads))

    def theirs() -> object:
        with threadpool_limits(limits=threads, user_api="blas"):
            return DenseSLIMRecommender(matrix, reg=200.0).learn()

    ours()
    beside("EASE fit", ours, theirs, rounds, data=name, peer="irspack DenseSLIM")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="+", choices=("topk", "knn", "ease"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    gowalla, ml = build(*read("train")), movielens()
    if "topk" in given.what:
        topk(gowalla, given.rounds, given.threads)
    if "knn" in given.what:
        knn(gowalla, "gowalla", given.rounds, given.threads)
        knn(ml, "ml-1m", given.rounds, given.threads)
    if "ease" in given.what:
        ease(ml, "ml-1m", given.rounds, given.threads)
        ease(most_popular(gowalla, 6000), "gowalla, the 6000 most popular items", given.rounds, given.threads)


if __name__ == "__main__":
    main()
