"""A log of string events larger than the memory limit into sorted, numbered, merged arrays: CPU
seconds and peak memory of `cofactor shard`, Polars' streaming engine, Ray Data's sort alone, and of
Cofactor's reader in memory, one after the other in one run.

    python benchmarks/shards.py make FILE [--events 20000000]
    python benchmarks/shards.py run FILE [--sides shard-2GB,shard-700MB,polars,ray,memory]
    python benchmarks/shards.py use FILE [--factors 16] [--epochs 2] [--users 0.001]
        [--memory 2GB] [--lists 0] [--limit GIB]

Each side runs in a process of its own; CPU seconds are those of the process and all below it, and
the peak is their summed proportional set size (PSS), both looked at three times a second; what of
it lies in no file ("anonymous") is what can't be dropped when memory is short. Polars
and Ray Data are given the same task in their own words: distinct ids in ascending order, int32
rows, the last event of a pair by time and position, sorted; Ray Data only sorts. A side that fails
is shown with its exit code.

`use` then does with the shards what one does with a source, by the commands: implicit ALS is
trained on all users but some, on whom it is measured, and all others, or so many of them, get ten
recommendations. With `--limit` (Linux, as root) all of it runs in a memory cgroup of so many GiB,
in which pages of files count too."""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 1_000_000


def make(file: Path, events: int, seed: int = 0) -> None:
    """A log in order of time: user and item strings, values 1 to 5, seconds."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    draw = np.random.default_rng(seed)
    n_users, n_items = max(10, events // 10), max(10, events // 100)
    schema = pa.schema(
        [("user", "string"), ("item", "string"), ("value", "float"), ("time", "int64")]
    )
    with pq.ParquetWriter(file, schema) as writer:
        for start in range(0, events, BATCH):
            n = min(BATCH, events - start)
            users = (n_users * draw.random(n) ** 2).astype(np.int64)
            items = (n_items * draw.random(n) ** 3).astype(np.int64)
            columns = {
                "user": named("u", users),
                "item": named("i", items),
                "value": draw.integers(1, 6, n).astype(np.float32),
                "time": 1_500_000_000 + (start + np.arange(n)) // 4,
            }
            writer.write_table(pa.table(columns, schema=schema))


def named(letter: str, numbers: np.ndarray) -> Any:
    """Ids of a letter and ten digits, which hash the number: neighbours in the order of ids aren't
    neighbours in the log.
    """
    import pyarrow as pa
    from pyarrow import compute as pc

    digits = pa.array(numbers * 2654435761 % 4294967291).cast(pa.string())
    return pc.binary_join_element_wise(letter, pc.utf8_lpad(digits, 10, "0"), "")


def side_shard(file: str, out: Path, memory: str) -> int:
    from cofactor.data.readers.sharded import shard

    size = {"2GB": 2_000_000_000, "700MB": 700_000_000, "3GB": 3_000_000_000}[memory]
    return len(shard([file], out / "shards", memory=size))


def side_memory(file: str, out: Path) -> int:
    from cofactor.data.interactions import Interactions
    from cofactor.data.readers import read

    return len(Interactions.build(read(file)))


def side_polars(file: str, out: Path) -> int:
    import polars as pl

    log = pl.scan_parquet(file).with_row_index("position")
    numbered = {}
    for side in ("user", "item"):
        ids = log.select(side).unique().sort(side).collect(engine="streaming")
        numbered[side] = ids.with_row_index(f"{side}_row").lazy()
        ids.write_parquet(out / f"{side}.parquet")
    rows = log.join(numbered["user"], on="user").join(numbered["item"], on="item")
    last = (
        rows.sort("time", "position")
        .group_by("user_row", "item_row")
        .agg(pl.col("value").last(), pl.col("time").last(), pl.col("position").last())
        .sort("user_row", "item_row")
    )
    last.sink_parquet(out / "sorted.parquet")
    return pl.scan_parquet(out / "sorted.parquet").select(pl.len()).collect().item()


def side_ray(file: str, out: Path) -> int:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=2 << 30)
    ray.data.DataContext.get_current().enable_progress_bars = False
    ray.data.read_parquet(file).sort(["user", "item"]).write_parquet(str(out / "sorted"))
    return 0


def run(file: str, sides: list[str], python: dict[str, str]) -> None:
    for side in sides:
        with tempfile.TemporaryDirectory(dir=Path(file).parent) as folder:
            words = [python.get(side, sys.executable), __file__, "side", file, side, folder]
            facts, said = measured(words)
            kept = {} if "failed" in facts else {"kept": int(said.split()[-1])}
            print(json.dumps({"side": side, **facts, **kept}), flush=True)


def confine(gib: float) -> None:
    """Let this process and those below it have so much memory, pages of files included."""
    first = Path("/sys/fs/cgroup/memory")
    limit = "memory.limit_in_bytes" if first.is_dir() else "memory.max"
    group = (first if first.is_dir() else first.parent) / f"cofactor-{os.getpid()}"
    group.mkdir()
    (group / limit).write_text(str(int(gib * 2**30)))
    (group / "cgroup.procs").write_text(str(os.getpid()))


def use(file: str, settings: argparse.Namespace) -> None:
    """Shard, train and measure, and recommend to everybody, each in a process of its own."""
    if settings.limit:
        confine(settings.limit)
    with tempfile.TemporaryDirectory(dir=Path(file).parent) as folder:
        shards, model, lists = (f"{folder}/{name}" for name in ("shards", "model", "lists.parquet"))
        learned = ("--set", f"factors={settings.factors}", "--set", f"epochs={settings.epochs}")
        measuring = ("--split", "users", "--test", str(settings.users), "--metrics", "ndcg@10")
        steps = {
            "shard": ("shard", file, "--out", shards, "--memory", settings.memory),
            "train": ("train", shards, "--model", "ials", "--no-refit", "--out", model),
            "recommend": ("recommend", model, "--all-users", "--out", lists),
        }
        steps["train"] += (*learned, *measuring)
        for step, words in steps.items():
            if step == "recommend" and settings.lists:
                asked = Path(folder) / "users.txt"
                asked.write_text("\n".join(some_users(model, settings.lists)))
                words = ("recommend", model, "--users", str(asked), "--out", lists)
            words = (sys.executable, "-m", "cofactor", *words, "--threads", "2")
            facts, _ = measured(list(words))
            print(json.dumps({"step": step, **facts}), flush=True)
        kept = json.loads((Path(model) / "manifest.json").read_text())
        print(json.dumps({"measured": kept["metrics"]}), flush=True)


def some_users(model: str, count: int) -> list[str]:
    """Users that a model was trained on, evenly over their order."""
    import cofactor

    users = cofactor.load(model).data.users
    return users.ids(np.linspace(0, len(users) - 1, count).astype(np.int64))


def measured(words: list[str]) -> tuple[dict[str, Any], bytes]:
    """Run a program; its CPU seconds, peak and seconds, or its exit code, and what it printed."""
    began = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, preexec_fn=keep_below)
    peak, ticks = [0, 0], {}
    thread = threading.Thread(target=watch, args=(process, peak, ticks), daemon=True)
    thread.start()
    said, _ = process.communicate()
    thread.join()
    if process.returncode:
        return {"failed": process.returncode}, said
    facts = {
        "cpu_s": round(sum(ticks.values()) / os.sysconf("SC_CLK_TCK"), 1),
        "peak_gib": round(peak[0] / 2**20, 2),
        "anonymous_gib": round(peak[1] / 2**20, 2),
        "wall_s": round(time.perf_counter() - began, 1),
    }
    return facts, said


def keep_below() -> None:
    """Let what a side starts stay below it: a process whose own parent has ended, such as Ray's
    workers and daemons, goes to this one and not to the system's first (Linux).
    """
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def watch(process: subprocess.Popen[bytes], peak: list[int], ticks: dict[int, int]) -> None:
    """The summed PSS and what of it lies in no file, in KiB, and each process' CPU ticks so far, of
    a side and all below it.
    """
    while process.poll() is None:
        parents, used = {}, {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    fields = (folder / "stat").read_text().rpartition(") ")[2].split()
                except OSError:
                    continue
                parents[int(folder.name)] = int(fields[1])
                used[int(folder.name)] = int(fields[11]) + int(fields[12])
        total = [0, 0]
        for pid in parents:
            above = pid
            while above and above != process.pid:
                above = parents.get(above, 0)
            if above:
                ticks[pid] = max(ticks.get(pid, 0), used[pid])
                try:
                    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
                    for n, name in enumerate(("Pss", "Pss_Anon")):
                        total[n] += int(text.split(f"\n{name}:")[1].split()[0])
                except (OSError, IndexError):
                    continue
        peak[:] = map(max, peak, total)
        time.sleep(0.3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("make", "run", "use", "side"))
    parser.add_argument("file")
    parser.add_argument("side", nargs="?")
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--sides", default="shard-2GB,shard-700MB,polars,ray,memory")
    parser.add_argument("--factors", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--users", default="0.001", help="The share of users held out by `use`.")
    parser.add_argument("--memory", default="2GB", help="The limit of `use`'s sharding.")
    parser.add_argument("--lists", type=int, default=0, help="Users that get lists; 0: all.")
    parser.add_argument("--limit", type=float, help="GiB of memory for all of `use`.")
    parser.add_argument("--ray-python", help="The Python of an environment that has Ray.")
    settings = parser.parse_args()
    if settings.what == "make":
        make(Path(settings.file), settings.events)
    elif settings.what == "run":
        python = {"ray": settings.ray_python} if settings.ray_python else {}
        run(settings.file, settings.sides.split(","), python)
    elif settings.what == "use":
        use(settings.file, settings)
    else:
        out = Path(settings.folder)
        name, _, more = settings.side.partition("-")
        made = globals()[f"side_{name}"](settings.file, out, *([more] if more else []))
        print(made, flush=True)
        shutil.rmtree(out / "shards", ignore_errors=True)


if __name__ == "__main__":
    main()
