"""One evaluator for all sides: what a side learned goes in, and one figure comes out, however the
side itself would measure.

Lists are the exact best items without the training items, ties by the lower row; nDCG is averaged
over users with a held-out item, the ideal being that of the shorter of list and truth."""

from __future__ import annotations

import numpy as np

from cofactor.retrieval.topk import best_dots

Arrays = dict[str, np.ndarray]
K = 20


def measured(metric: str, data: Arrays, result: Arrays, threads: int) -> float:
    """Return nDCG@20 (higher is better) or the RMSE (lower is) of what a side gave.

    Parameters
    ----------
    metric
        ``"ndcg@20"`` (or another length up to 20) or ``"rmse"``.
    data
        The data set with its parts.
    result
        ``own`` (a figure that the side measured itself, where measuring is the task), or ``lists``
        int [n_users, 20], or ``user_factors``, ``item_factors`` and perhaps ``item_bias``; for the
        RMSE ``predicted``, in the order of the test part.
    """
    if "own" in result:
        return float(result["own"])
    if metric == "rmse":
        error = result["predicted"].astype(np.float64) - data["test_values"]
        return float(np.sqrt(np.mean(error**2)))
    lists = result.get("lists")
    lists = best_lists(data, result, threads) if lists is None else lists
    return ndcg(lists, data, int(metric.removeprefix("ndcg@")))


def best_lists(data: Arrays, result: Arrays, threads: int) -> np.ndarray:
    """The best items of every user by factors, int32 [n_users, 20]; -1 where there are fewer."""
    x, y = (
        np.ascontiguousarray(result[name], np.float32) for name in ("user_factors", "item_factors")
    )
    bias = result.get("item_bias")
    bias = None if bias is None else np.ascontiguousarray(bias, np.float32)
    seen = (data["train_indptr"], data["train_items"])
    return best_dots(x, y, K, item_offsets=bias, excluded=seen, n_threads=threads).rows


def ndcg(lists: np.ndarray, data: Arrays, k: int = K) -> float:
    """Mean nDCG@k of lists; k at most 20."""
    indptr, items, n_items = data["test_indptr"], data["test_items"], int(data["n_items"])
    sizes = np.diff(indptr)
    truth = np.repeat(np.arange(len(sizes)), sizes) * n_items + items
    asked = np.flatnonzero(sizes)
    listed = lists[asked, :k].astype(np.int64)
    hits = np.isin(asked[:, None] * n_items + listed, truth) & (listed >= 0)
    discounts = 1.0 / np.log2(np.arange(listed.shape[1]) + 2)
    ideal = np.cumsum(1.0 / np.log2(np.arange(k) + 2))[np.minimum(sizes[asked], k) - 1]
    return float(np.mean(hits @ discounts / ideal))
