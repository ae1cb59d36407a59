"""The choice where users are few, and the best attempt is best partly by chance.

A family replaces the one that is usually best only if its gain outweighs what is known beforehand:
that another family is a little worse, give or take. With n users the gain d has a standard error s;
with a normal prior of mean -δ and deviation τ its posterior mean is above 0 if ``d > δ s² / τ²``:
hardly more than 0 with a thousand users, a third of the metric with eight."""

from __future__ import annotations

from cofactor.metrics.table import Metric
from cofactor.runs.automatic.trials import FamilyTrial

# The families that are usually best, by the panel (docs/results.md), the best first.
_USUALLY = {
    "ratings": ("bayesian_mf", "svdpp", "biased_mf", "bias"),
    "items": ("ials", "ease", "bpr", "item_knn"),
    "new items": ("content_blend", "feature_ials", "content_ridge", "content_knn"),
}
# δ and τ as shares of the metric: by how much another family is worse, and the deviation of that.
_BEHIND = {"ratings": (0.01, 0.02), "items": (0.05, 0.08), "new items": (0.05, 0.08)}


def wisest(
    attempts: list[FamilyTrial], metric: Metric, *, rates: bool, new_items: bool
) -> FamilyTrial:
    """Return the attempt with the largest posterior gain over the family that is usually best.

    Parameters
    ----------
    attempts
        The best of each family, the best first; not empty.
    metric
        What decides.
    rates, new_items
        Whether ratings are predicted, and whether new items are ranked.
    """
    kind = _kind(rates, new_items)
    by_name = {one.family.name: one for one in attempts}
    usual = next((by_name[name] for name in _USUALLY[kind] if name in by_name), attempts[0])
    behind, deviation = _BEHIND[kind]

    def gain(one: FamilyTrial) -> float:
        if one is usual:
            return 0.0
        size = max(abs(usual.score), 1e-12)
        ratio = _standard_error(one, usual, metric) / (deviation * size)
        return one.score - usual.score - behind * size * ratio**2

    return max(attempts, key=gain)


def usually_better(one: str, other: str, *, rates: bool, new_items: bool) -> bool:
    """Whether a family is usually better than another one, by their names."""
    order = _USUALLY[_kind(rates, new_items)]
    return one in order and one in order[: order.index(other) if other in order else None]


def _kind(rates: bool, new_items: bool) -> str:
    return "ratings" if rates else "new items" if new_items else "items"


def _standard_error(one: FamilyTrial, other: FamilyTrial, metric: Metric) -> float:
    """Of the mean of users' differences; 0 if they weren't measured on the same users."""
    differences = one.less(other, str(metric))
    if differences is None:
        return 0.0
    if len(differences) < 2:
        return float("inf")
    return float(differences.std(ddof=1) / len(differences) ** 0.5)
