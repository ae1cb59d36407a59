"""Implicit ALS in one process, in shards in this process, and on Ray with some workers of this
machine: CPU seconds an epoch, peak memory, and the SHA-256 of both sides' vectors.

    python benchmarks/cluster.py [--n 25000000] [--users 162541] [--items 56642] [--workers 2]
        [--sides one,local,ray] [--rounds 1]

Each side runs in a process of its own with few epochs and with more; an epoch costs the difference
by epochs, so that starting up isn't in it. CPU seconds are those of the process and all below it
(Ray's daemons and workers too), the peak is their summed proportional set size (PSS)."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

FEW, MORE = 2, 8


def fit(settings: argparse.Namespace) -> None:
    """Fit once, and print what came out."""
    from cofactor.base.engine import Local
    from cofactor.base.run import Run
    from cofactor.data.interactions import Interactions
    from cofactor.models.implicit.ials import IALS

    pairs = np.load(settings.data)
    data = Interactions.from_rows(
        pairs["users"], pairs["items"], users=settings.users, items=settings.items
    )
    _ = data.by_item
    engine: Any = None
    if settings.side == "local":
        engine = Local()
    elif settings.side == "ray":
        from cofactor.engines.ray import RayEngine

        engine = RayEngine(workers=settings.workers)
    began = time.perf_counter()
    model = IALS(factors=settings.factors, epochs=settings.epochs)
    model.fit(data, run=Run(seed=0, threads=1, engine=engine))
    seconds = time.perf_counter() - began
    whole = model.user_factors.tobytes() + model.item_factors.tobytes()
    print(json.dumps({"fit_s": round(seconds, 2), "sha": hashlib.sha256(whole).hexdigest()[:12]}))
    if engine is not None:
        engine.close()


def make(settings: argparse.Namespace) -> None:
    """Draw the pairs once, so that no fit's cost holds it."""
    from cofactor.data.synthetic.shapes import power_law

    data = power_law(settings.users, settings.items, settings.n, rated=False, seed=1)
    np.savez(settings.data, users=data.user_rows, items=data.item_rows)


def measured(words: list[str]) -> dict[str, Any]:
    """Run this script for one fit; what it printed, its CPU seconds and its peak."""
    sys.path.insert(0, str(Path(__file__).parent))
    from shards import watch

    process = subprocess.Popen([sys.executable, __file__, *words], stdout=subprocess.PIPE)
    peak, ticks = [0], {}
    thread = threading.Thread(target=watch, args=(process, peak, ticks), daemon=True)
    thread.start()
    said, _ = process.communicate()
    thread.join()
    if process.returncode:
        raise SystemExit(process.returncode)
    cpu = sum(ticks.values()) / os.sysconf("SC_CLK_TCK")
    return {**json.loads(said), "cpu_s": cpu, "peak_gib": round(peak[0] / 2**20, 2)}


def compare(settings: argparse.Namespace) -> None:
    """Print a line for each side and round."""
    own = ["--users", "--items", "--factors", "--workers", "--data"]
    make(settings)
    same = [word for name in own for word in (name, str(getattr(settings, name[2:])))]
    for number in range(settings.rounds):
        for side in settings.sides.split(","):
            few, more = (
                measured([*same, "--side", side, "--epochs", str(epochs)]) for epochs in (FEW, MORE)
            )
            line = {
                "round": number,
                "side": side,
                "cpu_s_an_epoch": round((more["cpu_s"] - few["cpu_s"]) / (MORE - FEW), 2),
                "cpu_s_with_start": round(more["cpu_s"], 1),
                "peak_gib": more["peak_gib"],
                "sha": more["sha"],
                "load": round(os.getloadavg()[0], 1),
            }
            print(json.dumps(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=25_000_000)
    parser.add_argument("--users", type=int, default=162_541)
    parser.add_argument("--items", type=int, default=56_642)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sides", default="one,local,ray")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=MORE)
    parser.add_argument("--side")
    parser.add_argument("--data")
    settings = parser.parse_args()
    if settings.side:
        fit(settings)
        return
    with tempfile.TemporaryDirectory() as folder:
        settings.data = f"{folder}/pairs.npz"
        compare(settings)


if __name__ == "__main__":
    main()
