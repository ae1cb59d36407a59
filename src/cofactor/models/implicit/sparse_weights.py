"""Weights between items as CSR: from the past item (row) to the one that is scored (column)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from cofactor.base.offsets import pick_rows
from cofactor.models.traits import ArraySpec, check_csr

SPARSE_ARRAYS = {
    "weight_offsets": ArraySpec("int64", ("items + 1",)),
    "weight_items": ArraySpec("int32", ("weights",)),
    "weight_values": ArraySpec("float32", ("weights",)),
}


@dataclass(frozen=True)
class SparseWeights:
    """A sparse square matrix w between items.

    Parameters
    ----------
    indptr
        int64 [n_items + 1].
    columns
        int32 [n], ascending and distinct within each row.
    values
        float32 [n].
    """

    indptr: np.ndarray
    columns: np.ndarray
    values: np.ndarray

    @classmethod
    def of_past(cls, columns: np.ndarray, values: np.ndarray, count: np.ndarray) -> Self:
        """Make them from the weights kept of each past item: [n_items, k], of which the first
        ``count`` are filled.
        """
        from cofactor.kernels.cpu.packing import pack

        return cls(*pack(columns, values, count))

    @classmethod
    def of_recommended(cls, rows: np.ndarray, values: np.ndarray, count: np.ndarray) -> Self:
        """Make them from the weights kept of each recommended item: [n_items, k], of which the
        first ``count`` are filled.
        """
        from cofactor.kernels.cpu.packing import pack_transposed

        return cls(*pack_transposed(rows, values, count, len(count)))

    @classmethod
    def of_arrays(
        cls,
        arrays: Mapping[str, np.ndarray],
        n_items: int,
        names: tuple[str, ...] = tuple(SPARSE_ARRAYS),
    ) -> Self:
        """Take them over from a saved state, in which the three arrays have these names.

        Raises
        ------
        ArtifactError
            If the arrays aren't a sparse matrix of n_items by n_items.
        """
        indptr, columns, values = (arrays[name] for name in names)
        check_csr(indptr, columns, (n_items, n_items), (names[0], names[1]))
        return cls(indptr, columns, values)

    def arrays(self, names: tuple[str, ...] = tuple(SPARSE_ARRAYS)) -> dict[str, np.ndarray]:
        """Return the arrays of the state."""
        return dict(zip(names, (self.indptr, self.columns, self.values), strict=True))

    def with_columns_scaled(self) -> Self:
        """Return the matrix with each column divided by its sum of magnitudes; an empty column
        stays empty.
        """
        total = np.bincount(
            self.columns, np.abs(self.values).astype(np.float64), minlength=len(self.indptr) - 1
        )
        return type(self)(
            self.indptr, self.columns, (self.values / total[self.columns]).astype(np.float32)
        )

    def scores(
        self, indptr: np.ndarray, past: np.ndarray, values: np.ndarray, n_threads: int
    ) -> np.ndarray:
        """Return X w for histories X in CSR, float32 [B, n_items]."""
        from cofactor.kernels.cpu.history import scores_from_sparse

        n_items = len(self.indptr) - 1
        return scores_from_sparse(
            indptr,
            past,
            values,
            weight_indptr=self.indptr,
            weight_indices=self.columns,
            weights=self.values,
            n_columns=n_items,
            n_threads=n_threads,
        )

    def between(self, past: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        """Return w_ij for some items i and some items j, float32 [len(past), len(item_rows)]; zero
        where there is none.
        """
        picked, places = pick_rows(self.indptr, past)
        if not len(places):
            return np.zeros((len(past), len(item_rows)), np.float32)
        n_items, lines = len(self.indptr) - 1, np.arange(len(past))
        # Columns ascend within a row, so these ascend throughout.
        keys = np.repeat(lines * n_items, np.diff(picked)) + self.columns[places]
        wanted = lines[:, None] * n_items + np.asarray(item_rows)
        at = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
        return np.where(keys[at] == wanted, self.values[places[at]], np.float32(0))

    def column(self, past: np.ndarray, item_row: int) -> np.ndarray:
        """Return w_ij for some items i and one item j, float32 [len(past)]; zero where there is
        none.
        """
        return self.between(past, np.array([item_row]))[:, 0]
