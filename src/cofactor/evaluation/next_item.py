"""The next item, ranked among all items: hit rate, nDCG and MRR with a declared repeat policy."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.base.offsets import owners_of
from cofactor.base.run import Run, run_of
from cofactor.data.split import Part, Split
from cofactor.evaluation import protocol
from cofactor.evaluation.intervals import MAX_RESAMPLES, Summary, summaries
from cofactor.evaluation.result import How, Result
from cofactor.kernels.work import run_context
from cofactor.metrics.table import Metric, Ranking, parse_metrics
from cofactor.models.recommender import Recommender
from cofactor.retrieval.topk import exclusions

REPEAT_POLICIES = ("model", "exclude", "allow")
NEXT_ITEM_METRICS = ("hit@10", "ndcg@10", "mrr@10", "hit@20", "mrr@20")
MID_RANK = "the rank of an item among equal scores is the middle of their ranks"
# Bytes of scores that are held in memory at a time.
_BLOCK = 64 * 2**20


class _Targets(NamedTuple):
    users: np.ndarray
    item_rows: np.ndarray
    repeated: np.ndarray


def evaluate_next(
    model: Recommender,
    split: Split | Part,
    metrics: str | Iterable[str] = NEXT_ITEM_METRICS,
    *,
    repeats: str = "model",
    run: Run | None = None,
    label: str | None = None,
    resamples: int = 1000,
) -> Result:
    """Measure how high a model ranks the item that came next, among all items.

    With r the mid-rank of the true item, from 0: hit@k is [r < k], ndcg@k is [r < k] / log2(r + 2),
    mrr@k is [r < k] / (r + 1). A constant model thus gets no credit for the order of the rows.

    Parameters
    ----------
    model
        A fitted model.
    split
        A split, whose test part is measured, or one part. Each user has one true item; where there
        are several, the earliest counts.
    metrics
        ``hit@k``, ``ndcg@k``, ``mrr@k``.
    repeats
        The repeat policy: ``"exclude"`` ranks no item of the history, so a true item in it counts
        as a miss; ``"allow"`` ranks every item; ``"model"`` follows the model's own setting
        ``repeats``, or ``"exclude"`` if it has none.
    run
        Threads, and the seed of the intervals.
    label
        The model's name in tables; None for its own name.
    resamples
        Bootstrap resamples of the users; 0 for no intervals.

    Returns
    -------
    Result
        With the groups ``"repeat"`` (the true item is in the history) and ``"explore"`` (it isn't).

    Raises
    ------
    ArgumentError
        For other metrics, or if no user has a true item.
    """
    part = protocol.measured_part(model, split)
    checks.integer(resamples, "resamples", low=0, high=MAX_RESAMPLES)
    checks.choice(repeats, "repeats", REPEAT_POLICIES)
    run = run_of(run)
    wanted = _metrics(metrics)
    protocol.check(model, part, wanted, sampled=False)
    if repeats == "model":
        repeats = str(getattr(model.config, "repeats", "exclude"))
    targets = _find_targets(part)
    began = time.perf_counter()
    with run_context(run):
        ranks = next_ranks(model, part, targets.users, targets.item_rows, repeats == "exclude", run)
    how = _how(model, split, repeats, run.seed, resamples, time.perf_counter() - began)
    values = {str(metric): _values(metric, ranks) for metric in wanted}
    whole = Result(
        model=label if label is not None else model.name,
        config=model.config.to_dict(),
        metrics=tuple(values),
        user_rows=targets.users,
        user_ids=part.truth.users.take(targets.users),
        values=values,
        summary=_summary(values, how),
        how=how,
    )
    kinds = (("repeat", targets.repeated), ("explore", ~targets.repeated))
    groups = {name: _of_users(whole, mask) for name, mask in kinds if mask.any()}
    return replace(whole, groups=groups)


def _how(
    model: Recommender,
    split: Split | Part,
    repeats: str,
    seed: int,
    resamples: int,
    seconds: float,
) -> How:
    return How(
        split=protocol.how_split(split),
        fingerprint=split.fingerprint,
        protocol=f"next item among all {model.data.n_items:,} items, repeats: {repeats}",
        sampled=False,
        exclude_seen=repeats == "exclude",
        ties=MID_RANK,
        n_candidates=model.data.n_items,
        dropped=0,
        confidence=0.95,
        resamples=resamples,
        seed=seed,
        seconds=seconds,
    )


def next_ranks(
    model: Recommender,
    part: Part,
    users: np.ndarray,
    item_rows: np.ndarray,
    exclude: bool,
    run: Run,
) -> np.ndarray:
    """Return the mid-rank of each user's true item among all items, float64 [n], from 0.

    Parameters
    ----------
    model, part
        As in `evaluate_next`.
    users
        int [n], user rows of the part.
    item_rows
        int32 [n], the true items.
    exclude
        Whether items of the history are left out; a true item among them gets infinity.
    run
        Threads.
    """
    from cofactor.kernels.cpu.next_rank import mid_ranks

    block = max(1, _BLOCK // (4 * max(1, model.data.n_items)))
    ranks = np.empty(len(users))
    for low in range(0, len(users), block):
        span = slice(low, low + block)
        scores, seen = scores_of(model, part, users[span])
        left_out = exclusions(seen if exclude else None, len(scores))
        ranks[span] = mid_ranks(scores, item_rows[span], *left_out, run.n_threads)
    return ranks


def scores_of(
    model: Recommender, part: Part, users: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return the scores of all items for some users of a part, and what each has seen as CSR.

    A model whose states are histories gets the part's own histories: they may hold more
    than it was trained on (the validation item, when the test item is predicted).
    """
    histories = part.histories(users)
    batch = (
        model.fold_in(histories)
        if part.fold_in or model.traits.uses_order
        else model.user_batch(users)
    )
    indptr, items, _ = histories.csr
    return np.ascontiguousarray(model.score_batch(batch), np.float32), (indptr, items)


def _metrics(names: str | Iterable[str]) -> tuple[Metric, ...]:
    wanted = parse_metrics(names)
    for metric in wanted:
        if not isinstance(metric.definition, Ranking) or metric.definition.of_one is None:
            raise ArgumentError(
                f"the next item is one item: ask for hit@k, ndcg@k or mrr@k, not {metric}."
            )
    return wanted


def _find_targets(part: Part) -> _Targets:
    """The users with a true item, their first one, and whether it is in their history."""
    truth = part.truth
    users = part.user_rows
    if not len(users):
        raise ArgumentError("no user has a true item in this part.")
    first = truth.chronological[truth.indptr[users]]
    targets = truth.item_rows[first].astype(np.int32)
    indptr, items, _ = part.histories(users).csr
    pairs = owners_of(np.diff(indptr)) * truth.n_items + items
    repeated = np.isin(np.arange(len(users)) * truth.n_items + targets, pairs)
    return _Targets(users, targets, repeated)


def _values(metric: Metric, ranks: np.ndarray) -> np.ndarray:
    return np.where(ranks < metric.places, metric.definition.of_one(ranks), 0.0)


def _of_users(whole: Result, mask: np.ndarray) -> Result:
    """The same measurement for some of its users."""
    values = {name: column[mask] for name, column in whole.values.items()}
    return replace(
        whole,
        user_rows=whole.user_rows[mask],
        user_ids=whole.user_ids.filter(pa.array(mask)),
        values=values,
        summary=_summary(values, whole.how),
    )


def _summary(values: dict[str, np.ndarray], how: How) -> dict[str, Summary]:
    return summaries(values, confidence=how.confidence, resamples=how.resamples, seed=how.seed)
