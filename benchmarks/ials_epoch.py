"""Seconds for one epoch of implicit ALS on the Gowalla training data, ours beside irspack and implicit, alternating.

    python benchmarks/ials_epoch.py [--factors 64 128 256] [--rounds 7] [--threads 2] [--quality 10]

One process; each round times a few epochs of each in turn, so that a busy machine slows all alike; medians over the rounds, and the
best round, of wall and of CPU seconds (all threads; the fairer clock where others use the cores too).
All three take three steps of conjugate gradient (implicit and irspack from the last epoch's solution, ours preconditioned from
zero); compilation and a first epoch are left out. With ``--quality`` the objective and nDCG@20 on the test part are shown after
each epoch of ours and irspack's from like starts instead. Needs COFACTOR_DATA, irspack and implicit.
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


def implicit_epoch(matrix: sp.csr_matrix, factors: int, threads: int) -> Callable[[], tuple[float, float]]:
    """A call that gives the seconds of one epoch of implicit."""
    from implicit.cpu.als import AlternatingLeastSquares

    def run() -> tuple[float, float]:
        wall: list[float] = []
        cpu = [0.0]

        def note(_: int, elapsed: float, *__: object) -> None:
            wall.append(elapsed)
            cpu.append(time.process_time())

        with threadpool_limits(1, user_api="blas"):
            model = AlternatingLeastSquares(factors=factors, num_threads=threads, iterations=4, random_state=0)
            model.fit(matrix, show_progress=False, callback=note)
        return min(wall), float(np.diff(cpu[1:]).min())

    return run


def timed(run: Callable[[], object], times: int = 1) -> tuple[float, float]:
    """Wall and CPU seconds (of all threads) of one call, the fewest of each out of some."""
    found = []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(w for w, _ in found), min(c for _, c in found)


def compare(matrix: sp.csr_matrix, factors: int, threads: int, rounds: int) -> None:
    """Time all three in turn and print one line of JSON."""
    ours, peer = Ours(matrix, factors, threads), irspack_model(matrix, factors, threads)
    other = implicit_epoch(matrix, factors, threads)
    calls = {"ours": ours.epoch, "irspack": peer.run_epoch}
    seconds: dict[str, list[tuple[float, float]]] = {"ours": [], "irspack": [], "implicit": []}
    for done in range(rounds + 1):
        found = {name: timed(run, 3) for name, run in calls.items()} | {"implicit": other()}
        for name, value in found.items():
            if done:
                seconds[name].append(value)
    line: dict[str, object] = {"factors": factors, "threads": ours.threads, "load": round(os.getloadavg()[0], 1)}
    for clock, column in (("wall", 0), ("cpu", 1)):
        of = {name: np.array(values)[:, column] for name, values in seconds.items()}
        line[clock] = {name: f"{np.median(v):.4f}, best {v.min():.4f}" for name, v in of.items()}
        line[f"{clock} ratio"] = {
            name: f"{np.median(of[name] / of['ours']):.2f}, of the best {of[name].min() / of['ours'].min():.2f}"
            for name in ("irspack", "implicit")
        }
    print(json.dumps(line), flush=True)


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
    print(json.dumps({name: version(name) for name in ("irspack", "implicit", "numba", "numpy")}))
    with native_threads(asked.threads):
        for factors in asked.factors:
            if asked.quality:
                quality(matrix, factors, asked.threads, asked.quality)
            else:
                compare(matrix, factors, asked.threads, asked.rounds)


if __name__ == "__main__":
    main()
