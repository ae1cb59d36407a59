"""The k best items of a few users over items that were prepared, ordered as by `topk_dot`, in plain
NumPy.
"""

from __future__ import annotations

import numpy as np

from cofactor.kernels.reference.topk import topk_dot

Prepared = tuple[np.ndarray, ...]


def prepare_items(item_vectors: np.ndarray, item_offsets: np.ndarray) -> Prepared:
    """Return items, offsets and rows for `topk_prepared`; here in their own order, and nothing is
    packed.

    Parameters
    ----------
    item_vectors : float32 [n, f]
        y_i.
    item_offsets : float32 [n]
        c_i.
    """
    return item_vectors, item_offsets, np.arange(len(item_vectors), dtype=np.int32)


def topk_prepared(
    user_vectors: np.ndarray,
    prepared: Prepared,
    k: int,
    excluded_indptr: np.ndarray,
    excluded_indices: np.ndarray,
    allowed: np.ndarray,
    n_threads: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what `topk_dot` does, over items that `prepare_items` gave.

    Parameters
    ----------
    user_vectors : float32 [B, f]
        x_u.
    prepared
        From `prepare_items`.
    allowed : bool or uint8 [n]
        In the order of ``prepared``.
    k, excluded_indptr, excluded_indices, n_threads
        As in `topk_dot`.
    """
    vectors, offsets, order = prepared[:3]
    by_row = allowed[np.argsort(order)]
    return topk_dot(
        user_vectors, vectors, offsets, k, excluded_indptr, excluded_indices, by_row, n_threads
    )
