"""irspack: iALS by conjugate gradient, EASE, its threaded evaluator."""

from __future__ import annotations

from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.side import Side, clocked, matrix


class IALS(Side):
    """Whole fits of iALS."""

    def prepare(self) -> None:
        self.matrix = matrix(self.data, kind=np.float64)

    def start(self) -> None:
        from irspack.recommenders import IALSRecommender

        settings = {"n_threads": self.threads, "random_seed": 0, **self.settings["set"]}
        self.model: Any = IALSRecommender(self.matrix, **settings)
        self.model.start_learning()

    def run(self, step: int | None = None) -> dict[str, float]:
        def fit() -> None:
            self.start()
            for _ in range(step or self.settings["epochs"]):
                self.model.run_epoch()

        return clocked(fit)

    def result(self) -> dict[str, np.ndarray]:
        core = self.model.trainer.core_trainer
        return {
            "user_factors": np.asarray(core.user, np.float32),
            "item_factors": np.asarray(core.item, np.float32),
        }


class IALSEpochs(IALS):
    """The median epoch, the first left out."""

    def run(self, step: int | None = None) -> dict[str, float]:
        self.start()
        times = [clocked(self.model.run_epoch) for _ in range(step or self.settings["epochs"])][1:]
        return {name: float(np.median([t[name] for t in times])) for name in times[0]}


class EASE(Side):
    """DenseSLIM, whose inverse takes its threads from BLAS."""

    def prepare(self) -> None:
        self.matrix = matrix(self.data, kind=np.float64)

    def run(self, step: int | None = None) -> dict[str, float]:
        with threadpool_limits(self.threads, user_api="blas"):
            return clocked(self._fit)

    def _fit(self) -> None:
        from irspack import DenseSLIMRecommender

        self.model = DenseSLIMRecommender(self.matrix, reg=self.settings["regularization"]).learn()

    def result(self) -> dict[str, np.ndarray]:
        found = []
        for start in range(0, self.matrix.shape[0], 2048):
            scores = self.model.get_score_block(start, min(start + 2048, self.matrix.shape[0]))
            scores = np.array(scores)
            scores[self.matrix[start : start + 2048].nonzero()] = -np.inf
            top = np.argpartition(-scores, 20, axis=1)[:, :20]
            found.append(
                np.take_along_axis(
                    top, np.argsort(-np.take_along_axis(scores, top, 1), axis=1, kind="stable"), 1
                )
            )
        return {"lists": np.concatenate(found).astype(np.int32)}


class Evaluation(Side):
    """Its evaluator over all users, fed with blocks of scores."""

    def prepare(self) -> None:
        from irspack.evaluation import Evaluator

        self.evaluator = Evaluator(
            matrix(self.data, "test", np.float64),
            cutoff=20,
            n_threads=self.threads,
            masked_interactions=matrix(self.data, kind=np.float64),
        )

    def run(self, step: int | None = None) -> dict[str, float]:
        with threadpool_limits(self.threads, user_api="blas"):
            return clocked(self._measure)

    def _measure(self) -> None:
        x, items = self.data["user_factors"], self.data["item_factors"].T
        blocks = (x[start : start + 512] @ items for start in range(0, len(x), 512))
        self.found = self.evaluator.get_score_from_score_chunks(blocks)

    def result(self) -> dict[str, np.ndarray]:
        """Over users with a truth: its mean is over all users it finds valid."""
        return {"own": np.array(self.found["ndcg"])}
