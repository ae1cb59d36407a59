"""Regret of auto: how far below the best model with the best settings known its choice is, on
validation data.

    python -m benchmarks.defaults --kind ranking          # first: what all models reach
    python -m benchmarks.auto_regret --kind ranking [--sets dense-100 musical] [--budget 60]

On each set of the panel (benchmarks/panel.py) auto chooses within the budget. The best is the best
of auto's choice, of everything that `benchmarks.defaults` has measured there (the defaults of every
model and its settings), and, with ``--times``, of another search from another seed with that many
times the budget, with ``--each``, of good settings of each family (benchmarks/each_family.py): on
shapes that nothing was chosen by (``--kind unlike``) nothing else is known. Regret is
1 - value / best for nDCG@10 and value / best - 1 for RMSE. All of it is on the validation part;
with ``--test`` the choice and the best of the families are measured on the test part, too.

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

from benchmarks import panel, unlike
from benchmarks.defaults import RESULTS, Ledger
from benchmarks.each_family import best_of_each, on_test
from cofactor.base.run import Run
from cofactor.data.split import Split
from cofactor.runs.auto import Chosen, choose

KINDS = {
    "ranking": (panel.RANKING, "ndcg@10"),
    "rating": (panel.RATING, "rmse"),
    "unlike": (unlike.RANKING, "ndcg@10"),
    "unlike-rating": (unlike.RATING, "rmse"),
}


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
    sets, metric = KINDS[given.kind]
    rating = metric == "rmse"
    ledger = Ledger(given.known or RESULTS / f"defaults_{given.kind}.jsonl")
    for name in given.sets or sets:
        parts, began = sets[name](), time.monotonic()
        run = Run(seed=0, threads=given.threads)
        mine = chosen(parts, metric, given.budget, run)
        row = {"set": name, "model": mine.model, "auto": mine.value, "seconds": mine.seconds}
        row["wall_s"] = time.monotonic() - began
        known, what = best_known(ledger, name, rating)
        values = [mine.value, known]
        if given.times > 0:
            other = Run(seed=1, threads=given.threads)
            longer = chosen(parts, metric, given.budget * given.times, other)
            row |= {"longer": longer.value, "longer_model": longer.model}
            values.append(longer.value)
        if given.each > 0:
            each = best_of_each(parts, metric, run, given.each)
            top = (min if rating else max)(each, key=lambda one: each[one][0])
            row |= {"best_family": top, "best_of_each": each[top][0]}
            values.append(each[top][0])
            if given.test:
                of_auto = on_test(mine.model, mine.config.to_params(), parts, metric, run)
                row |= {"auto_test": of_auto}
                row |= {"best_test": on_test(top, each[top][1], parts, metric, run)}
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
    parser.add_argument("--kind", choices=tuple(KINDS), default="ranking")
    parser.add_argument("--sets", nargs="*", default=[])
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--times", type=float, default=0.0)
    parser.add_argument("--each", type=float, default=0.0, help="CPU seconds for each family")
    parser.add_argument("--test", action="store_true", help="measure both on the test part, too")
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
