"""Spark MLlib: implicit ALS, on this machine's cores."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.side import Side, triples


class ALS(Side):
    """Whole fits of `pyspark.ml.recommendation.ALS`, on cached rows.

    ``{"memory": "4g", "blocks": 2, "set": {"rank": 64, "alpha": 10.0, "regParam": 0.1}}``.
    Another side that is made in the same process goes on with its Java machine, which is warm
    then."""

    frame: Any = None
    held: tuple[int, Any] = (0, None)  # the rows of the last data

    def prepare(self) -> None:
        from pyspark.sql import SparkSession

        memory = self.settings.get("memory", "4g")
        builder = SparkSession.builder.master(f"local[{self.threads}]").config(
            map={
                "spark.driver.memory": memory,
                "spark.driver.bindAddress": "127.0.0.1",
                "spark.driver.host": "127.0.0.1",
                "spark.ui.enabled": "false",
                "spark.sql.shuffle.partitions": str(self.threads),
                # As its documentation asks for linear algebra by vectors without native libraries.
                "spark.driver.extraJavaOptions": "--add-modules=jdk.incubator.vector",
            }
        )
        self.spark = builder.getOrCreate()
        self.spark.sparkContext.setLogLevel("ERROR")
        rows = np.stack(triples(self.data), 1)
        if ALS.held[0] == hash(rows.tobytes()):
            self.frame = ALS.held[1]
            return
        if ALS.held[1] is not None:
            ALS.held[1].unpersist()
        with tempfile.TemporaryDirectory() as folder:
            np.savetxt(Path(folder) / "rows.csv", rows, fmt="%d", delimiter=",")
            read = self.spark.read.schema("user int, item int, rating float").csv(folder)
            self.frame = read.repartition(self.threads).cache()
            assert self.frame.count() == len(rows)
        ALS.held = (hash(rows.tobytes()), self.frame)

    def run(self, step: int | None = None) -> dict[str, float]:
        return tree_clocked(lambda: self._fit(step or self.settings["epochs"]))

    def _fit(self, iterations: int) -> None:
        from pyspark.ml import recommendation

        blocks = self.settings["blocks"]
        learner = recommendation.ALS(
            maxIter=iterations,
            implicitPrefs=True,
            seed=0,
            numUserBlocks=blocks,
            numItemBlocks=blocks,
            **self.settings["set"],
        )
        self.model = learner.fit(self.frame)

    def result(self) -> dict[str, np.ndarray]:
        counts = len(self.data["train_indptr"]) - 1, int(self.data["n_items"])
        found = {}
        for side, count in zip(("user", "item"), counts, strict=True):
            rows = getattr(self.model, f"{side}Factors").collect()
            # Who has no interactions has no vector, and scores nothing.
            vectors = np.zeros((count, self.model.rank), np.float32)
            vectors[[row.id for row in rows]] = [row.features for row in rows]
            found[f"{side}_factors"] = vectors
        return found


def tree_clocked(work: Callable[[], Any]) -> dict[str, float]:
    """Seconds of the clock, and of the CPU of this process and all that it started."""
    wall, cpu = time.perf_counter(), tree_cpu()
    work()
    return {"seconds": time.perf_counter() - wall, "cpu": tree_cpu() - cpu}


def tree_cpu() -> float:
    """CPU seconds of this process and all below it that are still there (Linux)."""
    parents, ticks = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(") ")[2].split()
            except OSError:
                continue
            pid = int(folder.name)
            parents[pid], ticks[pid] = int(fields[1]), int(fields[11]) + int(fields[12])
    total = 0
    for pid, used in ticks.items():
        above = pid
        while above and above != os.getpid():
            above = parents.get(above, 0)
        total += used if above else 0
    return total / os.sysconf("SC_CLK_TCK")
