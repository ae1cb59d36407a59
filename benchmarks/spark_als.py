"""Implicit ALS beside Spark MLlib's on the same two cores and the same interactions: CPU seconds an
iteration, and nDCG@10 on the same held-out part.

    python benchmarks/spark_als.py [--data ml-1m] [--factors 64] [--iterations 10] [--threads 2]
        [--memory 4g] [--envs DIR] [--rounds 3]

Needs Java 17 or later; Spark's environment is made when it is missing. ``--data synthetic`` is 5
million drawn interactions of 80,000 users and 20,000 items.

Both minimise the same objective. Spark weighs an observed pair by 1 + a against 1 for all others
and regularizes a vector by l times its number of interactions; that is ours with an unobserved
weight of 1 / a, a regularization of l / (1 + a) and no share of unobserved pairs in it, but for the
length of all vectors. a and l are chosen for each by nDCG@10 on a tenth of the training part, from
the same grid; the held-out part is looked at once. CPU seconds are those of the process and all
that it started (the Java machine), an iteration those of a fit of all iterations less one of two,
over the difference; a fit before is thrown away, for what is compiled in it."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.case import Entrant  # noqa: E402  # where this file is run by its path
from benchmarks.datasets import interactions, parts, prepared  # noqa: E402
from benchmarks.driver import Process, Settings  # noqa: E402

FEW = 2
ALPHAS, REGULARIZATIONS = (0.5, 1.0, 2.5, 10.0), (0.003, 0.01, 0.03, 0.1)  # the latter as ours
METRIC = "ndcg@10"


def ours(alpha: float, regularization: float, factors: int, blocks: int) -> dict[str, Any]:
    """Return our settings."""
    return {
        "model": "ials",
        "set": {
            "factors": factors,
            "unobserved_weight": 1 / alpha,
            "regularization": regularization,
            "unobserved_regularization": 0.0,
        },
    }


def sparks(alpha: float, regularization: float, factors: int, blocks: int) -> dict[str, Any]:
    """Return Spark's settings for the same objective."""
    learned = {"rank": factors, "alpha": alpha, "regParam": regularization * (1 + alpha)}
    return {"blocks": blocks, "set": learned}


SIDES = {
    "cofactor": (Entrant("cofactor", "ours:Model"), ours),
    "spark": (Entrant("pyspark", "peers.spark_side:ALS", "spark"), sparks),
}


class Measured:
    """A side in its process, made again for each data and setting."""

    def __init__(self, name: str, process: Process, options: argparse.Namespace) -> None:
        self.process, self.options = process, options
        self.entrant, self.settings = SIDES[name]

    def make(self, data: Path, alpha: float, regularization: float, blocks: int = 2) -> None:
        """Take some data and settings."""
        made = self.settings(alpha, regularization, self.options.factors, blocks)
        self.process.ask(
            do="make",
            target=f"benchmarks.{self.entrant.target}",
            data=str(data),
            settings={**made, "memory": self.options.memory},
            threads=self.options.threads,
        )

    def fit(self, iterations: int) -> dict[str, float]:
        """Fit, and return the seconds."""
        found: dict[str, float] = self.process.ask(do="run", step=iterations)
        return found

    def an_iteration(self) -> dict[str, float]:
        """Return the seconds of an iteration."""
        many = self.options.iterations
        short, long = self.fit(FEW), self.fit(many)
        return {name: (long[name] - short[name]) / (many - FEW) for name in ("cpu", "seconds")}


@contextmanager
def started(name: str, data: Path, options: argparse.Namespace) -> Iterator[Measured]:
    """Start a side's process."""
    entrant, settings = SIDES[name]
    first = settings(ALPHAS[0], REGULARIZATIONS[0], options.factors, 2)
    how = Settings(threads=options.threads, envs=options.envs)
    process = Process(entrant, data, how, {**first, "memory": options.memory})
    try:
        yield Measured(name, process, options)
    finally:
        process.close()


def chosen(side: Measured, data: Path, arrays: dict[str, np.ndarray]) -> tuple[float, float]:
    """Return the settings of the grid with the best lists of the validation part."""
    found = {}
    for pair in product(side.options.alphas, REGULARIZATIONS):
        side.make(data, *pair)
        cpu = side.fit(side.options.iterations)["cpu"]
        found[pair] = side.process.quality(METRIC, arrays) or 0.0
        line = {"validation": pair, METRIC: round(found[pair], 4), "cpu_s": round(cpu, 2)}
        print(json.dumps(line), flush=True)
    return max(found, key=lambda pair: found[pair])


def measured(name: str, files: dict[str, Path], options: argparse.Namespace) -> dict[str, Any]:
    """Choose, then measure once."""
    arrays = {part: dict(np.load(file)) for part, file in files.items()}
    with started(name, files["validation"], options) as side:
        pair = tuple(options.setting or chosen(side, files["validation"], arrays["validation"]))
        tried = {}
        for blocks in options.blocks if name == "spark" else (2,):
            side.make(files["test"], *pair, blocks)
            side.fit(FEW)
            tried[blocks] = side.an_iteration()["cpu"]
            print(json.dumps({"side": name, "blocks": blocks, "cpu_s": tried[blocks]}), flush=True)
        best = min(tried, key=lambda blocks: tried[blocks])
        side.make(files["test"], *pair, best)
        side.fit(FEW)
        rounds = [side.an_iteration() for _ in range(options.rounds)]
        quality = side.process.quality(METRIC, arrays["test"]) or 0.0
    return {
        "side": name,
        "alpha, regularization": pair,
        "cpu_s_an_iteration": round(statistics.median(r["cpu"] for r in rounds), 4),
        "from_to": [round(pick(r["cpu"] for r in rounds), 4) for pick in (min, max)],
        "s_an_iteration": round(statistics.median(r["seconds"] for r in rounds), 4),
        METRIC: round(quality, 4),
        "by_blocks": {str(blocks): round(cpu, 3) for blocks, cpu in tried.items()},
        "load": round(os.getloadavg()[0], 1),
    }


def written(name: str, folder: Path) -> dict[str, Path]:
    """Write the parts, and those of the training part."""
    from cofactor.data.splits import split
    from cofactor.data.synthetic.shapes import power_law

    if name == "synthetic":
        whole = power_law(80_000, 20_000, 5_000_000, rated=False, seed=1)
        test = parts(split(whole, "per-user", test=0.1, seed=1))
    else:
        with np.load(prepared(name, folder)) as file:
            test = dict(file)
    inner = parts(split(interactions(test), "per-user", test=0.1, seed=2))
    files = {}
    for part, arrays in (("validation", inner), ("test", test)):
        files[part] = folder / f"{part}.npz"
        np.savez(files[part], **arrays)
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="ml-1m", choices=("ml-1m", "gowalla", "synthetic"))
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", default="4g", help="Of Spark's driver.")
    parser.add_argument("--envs", type=Path, default=ROOT / ".bench-envs")
    parser.add_argument("--sides", default="cofactor,spark")
    parser.add_argument("--alphas", type=float, nargs="+", default=ALPHAS, help="Of the grid.")
    blocks = "Of Spark's users and items; 10 are its default. The fastest is measured."
    parser.add_argument("--blocks", type=int, nargs="+", default=(2, 10), help=blocks)
    setting = "Alpha and regularization of both, instead of choosing."
    parser.add_argument("--setting", type=float, nargs=2, help=setting)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = written(options.data, Path(folder))
        for name in options.sides.split(","):
            print(json.dumps(measured(name, files, options)), flush=True)


if __name__ == "__main__":
    main()
