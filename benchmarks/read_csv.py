"""Reading interactions from csv: Cofactor beside pandas' read_csv and factorize, time and peak memory.

    python benchmarks/read_csv.py --rows 25000000 --repeat 3

Each side runs in a fresh process, alternating. The rows are synthetic, of the shape of MovieLens 25M: grouped by user,
162,541 users, 59,047 items of skewed popularity, half stars, seconds. Peak memory is the process's high-water mark less
what it held after its imports.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

SIDES = ("cofactor-events", "cofactor-rows", "pandas")


def write(path: Path, rows: int, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    activity = np.cumsum(rng.lognormal(0, 1.3, 162_541))
    users = np.searchsorted(activity, np.sort(rng.random(rows)) * activity[-1]) + 1
    popularity = np.cumsum(1 / (np.arange(59_047) + 60.0))
    items = np.searchsorted(popularity, rng.random(rows) * popularity[-1]) * 3 + 1
    half_stars = rng.integers(1, 11, rows) / 2
    times = rng.integers(789_652_009, 1_574_327_703, rows)
    table = pa.table({"userId": users, "movieId": items, "rating": half_stars, "timestamp": times})
    csv.write_csv(table, path, csv.WriteOptions(quoting_style="none"))


def peak_bytes() -> int:
    """The process's own high-water mark; a child that was started by fork and exec keeps its parent's in ru_maxrss."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("peak memory is only measured on Linux")


def run_cofactor(path: str, *, rows: bool) -> int:
    from cofactor.data.readers import read

    events = read(path)
    if rows:
        from cofactor.data.interactions import Interactions

        return len(Interactions.build(events))
    return len(events)


def run_pandas(path: str) -> int:
    import pandas as pd

    frame = pd.read_csv(path)
    user_rows, _ = pd.factorize(frame["userId"])
    item_rows, _ = pd.factorize(frame["movieId"])
    assert len(user_rows) == len(item_rows)
    return len(frame)


def one(side: str, path: str) -> None:
    if side == "pandas":
        import pandas  # noqa: F401
    else:
        import cofactor.data.interactions
        import cofactor.data.readers  # noqa: F401
    before, began = peak_bytes(), time.perf_counter()
    count = run_pandas(path) if side == "pandas" else run_cofactor(path, rows=side == "cofactor-rows")
    print(json.dumps({"seconds": time.perf_counter() - began, "bytes": peak_bytes() - before, "rows": count}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=25_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--file", type=Path, help="a csv to read instead of a synthetic one")
    parser.add_argument("--side", choices=SIDES)
    asked = parser.parse_args()
    if asked.side:
        one(asked.side, str(asked.file))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = asked.file or Path(folder) / "ratings.csv"
        if not asked.file:
            write(path, asked.rows)
        found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
        for _ in range(asked.repeat):
            for side in SIDES:
                command = [sys.executable, __file__, "--side", side, "--file", str(path)]
                found[side].append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        print(f"{asked.rows:,} rows, {path.stat().st_size / 2**20:.0f} MiB, Python {platform.python_version()}")
        for side, runs in found.items():
            seconds = statistics.median(run["seconds"] for run in runs)
            memory = statistics.median(run["bytes"] for run in runs) / 2**20
            print(f"{side:>16}: {seconds:6.2f} s, {memory:6.0f} MiB at the peak")


if __name__ == "__main__":
    main()
