"""Seconds for one epoch of implicit ALS on the Gowalla training data, ours beside irspack and implicit, alternating.

    python benchmarks/ials_epoch.py [--factors 64 128 256] [--rounds 7] [--threads 2] [--quality 10]

One process; each round times one epoch of each, so that a busy machine slows all alike. Medians over the rounds, and the best round.
All three take three steps of conjugate gradient (implicit and irspack from the last epoch's solution, ours preconditioned from
zero); compilation and a first epoch are left out. With ``--quality`` the objective and nDCG@20 on the test part are shown after each
epoch of ours and irspack's from like starts instead. Needs COFACTOR_DATA, irspack and implicit.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from cofactor.base.threads import native_threads
from cofactor.kernels.cpu import ials

ALPHA, REGULARIZATION = 0.01, 0.003


def load(name: str) -> sp.csr_matrix:
    """One part of the published split as ones in CSR."""
    folder = Path(os.environ["COFACTOR_DATA"]) / "lightgcn-gowalla"
    with gzip.open(folder / f"{name}.txt.gz", "rt") as lines:
        rows = [np.array(line.split(), np.int64) for line in lines]
    users = np.concatenate([np.full(len(row) - 1, row[0]) for row in rows])
    items = np.concatenate([row[1:] for row in rows])
    matrix = sp.csr_matrix((np.ones(len(users), np.float32), (users, items)), shape=(29_858, 40_981))
    matrix.sort_indices()
    return matrix


class Ours:
    """Our kernels on one matrix."""

    def __init__(self, matrix: sp.csr_matrix, factors: int, threads: int, solver: str = "cg") -> None:
        self.threads, self.solver = threads, solver
        self.sides = [(m.indptr.astype(np.int64), m.indices, m.data) for m in (matrix, matrix.T.tocsr())]
        self.ridges = [
            ials.row_ridge(side[0], n, ALPHA, REGULARIZATION, 1.0) for side, n in zip(self.sides, matrix.shape[::-1], strict=True)
        ]
        rng = np.random.default_rng(0)
        scale = np.float32(0.1 / np.sqrt(factors))
        self.x, self.y = (rng.standard_normal((n, factors), dtype=np.float32) * scale for n in matrix.shape)

    def epoch(self) -> None:
        """One epoch."""
        with native_threads(self.threads):
            ials.half_epoch(*self.sides[0], self.y, self.x, ALPHA, self.ridges[0], self.solver)
            ials.half_epoch(*self.sides[1], self.x, self.y, ALPHA, self.ridges[1], self.solver)

    def loss(self, x: np.ndarray, y: np.ndarray) -> float:
        """The objective at any factors."""
        return ials.loss(*self.sides[0], x, y, ALPHA, *self.ridges)


def irspack_model(matrix: sp.csr_matrix, factors: int, threads: int) -> object:
    """An irspack model that is ready for `run_epoch`."""
    from irspack.recommenders import IALSRecommender

    settings = {"alpha0": ALPHA, "reg": REGULARIZATION, "solver_type": "CG", "max_cg_steps": 3, "n_threads": threads}
    model = IALSRecommender(matrix.astype(np.float64), n_components=factors, **settings)
    model.start_learning()
    return model


def implicit_epoch(matrix: sp.csr_matrix, factors: int, threads: int) -> Callable[[], float]:
    """A call that gives the seconds of one epoch of implicit."""
    from implicit.cpu.als import AlternatingLeastSquares

    def run() -> float:
        seconds: list[float] = []
        with threadpool_limits(1, user_api="blas"):
            model = AlternatingLeastSquares(factors=factors, num_threads=threads, iterations=2, random_state=0)
            model.fit(matrix, show_progress=False, callback=lambda _, elapsed, *__: seconds.append(elapsed))
        return min(seconds)

    return run


def timed(run: Callable[[], object]) -> float:
    """Wall seconds of a call."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def compare(matrix: sp.csr_matrix, factors: int, threads: int, rounds: int) -> None:
    """Time all three in turn and print one line of JSON."""
    ours, peer, other = Ours(matrix, factors, threads), irspack_model(matrix, factors, threads), implicit_epoch(matrix, factors, threads)
    seconds: dict[str, list[float]] = {"ours": [], "irspack": [], "implicit": []}
    for done in range(rounds + 1):
        found = {
            "ours": float(np.median([timed(ours.epoch) for _ in range(3)])),
            "irspack": float(np.median([timed(peer.run_epoch) for _ in range(3)])),
            "implicit": other(),
        }
        for name, value in found.items():
            if done:
                seconds[name].append(value)
    median = {name: round(float(np.median(values)), 4) for name, values in seconds.items()}
    best = {name: round(min(values), 4) for name, values in seconds.items()}
    ratio = {n: round(float(np.median(np.divide(seconds[n], seconds["ours"]))), 2) for n in ("irspack", "implicit")}
    print(json.dumps({
        "factors": factors, "threads": threads, "median": median, "best": best, "ratio to ours, median of rounds": ratio,
        "ratio of the best": {n: round(best[n] / best["ours"], 2) for n in ratio},
        "versions": {name: version(name) for name in ("irspack", "implicit", "numba", "numpy")}, "load": os.getloadavg()[0],
    }), flush=True)  # fmt: skip


def ndcg(x: np.ndarray, y: np.ndarray, train: sp.csr_matrix, test: sp.csr_matrix, k: int = 20) -> float:
    """Mean nDCG@k over users with truth, training items left out."""
    discount = 1 / np.log2(np.arange(k) + 2)
    total, users = 0.0, 0
    for start in range(0, len(x), 1024):
        part = slice(start, start + 1024)
        scores = x[part] @ y.T
        scores[train[part].nonzero()] = -np.inf
        top = np.argpartition(-scores, k, axis=1)[:, :k]
        top = np.take_along_axis(top, np.argsort(-np.take_along_axis(scores, top, 1), axis=1), 1)
        for row, ranked in enumerate(top, start):
            truth = test.indices[test.indptr[row] : test.indptr[row + 1]]
            if len(truth):
                total += np.isin(ranked, truth) @ discount / discount[: len(truth)].sum()
                users += 1
    return total / users


def quality(matrix: sp.csr_matrix, factors: int, threads: int, epochs: int) -> None:
    """Print the objective and nDCG@20 after each epoch of ours and irspack's."""
    test = load("test")
    ours, peer = Ours(matrix, factors, threads), irspack_model(matrix, factors, threads)
    for epoch in range(1, epochs + 1):
        ours.epoch()
        peer.run_epoch()
        x, y = (np.ascontiguousarray(a, np.float32) for a in (peer.trainer.core_trainer.user, peer.trainer.core_trainer.item))
        print(json.dumps({
            "factors": factors, "epoch": epoch, "loss": [round(ours.loss(ours.x, ours.y)), round(ours.loss(x, y))],
            "ndcg@20": [round(ndcg(ours.x, ours.y, matrix, test), 4), round(ndcg(x, y, matrix, test), 4)],
        }), flush=True)  # fmt: skip


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--factors", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quality", type=int, default=0, metavar="EPOCHS")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    matrix = load("train")
    for factors in asked.factors:
        if asked.quality:
            quality(matrix, factors, asked.threads, asked.quality)
        else:
            compare(matrix, factors, asked.threads, asked.rounds)


if __name__ == "__main__":
    main()
