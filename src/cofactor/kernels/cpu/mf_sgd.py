"""One epoch of stochastic gradient descent for matrix factorisation with biases, r_ui ~ mu + b_u +
b_i + q_i . p_u.

Users are cut into P parts and items into P blocks, and an epoch has P rounds: in round s part t is
walked over the items of block (t + s) mod P (Gemulla, Nijkamp, Haas, Sismanis, "Large-Scale Matrix
Factorization with Distributed Stochastic Gradient Descent", KDD 2011). No two walks of a round
share a vector: threads lose no update, send no cache line back and forth, and the result is the
same bit for bit on any number of threads, since P doesn't depend on it. Within a walk users come in
the order given, each with the block's ratings: p_u and b_u stay in the first cache, and memory is
read in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from cofactor.base.memory import aligned_empty
from cofactor.base.threads import current_threads
from cofactor.kernels.cpu.jit import helper, kernel, on_threads
from cofactor.kernels.cpu.llvm.rows import dot_rows, prefetch_row, rating_step

BLOCK = 16  # floats: a cache line, and what `simd` works on at once


@kernel(allocates=True)
def equal_parts(indptr, order, n_parts, rows_each):
    """Cut ``order`` into parts with about the same number of ratings; a user owns ``rows_each``
    rows of ``indptr``.
    """
    bounds = np.empty(n_parts + 1, np.int64)
    bounds[0] = 0
    total = indptr[indptr.shape[0] - 1]
    done = 0
    part = 1
    for place in range(order.shape[0]):
        done += indptr[(order[place] + 1) * rows_each] - indptr[order[place] * rows_each]
        while part < n_parts and done * n_parts >= total * part:
            bounds[part] = place + 1
            part += 1
    for rest in range(part, n_parts + 1):
        bounds[rest] = order.shape[0]
    return bounds


@helper
def _ask_for(indptr, indices, values, user_factors, order, place, n_parts, block) -> None:
    """Ask for what the walk of a user begins with: rows of a block are short, and no hardware
    foresees the next one.
    """
    row = order[place] * n_parts + block
    prefetch_row(user_factors, order[place])
    for at in range(indptr[row], min(indptr[row + 1], indptr[row] + 64), 16):
        prefetch_row(indices, at)
        prefetch_row(values, at)


@kernel
def _walks(
    first_part,
    end_part,
    turn,
    n_parts,
    bounds,
    squared,
    indptr,
    indices,
    values,
    order,
    mean,
    user_bias,
    items,
    user_factors,
    item_factors,
    learning_rate,
    bias_learning_rate,
    reg_user,
    reg_user_bias,
):
    """Some parts of the users in a round, each over its block of items; adds to each part's sum of
    squared errors. Rows of the factors are whole blocks of 16 floats.
    """
    rate, bias_rate, mu, one = (
        np.float32(learning_rate),
        np.float32(bias_learning_rate),
        np.float32(mean),
        np.float32(1),
    )
    last = indices.shape[0] - 1
    for part in range(first_part, end_part):
        block = (part + turn) % n_parts
        after = bounds[part + 1] - 1
        loss = 0.0
        for place in range(bounds[part], bounds[part + 1]):
            u = order[place]
            row = u * n_parts + block
            begin, end = indptr[row], indptr[row + 1]
            _ask_for(
                indptr,
                indices,
                values,
                user_factors,
                order,
                min(place + 1, after),
                n_parts,
                block,
            )
            prefetch_row(indptr, order[min(place + 2, after)] * n_parts + block)
            if begin == end:
                continue
            b_u = user_bias[u]
            keep_b_u, keep_p = one - bias_rate * reg_user_bias[u], one - rate * reg_user[u]
            # Unsigned, so that no index is taken for one from the end.
            v, i, ahead = (
                np.uint64(u),
                np.uint64(indices[begin]),
                np.uint64(indices[min(begin + 1, last)]),
            )
            dot = dot_rows(user_factors, v, item_factors, i)
            for at in range(begin, end):
                soon = np.uint64(indices[np.uint64(min(at + 2, last))])
                # e_ui = r_ui - mu - b_u - b_i - q_i . p_u
                b_i = items[i, 0]
                error = (values[np.uint64(at)] - mu - b_i) - (b_u + dot)
                loss += np.float64(error) * np.float64(error)
                b_u = keep_b_u * b_u + bias_rate * error
                items[i, 0] = items[i, 1] * b_i + bias_rate * error
                # p_u += gamma (e q_i - lambda_u p_u);  q_i += gamma (e p_u - lambda_i q_i),
                # both from the old values. The next rating's product with the new p_u is taken
                # in the same pass, and from the old p_u and q_i, so that it needn't wait for
                # this error: p_u(new) . q = (1 - gamma lambda_u) p_u . q + gamma e q_i . q.
                # After the user's last rating it isn't used.
                step = rate * error
                p_next, q_next = rating_step(
                    user_factors, v, item_factors, i, ahead, soon, step, keep_p, items[i, 2]
                )
                dot = keep_p * p_next + step * q_next
                i, ahead = ahead, soon
            user_bias[u] = b_u
        squared[part] += loss


def mf_sgd_epoch(
    indptr: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray,
    order: np.ndarray,
    mean: float,
    user_bias: np.ndarray,
    item_bias: np.ndarray,
    user_factors: np.ndarray,
    item_factors: np.ndarray,
    learning_rate: float,
    bias_learning_rate: float,
    reg_user: np.ndarray,
    reg_item: np.ndarray,
    reg_user_bias: np.ndarray,
    reg_item_bias: np.ndarray,
) -> float:
    """Walk over all ratings once and update the four parameter arrays; see the reference for the
    equations.

    Notes
    -----
    Vectors whose length isn't a multiple of 16 are copied into rows that are, and back: a caller
    with many epochs does that once, by `padded`.
    """
    n_parts = (indptr.shape[0] - 1) // user_factors.shape[0]
    bounds = equal_parts(indptr, order, n_parts, n_parts)
    # What a rating needs of its item beside the vector, in one place: b_i, and what b_i and q_i
    # keep in a step.
    one = np.float32(1)
    items = aligned_empty((len(item_factors), 4))
    items[:, 0] = item_bias
    items[:, 1] = one - np.float32(bias_learning_rate) * reg_item_bias
    items[:, 2] = one - np.float32(learning_rate) * reg_item
    ratings = indptr, indices, values, order, mean, user_bias, items
    others = learning_rate, bias_learning_rate, reg_user, reg_user_bias
    squared = np.zeros(n_parts)
    n_threads = min(n_parts, current_threads())
    # Twice as many as threads, so that none waits for its neighbour; a call costs microseconds.
    n_groups = min(n_parts, 2 * n_threads) if n_threads > 1 else 1

    with in_whole_blocks(user_factors, item_factors) as whole:

        def walk(turn: int, group: int) -> None:
            parts = group * n_parts // n_groups, (group + 1) * n_parts // n_groups
            _walks(*parts, turn, n_parts, bounds, squared, *ratings, *whole, *others)

        in_rounds(walk, n_parts, n_groups, n_threads)
    item_bias[:] = items[:, 0]
    return float(squared.sum())


def in_rounds(
    work: Callable[[int, int], None], n_rounds: int, n_groups: int, n_threads: int
) -> None:
    """Call ``work(turn, group)`` for each group in each round, on several threads; one begins when
    the same group and the next one have ended their round before.

    Each thread has neighbouring groups of its own, and so finds the block that it had last in its
    core's cache; it takes another's group only while none of its own can begin.
    """
    rounds_done, running = [0] * n_groups, set[int]()
    changed = threading.Condition()

    def may_begin(group: int) -> bool:
        turn = rounds_done[group]
        before = rounds_done[(group + 1) % n_groups]
        return group not in running and turn < n_rounds and before >= turn

    def taken(groups: list[int]) -> int | None:
        with changed:
            while min(rounds_done) < n_rounds:
                group = next(filter(may_begin, groups), None)
                if group is not None:
                    running.add(group)
                    return group
                changed.wait()
        return None

    def some(thread: int) -> None:
        own = range(thread * n_groups // n_threads, (thread + 1) * n_groups // n_threads)
        groups = [*own, *(group for group in range(n_groups) if group not in own)]
        while (group := taken(groups)) is not None:
            failed = True
            try:
                work(rounds_done[group], group)
                failed = False
            finally:
                with changed:
                    rounds_done[group] += 1
                    running.discard(group)
                    if failed:  # an error or Ctrl-C, with which the other threads end too
                        rounds_done[:] = [n_rounds] * n_groups
                    changed.notify_all()

    on_threads(some, n_threads, n_threads)


@contextmanager
def in_whole_blocks(*matrices: np.ndarray) -> Iterator[list[np.ndarray]]:
    """Yield matrices whose rows are whole blocks: those that are themselves, of others copies,
    which are copied back at the end.
    """
    whole = [x if x.shape[1] % BLOCK == 0 else padded(x) for x in matrices]
    yield whole
    for matrix, used in zip(matrices, whole, strict=True):
        if used is not matrix:
            matrix[:] = used[:, : matrix.shape[1]]


def padded(vectors: np.ndarray) -> np.ndarray:
    """Copy vectors, float32 [n, factors], into rows of whole cache lines, filled up with zeros,
    which a step keeps zero.
    """
    n, factors = vectors.shape
    whole = aligned_empty((n, -(-factors // BLOCK) * BLOCK))
    whole[:, :factors] = vectors
    whole[:, factors:] = 0
    return whole
