"""Heaps that keep the best of many, with the worst of them at the root."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu.jit import helper, kernel


def empty_lists(n_rows: int, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows, scores and counts of lists that nothing is in yet."""
    return (
        np.full((n_rows, k), -1, np.int32),
        np.full((n_rows, k), np.nan, np.float32),
        np.zeros(n_rows, np.int32),
    )


@helper
def before(score, row, other_score, other_row):
    """Whether (score, row) is ranked before (other_score, other_row)."""
    return score > other_score or (score == other_score and row < other_row)


@kernel
def contains(values, low, high, wanted):
    """Whether the ascending values[low:high] hold the one wanted."""
    end = high
    while low < high:
        middle = (low + high) >> 1
        if values[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low < end and values[low] == wanted


@kernel
def sink(heap_rows, heap_scores, size, row, score):
    """Put (score, row) in the place of the root, the worst, and sink it to where it belongs."""
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and before(
            heap_scores[child], heap_rows[child], heap_scores[child + 1], heap_rows[child + 1]
        ):
            child += 1
        # the children's worst is no worse than the new one: it stays here
        if not before(score, row, heap_scores[child], heap_rows[child]):
            break
        heap_rows[at] = heap_rows[child]
        heap_scores[at] = heap_scores[child]
        at = child
    heap_rows[at] = row
    heap_scores[at] = score


@kernel
def offer(heap_rows, heap_scores, size, k, row, score):
    """Take (score, row) into the heap if it is among the k best so far; return the heap's new
    size.
    """
    if size < k:
        at = size
        size += 1
        while at > 0:
            parent = (at - 1) >> 1
            if not before(heap_scores[parent], heap_rows[parent], score, row):
                break
            heap_rows[at] = heap_rows[parent]
            heap_scores[at] = heap_scores[parent]
            at = parent
        heap_rows[at] = row
        heap_scores[at] = score
    elif before(score, row, heap_scores[0], heap_rows[0]):
        sink(heap_rows, heap_scores, size, row, score)
    return size


@kernel
def sort_heap(heap_rows, heap_scores, size):
    """Turn the heap into a list, best first: the worst goes to the end, again and again."""
    while size > 1:
        size -= 1
        row = heap_rows[size]
        score = heap_scores[size]
        heap_rows[size] = heap_rows[0]
        heap_scores[size] = heap_scores[0]
        sink(heap_rows, heap_scores, size, row, score)
