"""What can be measured of which model, and what is measured when nobody says."""

from __future__ import annotations

from collections.abc import Sequence

from cofactor.base.errors import ArgumentError, TraitError
from cofactor.data.split import Part
from cofactor.metrics.table import Metric, parse_metrics
from cofactor.models.recommender import Recommender

TIES = "equal scores are ordered by the lower item row"
RANKING_DEFAULTS = ("ndcg@10", "recall@20", "precision@10", "map@10", "mrr@10", "hit@10")
RATING_DEFAULTS = ("rmse", "mae")


def default_metrics(model: Recommender, part: Part) -> tuple[Metric, ...]:
    """Return what is measured when nothing is named: ranking always, errors where ratings are
    predicted and held out.
    """
    rated = model.traits.predicts_ratings and part.truth.values is not None
    return parse_metrics((*RATING_DEFAULTS, *RANKING_DEFAULTS) if rated else RANKING_DEFAULTS)


def check(model: Recommender, part: Part, metrics: Sequence[Metric], *, sampled: bool) -> None:
    """Refuse what can't be measured, before anything is computed.

    Raises
    ------
    TraitError
        For rating metrics of a model that predicts no ratings.
    ArgumentError
        For rating metrics of data without ratings, sampled AUC within a sampled protocol, or a part
        whose items (or, for trained users, whose users) are not those the model was fitted on.
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
