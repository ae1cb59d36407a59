"""RecBole: item neighbours."""

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

        made = ComputeSimilarity(self.matrix, topk=self.settings["neighbours"], shrink=0.0, method="item").compute_similarity()
        self.weights = made[1] if isinstance(made, tuple) else made

    def result(self) -> dict[str, np.ndarray]:
        found = []
        for start in range(0, self.matrix.shape[0], 2048):
            rows = self.matrix[start : start + 2048]
            scores = np.asarray((rows @ self.weights).todense())
            scores[rows.nonzero()] = -np.inf
            top = np.argpartition(-scores, 20, axis=1)[:, :20]
            found.append(np.take_along_axis(top, np.argsort(-np.take_along_axis(scores, top, 1), axis=1, kind="stable"), 1))
        return {"lists": np.concatenate(found).astype(np.int32)}
