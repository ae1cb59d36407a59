"""pandas: reading a csv and numbering its ids."""

from __future__ import annotations

import numpy as np

from benchmarks.side import Side, clocked


class Reading(Side):
    """``read_csv`` and ``factorize`` of both id columns."""

    def prepare(self) -> None:
        import pandas  # noqa: F401

    def run(self, step: int | None = None) -> dict[str, float]:
        return clocked(self._read)

    def _read(self) -> None:
        import pandas as pd

        frame = pd.read_csv(self.settings["file"])
        self.users, _ = pd.factorize(frame["userId"])
        self.items, _ = pd.factorize(frame["movieId"])
        self.frame = frame

    def result(self) -> dict[str, np.ndarray]:
        return {"own": np.array(len(self.frame))}
