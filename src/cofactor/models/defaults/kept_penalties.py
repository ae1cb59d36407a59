"""The L2 (or damping) by which unseen users are folded in, kept with a fitted model.

Where settings leave it to the data, a rule gives it; a saved model goes on by what it was fitted
with, whatever the rule is in the version that loads it."""

from __future__ import annotations

from cofactor.models.traits import ArraySpec


def penalty_array(count: int) -> dict[str, ArraySpec]:
    """Return the declaration of the penalties in use, float64 [count]; models of older versions
    keep none: they have what the present rule gives.
    """
    return {"fold_in_penalties": ArraySpec("float64", (str(count),), optional=True, low=0)}
