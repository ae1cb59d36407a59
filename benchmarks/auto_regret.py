"""Regret of auto: how far below the best model with the best settings found its choice is, on
validation data.

    python -m benchmarks.auto_regret [--data ml-100k dense-100] [--budget 60] [--times 4]

On each data set auto chooses within the budget. The best is what is best of: auto's own choice,
every setting of the small search of `benchmarks.defaults`, and another search from another seed
with ``--times`` the budget. Regret is 1 - value / best for nDCG@10 and value / best - 1 for RMSE.
All of it is on the validation part: nothing here looks at the test part.

Seconds are those of the processor, divided by the threads, so that other work on the machine costs
nothing; on a machine that does nothing else they are those of the clock, or fewer."""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.defaults import RANKING, RANKING_DATA, RATING, SCALES, cut, loaded, on_scale
from cofactor.base.run import Run
from cofactor.data.split import Split
from cofactor.evaluation.evaluate import evaluate
from cofactor.models import registry
from cofactor.runs.auto import Chosen, choose

# Fits of the small search that would take longer than this in all are left out.
_LONGEST = 150.0


def chosen(parts: Split, metric: str, budget: float, run: Run) -> Chosen:
    """What auto chooses, with the processor's seconds."""
    now = lambda: time.process_time() / run.n_threads  # noqa: E731
    return choose(parts.train, parts, metric=metric, budget=budget, run=run, now=now)


def searched(parts: Split, metric: str, run: Run) -> tuple[float, str]:
    """The best of the small search, as a score of which more is better, and what it was."""
    sign = -1.0 if metric == "rmse" else 1.0
    best, what = -math.inf, ""
    for name, settings in (RATING if metric == "rmse" else RANKING).items():
        began = time.process_time()
        for one in ({}, *settings):
            if time.process_time() - began > _LONGEST:
                break
            try:
                model = registry.create(name, **one).fit(parts.train, run=run)
                found = evaluate(model, parts.validation, metric, run=run, resamples=0)[metric]
            except Exception as error:
                print(json.dumps({"model": name, "settings": one, "failed": str(error)}))
                continue
            if sign * found > best:
                best, what = sign * found, f"{name} {one}"
    return best, what


def rows(given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row for each data set."""
    for name in given.data or [*RANKING_DATA, *SCALES]:
        rated = name in SCALES
        metric = "rmse" if rated else "ndcg@10"
        data = on_scale(loaded("ml-100k"), *SCALES[name]) if rated else RANKING_DATA[name]()
        parts = cut(name, data)
        began = time.monotonic()
        mine = chosen(parts, metric, given.budget, Run(seed=0, threads=given.threads))
        wall = time.monotonic() - began
        run = Run(seed=1, threads=given.threads)
        longer = chosen(parts, metric, given.budget * given.times, run)
        assert mine.value is not None
        assert longer.value is not None
        sign = -1.0 if rated else 1.0
        small, what = searched(parts, metric, run)
        best = max(sign * mine.value, sign * longer.value, small)
        regret = mine.value / -best - 1 if rated else 1 - mine.value / best
        yield {
            "data": name,
            "metric": metric,
            "auto": round(mine.value, 5),
            "model": mine.model,
            "best": round(abs(best), 5),
            "longer": [longer.model, round(longer.value, 5)],
            "small_search": [what, round(abs(small), 5)],
            "regret": round(regret, 4),
            "seconds": round(mine.seconds, 1),
            "wall_s": round(wall, 1),
            "why": mine.sentence,
        }


def main() -> None:
    """Print a line of JSON for each data set, then the median and the worst regret."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="*", default=[])
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--times", type=float, default=4.0)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    found = []
    for row in rows(given):
        print(json.dumps(row), flush=True)
        found.append(row["regret"])
    line = {"median": round(float(np.median(found)), 4), "worst": max(found), "sets": len(found)}
    print(json.dumps(line))


if __name__ == "__main__":
    main()
