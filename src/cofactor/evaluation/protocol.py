"""Which metrics apply to a model and a part, and which are measured by default."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cofactor.base import checks
from cofactor.base.errors import ArgumentError, TraitError
from cofactor.data.held_out import refuse_fitted
from cofactor.data.split import Part, Split
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
        If it is neither, the model is none, or it was chosen by the split's test part.
    NotFittedError
        If the model isn't fitted.
    """
    part = split.test if isinstance(split, Split) else split
    if not isinstance(part, Part):
        raise ArgumentError(f"split must be a Split or a Part, not {type(split).__name__}.")
    checks.of_kind(model, "model", Recommender, "a fitted model")
    _ = model.data
    if (
        isinstance(split, Split)
        and model.chosen_by is not None
        and model.chosen_by == part.truth.fingerprint
    ):
        raise ArgumentError(
            "the model was stopped, or its weights were chosen, by this split's test part, so what"
            " it reaches there says nothing; fit it with validation=split.validation."
        )
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


def check_rated(
    model: Recommender, part: Part, metrics: str | Iterable[str | Metric] | None
) -> None:
    """Refuse rating metrics that can't be measured; the model may be one that isn't fitted yet, so
    that nothing is fitted in vain. None are the default ones, which can be.

    Raises
    ------
    TraitError
        If the model predicts no ratings.
    ArgumentError
        If the part has none.
    """
    named = () if metrics is None else parse_metrics(metrics)
    rating = [str(m) for m in named if m.family == "rating"]
    if rating and not model.traits.predicts_ratings:
        raise TraitError(
            f"{model.name} doesn't predict ratings, so {', '.join(rating)} can't be measured; it"
            " ranks."
        )
    if rating and part.truth.values is None:
        raise ArgumentError(
            f"the held-out interactions have no values, so {', '.join(rating)} can't be measured."
        )


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
    check_rated(model, part, metrics)
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
    refuse_fitted(model.data, part)


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
