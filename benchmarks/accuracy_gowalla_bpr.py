"""Accuracy of BPR on the published Gowalla split (NGCF, LightGCN): Recall@20 and nDCG@20, all items
ranked.

    python benchmarks/accuracy_gowalla_bpr.py [--threads 2] [--seeds 0 1] [--set epochs=200 ...]
    [--fold-in] python benchmarks/accuracy_gowalla_bpr.py --choose --set learning_rate=0.25
    negative_sampling=uniform

Without ``--choose`` the preset "gowalla" of the model is fitted on all of train.txt and measured on
test.txt. With it, the last tenth of each user's line of train.txt is cut out, the model is fitted
on the rest, and measured on the tenth; test.txt isn't looked at. (The last tenth, since the lines
aren't in a random order: their ends hold more popular items, and so does test.txt.) ``--fold-in``
also measures all users as if they were new, folded in from their training rows. Threads write
without locks, so figures differ a little from run to run. Needs COFACTOR_DATA."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from typing import Any

import cofactor
from cofactor.data.datasets import load_split
from cofactor.data.split import Split
from cofactor.data.splits import split
from cofactor.evaluation.evaluate import evaluate
from cofactor.models.implicit.bpr import BPR, PRESETS

METRICS = "recall@20,ndcg@20"


def measured(
    cut: Split, settings: dict[str, Any], seed: int, threads: int, fold_in: bool
) -> dict[str, Any]:
    """Fit on the training part and measure on the test part of a cut."""
    run = cofactor.Run(seed=seed, threads=threads)
    began = time.perf_counter()
    model = BPR(**settings).fit(cut.train, run=run)
    found: dict[str, Any] = {
        **settings,
        "seed": seed,
        "fit_seconds": round(time.perf_counter() - began, 1),
    }
    parts = (
        {"": cut.test, "folded ": replace(cut.test, fold_in=True)} if fold_in else {"": cut.test}
    )
    for label, part in parts.items():
        began = time.perf_counter()
        result = evaluate(model, part, METRICS, run=run, resamples=0)
        for metric in METRICS.split(","):
            found[label + metric] = round(result[metric], 4)
        found[label + "seconds"] = round(time.perf_counter() - began, 1)
        found["users"] = result.n_users
    return found


def main() -> None:
    """Measure the preset on test, or some settings on validation; one line of JSON each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--fold-in", action="store_true")
    parser.add_argument(
        "--set", nargs="*", default=[], help="settings other than the preset's, NAME=VALUE"
    )
    asked = parser.parse_args()
    names = [word.partition("=")[0] for word in asked.set]
    changed = {k: v for k, v in BPR.Config.from_text(asked.set).to_dict().items() if k in names}
    cut = load_split("lightgcn-gowalla")
    if asked.choose:
        cut = split(cut.train, "per-user", test=0.1, order="time")
    for seed in asked.seeds:
        found = measured(cut, {**PRESETS["gowalla"], **changed}, seed, asked.threads, asked.fold_in)
        print(json.dumps({"part": "validation" if asked.choose else "test", **found}), flush=True)


if __name__ == "__main__":
    main()
