"""One process from a csv to a saved model and recommendations, with the seconds and the peak memory
of each step.

python -m benchmarks.scale FILE FOLDER THREADS
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.side import forget_peak, memory
from cofactor.artifact.save import save
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.readers import read
from cofactor.data.splits import split
from cofactor.evaluation.evaluate import evaluate
from cofactor.models.implicit.ials import IALS
from cofactor.runs.recommend import recommend_all

EPOCHS = 4


def main() -> None:
    path, folder, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    steps: list[dict[str, Any]] = []
    base = memory("VmHWM")
    step = partial(_step, steps)
    run = Run(seed=0, threads=threads)
    with step("read"):
        events = read(path)
    with step("rows"):
        data = Interactions.build(events)
        del events
    with step("split"):
        cut = split(data, "per-user", test=0.1, seed=0)
        n = len(data)
        del data
    with step(f"fit, {EPOCHS} epochs"):
        model = IALS(factors=64, epochs=EPOCHS).fit(cut.train, run=run)
    with step("evaluate, all users"):
        result = evaluate(model, cut, "ndcg@20,recall@20", run=run, resamples=0)
    with step("save"):
        save(model, folder / "model")
    with step("recommend to all, into a file"):
        recommend_all(model, folder / "recommendations.parquet", 10, run=run)
    files = (folder / "model").rglob("*")
    found = {
        "interactions": n,
        "steps": steps,
        "peak": max(s["peak"] for s in steps),
        "imports": base,
        "seconds": sum(s["seconds"] for s in steps),
        "ndcg@20": result["ndcg@20"],
        "users": result.n_users,
        "model_bytes": sum(f.stat().st_size for f in files if f.is_file()),
    }
    print(json.dumps(found))


@contextmanager
def _step(steps: list[dict[str, Any]], name: str) -> Iterator[None]:
    forget_peak()
    began = time.perf_counter()
    yield
    found = {"step": name, "seconds": time.perf_counter() - began}
    steps.append({**found, "peak": memory("VmHWM"), "held": memory("VmRSS")})


if __name__ == "__main__":
    main()
