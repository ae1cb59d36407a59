"""implicit: ALS, BPR, item neighbours, top-K."""

from __future__ import annotations

from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.side import Side, between, clocked, matrix, per_epoch


class _Factors(Side):
    model: Any

    def prepare(self) -> None:
        self.matrix = matrix(self.data)

    def make(self, epochs: int) -> Any:
        raise NotImplementedError

    def run(self, step: int | None = None) -> dict[str, float]:
        with threadpool_limits(1, user_api="blas"):  # as its documentation asks
            return clocked(lambda: self.make(step or self.settings["epochs"]))

    def result(self) -> dict[str, np.ndarray]:
        return {"user_factors": self.model.user_factors, "item_factors": self.model.item_factors}


class ALS(_Factors):
    """Whole fits of AlternatingLeastSquares."""

    def make(self, epochs: int, callback: Any = None) -> Any:
        from implicit.cpu.als import AlternatingLeastSquares

        self.model = AlternatingLeastSquares(
            iterations=epochs, num_threads=self.threads, random_state=0, **self.settings["set"]
        )
        self.model.fit(self.matrix, show_progress=False, callback=callback)
        return self.model


class ALSEpochs(ALS):
    """The median epoch, the first left out."""

    def run(self, step: int | None = None) -> dict[str, float]:
        import time

        stamps: list[tuple[float, float]] = []

        def note(*_: object) -> None:
            stamps.append((time.perf_counter(), time.process_time()))

        with threadpool_limits(1, user_api="blas"):
            self.make(step or self.settings["epochs"], note)
        return between(stamps)


class BPREpochs(_Factors):
    """An epoch of BPR, by the difference of two fits."""

    def make(self, epochs: int) -> Any:
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        self.model = BayesianPersonalizedRanking(
            iterations=epochs, num_threads=self.threads, random_state=1, **self.settings["set"]
        )
        self.model.fit(self.matrix, show_progress=False)
        return self.model

    def run(self, step: int | None = None) -> dict[str, float]:
        if step is not None:
            return super().run(step)
        with threadpool_limits(1, user_api="blas"):
            return per_epoch(self.make, 1, self.settings["epochs"])


class ItemKNN(Side):
    """Item neighbours."""

    def prepare(self) -> None:
        self.matrix = matrix(self.data)

    def run(self, step: int | None = None) -> dict[str, float]:
        return clocked(self._fit)

    def _fit(self) -> None:
        from implicit.nearest_neighbours import CosineRecommender

        self.model = CosineRecommender(K=self.settings["neighbours"] + 1, num_threads=self.threads)
        self.model.fit(self.matrix, show_progress=False)

    def result(self) -> dict[str, np.ndarray]:
        users = np.arange(self.matrix.shape[0])
        ids, _ = self.model.recommend(users, self.matrix, 20)
        return {"lists": ids}


class TopK(Side):
    """The 20 best of all users by given factors."""

    def prepare(self) -> None:
        from implicit.cpu.als import AlternatingLeastSquares

        self.matrix = matrix(self.data)
        self.model = AlternatingLeastSquares(
            factors=self.data["user_factors"].shape[1], num_threads=self.threads
        )
        self.model.user_factors, self.model.item_factors = (
            self.data["user_factors"],
            self.data["item_factors"],
        )

    def run(self, step: int | None = None) -> dict[str, float]:
        return clocked(self._all)

    def _all(self) -> None:
        self.lists, _ = self.model.recommend(np.arange(self.matrix.shape[0]), self.matrix, 20)

    def result(self) -> dict[str, np.ndarray]:
        return {"lists": self.lists}
