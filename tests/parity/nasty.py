"""Small interaction matrices with what breaks kernels: empty rows, one giant row, negative
values.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

# An alias table without entries: negatives are drawn uniformly.
UNIFORM = (np.empty(0, np.uint32), np.empty(0, np.int32))
KINDS = ["plain", "binary", "empty rows and items", "one giant user", "no entries", "negative"]


def both_orders(x):
    """(indptr, indices, values) by user, then by item, in the kernels' dtypes."""
    parts = []
    for matrix in (sp.csr_matrix(x), sp.csr_matrix(x.T)):
        matrix.sort_indices()
        parts += [
            matrix.indptr.astype(np.int64),
            matrix.indices.astype(np.int32),
            matrix.data.astype(np.float32),
        ]
    return parts


def nasty(kind, generator, n_users=23, n_items=37):
    x = generator.integers(1, 5, (n_users, n_items)) * (generator.random((n_users, n_items)) < 0.2)
    if kind == "binary":
        x = (x > 0) * 1
    elif kind == "empty rows and items":
        x[::3], x[:, 1::4], x[:, -1] = 0, 0, 0
    elif kind == "one giant user":
        x[:], x[7] = 0, generator.integers(1, 4, n_items)
    elif kind == "no entries":
        x[:] = 0
    elif kind == "negative":
        x = x * generator.choice([-1, 1], x.shape)
    return x.astype(np.float32)


def make_rows(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    indptr = np.cumsum([0] + [len(row) for row in rows]).astype(np.int64)
    return indptr, np.concatenate([np.asarray(sorted(row), np.int32) for row in rows]).astype(
        np.int32
    )


def nasty_rows(n_items: int) -> list[list[int]]:
    generator = np.random.default_rng(5)
    rows: list[list[int]] = [
        [],
        list(range(n_items)),
        list(range(1, n_items)),
        [0],
        [n_items - 1],
        [],
    ]
    for size in generator.integers(1, n_items // 2, 15):
        rows.append(generator.choice(n_items, size, replace=False).tolist())
    return rows


def start(n_users: int, n_items: int, factors: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(factors)
    users, items = (
        generator.normal(0, 0.5, (n, factors)).astype(np.float32) for n in (n_users, n_items)
    )
    return users, items, generator.normal(0, 0.1, n_items).astype(np.float32)
