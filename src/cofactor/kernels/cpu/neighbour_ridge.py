"""Each item regressed on its neighbours alone, without any Gram matrix.

The systems are solved by conjugate gradients, whose products go through the neighbours' own
interactions: memory grows with the interactions, not with the square of anything. A user with one
item among the neighbours adds to the diagonal alone, so on sparse data few users are left."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu.jit import kernel, shared

TOLERANCE = 1e-5  # of the right-hand side's length, both in the norm of the preconditioner
STEPS = 500  # at most; a few dozen are usual


def neighbour_ridge(
    item_indptr: np.ndarray,
    item_users: np.ndarray,
    item_values: np.ndarray,
    n_users: int,
    rows: np.ndarray,
    count: np.ndarray,
    ridge: np.ndarray,
    n_threads: int,
    first: int = 0,
) -> np.ndarray:
    """Return the weights b that minimise ``|x_j - X_S b|² + Σ_i ridge_i b_i²`` for each item j,
    with S its neighbours; see the reference.

    The result doesn't depend on ``n_threads``. ``first`` is the item of the first of ``rows``.
    """
    weights = np.full(rows.shape, np.nan, np.float32)
    by_item = (item_indptr, item_users, item_values)
    shared(_regress, n_threads, *by_item, n_users, rows, count, ridge, first, weights)
    return weights


@kernel(allocates=True)
def _regress(thread, n_threads, indptr, users, values, n_users, rows, count, ridge, first, weights):
    seen, place = np.zeros(n_users, np.int32), np.empty(n_users, np.int32)
    own = np.zeros(n_users, np.float32)
    for j in range(thread, rows.shape[0], n_threads):
        k = count[j]
        some, begin, end = rows[j, :k], indptr[first + j], indptr[first + j + 1]
        # Loops instead of arrays of indices, which take Numba seconds to compile.
        for at in range(begin, end):
            own[users[at]] = values[at]
        for i in some:
            for at in range(indptr[i], indptr[i + 1]):
                seen[users[at]] += 1
        offsets, diagonal = np.zeros(k + 1, np.int64), np.empty(k)
        right, n_left, n_shared = np.zeros(k), 0, np.int64(0)
        # First sizes, right sides and diagonals; then the interactions of users with two items.
        for n in range(k):
            diagonal[n] = ridge[some[n]]
            for at in range(indptr[some[n]], indptr[some[n] + 1]):
                u, x = users[at], np.float64(values[at])
                right[n] += x * own[u]
                if seen[u] == 1:
                    diagonal[n] += x * x
                    seen[u] = 0
                else:
                    n_left += 1
            offsets[n + 1] = n_left
        left_users, left_values = np.empty(n_left, np.int32), np.empty(n_left, np.float32)
        to = 0
        for n in range(k):
            for at in range(indptr[some[n]], indptr[some[n] + 1]):
                u = users[at]
                if seen[u] != 0:
                    if seen[u] > 0:
                        place[u], seen[u], n_shared = n_shared, -1, n_shared + 1
                    left_users[to], left_values[to], to = place[u], values[at], to + 1
        _solve(offsets, left_users, left_values, n_shared, diagonal, right, weights[j])
        for at in range(begin, end):
            own[users[at]] = np.float32(0.0)
        for i in some:
            for at in range(indptr[i], indptr[i + 1]):
                seen[users[at]] = 0


@kernel(allocates=True)
def _solve(offsets, users, values, n_users, diagonal, right, weights):
    """Solve ``(Z'Z + D) b = right`` by conjugate gradients, preconditioned by the diagonal."""
    k = right.size
    scale = diagonal.copy()
    for n in range(k):
        for at in range(offsets[n], offsets[n + 1]):
            scale[n] += np.float64(values[at]) ** 2
    b, left = np.zeros(k), right.copy()
    direction, product = left / scale, np.empty(k)
    size = (left * direction).sum()
    enough, sums = TOLERANCE**2 * size, np.zeros(n_users)
    for _ in range(STEPS):
        if size <= enough:
            break
        sums[:] = 0.0
        for n in range(k):
            for at in range(offsets[n], offsets[n + 1]):
                sums[users[at]] += direction[n] * values[at]
        for n in range(k):
            total = diagonal[n] * direction[n]
            for at in range(offsets[n], offsets[n + 1]):
                total += sums[users[at]] * values[at]
            product[n] = total
        step = size / (direction * product).sum()
        b += step * direction
        left -= step * product
        before, size = size, (left * left / scale).sum()
        direction = left / scale + (size / before) * direction
    for n in range(k):
        weights[n] = np.float32(b[n])
