"""The table of metrics: their names, what computes them, and how names are parsed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.base.names import unknown_name
from cofactor.metrics import lists, ranking, rating
from cofactor.metrics.ranking import Ranks, mean_by_user

# "No cutoff": beyond any catalogue, and within int32.
WHOLE = 2**31 - 1


@dataclass(frozen=True)
class Ranking:
    """A metric of ranks: ``function(ranks, k)`` gives float64 [n_users].

    ``cutoff`` says whether the name "must" or "may" have a cutoff, or has "no" cutoff.
    ``of_one(rank)`` is the value of a user whose only true item has that rank, which may be a half
    (the next item, among equal scores), if the metric is defined there.
    """

    function: Callable[[Ranks, int], np.ndarray]
    cutoff: str = "must"
    of_one: Callable[[np.ndarray], np.ndarray] | None = None
    lower_is_better: bool = False


@dataclass(frozen=True)
class Auc:
    """A metric that is the mean, by user, of the share of negatives below each true item."""

    cutoff: str
    lower_is_better: bool = False


@dataclass(frozen=True)
class Rating:
    """A metric of predicted ratings: ``finish`` of the mean of ``function(predicted, true)``.

    With ``rounded``, predictions are first rounded to the nearest step of the rating scale.
    """

    function: Callable[[np.ndarray, np.ndarray], np.ndarray]
    finish: Callable[[np.ndarray], np.ndarray] = rating.identity
    rounded: bool = False
    cutoff: str = "no"
    lower_is_better: bool = True


@dataclass(frozen=True)
class OfItems:
    """A metric of lists: the mean of ``function(item_counts, n_users)`` over a list's items."""

    function: Callable[[np.ndarray, int], np.ndarray]
    cutoff: str = "must"
    lower_is_better: bool = False


@dataclass(frozen=True)
class OfCorpus:
    """A metric of all lists together: ``function(list_counts, n_candidates)``."""

    function: Callable[[np.ndarray, int], float]
    cutoff: str = "must"
    lower_is_better: bool = False


Definition = Ranking | Auc | Rating | OfItems | OfCorpus

METRICS: dict[str, Definition] = {
    "ndcg": Ranking(ranking.ndcg, "may", of_one=ranking.discount),
    "recall": Ranking(ranking.recall),
    "precision": Ranking(ranking.precision),
    "map": Ranking(ranking.average_precision, "may"),
    "mrr": Ranking(ranking.reciprocal_rank, "may", of_one=ranking.reciprocal),
    "hit": Ranking(ranking.hit, of_one=np.ones_like),
    "auc": Auc("no"),
    "auc_sampled": Auc("may"),
    "rmse": Rating(rating.squared_error, rating.root),
    "mse": Rating(rating.squared_error),
    "mae": Rating(rating.absolute_error),
    "rmse_rounded": Rating(rating.squared_error, rating.root, rounded=True),
    "mse_rounded": Rating(rating.squared_error, rounded=True),
    "mae_rounded": Rating(rating.absolute_error, rounded=True),
    "coverage": OfCorpus(lists.coverage),
    "novelty": OfItems(lists.surprise),
    "gini": OfCorpus(lists.gini, lower_is_better=True),
    "popularity": OfItems(lists.in_head, lower_is_better=True),
}
SYNONYMS = {
    "hr": "hit",
    "hit_rate": "hit",
    "hitrate": "hit",
    "prec": "precision",
    "ap": "map",
    "rr": "mrr",
}


@dataclass(frozen=True, order=True)
class Metric:
    """One metric: what is measured, and at which cutoff.

    Parameters
    ----------
    kind
        A name of `METRICS`: ``"ndcg"``, ``"recall"``, ``"rmse"`` ...
    cutoff
        How many places of the list count; None for the whole ranking. For ``auc_sampled`` it is the
        number of items drawn per user instead (None: 100).
    """

    kind: str
    cutoff: int | None = None

    def __str__(self) -> str:
        return self.kind if self.cutoff is None else f"{self.kind}@{self.cutoff}"

    @property
    def definition(self) -> Any:
        """What computes it."""
        return METRICS[self.kind]

    @property
    def is_auc(self) -> bool:
        """Whether it needs the share of negatives below each true item."""
        return isinstance(self.definition, Auc)

    @property
    def family(self) -> str:
        """``"ranking"``, ``"rating"`` or ``"lists"`` (properties of lists other than accuracy)."""
        if isinstance(self.definition, Ranking | Auc):
            return "ranking"
        return "rating" if isinstance(self.definition, Rating) else "lists"

    @property
    def sign(self) -> int:
        """1 where higher is better, -1 where lower is."""
        return -1 if self.lower_is_better else 1

    @property
    def lower_is_better(self) -> bool:
        """Whether lower is better; for coverage and novelty, higher counts as better."""
        return bool(self.definition.lower_is_better)

    @property
    def places(self) -> int:
        """The cutoff, or a number beyond any catalogue."""
        return WHOLE if self.cutoff is None else self.cutoff


def parse_metric(name: str | Metric) -> Metric:
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
    if kind not in METRICS:
        written = re.fullmatch(r"([^0-9]+?)_?([0-9]+)", kind)  # ndcg10
        if written and not at and SYNONYMS.get(written[1], written[1]) in METRICS:
            raise unknown_name("metric", name, [f"{written[1]}@{written[2]}"])
        # Suggestions get the same cutoff, so that only names are compared.
        cut = {n: d.cutoff == "must" or (at and d.cutoff == "may") for n, d in METRICS.items()}
        raise unknown_name("metric", name, [f"{n}@{text or 10}" if cut[n] else n for n in METRICS])
    rule = METRICS[kind].cutoff
    if at and rule == "no":
        raise ArgumentError(f"the metric {kind} takes no cutoff; write {kind!r}, not {name!r}.")
    if not at and rule == "must":
        raise ArgumentError(f"the metric {kind} needs a cutoff; write '{kind}@10'.")
    if not at:
        return Metric(kind)
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise ArgumentError(
            f"the cutoff of {name!r} must be an integer in 1..999999999, as in '{kind}@10'."
        )
    return Metric(kind, int(text))


def parse_metrics(names: str | Iterable[str | Metric]) -> tuple[Metric, ...]:
    """Read several metrics, from a list or one string with commas; a repeated one counts once."""
    if isinstance(names, Mapping) or not isinstance(names, Iterable):
        raise ArgumentError(f"metrics must be names such as 'ndcg@10', not {names!r}.")
    listed = names.split(",") if isinstance(names, str) else list(names)
    metrics = tuple(dict.fromkeys(parse_metric(name) for name in listed))
    if not metrics:
        raise ArgumentError("metrics must name at least one metric, such as 'ndcg@10'.")
    return metrics


def metric_names(metrics: str | Iterable[str | Metric] | None) -> list[str] | None:
    """Return the names of metrics, checked; None stays None."""
    return None if metrics is None else [str(metric) for metric in parse_metrics(metrics)]


def ranking_values(metrics: Iterable[Metric], ranks: Ranks) -> dict[str, np.ndarray]:
    """Return each ranking metric's values, float64 [n_users]; NaN where it isn't defined."""
    metrics = tuple(metrics)
    ranks.prepare(tuple(m.places for m in metrics if not m.is_auc))
    return {
        str(m): mean_by_user(ranks.indptr, ranks.auc_shares[str(m)])
        if m.is_auc
        else m.definition.function(ranks, m.places)
        for m in metrics
    }


def evaluate_lists(
    rows: np.ndarray,
    count: np.ndarray,
    truth_indptr: np.ndarray,
    truth_items: np.ndarray,
    metrics: str | Iterable[str | Metric] = ("ndcg@10", "recall@10"),
) -> dict[str, np.ndarray]:
    """Return ranking metrics of given lists.

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
        Ranking metrics, except AUC, which a list doesn't determine.

    Returns
    -------
    dict
        For each metric float64 [n_users]; NaN for users without true items.
    """
    from cofactor.kernels.cpu.ranking import list_ranks

    wanted = parse_metrics(metrics)
    for metric in wanted:
        if metric.family != "ranking" or metric.is_auc:
            raise ArgumentError(
                f"lists don't determine {metric}; ask for one of ndcg, recall, precision, map, mrr,"
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
    return ranking_values(wanted, Ranks(indptr, list_ranks(lists, counts, indptr, items)))
