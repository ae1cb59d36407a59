"""Seconds for one epoch of BPR on Gowalla (810,128 draws), beside implicit and cornac.

    NUMBA_NUM_THREADS=2 OMP_NUM_THREADS=2 OPENBLAS_NUM_THREADS=1 python benchmarks/bpr_epoch.py [--factors 64] [--rounds 5]

In each round everybody runs the same number of epochs in turn, in one process, on the same data with the same threads. Peers
that keep their epochs inside `fit` are measured by the difference between a fit of 1 epoch and one of 1 + EPOCHS. A peer
that isn't installed is left out. Medians over the rounds, and the median of the ratios within a round. CPU seconds (of all
threads) are shown too: on a busy machine they are steadier than the clock. Needs COFACTOR_DATA.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import cofactor
from cofactor.base.threads import native_threads
from cofactor.data.datasets import load_split
from cofactor.models.implicit.bpr import BPR

EPOCHS = 5
RATE, DECAY = 0.05, 0.003


def ours(data: cofactor.Interactions, factors: int, threads: int) -> Callable[[], tuple[float, float]]:
    """Time some epochs of ours, the drawing of the users' order among them."""
    model = BPR(factors=factors, regularization=DECAY)
    model._begin(data, cofactor.Run(seed=0))
    draw = np.random.default_rng(0)

    def epochs() -> None:
        with native_threads(threads):
            for _ in range(EPOCHS):
                order = draw.permutation(data.n_users).astype(np.int32)
                model._epoch(data, order, RATE, np.uint64(draw.integers(2**62)), threads)

    epochs()
    return lambda: tuple(t / EPOCHS for t in clocked(epochs))  # type: ignore[return-value]


def by_difference(fit: Callable[[int], Any]) -> Callable[[], tuple[float, float]]:
    """Time one epoch of a peer as the difference of two fits."""

    def seconds() -> tuple[float, float]:
        short, long = clocked(lambda: fit(1)), clocked(lambda: fit(1 + EPOCHS))
        return (long[0] - short[0]) / EPOCHS, (long[1] - short[1]) / EPOCHS

    return seconds


def clocked(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds on the clock and seconds of CPU time."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def peers(data: cofactor.Interactions, factors: int, threads: int) -> dict[str, Callable[[], tuple[float, float]]]:
    """Those of implicit and cornac that are installed."""
    found: dict[str, Callable[[], tuple[float, float]]] = {}
    settings = {"learning_rate": RATE, "num_threads": threads}
    try:
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        matrix = data.matrix()
        found["implicit"] = by_difference(
            lambda n: BayesianPersonalizedRanking(
                factors=factors, regularization=DECAY, iterations=n, random_state=1, **settings
            ).fit(matrix, show_progress=False)
        )
    except ImportError:
        pass
    try:
        import cornac

        triples = zip(data.user_rows.tolist(), data.item_rows.tolist(), np.ones(len(data)).tolist(), strict=True)
        known = cornac.data.Dataset.from_uir(list(triples))
        found["cornac"] = by_difference(
            lambda n: cornac.models.BPR(k=factors, max_iter=n, lambda_reg=DECAY, verbose=False, **settings).fit(known)
        )
    except ImportError:
        pass
    return found


def main() -> None:
    """Print one line of JSON for each of those compared."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    data = load_split("lightgcn-gowalla").train
    timers = {"cofactor": ours(data, asked.factors, asked.threads), **peers(data, asked.factors, asked.threads)}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in timers}
    for _ in range(asked.rounds):
        for name, timer in timers.items():
            times[name].append(timer())
    own = np.array(times["cofactor"])
    for name, rows in times.items():
        seconds = np.array(rows)
        print(json.dumps({
            "name": name, "factors": asked.factors, "threads": asked.threads, "draws": len(data),
            "seconds": round(float(np.median(seconds[:, 0])), 4), "cpu_seconds": round(float(np.median(seconds[:, 1])), 4),
            "ratio": round(float(np.median(seconds[:, 0] / own[:, 0])), 2),
            "cpu_ratio": round(float(np.median(seconds[:, 1] / own[:, 1])), 2),
            "load": round(os.getloadavg()[0], 1),
        }))  # fmt: skip


if __name__ == "__main__":
    main()
