"""RMSE and MAE of the rating models on published folds: ml-100k's u1..u5, and five folds of ml-1m.

    python benchmarks/accuracy_ratings.py [--data ml-100k ml-1m] [--models bias biased_mf svdpp]
    [--threads 1] [--seed 0] python benchmarks/accuracy_ratings.py --data ml-1m --models biased_mf
    --set factors=64 epochs=20 [--tune]

Fold k of ml-1m is tested on ``folds/test_1mk`` and trained on the other four. Predictions are cut
to the scale. The settings are the models' presets for the data (``PRESETS`` beside each model),
which were chosen on a tenth of fold 1's training part: ``--tune`` holds that tenth out and reports
it, and never opens a test part. Needs COFACTOR_DATA."""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
import os
import platform
import time
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models import registry

Triples = tuple[np.ndarray, np.ndarray, np.ndarray]
SIZES = {"ml-100k": (943, 1682), "ml-1m": (6040, 3952)}


@cache
def read(name: str) -> Triples:
    """User rows, item rows and ratings of one published file; ids count from 1."""
    path = Path(os.environ["COFACTOR_DATA"]) / name
    delimiter = "," if "1m" in name else "\t"
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        table = np.array([line.split(delimiter)[:3] for line in file], np.float32)
    return (table[:, 0] - 1).astype(np.int32), (table[:, 1] - 1).astype(np.int32), table[:, 2]


def fold(data: str, k: int) -> tuple[Triples, Triples]:
    """Training and test part of one fold."""
    if data == "ml-100k":
        return read(f"ml-100k/u{k}.base"), read(f"ml-100k/u{k}.test")
    parts = {n: read(f"ml-1m/folds/test_1m{n}.dat.gz") for n in range(1, 6)}
    others = [parts[n] for n in parts if n != k]
    joined = tuple(np.concatenate([part[column] for part in others]) for column in range(3))
    return (joined[0], joined[1], joined[2]), parts[k]


def tuning_part(data: str) -> tuple[Triples, Triples]:
    """Fold 1's training part, a tenth of it held out."""
    train = fold(data, 1)[0]
    shuffled = np.random.default_rng(0).permutation(len(train[0]))
    cut = len(shuffled) // 10
    kept, held = shuffled[cut:], shuffled[:cut]
    return (train[0][kept], train[1][kept], train[2][kept]), (
        train[0][held],
        train[1][held],
        train[2][held],
    )


def measure(
    name: str, data: str, settings: dict[str, Any], parts: tuple[Triples, Triples], run: Run
) -> tuple[float, ...]:
    """RMSE, MAE and seconds of fitting."""
    (users, items, values), (asked_users, asked_items, truth) = parts
    n_users, n_items = SIZES[data]
    train = Interactions.from_rows(users, items, values, users=n_users, items=n_items)
    model = registry.create(name, **settings)
    began = time.perf_counter()
    model.fit(train, run=run)
    seconds = time.perf_counter() - began
    error = (truth - model.predict_rows(asked_users, asked_items)).astype(np.float64)
    return float(np.sqrt(np.mean(error**2))), float(np.mean(np.abs(error))), seconds


def preset(name: str, data: str) -> dict[str, Any]:
    """The model's settings for this data."""
    module = importlib.import_module(registry.get(name).__module__)
    found: dict[str, Any] = getattr(module, "PRESETS", {}).get(data, {})
    return dict(found)


def main() -> None:
    """Print one line of JSON per model and data set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--models", nargs="+", default=["bias", "biased_mf", "svdpp"])
    parser.add_argument(
        "--set", nargs="*", default=[], help="settings beside the preset, NAME=VALUE"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--tune", action="store_true", help="report a held-out tenth of fold 1's training part only"
    )
    asked = parser.parse_args()
    run = Run(seed=asked.seed, threads=asked.threads)
    for data in asked.data:
        for name in asked.models:
            config = registry.get(name).Config
            chosen = config.from_text(asked.set).to_dict()
            named = {word.partition("=")[0] for word in asked.set}
            settings = {**preset(name, data), **{k: v for k, v in chosen.items() if k in named}}
            folds = [tuning_part(data)] if asked.tune else (fold(data, k) for k in range(1, 6))
            rows = np.array([measure(name, data, settings, parts, run) for parts in folds])
            line = {
                "model": name,
                "data": data,
                "part": "tuning" if asked.tune else "test folds",
                "rmse": round(float(rows[:, 0].mean()), 5),
                "mae": round(float(rows[:, 1].mean()), 5),
                "rmse_by_fold": [round(float(r), 5) for r in rows[:, 0]],
                "seconds_per_fit": round(float(np.median(rows[:, 2])), 2),
                "settings": config(**settings).to_dict(),
                "seed": asked.seed,
                "threads": asked.threads,
                "versions": {p: version(p) for p in ("numpy", "numba")},
                "python": platform.python_version(),
            }
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
