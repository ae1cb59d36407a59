"""EASE: the best linear item model in closed form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from cofactor.base import memory
from cofactor.base.config import setting
from cofactor.base.errors import ArtifactError, MemoryLimitError, TrainingError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.implicit.linear import (
    LinearItemModel,
    WeightedConfig,
    by_user_and_item,
    product_threads,
    weighed,
)
from cofactor.models.implicit.sparse_weights import SPARSE_ARRAYS, SparseWeights
from cofactor.models.traits import ArraySpec, Traits

if TYPE_CHECKING:
    from cofactor.data.split import Part

# LAPACK counts in 32 bits, and SciPy's wrappers multiply the two sides: beyond this an index would overflow.
MOST_ITEMS = 46_340


class EASEConfig(WeightedConfig):
    """Settings of `EASE`."""

    regularization: float = setting(200.0, above=0, doc="λ, added to each item's own count in the Gram matrix.")
    popularity_power: float = setting(
        0.0, low=0, high=2, doc="p: item i gets λ (n_i / mean n)^p; 0 is EASE proper, more holds popular items back."
    )
    keep: int | None = setting(
        None, low=1, high=100_000, doc="Weights kept of each recommended item, the largest; None keeps all (a dense matrix)."
    )


class EASE(LinearItemModel):
    """The item-to-item weights B that minimise ``|X - X B|² + λ |B|²`` with a zero diagonal.

    With G = X'X and P = (G + λ I)^-1: ``B_ij = -P_ij / P_jj``, ``B_jj = 0``; the score is ``s_u = x_u B``.

    One n_items × n_items matrix of float32 is all that is held: G is factorised, inverted and turned into B in place, in
    about n_items³ multiplications and additions. What wouldn't fit into memory is refused before it begins.

    Notes
    -----
    Harald Steck. 2019. Embarrassingly Shallow Autoencoders for Sparse Data. WWW. The optional power of the popularity
    in λ, and keeping only the largest weights, are not part of the paper.
    """

    name = "ease"
    Config = EASEConfig
    traits = Traits(explains=True, uses_values=True)
    arrays = {  # noqa: RUF012
        "weights": ArraySpec("float32", ("items", "items"), optional=True),
        **{name: ArraySpec(spec.dtype, spec.axes, optional=True) for name, spec in SPARSE_ARRAYS.items()},
    }

    dense: np.ndarray | None
    sparse: SparseWeights | None

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        from cofactor.kernels.cpu.gram import ease_weights, gram_lower

        n_items = data.n_items
        self._require(n_items, len(data))
        with run.progress.task("EASE", 4) as task:
            x = weighed(data, self.config, self.name)
            matrix = gram_lower(*by_user_and_item(data, x), run.n_threads)
            task.advance()
            diagonal = np.einsum("ii->i", matrix)
            diagonal += self._ridge(data)
            _invert_lower(matrix, task.advance)
            if self.config.keep is None:
                ease_weights(matrix, run.n_threads)
                self.dense, self.sparse = matrix, None
            else:
                self.dense, self.sparse = None, _strongest_weights(matrix, self.config.keep, run.n_threads)
            task.advance()

    def _require(self, n_items: int, n_interactions: int) -> None:
        """Refuse what can't fit: 4 n² bytes for the one matrix, and copies of the interactions in both orders."""
        cure = "leave out rare items, or use item_knn or ials, whose memory grows with the interactions"
        if n_items > MOST_ITEMS:
            raise MemoryLimitError(
                f"EASE can't factorise {n_items:,} items: LAPACK counts in 32 bits, up to {MOST_ITEMS:,} items; {cure}."
            )
        kept = 0 if self.config.keep is None else 30 * n_items * min(self.config.keep, n_items)
        needed = 4 * n_items**2 + 48 * n_interactions + kept + 128 * 2**20
        memory.require(needed, what=f"EASE's {n_items:,} × {n_items:,} matrix", cure=cure)

    def _ridge(self, data: Interactions) -> np.ndarray:
        """λ for each item, float32 [n_items]."""
        counts = np.maximum(data.item_counts, 1) / max(1.0, float(data.item_counts.mean()))
        ridge: np.ndarray = self.config.regularization * counts**self.config.popularity_power
        return ridge.astype(np.float32)

    def _product(
        self, indptr: np.ndarray, past: np.ndarray, values: np.ndarray, item_rows: np.ndarray | None
    ) -> np.ndarray:
        from cofactor.kernels.cpu.history import scores_from_dense

        if self.sparse is not None:
            scores = self.sparse.scores(indptr, past, values, product_threads())
        else:
            assert self.dense is not None
            few = item_rows is not None and len(item_rows) * 8 < self.dense.shape[0]
            weights = np.ascontiguousarray(self.dense[:, item_rows]) if few else self.dense
            scores = scores_from_dense(indptr, past, values, weights, product_threads())
            if few:
                return scores
        return scores if item_rows is None else scores[:, item_rows]

    def _column(self, past: np.ndarray, item_row: int) -> np.ndarray:
        if self.sparse is not None:
            return self.sparse.column(past, item_row)
        assert self.dense is not None
        return np.asarray(self.dense[past, item_row])

    def _state(self) -> dict[str, np.ndarray]:
        if self.sparse is not None:
            return self.sparse.arrays()
        assert self.dense is not None
        return {"weights": self.dense}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        wanted = {"weights"} if self.config.keep is None else set(SPARSE_ARRAYS)
        if set(arrays) != wanted:
            raise ArtifactError(f"EASE with keep={self.config.keep} must have arrays {sorted(wanted)}, not {sorted(arrays)}.")
        self.dense = arrays.get("weights")
        self.sparse = None if self.dense is not None else SparseWeights.of_arrays(arrays, self.data.n_items)


def _invert_lower(matrix: np.ndarray, done: Callable[[], None]) -> None:
    """Invert a positive definite matrix in place, from its lower triangle to the lower triangle of the inverse."""
    from scipy.linalg import lapack

    # The transpose of a C-ordered matrix is Fortran-ordered: its upper triangle is our lower one, and nothing is copied.
    for step in ("spotrf", "spotri"):
        options = {"overwrite_a": 1, "clean": 0} if step == "spotrf" else {"overwrite_c": 1}
        result, info = getattr(lapack, step)(matrix.T, lower=0, **options)
        if info != 0:
            raise TrainingError(
                f"EASE's Gram matrix isn't positive definite in float32 (at item {abs(info) - 1}); raise the regularization."
            )
        assert np.shares_memory(result, matrix)
        done()


def _strongest_weights(inverse: np.ndarray, keep: int, n_threads: int) -> SparseWeights:
    """The largest weights B_ij = -P_ij / P_jj of each column j, from the lower triangle of P."""
    from cofactor.kernels.cpu.gram import mirror_lower
    from cofactor.kernels.cpu.neighbours import strongest

    mirror_lower(inverse, n_threads)
    columns, values, count = strongest(inverse, min(keep, max(1, len(inverse) - 1)), n_threads)
    # P is symmetric: its row j, divided by -P_jj, is column j of B.
    return SparseWeights.of_padded(columns, -values / np.diag(inverse)[:, None], count).transposed()
