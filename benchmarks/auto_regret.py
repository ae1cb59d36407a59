"""Regret of auto: how far below the best model with the best settings known its choice is, on
validation data.

    python -m benchmarks.defaults --kind ranking          # first: what all models reach
    python -m benchmarks.auto_regret --kind ranking [--sets dense-100 musical] [--budget 60]

On each set of the panel (benchmarks/panel.py) auto chooses within the budget. The best is the best
of auto's choice, of everything that `benchmarks.defaults` has measured there (the defaults of every
model and its settings), and, with ``--times``, of another search from another seed with that many
times the budget. Regret is 1 - value / best for nDCG@10 and value / best - 1 for RMSE. All of it is
on the validation part: nothing here looks at the test part.

Seconds are those of the processor, divided by the threads, so that other work on the machine costs
nothing; on a machine that does nothing else they are those of the clock, or fewer."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import panel
from benchmarks.defaults import RESULTS, Ledger
from cofactor.base.run import Run
from cofactor.data.split import Split
from cofactor.runs.auto import Chosen, choose


def chosen(parts: Split, metric: str, budget: float, run: Run) -> Chosen:
    """What auto chooses, with the processor's seconds."""
    now = lambda: time.process_time() / run.n_threads  # noqa: E731
    return choose(parts.train, parts, metric=metric, budget=budget, run=run, now=now)


def best_known(ledger: Ledger, data: str, rating: bool) -> tuple[float | None, str]:
    """The best validation value of a set that was measured, and what reached it."""
    rows = [row for (where, *_), row in ledger.rows.items() if where == data]
    sign = 1 if rating else -1
    best = min(
        (row for row in rows if "validation" in row),
        key=lambda row: sign * row["validation"],
        default=None,
    )
    if best is None:
        return None, ""
    return best["validation"], f"{best['model']} {best['settings']}"


def rows(given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row for each set."""
    rating = given.kind == "rating"
    sets, metric = (panel.RATING, "rmse") if rating else (panel.RANKING, "ndcg@10")
    ledger = Ledger(given.known or RESULTS / f"defaults_{given.kind}.jsonl")
    for name in given.sets or sets:
        parts, began = sets[name](), time.monotonic()
        mine = chosen(parts, metric, given.budget, Run(seed=0, threads=given.threads))
        row = {"set": name, "model": mine.model, "auto": mine.value, "seconds": mine.seconds}
        row["wall_s"] = time.monotonic() - began
        known, what = best_known(ledger, name, rating)
        values = [mine.value, known]
        if given.times > 0:
            run = Run(seed=1, threads=given.threads)
            longer = chosen(parts, metric, given.budget * given.times, run)
            row |= {"longer": longer.value, "longer_model": longer.model}
            values.append(longer.value)
        best = (min if rating else max)(value for value in values if value is not None)
        assert mine.value is not None
        row |= {"known": known, "known_model": what, "best": best}
        row["regret"] = mine.value / best - 1 if rating else 1 - mine.value / best
        rounded = {k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()}
        yield {**rounded, "why": mine.sentence}


def main() -> None:
    """Print a line of JSON for each set, then the median and the worst regret."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kind", choices=("ranking", "rating"), default="ranking")
    parser.add_argument("--sets", nargs="*", default=[])
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--times", type=float, default=0.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--known", type=Path, default=None, help="the file of benchmarks.defaults")
    given = parser.parse_args()
    found = []
    for row in rows(given):
        print(json.dumps(row), flush=True)
        found.append(row["regret"])
    line = {"median": round(float(np.median(found)), 4), "worst": max(found), "sets": len(found)}
    print(json.dumps(line))


if __name__ == "__main__":
    main()
