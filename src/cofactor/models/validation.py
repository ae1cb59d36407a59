"""Metrics of a model on a validation part: what early stopping follows while training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from cofactor.base.errors import ArgumentError
from cofactor.base.offsets import mask_of, owners_of, pick_rows, row_offsets
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.metrics.rating import rmse as rmse_of
from cofactor.metrics.table import evaluate_lists
from cofactor.models.user_batch import UserBatch
from cofactor.retrieval.topk import Exclusions, TopK, best_scores

# Paired t from which one of two choices counts as better by held-out interactions: .05 for two
# comparisons, two-sided.
PROOF = 2.24
_BLOCK = 512  # users whose lists are made at a time
_SCORES = 2**25  # scores that are held at a time, for several lists of each user
_TRAINING_RATINGS = 20_000


def ndcg(
    model: Any,
    part: Part,
    users: np.ndarray,
    k: int = 10,
    *,
    allowed: np.ndarray | None = None,
    n_threads: int = 1,
) -> float:
    """Return the mean nDCG@k of some users of a part, seen items left out, relevance 0 or 1.

    Parameters
    ----------
    model
        A fitted model.
    part
        Held-out interactions; its users are folded in if it says so.
    users
        int32 rows of users with held-out interactions.
    k
        The cutoff, at least 1.
    allowed
        bool [n_items]: the items that are ranked and count as true; None for the part's candidates,
        or else all.

    Returns
    -------
    float
        0 if no user has a true item.
    """
    found = users_ndcg(model, part, users, k, allowed=allowed, n_threads=n_threads)
    return float(found.mean()) if len(found) else 0.0


def users_ndcg(
    model: Any,
    part: Part,
    users: np.ndarray,
    k: int = 10,
    *,
    allowed: np.ndarray | None = None,
    n_threads: int = 1,
) -> np.ndarray:
    """Return the nDCG@k of each user who has a true item; see `ndcg`."""
    values = []
    if allowed is None and part.candidates is not None:
        allowed = mask_of(part.candidates, part.truth.n_items)
    for rows, batch, seen in _batches(model, part, users, _BLOCK):
        top = model.topk(batch, k, excluded=seen, allowed=allowed, n_threads=n_threads)
        values.append(ndcg_of(top, k, _true_items(part, rows, allowed)))
    found = np.concatenate(values) if values else np.zeros(0)
    return found[~np.isnan(found)]


def ndcg_by_offset(
    model: Any,
    part: Part,
    users: np.ndarray,
    k: int,
    offsets: Sequence[np.ndarray | None],
    *,
    exclude_seen: bool = True,
    n_threads: int = 1,
) -> list[np.ndarray]:
    """Return each user's nDCG@k with each of some offsets, float32 [n_items], added to the model's
    scores, which are computed once; see `users_ndcg`.
    """
    values: list[list[np.ndarray]] = [[] for _ in offsets]
    block = max(1, min(_BLOCK, _SCORES // max(1, part.truth.n_items)))
    for rows, batch, seen in _batches(model, part, users, block):
        scores, true = model.score_batch(batch), _true_items(part, rows, None)
        excluded = seen if exclude_seen else None
        for found, offset in zip(values, offsets, strict=True):
            weighed = scores if offset is None else scores + offset
            top = best_scores(weighed, k, excluded=excluded, n_threads=n_threads)
            found.append(ndcg_of(top, k, true))
    each = [np.concatenate(found) if found else np.zeros(0) for found in values]
    return [found[~np.isnan(found)] for found in each]


def _batches(
    model: Any, part: Part, users: np.ndarray, block: int
) -> Iterator[tuple[np.ndarray, UserBatch, Exclusions]]:
    """Yield some users at a time, as the model takes them, with what they have seen."""
    history = part.histories(users)
    for low in range(0, len(users), block):
        rows = users[low : low + block]
        some = history.take(np.arange(low, low + len(rows)))
        batch = model.fold_in(some) if part.fold_in else model.user_batch(rows)
        indptr, seen, _ = some.csr
        yield rows, batch, (indptr, seen)


def ndcg_of(top: TopK, k: int, true: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return the nDCG@k of lists against true items, CSR; NaN where there is no true item."""
    return evaluate_lists(top.rows, top.count, *true, f"ndcg@{k}")[f"ndcg@{k}"]


class PredictedPart(NamedTuple):
    """A part's users, folded in if it says so, and the predictions of its pairs.

    Parameters
    ----------
    batch
        The users.
    which
        int64 [n]: whose each pair is.
    values
        float32 [n]: the predictions.
    """

    batch: UserBatch
    which: np.ndarray
    values: np.ndarray


def predictions(model: Any, part: Part) -> PredictedPart:
    """Return what a fitted model predicts for a part's pairs."""
    rows, truth = part.user_rows, part.truth
    batch = model.fold_in(part.histories(rows)) if part.fold_in else model.user_batch(rows)
    which = np.searchsorted(rows, truth.user_rows)
    return PredictedPart(batch, which, model.predict_batch(batch, which, truth.item_rows))


def rmse(model: Any, part: Part) -> float:
    """Return the root mean squared error on a part's ratings."""
    if part.truth.values is None:
        raise ArgumentError("the validation data has no values to take an RMSE on.")
    return rmse_of(predictions(model, part).values, part.truth.values)


def train_rmse(model: Any, part: Part) -> float:
    """Return the RMSE on at most 20,000 of the training ratings, evenly spaced: what the validation
    curve is compared with.
    """
    data = model.data
    assert data.values is not None
    some = np.arange(0, len(data), max(1, len(data) // _TRAINING_RATINGS))
    return rmse_of(
        model.predict_rows(data.user_rows[some], data.item_rows[some]), data.values[some]
    )


def warm_ndcg(model: Any, part: Part, users: np.ndarray, *, n_threads: int = 1) -> float:
    """Return nDCG@10 over the items with training interactions alone, true ones included."""
    return ndcg(model, part, users, 10, allowed=model.data.item_counts > 0, n_threads=n_threads)


def warm_users(part: Part, data: Interactions) -> np.ndarray:
    """Return the users with a held-out item among those with training interactions, int32
    ascending.
    """
    held = part.truth.user_rows[data.item_counts[part.truth.item_rows] > 0]
    return np.unique(held).astype(np.int32)


def _true_items(
    part: Part, rows: np.ndarray, allowed: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """The true items of some users that may be ranked, CSR."""
    truth = part.truth
    indptr, positions = pick_rows(truth.indptr, rows)
    owners, items = owners_of(np.diff(indptr)), truth.item_rows[positions]
    if allowed is not None:
        owners, items = owners[allowed[items]], items[allowed[items]]
    indptr = row_offsets(owners, len(rows))
    return indptr, items


def paired_t(differences: np.ndarray) -> float:
    """Return Student's t of paired differences, float64 [n]; 0 where there are none."""
    deviation = float(differences.std(ddof=1)) if len(differences) > 1 else 0.0
    return float(differences.mean()) / max(deviation / len(differences) ** 0.5, 1e-12)


def proven(differences: np.ndarray) -> bool:
    """Return whether paired differences, float64 [n], are above 0 by more than chance."""
    return paired_t(differences) >= PROOF
