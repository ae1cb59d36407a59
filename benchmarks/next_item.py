"""Settings of next-item models on the validation items of a board, by seeds; the test items only
where they are asked for.

``python -m benchmarks.next_item sasrec-ml-1m transformer --seeds 0 1 2 [--set epochs=40 dropout=.1]
[--sample 2000 --every 5] [--text] [--test]``. The settings begin with the board's own (`PRESETS` in
the model's file) where there are any; ``--text``: those of models that read titles. ``--every``
prints the curve on a sample of the validation users, so that a bad run can be ended. CPU seconds
are of fitting alone, one thread; the data is found by COFACTOR_DATA."""

from __future__ import annotations

import argparse
import importlib
import time
from typing import Any

import numpy as np

from cofactor.base.run import Run
from cofactor.data import datasets
from cofactor.data.split import Part
from cofactor.evaluation.next_item import next_ranks
from cofactor.models import registry


def main() -> None:
    """Fit once for each seed, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("model")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--sample", type=int, default=2000)
    parser.add_argument("--every", type=int, default=0)
    parser.add_argument("--text", action="store_true")
    parser.add_argument("--test", action="store_true")
    asked = parser.parse_args()
    split = datasets.load_split(asked.dataset)
    if split.validation is None:
        raise SystemExit(f"{asked.dataset} has no validation part.")
    preset = f"{asked.dataset} with text" if asked.text else asked.dataset
    config = configured(asked.model, preset, asked.set)
    print(config, flush=True)
    found = []
    for seed in asked.seeds:
        run = Run(seed=seed, threads=1)
        model: Any = registry.get(asked.model)(config)
        watched = Watch(split.validation, asked.sample, asked.every, run)
        if asked.every:
            model.on_epoch_end(watched)
        began = time.process_time()
        model.fit(split.train, run=run)
        seconds = time.process_time() - began - watched.seconds
        parts = {"validation": split.validation, **({"test": split.test} if asked.test else {})}
        values = {n: figures(model, part, part.user_rows, run) for n, part in parts.items()}
        found.append([value for pair in values.values() for value in pair])
        print(f"seed {seed}: {shown(values)}, {seconds:.0f} CPU s", flush=True)
    if len(found) > 1:
        mean, spread = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
        print("mean", mean.round(4).tolist(), "deviation", spread.round(4).tolist())


class Watch:
    """Prints the figures on some validation users every so many epochs; the seconds that this takes
    are no part of fitting.
    """

    def __init__(self, part: Part, sample: int, every: int, run: Run) -> None:
        self.part, self.every, self.run, self.seconds = part, every, run, 0.0
        self.users = np.sort(np.random.default_rng(7).permutation(part.user_rows)[:sample])

    def __call__(self, epoch: int, facts: Any, model: Any) -> None:
        """Measure after an epoch, numbered from 0."""
        if (epoch + 1) % self.every:
            return
        began = time.process_time()
        values = {"sample": figures(model, self.part, self.users, self.run)}
        self.seconds += time.process_time() - began
        print(f"epoch {epoch + 1}: loss {facts['loss']:.4f}, {shown(values)}", flush=True)


def configured(name: str, preset: str, words: list[str]) -> Any:
    """The board's settings of a model, with some changed."""
    kind = registry.get(name)
    home = kind.__module__ + ("_settings" if name == "blend" else "")
    presets = getattr(importlib.import_module(home), "PRESETS", {})
    given = kind.Config.from_text(words).to_dict()
    changed = {word.partition("=")[0].strip() for word in words}
    chosen = {key: given[key] for key in changed}
    return kind.Config(**{**presets.get(preset, {}), **chosen})


def figures(model: Any, part: Part, users: np.ndarray, run: Run) -> tuple[float, float]:
    """HR@10 and nDCG@10 of some users, who have one true item each, among all unseen items."""
    targets = part.truth.item_rows[part.truth.indptr[users]].astype(np.int32)
    ranks = next_ranks(model, part, users, targets, exclude=True, run=run)
    gain = np.where(ranks < 10, 1 / np.log2(ranks + 2), 0.0)
    return float((ranks < 10).mean()), float(gain.mean())


def shown(values: dict[str, tuple[float, float]]) -> str:
    """The figures of some parts on one line."""
    return ", ".join(
        f"{name} " + " / ".join(f"{value:.4f}" for value in pair) for name, pair in values.items()
    )


if __name__ == "__main__":
    main()
