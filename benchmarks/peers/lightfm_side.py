"""LightFM, its maintained fork: WARP."""

from __future__ import annotations

import numpy as np

from benchmarks.side import Side, clocked, matrix


class WARP(Side):
    """Whole fits of so many epochs."""

    def prepare(self) -> None:
        self.matrix = matrix(self.data).tocoo()

    def run(self, step: int | None = None) -> dict[str, float]:
        from lightfm import LightFM

        def fit() -> None:
            self.model = LightFM(loss="warp", random_state=0, **self.settings["set"])
            self.model.fit(
                self.matrix, epochs=step or self.settings["epochs"], num_threads=self.threads
            )

        return clocked(fit)

    def result(self) -> dict[str, np.ndarray]:
        return {
            "user_factors": self.model.user_embeddings,
            "item_factors": self.model.item_embeddings,
            "item_bias": self.model.item_biases,
        }
