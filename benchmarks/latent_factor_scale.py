"""An epoch of LatentFactor on 20 million synthetic ratings: time, memory, and the data path's share
of a step.

    python benchmarks/latent_factor_scale.py [--ratings 20000000] [--batch 65536] [--threads 2]
    [--optimizer adam] [--epochs 1]

162,541 users, 56,642 items (the sizes of MovieLens 25M), 100 factors. Users and items are drawn by
a power law, so the batches meet popular rows as real ones do. The data path is what `Batches`
costs: the epoch's order, and picking users, items and targets."""

from __future__ import annotations

import argparse
import json
import platform
import resource
import time

import numpy as np
import torch

from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.neural import fitting
from cofactor.models.neural.latent_factor import LatentFactor

N_USERS, N_ITEMS, FACTORS = 162_541, 56_642, 100


def main() -> None:
    options = _options()
    data = synthetic(options.ratings)
    model = LatentFactor(
        factors=FACTORS,
        epochs=options.epochs,
        batch_size=options.batch,
        optimizer=options.optimizer,
        sparse=options.sparse,
        learning_rate=0.01,
    )
    run = Run(seed=0, threads=options.threads, device=options.device)
    before = _peak()
    began = time.perf_counter()
    model.fit(data, run=run)
    fit = time.perf_counter() - began
    epoch = float(np.median(model.curve.seconds))
    path = data_path(data, model, run)
    found = {
        "users": N_USERS,
        "items": N_ITEMS,
        "factors": FACTORS,
        **vars(options),
        "ratings": len(data),
        "epoch_s": round(epoch, 1),
        "fit_s": round(fit, 1),
        "data_path_s": round(path, 2),
        "data_path_share": round(path / epoch, 4),
        "peak_gib_before_fit": round(before, 2),
        "peak_gib": round(_peak(), 2),
        "loss": model.curve.loss,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.processor() or platform.machine(),
    }
    print(json.dumps(found))


def synthetic(count: int) -> Interactions:
    """Distinct pairs by a power law on both sides, with ratings 1..5 that a low-rank taste and
    noise make.
    """
    rng = np.random.default_rng(0)
    keys = np.zeros(0, np.int64)
    while len(keys) < count:
        more = int((count - len(keys)) * 1.3) + 1000
        users = (N_USERS * rng.random(more) ** 1.7).astype(np.int64)
        items = (N_ITEMS * rng.random(more) ** 2.5).astype(np.int64)
        keys = np.unique(np.concatenate((keys, users * N_ITEMS + items)))
    keys = np.sort(rng.choice(keys, count, replace=False))
    users, items = keys // N_ITEMS, keys % N_ITEMS
    p, q = (
        rng.standard_normal((N_USERS, 4)).astype(np.float32),
        rng.standard_normal((N_ITEMS, 4)).astype(np.float32),
    )
    taste = np.zeros(count, np.float32)
    for k in range(4):
        taste += p[users, k] * q[items, k]
    values = np.clip(np.rint(3.5 + 0.4 * taste + 0.8 * rng.standard_normal(count)), 1, 5).astype(
        np.float32
    )
    return Interactions.from_rows(users, items, values, users=N_USERS, items=N_ITEMS)


def data_path(data: Interactions, model: LatentFactor, run: Run) -> float:
    """Seconds of an epoch's batches alone, without any step; the best of two."""
    torch.set_num_threads(run.n_threads)
    device = fitting.device_of(run)
    batches = fitting.examples(data, model.config, run, device, 0.0, model.name)
    best = float("inf")
    for number in range(2):
        began = time.perf_counter()
        for batch in batches.epoch(number):
            assert len(batch) == 3
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - began)
    return best


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ratings", type=int, default=20_000_000)
    parser.add_argument("--batch", type=int, default=65_536)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--optimizer", default="adam")
    parser.add_argument("--sparse", default="auto")
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
