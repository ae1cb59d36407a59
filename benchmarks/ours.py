"""Cofactor's sides: the public models and calls, as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.side import Side, between, clocked, triples
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models import registry


def interactions_of(data: dict[str, np.ndarray], part: str = "train") -> Interactions:
    """A part as `Interactions`."""
    from benchmarks.datasets import interactions

    return interactions(data, part)


class Stamps:
    """A progress that notes the time of each step of a fit, and of its start."""

    def __init__(self) -> None:
        self.stamps: list[tuple[float, float]] = []

    @contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Stamps]:
        """Begin anew."""
        self.stamps = [(time.perf_counter(), time.process_time())]
        yield self

    def advance(self, steps: int = 1, **facts: Any) -> None:
        """Note the time."""
        self.stamps.append((time.perf_counter(), time.process_time()))

    def say(self, text: str) -> None:
        """Nothing."""


class Model(Side):
    """A model by its name in the registry: ``{"model": "ials", "set": {...}}``."""

    def prepare(self) -> None:
        """Make the interactions."""
        self.interactions = interactions_of(self.data)
        _ = self.interactions.by_item
        self.run_settings = Run(seed=0, threads=self.threads)

    def make(self, step: int | None = None, progress: Any = None) -> Any:
        """Fit a model."""
        settings = dict(self.settings["set"])
        if step is not None:
            settings["epochs"] = step
        run = (
            self.run_settings
            if progress is None
            else Run(seed=0, threads=self.threads, progress=progress)
        )
        self.model = registry.create(self.settings["model"], **settings).fit(
            self.interactions, run=run
        )
        return self.model

    def run(self, step: int | None = None) -> dict[str, float]:
        """A whole fit."""
        return clocked(lambda: self.make(step))

    def result(self) -> dict[str, np.ndarray]:
        """Factors, predictions or lists."""
        model = self.model
        if "test_values" in self.data and model.traits.predicts_ratings:
            test = interactions_of(self.data, "test")
            return {"predicted": model.predict_rows(test.user_rows, test.item_rows)}
        if hasattr(model, "item_factors"):
            found = {"user_factors": model.user_factors, "item_factors": model.item_factors}
            return (
                found
                if getattr(model, "item_bias", None) is None
                else found | {"item_bias": model.item_bias}
            )
        return {"lists": self._lists()}

    def _lists(self) -> np.ndarray:
        n_users, found = self.interactions.n_users, []
        for start in range(0, n_users, 2048):
            batch = self.model.user_batch(
                np.arange(start, min(start + 2048, n_users), dtype=np.int32)
            )
            found.append(
                self.model.topk(batch, 20, excluded=batch.seen, n_threads=self.threads).rows
            )
        return np.concatenate(found)


class Epochs(Model):
    """The median epoch of a short fit, the first left out."""

    def run(self, step: int | None = None) -> dict[str, float]:
        """One fit."""
        stamps = Stamps()
        self.make(step, stamps)
        return between(stamps.stamps[1:])


class EpochEnds(Stamps):
    """Of a model whose progress moves with each step."""

    def advance(self, steps: int = 1, **facts: Any) -> None:
        """Note the time where an epoch ends."""
        if "epoch" in facts:
            super().advance()


class NextItem(Epochs):
    """The median epoch of a next-item model, the first left out; its batches hold as many places
    as ``sequences`` windows do on average.
    """

    def prepare(self) -> None:
        """Make the interactions, whose times are their places."""
        users, items, _ = triples(self.data)
        n_users, n_items = len(self.data["train_indptr"]) - 1, int(self.data["n_items"])
        self.interactions = Interactions.from_rows(
            users, items, times=np.arange(len(items)), users=n_users, items=n_items
        )
        self.run_settings = Run(seed=0, threads=self.threads)
        most = self.settings["set"]["max_length"] + 1
        windows = np.minimum(np.diff(self.data["train_indptr"]), most)
        tokens = max(most, round(self.settings["sequences"] * float(windows.mean())))
        self.settings["set"]["batch_tokens"] = tokens

    def run(self, step: int | None = None) -> dict[str, float]:
        """One fit."""
        ends = EpochEnds()
        self.make(step, ends)
        return between(ends.stamps[1:])

    def result(self) -> dict[str, np.ndarray]:
        """The best of each user."""
        return {"lists": self._lists()}


class TopK(Side):
    """The 20 best of all users by given factors, what they had left out."""

    def run(self, step: int | None = None) -> dict[str, float]:
        """All users."""
        return clocked(self._all)

    def _all(self) -> None:
        from cofactor.retrieval.topk import best_dots

        seen = (self.data["train_indptr"], self.data["train_items"])
        x, y = self.data["user_factors"], self.data["item_factors"]
        self.lists = best_dots(x, y, 20, excluded=seen, n_threads=self.threads).rows

    def result(self) -> dict[str, np.ndarray]:
        """The lists."""
        return {"lists": self.lists}


class Evaluation(Side):
    """Five metrics of a model over all users and items."""

    METRICS = "ndcg@20,recall@20,precision@20,map@20,mrr@20"

    def prepare(self) -> None:
        """Make the model from its factors."""
        from cofactor.data.split import Part
        from cofactor.models.implicit.ials import IALS

        train, test = interactions_of(self.data), interactions_of(self.data, "test")
        test = Interactions.from_rows(
            test.user_rows, test.item_rows, users=train.users, items=train.items
        )
        config = IALS.Config(unobserved_weight=0.007, regularization=0.005)
        arrays = {name[6:]: array for name, array in self.data.items() if name.startswith("state_")}
        self.model, self.part = IALS.from_state(config, arrays, train), Part(test, train)

    def run(self, step: int | None = None) -> dict[str, float]:
        """All users, no intervals, as the peers."""
        return clocked(self._measure)

    def _measure(self) -> None:
        from cofactor.evaluation.evaluate import evaluate

        self.found = evaluate(
            self.model, self.part, self.METRICS, run=Run(threads=self.threads), resamples=0
        )

    def result(self) -> dict[str, np.ndarray]:
        """Our own nDCG@20: measuring is the task."""
        return {"own": np.array(self.found["ndcg@20"])}


class Reading(Side):
    """A csv into rows: id maps, CSR, values, times."""

    def prepare(self) -> None:
        """Import only, the compiler of kernels too, as the other side imports all of pandas."""
        import cofactor.data.readers
        import cofactor.kernels.cpu.csr
        import cofactor.kernels.cpu.numbering
        import cofactor.kernels.cpu.text  # noqa: F401

    def run(self, step: int | None = None) -> dict[str, float]:
        """Read it once."""
        return clocked(self._read)

    def _read(self) -> None:
        from cofactor.data.readers import read

        self.rows = Interactions.build(read(self.settings["file"]))

    def result(self) -> dict[str, np.ndarray]:
        """How many rows there are, so that nobody reads half."""
        return {"own": np.array(len(self.rows))}


class CommandLine(Side):
    """``cofactor train ml-100k`` in a new process each time; the first time with an empty cache
    of kernels.
    """

    def prepare(self) -> None:
        """An empty folder, which lives as long as this process."""
        self.folder = tempfile.TemporaryDirectory()
        self.count = 0

    def run(self, step: int | None = None) -> dict[str, float]:
        """Train and save once."""
        self.count += 1
        cold = self.settings.get("cold", False)
        cache = Path(self.folder.name) / (f"cache{self.count}" if cold else "cache")
        out = Path(self.folder.name) / f"model{self.count}"
        source = self.settings["source"]
        if source.endswith(".csv"):
            Path(source := str(Path(self.folder.name) / source)).write_text(_a_few_events())
        words = [
            "train",
            source,
            "--model",
            self.settings["model"],
            "--out",
            str(out),
            "--threads",
            str(self.threads),
        ]
        program = "import sys; from cofactor.cli.main import main; sys.exit(main(sys.argv[1:]))"
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", program, *words, "--json"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - began
        if done.returncode:
            raise RuntimeError(done.stderr)
        return {"seconds": seconds}


def _a_few_events() -> str:
    lines = [f"{u},{(u * u + i) % 50},{1 + i % 5}" for u in range(40) for i in range(12)]
    return "\n".join(["user,item,rating", *lines])
