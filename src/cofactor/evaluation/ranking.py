"""Metrics by name, and what ranking metrics make of the ranks of the true items."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.base.names import unknown_name

TIES = "equal scores are ordered by the lower item row"

# What each metric is called, its family, and whether a cutoff must, may or can't stand behind it.
RANKING = {
    "ndcg": "may",
    "recall": "must",
    "precision": "must",
    "map": "may",
    "mrr": "may",
    "hit": "must",
    "auc": "no",
    "auc_sampled": "may",
}
RATING = dict.fromkeys(("rmse", "mse", "mae", "rmse_rounded", "mse_rounded", "mae_rounded"), "no")
BEYOND = dict.fromkeys(("coverage", "novelty", "gini", "popularity"), "must")
SYNONYMS = {
    "hr": "hit",
    "hit_rate": "hit",
    "hitrate": "hit",
    "prec": "precision",
    "ap": "map",
    "rr": "mrr",
}
LOWER_IS_BETTER = frozenset({*RATING, "gini", "popularity"})
# "No cutoff": beyond any catalogue, and within int32.
WHOLE = 2**31 - 1


@dataclass(frozen=True, order=True)
class Metric:
    """One metric: what is measured, and at which cutoff.

    Parameters
    ----------
    kind
        A name of the table in ``docs/evaluation.md``: ``"ndcg"``, ``"recall"``, ``"rmse"`` ...
    cutoff
        How many places of the list count; None for the whole ranking. For ``auc_sampled`` it is the
        number of items drawn per user instead (None: 100).
    """

    kind: str
    cutoff: int | None = None

    def __str__(self) -> str:
        return self.kind if self.cutoff is None else f"{self.kind}@{self.cutoff}"

    @property
    def family(self) -> str:
        """``"ranking"``, ``"rating"`` or ``"beyond"`` (what lists are like apart from being
        right).
        """
        return "ranking" if self.kind in RANKING else "rating" if self.kind in RATING else "beyond"

    @property
    def lower_is_better(self) -> bool:
        """Whether less of it is better; of coverage and novelty, more counts as better."""
        return self.kind in LOWER_IS_BETTER

    @property
    def places(self) -> int:
        """The cutoff, or a number beyond any catalogue."""
        return WHOLE if self.cutoff is None else self.cutoff


def parse_metric(name: str) -> Metric:
    """Read one metric's name, such as ``"ndcg@10"``, ``"mrr"`` or ``"rmse"``.

    Raises
    ------
    UnknownNameError
        If there is no such metric; the nearest names are offered.
    ArgumentError
        If a cutoff is missing, not wanted, or no integer from 1.
    """
    if isinstance(name, Metric):
        return name
    if not isinstance(name, str):
        raise ArgumentError(f"a metric must be a name like 'ndcg@10', not {name!r}.")
    kind, at, text = name.strip().casefold().replace("-", "_").partition("@")
    kind = SYNONYMS.get(kind, kind)
    known = {**RANKING, **RATING, **BEYOND}
    if kind not in known:
        # The cutoff is given to every name that can have one, so that the names are compared and
        # not the numbers.
        cut = {n: rule == "must" or (at and rule == "may") for n, rule in known.items()}
        raise unknown_name("metric", name, [f"{n}@{text or 10}" if cut[n] else n for n in known])
    rule = known[kind]
    if at and rule == "no":
        raise ArgumentError(f"the metric {kind} takes no cutoff; write {kind!r}, not {name!r}.")
    if not at and rule == "must":
        raise ArgumentError(f"the metric {kind} needs a cutoff; write '{kind}@10'.")
    if not at:
        return Metric(kind)
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise ArgumentError(
            f"the cutoff of {name!r} must be an integer of at least 1, not {text!r}."
        )
    return Metric(kind, int(text))


def parse_metrics(names: str | Iterable[str]) -> tuple[Metric, ...]:
    """Read several metrics, from a list or from one string with commas; a repeated one counts
    once.
    """
    listed = names.split(",") if isinstance(names, str) else list(names)
    metrics = tuple(dict.fromkeys(parse_metric(name) for name in listed))
    if not metrics:
        raise ArgumentError("metrics must name at least one metric, such as 'ndcg@10'.")
    return metrics


def ranking_values(
    metrics: Iterable[Metric],
    indptr: np.ndarray,
    ranks: np.ndarray,
    beaten: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Turn the ranks of true items into each user's metrics.

    Parameters
    ----------
    metrics
        Ranking metrics.
    indptr
        int64 [n_users + 1]: the true items of user u are the positions ``indptr[u]:indptr[u + 1]``;
        none is empty.
    ranks
        int32 [n_truth], from 0; -1 for an item that isn't in the list or the ranking.
    beaten
        For ``"auc"`` and ``"auc_sampled@n"`` the share of negatives below each true item, float64
        [n_truth].

    Returns
    -------
    dict
        For each metric's name its values, float64 [n_users]; NaN where it isn't defined (AUC
        without negatives).
    """
    from cofactor.kernels.cpu.ranking import rank_metrics

    metrics = tuple(metrics)
    by_rank = [m for m in metrics if not m.kind.startswith("auc")]
    cutoffs = sorted({m.places for m in by_rank})
    sizes = np.diff(indptr)
    found: dict[str, np.ndarray] = {}
    if cutoffs:
        hits, ndcg, ap, rr = rank_metrics(indptr, ranks, np.array(cutoffs, np.int64))
    for metric in metrics:
        if metric.kind.startswith("auc"):
            found[str(metric)] = mean_by_user(indptr, beaten[str(metric)])
            continue
        c = cutoffs.index(metric.places)
        if metric.kind == "ndcg":
            values = ndcg[:, c]
        elif metric.kind == "recall":
            values = hits[:, c] / sizes
        elif metric.kind == "precision":
            values = hits[:, c] / metric.places
        elif metric.kind == "map":
            values = ap[:, c]
        elif metric.kind == "mrr":
            values = rr[:, c]
        else:
            values = (hits[:, c] > 0).astype(np.float64)
        found[str(metric)] = np.ascontiguousarray(values)
    return found


def mean_by_user(indptr: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the mean over each user's positions, float64 [n_users]; NaN where one is NaN or
    there is none.
    """
    n_users = len(indptr) - 1
    sizes = np.diff(indptr)
    owners = np.repeat(np.arange(n_users), sizes)
    sums = np.bincount(owners, weights=values, minlength=n_users)
    return np.divide(sums, sizes, out=np.full(n_users, np.nan), where=sizes > 0)


def evaluate_lists(
    rows: np.ndarray,
    count: np.ndarray,
    truth_indptr: np.ndarray,
    truth_items: np.ndarray,
    metrics: str | Iterable[str] = ("ndcg@10", "recall@10"),
) -> dict[str, np.ndarray]:
    """Return ranking metrics of lists that are there already, whoever made them.

    Parameters
    ----------
    rows
        int32 [n_users, k] item rows, the best first.
    count
        int32 [n_users]: how many of them there are.
    truth_indptr, truth_items
        The true items of the same users as CSR: int64 [n_users + 1], and int32 ascending within a
        user.
    metrics
        Ranking metrics, except AUC, which a list can't tell.

    Returns
    -------
    dict
        For each metric float64 [n_users]; NaN for users without true items.
    """
    from cofactor.kernels.cpu.ranking import list_ranks

    wanted = parse_metrics(metrics)
    for metric in wanted:
        if metric.family != "ranking" or metric.kind.startswith("auc"):
            raise ArgumentError(
                f"a list can't tell {metric}; ask for one of ndcg, recall, precision, map, mrr,"
                " hit."
            )
    checks.integer(np.ndim(rows), "the rank of rows", low=2, high=2)
    longest = np.shape(rows)[1]
    if any(m.cutoff is not None and m.cutoff > longest for m in wanted) and np.any(
        np.asarray(count) == longest
    ):
        raise ArgumentError(f"the lists end at {longest}; ask for cutoffs up to that.")
    indptr = np.ascontiguousarray(truth_indptr, np.int64)
    items = np.ascontiguousarray(truth_items, np.int32)
    lists, counts = np.ascontiguousarray(rows, np.int32), np.ascontiguousarray(count, np.int32)
    values = ranking_values(wanted, indptr, list_ranks(lists, counts, indptr, items), {})
    nobody = np.diff(indptr) == 0
    return {name: np.where(nobody, np.nan, column) for name, column in values.items()}
