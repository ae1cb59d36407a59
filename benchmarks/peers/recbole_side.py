"""RecBole: item neighbours, full-ranking evaluation."""

from __future__ import annotations

import numpy as np

from benchmarks.side import Side, clocked, matrix


class ItemKNN(Side):
    """The similarity of its ItemKNN, without the reading of its own files."""

    def prepare(self) -> None:
        self.matrix = matrix(self.data)

    def run(self, step: int | None = None) -> dict[str, float]:
        return clocked(self._fit)

    def _fit(self) -> None:
        from recbole.model.general_recommender.itemknn import ComputeSimilarity

        made = ComputeSimilarity(
            self.matrix, topk=self.settings["neighbours"], shrink=0.0, method="item"
        ).compute_similarity()
        self.weights = made[1] if isinstance(made, tuple) else made

    def result(self) -> dict[str, np.ndarray]:
        found = []
        for start in range(0, self.matrix.shape[0], 2048):
            rows = self.matrix[start : start + 2048]
            scores = np.asarray((rows @ self.weights).todense())
            scores[rows.nonzero()] = -np.inf
            top = np.argpartition(-scores, 20, axis=1)[:, :20]
            found.append(
                np.take_along_axis(
                    top, np.argsort(-np.take_along_axis(scores, top, 1), axis=1, kind="stable"), 1
                )
            )
        return {"lists": np.concatenate(found).astype(np.int32)}


class Evaluation(Side):
    """Its full-ranking evaluation, as its trainer does it batch by batch: scores, the history
    left out, collector, metrics.
    """

    BLOCK = 512

    def prepare(self) -> None:
        import torch

        torch.set_num_threads(self.threads)
        np.float = float  # type: ignore[attr-defined]  # noqa: NPY001  # its metrics still ask NumPy for this name
        self.asked = np.flatnonzero(np.diff(self.data["test_indptr"]))
        self.x, self.y = (
            torch.from_numpy(self.data[name]) for name in ("user_factors", "item_factors")
        )
        self.config = {
            "metrics": ["NDCG", "Recall", "Precision", "MAP", "MRR"],
            "topk": [20],
            "metric_decimal_place": 6,
            "eval_args": {"mode": {"valid": "full", "test": "full"}},
            "device": torch.device("cpu"),
        }
        self.batches = [
            self._batch(self.asked[at : at + self.BLOCK])
            for at in range(0, len(self.asked), self.BLOCK)
        ]

    def _batch(self, users: np.ndarray) -> tuple[object, ...]:
        """What its data loader gives for some users: their rows, and where their history and
        their truth are.
        """
        import torch

        places = []
        for part in ("train", "test"):
            indptr, items = self.data[f"{part}_indptr"], self.data[f"{part}_items"]
            of = np.repeat(np.arange(len(users)), np.diff(indptr)[users])
            rows = np.concatenate([items[indptr[u] : indptr[u + 1]] for u in users]).astype(
                np.int64
            )
            places += [torch.from_numpy(of), torch.from_numpy(rows)]
        return torch.from_numpy(users), *places

    def run(self, step: int | None = None) -> dict[str, float]:
        return clocked(self._measure)

    def _measure(self) -> None:
        import torch
        from recbole.evaluator import Collector, Evaluator

        collector = Collector(self.config)
        with torch.no_grad():
            for users, seen_u, seen_i, true_u, true_i in self.batches:
                scores = self.x[users] @ self.y.T
                scores[seen_u, seen_i] = -torch.inf
                collector.eval_batch_collect(scores, None, true_u, true_i)
        self.found = Evaluator(self.config).evaluate(collector.get_data_struct())

    def result(self) -> dict[str, np.ndarray]:
        return {"own": np.array(self.found["ndcg@20"])}
