"""Metric values of every model with its defaults, before and after a change.

    python -m benchmarks.model_values --out before.json        # every model on ml-100k and ml-1m
    python -m benchmarks.model_values --out after.json --against before.json
    python -m benchmarks.model_values --out after.json --earlier \\
        --against benchmarks/results/model_values_18277fe.json

``--earlier`` fits with the settings that were defaults at 18277fe, where other ones are today, and
learns ratings in units of 1 as then, not in units of their deviation. So figures of that commit can
be compared: a change on purpose isn't a change of a learner. ``--against`` counts the values that
are in both files, and fails where there are none or one differs.

One thread and one seed, so that what is the same by the code is the same bit for bit. Nothing is
chosen by these figures.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import cofactor
from cofactor.base.errors import CofactorError
from cofactor.base.run import Run
from cofactor.models import registry

Values = dict[str, dict[str, float]]
RANKING = ("ndcg@10", "recall@20", "auc")
RATING = ("rmse", "mae")
DATASETS = ("ml-100k", "ml-1m")
EARLIER: dict[str, dict[str, Any]] = {
    "item_knn": {"weighting": "none", "neighbours": 200, "shrinkage": 0.0},
    "ials": {"factors": 64, "regularization": 0.01},
    "bpr": {"epochs": 100, "learning_rate": 0.08, "regularization": 0.01},
    "warp": {"epochs": 30, "learning_rate": 0.1, "regularization": 0.002},
    "logistic_mf": {"epochs": 30, "learning_rate": 0.3, "regularization": 5.0},
    "biased_mf": {"regularization": 0.06, "bias_regularization": 0.003},
    "bias": {"user_damping": 4.0, "item_damping": 2.0},
    "svdpp": {"bias_regularization": 0.003},
    "latent_factor": {
        "regularization": 0.1,
        "bias_regularization": 0.005,
        "user_damping": 10.0,
        "item_damping": 5.0,
    },
    "bridge": {"base_settings": ("factors=64", "regularization=0.01")},
}
# Where the unit of ratings is asked for.
SPREADS = (
    "cofactor.models.explicit.ratings",
    "cofactor.models.neural.factor_fold_in",
    "cofactor.models.neural.fitting",
    "cofactor.models.sequence.lstm_rating",
)


def measure(
    model: cofactor.Recommender, split: cofactor.Split, run: Run, validate: bool
) -> dict[str, float]:
    """Fit one model on the training part, and return its metrics on the test part."""
    began = time.process_time()
    validation = split.validation if validate else None
    model.fit(split.train, validation=validation, run=run)
    seconds = time.process_time() - began
    metrics = [*RANKING, *(RATING if model.traits.predicts_ratings else ())]
    result = cofactor.evaluate(model, split, metrics, run=run, resamples=100)
    return {**{m: float(result[m]) for m in metrics}, "fit_cpu_seconds": round(seconds, 2)}


def read_values(path: Path) -> Values:
    """Read a file that ``--out`` wrote; refuse one of another shape."""
    found = json.loads(path.read_text())
    for key, values in found.items():
        for metric, value in values.items():
            if not isinstance(value, float):
                raise SystemExit(
                    f"{path}: {metric!r} of {key!r} isn't a number, but {value!r:.40}."
                )
    return found  # type: ignore[no-any-return]


def differences(now: Values, then: Values) -> tuple[int, list[str]]:
    """Return how many values are in both, and a line for each that isn't the same."""
    pairs = [
        (f"{key} {metric}", then[key][metric], value)
        for key, values in now.items()
        for metric, value in values.items()
        if metric != "fit_cpu_seconds" and metric in then.get(key, {})
    ]
    return len(pairs), [
        f"{name}: {before:.10f} -> {value:.10f} ({value - before:+.2e})"
        for name, before, value in pairs
        if value != before
    ]


def compared(now: Values, then: Values) -> int:
    """Print what differs; return 1 where something does, or where there is nothing to compare."""
    count, lines = differences(now, then)
    same = f"{count} values are the same" if count else "no value is in both files"
    print("\n".join(lines) if lines else same)
    return 1 if lines or not count else 0


def main() -> int:
    """Measure, write, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--models", nargs="*", default=registry.names())
    parser.add_argument("--datasets", nargs="*", default=list(DATASETS))
    parser.add_argument("--validation", action="store_true", help="fit with a validation part")
    parser.add_argument("--earlier", action="store_true", help="with the defaults of 18277fe")
    given = parser.parse_args()
    then = read_values(given.against) if given.against else None
    for name in SPREADS if given.earlier else ():
        importlib.import_module(name).spread_of = lambda data: 1.0  # type: ignore[attr-defined]
    run = Run(seed=0, threads=1)
    found: Values = read_values(given.out) if given.out.exists() else {}
    for dataset in given.datasets:
        data = cofactor.Interactions.build(cofactor.read(dataset))
        split = cofactor.split(data, "per-user", test=0.2, validation=0.1, seed=0)
        for name in given.models:
            key = f"{dataset} {name}{' +validation' if given.validation else ''}"
            if key in found:
                continue
            try:
                model = registry.create(name, **(EARLIER.get(name, {}) if given.earlier else {}))
                found[key] = measure(model, split, run, given.validation)
            except CofactorError as error:
                print(f"{key}: {error}", file=sys.stderr)
                continue
            print(key, found[key], flush=True)
            given.out.write_text(json.dumps(found, indent=1))
    return 0 if then is None else compared(found, then)


if __name__ == "__main__":
    sys.exit(main())
