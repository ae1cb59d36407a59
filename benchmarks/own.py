"""Cases without a peer: what the machine can do, start-up, scale, and whether threads change a
result.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.case import Entrant
from benchmarks.datasets import NoData, home_of, prepared
from benchmarks.driver import ROOT, Failed, Process, Settings, _pin, surroundings
from benchmarks.quality import measured

COLD, WARM = 15.0, 3.0
PEAK = 8 * 2**30


def bounds(settings: Settings) -> dict[str, Any]:
    """The machine's bounds with one thread and with as many as the cases have, in processes of
    their own.
    """
    found = []
    for threads in sorted({1, settings.threads}):
        words = [sys.executable, "-m", "benchmarks.machine", str(threads)] + (
            ["--quick"] if settings.quick else []
        )
        found.append(json.loads(_output(words, Settings(**{**vars(settings), "threads": threads}))))
    return {"task": "what the machine can do at best", "bounds": found}


def startup(settings: Settings) -> dict[str, Any]:
    """``cofactor train`` in a new process: with an empty cache of kernels, and with a full one."""
    source = "few.csv" if settings.quick else "ml-100k"
    if not settings.quick:
        home_of("ml-100k")
    rows = []
    for model in ("ials",) if settings.quick else ("ials", "bpr", "popularity"):
        entrant = Entrant(
            "cofactor", "ours:CommandLine", settings={"source": source, "model": model}
        )
        side = Process(entrant, None, settings)
        try:
            cold = side.ask(do="run")["seconds"]
            warm = [side.ask(do="run")["seconds"] for _ in range(min(3, settings.rounds))]
        finally:
            side.close()
        rows.append(
            {"model": model, "cold": cold, "warm": statistics.median(warm), "bars": [COLD, WARM]}
        )
    return {"task": f"cofactor train {source}, all in all, seconds", "startup": rows}


def threads(settings: Settings) -> dict[str, Any]:
    """The same fit twice on one thread, and on several: the same bits, or the same quality."""
    rows = []
    for model, extra in (("ials", {"epochs": 5}), ("bpr", {"epochs": 10}), ("warp", {"epochs": 4})):
        path = prepared("gowalla", settings.work, quick=settings.quick)
        with np.load(path) as file:
            data = dict(file)
        results, figures = [], []
        for count in (1, 1, settings.threads):
            entrant = Entrant("cofactor", "ours:Model", settings={"model": model, "set": extra})
            side = Process(entrant, path, Settings(**{**vars(settings), "threads": count}))
            try:
                side.ask(do="run")
                with tempfile.TemporaryDirectory() as folder:
                    side.ask(do="result", to=str(Path(folder) / "r.npz"))
                    with np.load(Path(folder) / "r.npz") as file:
                        results.append(dict(file))
            finally:
                side.close()
            figures.append(measured("ndcg@20", data, results[-1], settings.threads))
        same = all(np.array_equal(results[0][name], results[1][name]) for name in results[0])
        on_more = all(np.array_equal(results[0][name], results[2][name]) for name in results[0])
        rows.append(
            {
                "model": model,
                "one_thread_repeats": same,
                "threads_change_nothing": on_more,
                "ndcg@20": figures[0],
                "ndcg@20_threads": figures[2],
            }
        )
    return {"task": f"the same seed again on 1 thread, and on {settings.threads}", "threads": rows}


def scale(settings: Settings) -> dict[str, Any]:
    """Read, split, train, evaluate and write 25 million interactions, in one process, and what
    it took.
    """
    from benchmarks.csv_file import write_interactions
    from cofactor.data.synthetic.shapes import power_law

    n = 200_000 if settings.quick else 25_000_000
    shape = (2_000, 900) if settings.quick else (162_541, 56_642)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.csv"
        write_interactions(path, power_law(*shape, n, seed=0))
        words = [sys.executable, "-m", "benchmarks.scale", str(path), folder, str(settings.threads)]
        found = json.loads(_output(words, settings))
    return {
        "task": f"{n:,} interactions: read, split, iALS of 64 factors, evaluate, write",
        "scale": {**found, "bar": PEAK},
    }


OWN: dict[str, Callable[[Settings], dict[str, Any]]] = {
    "bounds": bounds,
    "startup": startup,
    "threads": threads,
    "scale": scale,
}


def run_own(name: str, settings: Settings) -> dict[str, Any]:
    """Run one of `OWN`."""
    began = time.perf_counter()
    found: dict[str, Any] = {"case": name, "load": list(os.getloadavg())}
    try:
        found |= OWN[name](settings)
    except (NoData, Failed) as error:
        found["failed"] = str(error)
    found["took"] = time.perf_counter() - began
    return found


def shares(found: list[dict[str, Any]], settings: Settings) -> list[dict[str, Any]]:
    """What share of the machine's bounds the iALS and BPR epochs of a run reach, where both were
    run.
    """
    from benchmarks.machine import bpr_work, ials_work

    by_name = {one["case"]: one for one in found}
    if not by_name.get("bounds", {}).get("bounds") or settings.quick:
        return []
    best = by_name["bounds"]["bounds"][-1]
    rows = []
    for name in ("ials-64", "ials-128", "ials-256", "bpr"):
        entrants = by_name.get(name, {}).get("entrants")
        if not entrants or not entrants[0]["seconds"]:
            continue
        with np.load(prepared("gowalla", settings.work)) as file:
            n_users, n_items, n = (
                len(file["train_indptr"]) - 1,
                int(file["n_items"]),
                len(file["train_items"]),
            )
        factors = 64 if name == "bpr" else int(name.split("-")[1])
        work = bpr_work(n, factors) if name == "bpr" else ials_work(n_users, n_items, n, factors)
        seconds = statistics.median(entrants[0]["seconds"])
        rows.append(
            {
                "case": name,
                "seconds": seconds,
                **work,
                "share_of_flops": work["flops"] / seconds / best["flops"],
                "share_of_gather": work["bytes"] / seconds / best["gather"],
            }
        )
    return rows


def _output(words: list[str], settings: Settings) -> str:
    surround = surroundings(Entrant("cofactor", ""), settings.threads)
    done = subprocess.run(
        words,
        cwd=ROOT,
        env=surround,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_pin(settings),
    )
    if done.returncode:
        raise Failed(done.stderr[-600:])
    return done.stdout
