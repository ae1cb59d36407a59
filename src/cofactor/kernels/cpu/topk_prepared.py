"""The k best items of a few users, over items that were prepared once: for services, which answer
few people at a time.

Reading a million vectors of 64 floats takes longer than a person should wait, whatever is computed
with them. So the items are kept a second time in a quarter of the memory: each coordinate as an
8-bit number, each item with a scale, and with a bound on what that leaves out. A pass over these
gives for each item a number that its score can't exceed; the few whose number reaches the k-th best
score so far are scored exactly. What comes back is what a search of all items by the same exact
scores would give.

Legend: y_i an item's vector, c_i its offset, q_i its 8-bit numbers, s_i their scale, r_i = |y_i -
s_i q_i|, x_u a user's vector. Cauchy-Schwarz: ``x_u·y_i + c_i <= s_i x_u·q_i + c_i + |x_u| r_i``.
The rounding of both sides is added to r_i."""

from __future__ import annotations

import numpy as np

from cofactor.base.memory import aligned_empty
from cofactor.kernels.cpu.heap import before, contains, empty_lists, offer, sort_heap
from cofactor.kernels.cpu.jit import kernel, on_parts, shared
from cofactor.kernels.cpu.llvm.bits import lowest_bit
from cofactor.kernels.cpu.llvm.panels import WIDTH, reaching
from cofactor.kernels.cpu.topk import as_bytes, largest_first

F = np.float32
STEPS = 127.0  # of an 8-bit number on either side of zero
EPS = 1.2e-7
USERS = 16  # users whose vectors one pass over the items serves
SPREAD = 3  # users from which on it pays to turn a panel into floats first

Prepared = tuple[np.ndarray, ...]


def prepare_items(item_vectors: np.ndarray, item_offsets: np.ndarray) -> Prepared:
    """Order items by the largest score they can reach, and pack them into panels of 8-bit numbers.

    Parameters
    ----------
    item_vectors : float32 [n, f]
        y_i, C-contiguous; it is kept, not copied.
    item_offsets : float32 [n]
        c_i.

    Returns
    -------
    vectors, offsets : float32 [n, f], [n]
        As given.
    order : int32 [n]
        The items by |y_i| + c_i, the largest first; what follows stands in this order, filled up to
        whole panels.
    codes : int8 [panels * f, 64]
        q_i: line ``p f + d`` holds coordinate d of the items of panel p.
    scale, above, slack : float32 [panels * 64]
        s_i, c_i rounded up, and r_i with the share of all rounding errors that grows with |x_u|.
    reach, rest : float64 [panels]
        The largest |y_i| and c_i from each panel on.
    """
    n, f = item_vectors.shape
    norms = _norms(item_vectors)
    offsets = np.where(np.isnan(item_offsets), -np.inf, item_offsets).astype(np.float64)
    # A vector that isn't a number never scores; counted as infinite it comes first and can't hide
    # in the bound of the others.
    norms[np.isnan(norms)] = np.inf
    with np.errstate(invalid="ignore"):
        key = norms + offsets
    order, reach, rest = largest_first(key, norms, offsets, WIDTH)
    panels = -(-n // WIDTH)
    codes = aligned_empty((panels * f, WIDTH), np.int8)  # a line of a panel is a cache line
    codes[:] = 0
    scale, slack = np.zeros(panels * WIDTH, F), np.zeros(panels * WIDTH, F)
    above = np.full(panels * WIDTH, -np.inf, F)
    problem = (item_vectors, item_offsets, order, norms, codes, scale, above, slack)
    on_parts(lambda begin, end: _pack(begin, end, *problem), panels)
    return item_vectors, item_offsets, order, codes, scale, above, slack, reach, rest


def topk_prepared(
    user_vectors: np.ndarray,
    prepared: Prepared,
    k: int,
    excluded_indptr: np.ndarray,
    excluded_indices: np.ndarray,
    allowed: np.ndarray,
    n_threads: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what `topk_dot` does, over items that `prepare_items` prepared.

    Parameters
    ----------
    user_vectors : float32 [B, f]
        x_u, C-contiguous.
    prepared
        From `prepare_items`.
    allowed : bool or uint8 [n]
        Nonzero for the items that may come back, in the order of ``prepared`` (``allowed[order]``).
    k, excluded_indptr, excluded_indices, n_threads
        As in `topk_dot`; excluded are item rows.

    Returns
    -------
    rows : int32 [B, k]
    best : float32 [B, k]
    count : int32 [B]
        As in `topk_dot`; a user's scores are the same numbers whoever is asked for beside them.
    """
    found = empty_lists(len(user_vectors), k)
    if found[0].size and len(prepared[0]):
        which = (excluded_indptr, excluded_indices, as_bytes(allowed))
        shared(_scan_panels, n_threads, user_vectors, *prepared, *which, *found)
    return found


def _norms(vectors: np.ndarray) -> np.ndarray:
    norms = np.empty(len(vectors))
    on_parts(lambda first, end: _norms_of(first, end, vectors, norms), len(norms))
    return norms


@kernel
def _norms_of(first, end, vectors, norms) -> None:
    for i in range(first, end):
        y, square = vectors[i], 0.0
        for d in range(y.shape[0]):
            square += np.float64(y[d]) * np.float64(y[d])
        norms[i] = np.sqrt(square)


@kernel(allocates=True)
def _pack(begin, end, vectors, offsets, order, norms, codes, scale, above, slack):
    """Letters as above; the slack holds r_i and 4 (f + 16) eps |y_i|, twice what all the
    roundings come to.
    """
    n, f = vectors.shape
    packed = np.empty(f, np.int8)
    for panel in range(begin, end):
        for j in range(min(WIDTH, n - panel * WIDTH)):
            at = panel * WIDTH + j
            i = order[at]
            y, most, left = vectors[i], F(0), F(0)
            for d in range(f):
                most = max(most, abs(y[d]))
            step = most / F(STEPS)
            # What isn't finite, or is too small or too large to be divided, is always scored
            # exactly.
            if norms[i] < 1e15 and step > F(1e-15):
                scale[at] = step
                steps = F(1) / step
                for d in range(f):
                    q = np.rint(y[d] * steps)
                    e = y[d] - step * q
                    packed[d] = np.int8(q)
                    left += e * e
                for d in range(f):
                    codes[panel * f + d, j] = packed[d]
                # The differences, in float32, are right to eps |y_i|, which is in the slack, and
                # their squares to f eps.
                r = np.sqrt(np.float64(left)) * (1.0 + 1e-4) + 4.0 * EPS * norms[i]
                slack[at] = F((r + 4.0 * (f + 16) * EPS * (norms[i] + r)) * (1.0 + 1e-6))
            elif norms[i] > 0:
                slack[at] = F(np.inf)
            c = offsets[i]
            above[at] = c + abs(c) * F(1e-6) + F(1e-37)


@kernel(allocates=True)
def _scan_panels(
    thread,
    n_threads,
    user_vectors,
    vectors,
    offsets,
    order,
    codes,
    scale,
    above,
    slack,
    reach,
    rest,
    excluded_indptr,
    excluded,
    allowed,
    rows,
    best,
    count,
):
    n_users, f = user_vectors.shape
    together = min(USERS, (n_users + n_threads - 1) // n_threads)
    n_blocks = (n_users + together - 1) // together
    active, length = np.empty(together, np.int64), np.empty(together, F)
    spread = np.empty((f, WIDTH), F)
    for block in range(thread, n_blocks, n_threads):
        m = min(together, n_users - block * together)
        for a in range(m):
            active[a] = block * together + a
            square = 0.0
            for d in range(f):
                square += np.float64(user_vectors[active[a], d]) ** 2
            # Never zero: an infinite slack must stay infinite.
            length[a] = F(max(np.sqrt(square) * (1.0 + 1e-6), 1e-30))
        for panel in range(reach.shape[0]):
            m = _still(active, length, m, reach[panel], rest[panel], f, best, count)
            if m == 0:
                break
            if m >= SPREAD:
                for d in range(f):
                    line, wide = codes[panel * f + d], spread[d]
                    for j in range(WIDTH):
                        wide[j] = F(line[j])
            first = panel * WIDTH
            for a in range(m):
                u = active[a]
                x = user_vectors[u]
                gate = best[u, 0] if count[u] == rows.shape[1] else F(-np.inf)
                if m >= SPREAD:
                    mask = reaching(spread, 0, f, x, scale, above, slack, first, length[a], gate)
                else:
                    mask = reaching(
                        codes, panel * f, f, x, scale, above, slack, first, length[a], gate
                    )
                if mask:
                    count[u] = _exactly(
                        mask,
                        first,
                        x,
                        vectors,
                        offsets,
                        order,
                        excluded,
                        excluded_indptr[u],
                        excluded_indptr[u + 1],
                        allowed,
                        rows[u],
                        best[u],
                        np.int64(count[u]),
                    )
        for u in range(block * together, min((block + 1) * together, n_users)):
            sort_heap(rows[u], best[u], np.int64(count[u]))


@kernel
def _still(active, length, m, reach, rest, f, best, count):
    """Pack those of m users to the front who may still find something from here on, and return
    how many they are.
    """
    widened = 2.0 * (f + 8) * EPS
    kept = 0
    for a in range(m):
        u = active[a]
        dot_bound = length[a] * reach
        bound = dot_bound + rest + widened * (dot_bound + abs(rest)) + 1e-30
        if count[u] == best.shape[1] and bound < best[u, 0]:
            continue
        active[kept], length[kept] = u, length[a]
        kept += 1
    return kept


@kernel
def _exactly(
    mask,
    first,
    x,
    vectors,
    offsets,
    order,
    excluded,
    low,
    high,
    allowed,
    heap_rows,
    heap_scores,
    size,
):
    """Score the items of a panel that the mask names, and offer them to a user's heap; return
    the heap's new size.
    """
    k = heap_rows.shape[0]
    n, f = order.shape[0], x.shape[0]
    while mask:
        j = lowest_bit(mask)
        mask &= mask - np.uint64(1)
        at = first + j
        if at >= n or not allowed[at]:
            continue
        i = order[at]
        if contains(excluded, low, high, i):
            continue
        y, total = vectors[i], F(0)
        for d in range(f):
            total += x[d] * y[d]
        score = total + offsets[i]
        if score > F(-np.inf) and (size < k or before(score, i, heap_scores[0], heap_rows[0])):
            size = offer(heap_rows, heap_scores, size, k, i, score)
    return size
