"""cmfrec: implicit ALS and ratings by ALS, both by conjugate gradient in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.side import Side, clocked, matrix, per_epoch, triples

# What its documentation names as fastest; what is computed for later predictions isn't asked of it.
_FAST = {
    "use_float": True,
    "precompute_for_predictions": False,
    "produce_dicts": False,
    "verbose": False,
}


class Implicit(Side):
    """Whole fits of CMF_implicit, from COO as it takes it."""

    def prepare(self) -> None:
        self.matrix = matrix(self.data).tocoo()

    def make(self, epochs: int) -> Any:
        from cmfrec import CMF_implicit

        settings = {
            "use_cg": True,
            "finalize_chol": False,
            "random_state": 0,
            **self.settings["set"],
        }
        self.model: Any = CMF_implicit(niter=epochs, nthreads=self.threads, **_FAST, **settings)
        return self.model.fit(self.matrix)

    def run(self, step: int | None = None) -> dict[str, float]:
        with threadpool_limits(1, user_api="blas"):  # its own threads call BLAS
            return clocked(lambda: self.make(step or self.settings["epochs"]))

    def result(self) -> dict[str, np.ndarray]:
        return {"user_factors": self.model.A_, "item_factors": self.model.B_}


class ImplicitEpochs(Implicit):
    """An epoch, by the difference of two fits."""

    def run(self, step: int | None = None) -> dict[str, float]:
        with threadpool_limits(1, user_api="blas"):
            return per_epoch(self.make, 1, step or self.settings["epochs"])


class Ratings(Implicit):
    """Whole fits of CMF with biases."""

    def make(self, epochs: int) -> Any:
        from cmfrec import CMF

        settings = {
            "use_cg": True,
            "finalize_chol": False,
            "random_state": 0,
            **self.settings["set"],
        }
        self.model = CMF(method="als", niter=epochs, nthreads=self.threads, **_FAST, **settings)
        return self.model.fit(self.matrix)

    def result(self) -> dict[str, np.ndarray]:
        users, items, _ = triples(self.data, "test")
        return {"predicted": self.model.predict(users, items)}
