"""RMSE and coverage of the intervals of `bayesian_mf` on published folds: ml-100k's u1..u5, and
five folds of ml-1m.

    python benchmarks/accuracy_bayesian.py --data ml-100k [--side] [--set factors=16] [--tune]
    python benchmarks/accuracy_bayesian.py --data ml-100k --tune --myfm

``--side`` adds the features of users and items and, on ml-100k, the dates of the ratings (the day
on which a test rating was given is known to the model, as in myFM's figures). ``--tune`` holds a
tenth of fold 1's training part out and reports it, and never opens a test part. ``--myfm`` fits
myFM beside it (``pip install myfm==0.4.0``): users and items one-hot, 16 factors, 200 sweeps, the
last 160 kept, with normal noise and as ordered probit. Needs COFACTOR_DATA."""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

import accuracy_ratings
import numpy as np

from cofactor.base.run import Run
from cofactor.data import datasets
from cofactor.data.interactions import Interactions
from cofactor.models.explicit.bayesian_mf import BayesianMF

SIDE: dict[str, dict[str, Any]] = {
    "ml-100k": {
        "user_features": ("age", "gender", "occupation"),
        "item_features": ("genres", "year"),
        "dates": True,
    },
    "ml-1m": {
        "user_features": ("age", "gender", "occupation"),
        "item_features": ("genres", "year", "director"),
    },
}


def parts(data: str, tune: bool) -> Iterator[tuple[Interactions, Interactions]]:
    """Training and test part of each fold, as parts of the whole data set with its catalogue."""
    whole = Interactions.build(datasets.load(data), keep_catalogue_items=True)
    keys = whole.user_rows.astype(np.int64) * whole.n_items + whole.item_rows
    folds = [1] if tune else range(1, 6)
    for k in folds:
        pieces = accuracy_ratings.tuning_part(data) if tune else accuracy_ratings.fold(data, k)
        found = []
        for users, items, _ in pieces:
            rows = (
                whole.users.rows(users + 1, what="user"),
                whole.items.rows(items + 1, what="item"),
            )
            wanted = np.sort(rows[0].astype(np.int64) * whole.n_items + rows[1])
            found.append(whole.where(np.isin(keys, wanted)))
        yield found[0], found[1]


def measure(train: Interactions, test: Interactions, settings: dict[str, Any], run: Run) -> dict:
    """RMSE, MAE, the share of ratings in their intervals, CPU seconds of fitting."""
    began = time.process_time()
    model = BayesianMF(**settings).fit(train, run=run)
    seconds = time.process_time() - began
    users, items = test.users.ids(test.user_rows), test.items.ids(test.item_rows)
    times = test.times if model.config.dates else None
    value, low, high = model.predict(users, items, interval=0.9, times=times).T.astype(np.float64)
    assert test.values is not None
    error = test.values - value
    return {
        "rmse": float(np.sqrt(np.mean(error**2))),
        "mae": float(np.mean(np.abs(error))),
        "coverage_90": float(np.mean((low <= test.values) & (test.values <= high))),
        "width_90": float(np.mean(high - low)),
        "cpu_s": seconds,
    }


def of_myfm(train: Interactions, test: Interactions, seed: int) -> dict[str, float]:
    """RMSE of myFM's two models of ratings."""
    import myfm
    from scipy import sparse

    def one_hot(data: Interactions) -> sparse.csr_matrix:
        columns = np.stack([data.user_rows, data.n_users + data.item_rows], 1).ravel()
        n, width = len(data.user_rows), data.n_users + data.n_items
        return sparse.csr_matrix(
            (np.ones(2 * n), columns, np.arange(0, 2 * n + 1, 2)), shape=(n, width)
        )

    assert train.values is not None
    assert test.values is not None
    kept = {"n_iter": 200, "n_kept_samples": 160, "group_shapes": [train.n_users, train.n_items]}
    normal = myfm.MyFMGibbsRegressor(rank=16, random_seed=seed)
    normal.fit(one_hot(train), train.values.astype(np.float64), **kept)
    probit = myfm.MyFMOrderedProbit(rank=16, random_seed=seed)
    levels, level = np.unique(train.values, return_inverse=True)
    probit.fit(one_hot(train), level, **kept)
    given = one_hot(test)
    found = {
        "myfm_normal": normal.predict(given),
        "myfm_ordered_probit": probit.predict_proba(given) @ levels,
    }
    return {
        name: round(float(np.sqrt(np.mean((test.values - value) ** 2))), 4)
        for name, value in found.items()
    }


def main() -> None:
    """Print one line of JSON, and one of myFM's."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=list(SIDE), default="ml-100k")
    parser.add_argument("--side", action="store_true")
    parser.add_argument("--set", nargs="*", default=[], help="settings, NAME=VALUE")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--myfm", action="store_true", help="beside myFM, on the first fold")
    given = parser.parse_args()
    os.environ["COFACTOR_DATA"]  # said at once where it is missing
    chosen = BayesianMF.Config.from_text(given.set).to_dict()
    named = {word.partition("=")[0] for word in given.set}
    settings = {k: v for k, v in chosen.items() if k in named}
    settings = {**(SIDE[given.data] if given.side else {}), **settings}
    run = Run(seed=given.seed, threads=given.threads)
    rows = []
    for fold in parts(given.data, given.tune):
        rows.append(measure(*fold, settings, run))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    line = {
        "data": given.data,
        "part": "tuning" if given.tune else "test folds",
        **{name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]},
        "rmse_by_fold": [round(row["rmse"], 4) for row in rows],
        "coverage_by_fold": [round(row["coverage_90"], 4) for row in rows],
        "settings": settings,
        "seed": given.seed,
        "threads": given.threads,
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }
    print(json.dumps(line), flush=True)
    if given.myfm:
        print(json.dumps(of_myfm(*next(parts(given.data, given.tune)), given.seed)), flush=True)


if __name__ == "__main__":
    main()
