"""Regret of the models' defaults: how far below the best setting found they are, on data that
nobody tuned them for.

    python -m benchmarks.defaults --kind ranking [--data dense-100 ml-100k] [--models item_knn bpr]
    python -m benchmarks.defaults --kind rating

On each data set, each model is fitted with its defaults and with the settings of a small search.
The best of them is the one that is best on the validation part; the default's regret is what its
test value is missing to it: 1 - nDCG@10 of the default / nDCG@10 of the best, or RMSE of the
default / RMSE of the best - 1. Where the default itself is best on validation, its regret is 0. The
test part is asked once for each of the two. Popularity (bias) stands beside them.

The data are the small sets that are available locally, and synthetic ones of several shapes."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from cofactor.base.run import Run
from cofactor.data import datasets
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part, Split
from cofactor.data.splits import split
from cofactor.evaluation.evaluate import evaluate
from cofactor.models import registry

Settings = dict[str, Any]

# At most eight settings beside the default.
RANKING: dict[str, list[Settings]] = {
    "item_knn": [
        *({"shrinkage": h} for h in (5.0, 10.0, 20.0)),
        {"shrinkage": 10.0, "weighting": "tfidf"},
        {"shrinkage": 20.0, "weighting": "bm25"},
        {
            "neighbours": 300,
            "similarity": "asymmetric",
            "asymmetry": 0.8,
            "shrinkage": 40.0,
            "weighting": "tfidf",
        },
    ],
    "ease": [
        *({"regularization": r} for r in (20.0, 50.0, 500.0)),
        {"regularization": 200.0, "user_exponent": 0.6, "dropout": 0.3},
        {"regularization": 50.0, "user_exponent": 0.8, "dropout": 0.5},
        {"regularization": 100.0, "frequency_exponent": 0.5},
    ],
    "graph_filter": [
        {"factors": 64, "ideal_weight": 1.0},
        {"factors": 512, "ideal_weight": 0.6},
        {"factors": 128, "ideal_weight": 3.0},
        {"user_exponent": 0.4, "item_exponent": 0.4, "ideal_weight": 1.0, "spectral_power": 1.0},
        {"user_exponent": 0.3, "ideal_weight": 1.0, "spectral_power": 1.0},
        {"factors": 0},
    ],
    "ials": [
        *({"factors": f} for f in (16, 128, 256)),
        {"regularization": 0.003},
        {"regularization": 0.03},
        {"regularization": 0.1},
        {"regularization": 0.03, "factors": 128},
    ],
    "bpr": [
        {"learning_rate": 0.2},
        {"learning_rate": 0.2, "epochs": 100},
        {"learning_rate": 0.2, "epochs": 300},
        {"regularization": 0.01},
        {"learning_rate": 0.2, "epochs": 300, "regularization": 0.01},
    ],
    "warp": [
        {"learning_rate": 0.05},
        {"learning_rate": 0.02},
        {"learning_rate": 0.05, "epochs": 100},
        {"learning_rate": 0.05, "regularization": 0.01},
    ],
    "logistic_mf": [
        {"regularization": 10.0},
        {"regularization": 20.0},
        {"regularization": 40.0},
        {"regularization": 20.0, "factors": 128},
    ],
}
RATING: dict[str, list[Settings]] = {
    "biased_mf": [
        {"factors": 16},
        {"learning_rate": 0.01},
        {"epochs": 80},
        {"regularization": 0.1},
        {"regularization": 0.03},
    ],
    "svdpp": [{"factors": 16}, {"learning_rate": 0.007}, {"regularization": 0.1}],
    "bayesian_mf": [{"factors": 8}, {"factors": 32}, {"sweeps": 400}],
}


# Synthetic data.


def tastes(
    n_users: int,
    n_items: int,
    share: float,
    *,
    skew: float = 0.5,
    counts: float = 0.0,
    seed: int = 0,
) -> Interactions:
    """Users who take the items that are largest in ``2 p_u · q_i / sqrt(8) + log fame_i`` plus
    Gumbel noise, as many as a log-normal number with the mean ``share`` of all.

    With ``counts``, values are numbers of uses with that mean, larger where the taste is.
    """
    rng = np.random.default_rng(seed)
    p, q = rng.standard_normal((n_users, 8)), rng.standard_normal((n_items, 8))
    fame = -skew * np.log(rng.permutation(n_items) + 1.0 + 0.01 * n_items)
    sizes = np.exp(rng.normal(np.log(share * n_items) - 0.32, 0.8, n_users))
    sizes = np.clip(sizes.round().astype(int), 4, n_items // 2)
    users, items, values = [], [], []
    for u in range(n_users):
        taste = 2 * (q @ p[u]) / np.sqrt(8)
        drawn = taste + fame + rng.gumbel(size=n_items)
        taken = np.argpartition(-drawn, sizes[u])[: sizes[u]]
        taken = taken[np.argsort(-drawn[taken])]
        users.append(np.full(len(taken), u))
        items.append(taken)
        uses = np.exp(0.5 * taste[taken] + 1.5 * rng.standard_normal(len(taken)))
        values.append(np.maximum(1, np.rint(counts * uses / uses.mean())))
    return Interactions.from_rows(
        np.concatenate(users),
        np.concatenate(items),
        np.concatenate(values).astype(np.float32) if counts else None,
        users=n_users,
        items=n_items,
        source="tastes",
    )


RANKING_DATA: dict[str, Callable[[], Interactions]] = {
    "dense-100": lambda: tastes(2_000, 100, 0.23),
    "sparse": lambda: tastes(8_000, 12_000, 0.0007),
    "popular": lambda: tastes(3_000, 2_000, 0.01, skew=1.5),
    "wide": lambda: tastes(1_500, 100_000, 0.0005),
    "counts": lambda: tastes(1_500, 1_000, 0.04, counts=600.0),
    "shop-time": lambda: loaded("shop"),
    **{
        name: lambda name=name: loaded(name)  # type: ignore[misc]
        for name in (
            "ml-100k",
            "ml-latest-small",
            "amazon-scientific",
            "amazon-musical-instruments-5core",
            "citeulike-a",
            "book-crossing",
        )
    },
}
SCALES: dict[str, tuple[float, float]] = {
    "1..5": (1.0, 0.0),
    "100..500": (100.0, 0.0),
    "51..55": (1.0, 50.0),
    "-10..10": (5.0, -15.0),
    "0..1": (0.25, -0.25),
}


def loaded(name: str) -> Interactions:
    """A local data set, or the synthetic shop."""
    if name == "shop":
        from cofactor.data.synthetic import shop

        return shop()
    return Interactions.build(datasets.load(name))


def cut(name: str, data: Interactions) -> Split:
    """In time where the name says so, else a fifth of each user's at random."""
    rule = "time" if name.endswith("-time") else "per-user"
    return split(data, rule, test=0.2, validation=0.1, seed=0)


def on_scale(data: Interactions, times: float, plus: float) -> Interactions:
    """The same ratings on another scale."""
    assert data.values is not None
    values = (data.values.astype(np.float64) * times + plus).astype(np.float32)
    return replace(data, values=values)


# Measuring.


def value(model: Any, part: Part, metric: str) -> float:
    """One metric on one part."""
    return evaluate(model, part, [metric], resamples=100)[metric]


def regret(name: str, searched: list[Settings], parts: Split, metric: str, run: Run) -> Settings:
    """The default's and the best setting's values, and what the default is missing."""
    assert parts.validation is not None
    sign = -1.0 if metric == "rmse" else 1.0
    tried = []
    began = time.process_time()
    for settings in ({}, *searched):
        try:
            model = registry.create(name, **settings).fit(parts.train, run=run)
            found = value(model, parts.validation, metric)
        except Exception as error:
            tried.append((-np.inf, settings, None, str(error)))
            continue
        tried.append((sign * found, settings, model, ""))
    best = max(tried, key=lambda one: one[0])
    default = tried[0]
    row: Settings = {"best_settings": best[1], "cpu_s": round(time.process_time() - began, 1)}
    if default[2] is None:
        return {**row, "default_failed": default[3], "regret": float("inf")}
    mine = value(default[2], parts.test, metric)
    other = mine if best is default else value(best[2], parts.test, metric)
    missing = 1 - mine / other if sign > 0 else mine / other - 1
    return {**row, "default": round(mine, 4), "best": round(other, 4), "regret": round(missing, 4)}


def rows(given: argparse.Namespace) -> Iterator[Settings]:
    """One row for each data set and model."""
    run = Run(seed=0, threads=given.threads)
    ranking = given.kind == "ranking"
    searched = RANKING if ranking else RATING
    metric, floor = ("ndcg@10", "popularity") if ranking else ("rmse", "bias")
    for name in given.data or (RANKING_DATA if ranking else SCALES):
        if ranking:
            parts = cut(name, RANKING_DATA[name]())
        else:
            parts = cut(name, on_scale(loaded("ml-100k"), *SCALES[name]))
        low = regret(floor, [], parts, metric, run)["default"]
        for model in given.models or searched:
            found = regret(model, searched[model], parts, metric, run)
            yield {"data": name, "model": model, floor: low, **found}


def main() -> None:
    """Print a line of JSON for each data set and model, then each model's median and worst."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kind", choices=("ranking", "rating"), default="ranking")
    parser.add_argument("--data", nargs="*", default=[])
    parser.add_argument("--models", nargs="*", default=[])
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    by_model: dict[str, list[float]] = {}
    for row in rows(given):
        print(json.dumps(row), flush=True)
        by_model.setdefault(row["model"], []).append(row["regret"])
    for model, found in by_model.items():
        line = {"model": model, "median": round(float(np.median(found)), 4), "worst": max(found)}
        print(json.dumps({**line, "sets": len(found)}), flush=True)


if __name__ == "__main__":
    main()
