"""Which metrics apply to a model and a part, and which are measured by default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import ArgumentError, TraitError
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part, Split
from cofactor.evaluation.csr_rows import among, take_rows
from cofactor.metrics.table import Metric, parse_metrics
from cofactor.models.recommender import Recommender

# Up to this length, lists are selected; beyond it, counting over all scores is cheaper.
LONGEST_LIST = 256
TIES = "equal scores are ordered by the lower item row"
RANKING_DEFAULTS = ("ndcg@10", "recall@20", "precision@10", "map@10", "mrr@10", "hit@10")
RATING_DEFAULTS = ("rmse", "mae")


def measured_part(model: Any, split: Any) -> Part:
    """Return the part to measure a model on: a split's test part, or the given part.

    Raises
    ------
    ArgumentError
        If it is neither, or the model is none.
    NotFittedError
        If the model isn't fitted.
    """
    part = split.test if isinstance(split, Split) else split
    if not isinstance(part, Part):
        raise ArgumentError(f"split must be a Split or a Part, not {type(split).__name__}.")
    checks.of_kind(model, "model", Recommender, "a fitted model")
    _ = model.data
    return part


def how_split(split: Split | Part) -> str:
    """Return the sentence that says how the data was divided."""
    return split.sentence if isinstance(split, Split) else "one part, given by itself"


def default_metrics(model: Recommender, part: Part) -> tuple[Metric, ...]:
    """Return the default metrics: ranking metrics, and errors if the model predicts ratings and the
    part has them.
    """
    rated = model.traits.predicts_ratings and part.truth.values is not None
    return parse_metrics((*RATING_DEFAULTS, *RANKING_DEFAULTS) if rated else RANKING_DEFAULTS)


def check(model: Recommender, part: Part, metrics: Sequence[Metric], *, sampled: bool) -> None:
    """Refuse metrics that don't apply, before anything is computed.

    Raises
    ------
    TraitError
        For rating metrics of a model that predicts no ratings.
    ArgumentError
        For rating metrics of data without ratings, sampled AUC within a sampled protocol, a part
        whose items (or, for trained users, whose users) are not those the model was fitted on, or a
        model that was fitted on what is to be predicted.
    """
    rating = [str(m) for m in metrics if m.family == "rating"]
    if rating and not model.traits.predicts_ratings:
        raise TraitError(
            f"{model.name} doesn't predict ratings, so {', '.join(rating)} can't be measured; it"
            " ranks."
        )
    if rating and part.truth.values is None:
        raise ArgumentError(
            f"the held-out interactions have no values, so {', '.join(rating)} can't be measured."
        )
    if sampled and any(m.kind == "auc_sampled" for m in metrics):
        raise ArgumentError(
            "the candidates are sampled already; ask for 'auc', or for 'auc_sampled' in a full"
            " ranking."
        )
    if model.data.items != part.truth.items:
        raise ArgumentError(
            "the model was fitted on other items than the part has; fit it on this split's train."
        )
    if not part.fold_in and model.data.users != part.truth.users:
        raise ArgumentError(
            "the model was fitted on other users than the part has; fit it on this split's train."
        )
    share = fitted_share(model.data, part)
    if share > 0:
        raise ArgumentError(
            f"the model was fitted on {share:.1%} of the held-out interactions, so what it scores"
            " on them says nothing; fit it on this split's train, or measure interactions that came"
            " later."
        )


def measures_lists(metric: Metric) -> bool:
    """Return whether a metric depends on the first places of a list alone."""
    return metric.family != "rating" and not metric.is_auc and metric.places <= LONGEST_LIST


def check_reranked(metrics: Sequence[Metric], *, sampled: bool) -> None:
    """Refuse metrics that don't apply to reranked lists, which rank some items, not all.

    Raises
    ------
    ArgumentError
        For metrics of whole rankings or of rating errors, and for sampled protocols.
    """
    whole = [str(m) for m in metrics if not measures_lists(m)]
    if whole:
        raise ArgumentError(
            f"reranked lists can't be measured by {', '.join(whole)}; name metrics with a cutoff,"
            f" such as ndcg@10, up to {LONGEST_LIST}."
        )
    if sampled:
        raise ArgumentError("reranked lists aren't measured among sampled items; rank all of them.")


def fitted_share(data: Interactions, part: Part) -> float:
    """Return the share of a part's held-out interactions that a model was fitted on.

    What the model may know (the part's history) doesn't count: where items may come back, a pair
    can stand in both.

    Parameters
    ----------
    data
        What the model was fitted on, over the part's items.
    part
        What is to be predicted.
    """
    if not len(part.truth) or data is part.history:
        return 0.0
    # One look-up per held-out pair: which of them are in the data, and which in the history.
    fitted = _holds(data, part.truth)
    if not fitted.any():
        return 0.0
    return float((fitted & ~_holds(part.history, part.truth)).mean())


def _holds(data: Interactions, queried: Interactions) -> np.ndarray:
    """Whether each pair of some interactions is among others over the same items, bool [n]."""
    rows = (
        np.arange(data.n_users)
        if data.users is queried.users
        else data.users.find(queried.users.arrow).astype(np.int64)
    )
    users, n_items = rows[queried.user_rows], np.int64(queried.n_items)
    # Pairs in CSR order are ascending numbers; only those of the users in question are made.
    wanted = np.unique(users[users >= 0])
    indptr, held = take_rows(data.indptr, data.item_rows, wanted)
    known = np.repeat(wanted, np.diff(indptr)) * n_items + held
    return (users >= 0) & among(known, users * n_items + queried.item_rows)
