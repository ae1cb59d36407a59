"""Implicit ALS in one process, in shards in this process, and on Ray with some workers of this
machine: CPU seconds an epoch, peak memory, and the SHA-256 of both sides' vectors.

    python benchmarks/cluster.py [--n 25000000] [--users 162541] [--items 56642] [--workers 2]
        [--sides one,local,ray] [--rounds 1] [--data FILE]

Each side runs in a process of its own, which looks at CPU seconds after its second epoch and after
its last, so that starting up isn't in them. They are those of the process and all below it (Ray's
daemons and workers too), the peak is their summed proportional set size (PSS)."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cofactor.base.progress import SilentProgress

FEW, EPOCHS = 2, 8


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
    engine: Any = None
    if settings.side == "local":
        engine = Local()
    elif settings.side == "ray":
        from cofactor.engines.ray import RayEngine

        engine = RayEngine(workers=settings.workers)
    looks = Looks()
    model = IALS(factors=settings.factors, epochs=EPOCHS)
    model.fit(data, run=Run(seed=0, threads=1, engine=engine, progress=looks))
    whole = model.user_factors.tobytes() + model.item_factors.tobytes()
    before, after = looks.spent[FEW], looks.spent[EPOCHS]
    an_epoch = {who: (after[who] - before.get(who, 0)) / (EPOCHS - FEW) for who in after}
    facts = {
        "cpu_s_an_epoch": round(sum(an_epoch.values()), 3),
        "whose": {who: round(cpu, 3) for who, cpu in an_epoch.items() if cpu >= 0.005},
        "sha": hashlib.sha256(whole).hexdigest()[:12],
    }
    print(json.dumps(facts))
    if engine is not None:
        engine.close()


class Looks(SilentProgress):
    """Looks at CPU seconds after some epochs; a callback would have the model solved for it."""

    def __init__(self) -> None:
        self.spent: dict[int, dict[str, float]] = {}

    @contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Any]:
        yield self

    def advance(self, steps: int = 1, **facts: Any) -> None:
        if facts.get("epoch") in (FEW, EPOCHS):
            self.spent[facts["epoch"]] = cpu_seconds()


def cpu_seconds() -> dict[str, float]:
    """CPU seconds of this process and all below it, by kind: Ray's workers and daemons have
    names.
    """
    parents, ticks, names = {}, {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(") ")[2].split()
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            pid = int(folder.name)
            parents[pid], ticks[pid] = int(fields[1]), int(fields[11]) + int(fields[12])
            names[pid] = next((w for w in map(bytes.decode, words) if "ray" in w), "other")
    found: dict[str, float] = {}
    for pid in parents:
        above = pid
        while above and above != os.getpid():
            above = parents.get(above, 0)
        if above:
            name = names[pid].rpartition("/")[2]
            who = "this process" if pid == above else "workers" if "ray::" in name else name
            found[who] = found.get(who, 0.0) + ticks[pid] / os.sysconf("SC_CLK_TCK")
    return found


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
    return {**json.loads(said), "cpu_s": round(cpu, 1), "peak_gib": round(peak[0] / 2**20, 2)}


def compare(settings: argparse.Namespace) -> None:
    """Print a line for each side and round."""
    own = ["--users", "--items", "--factors", "--workers", "--data"]
    if not Path(settings.data).exists():
        make(settings)
    same = [word for name in own for word in (name, str(getattr(settings, name[2:])))]
    for number in range(settings.rounds):
        for side in settings.sides.split(","):
            found = measured([*same, "--side", side])
            load = round(os.getloadavg()[0], 1)
            print(json.dumps({"round": number, "side": side, **found, "load": load}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=25_000_000)
    parser.add_argument("--users", type=int, default=162_541)
    parser.add_argument("--items", type=int, default=56_642)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sides", default="one,local,ray")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--side")
    parser.add_argument("--data", help="A file to keep the pairs in, or that has them (.npz).")
    settings = parser.parse_args()
    if settings.side:
        fit(settings)
        return
    with tempfile.TemporaryDirectory() as folder:
        settings.data = settings.data or f"{folder}/pairs.npz"
        compare(settings)


if __name__ == "__main__":
    main()
