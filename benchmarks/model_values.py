"""Metric values of every model with its defaults, before and after a change.

    python -m benchmarks.model_values --out before.json        # every model on ml-100k and ml-1m
    python -m benchmarks.model_values --out after.json --against before.json
    python -m benchmarks.model_values --out after.json --against before.json --earlier

``--earlier`` fits with the settings that were defaults at 18277fe, where other ones are today, and
learns ratings in units of 1 as then, not in units of their deviation. So figures of that commit can
be compared: a change on purpose isn't a change of a learner.

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


def differences(now: dict[str, dict[str, float]], then: dict[str, dict[str, float]]) -> list[str]:
    """Return a line for each value that isn't the same."""
    lines = []
    for key, values in now.items():
        for metric, value in values.items():
            before = then.get(key, {}).get(metric)
            if metric != "fit_cpu_seconds" and before is not None and value != before:
                lines.append(
                    f"{key} {metric}: {before:.10f} -> {value:.10f} ({value - before:+.2e})"
                )
    return lines


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
    for name in SPREADS if given.earlier else ():
        importlib.import_module(name).spread_of = lambda data: 1.0  # type: ignore[attr-defined]
    run = Run(seed=0, threads=1)
    found: dict[str, dict[str, float]] = (
        json.loads(given.out.read_text()) if given.out.exists() else {}
    )
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
    changed = differences(found, json.loads(given.against.read_text())) if given.against else []
    print("\n".join(changed) if changed else "nothing differs" if given.against else "")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
