"""Settings of a factorisation with any loss."""

from __future__ import annotations

from cofactor.base.config import setting
from cofactor.training.losses.loss_config import LossConfig


class FactorConfig(LossConfig):
    """Settings of a factorisation with any loss."""

    renamed = {"frequency_power": "frequency_exponent"}

    new_defaults = {"regularization": 0.1}

    factors: int = setting(32, low=1, high=4096, doc="Length of the user and item vectors.")
    mean: bool = setting(True, doc="Whether ratings are learnt as differences from their mean.")
    biases: bool = setting(
        True, doc="Whether users and items have a bias (users only where the loss can see it)."
    )
    init_scale: float = setting(
        0.05, low=0.0, high=10.0, doc="Standard deviation of the initial vectors."
    )
    gravity: float = setting(
        0.0,
        low=0.0,
        doc="Weight of the mean squared score of all pairs (Gramian regulariser).",
    )
    sparse: str = setting(
        "auto",
        choices=("auto", "yes", "no"),
        doc="Whether gradients hold only the rows of a batch.",
    )
    item_bias_regularization: float | None = setting(
        None, low=0.0, doc="L2 on item biases; None: as for user biases."
    )
    user_damping: float | None = setting(
        None,
        low=0.0,
        doc=(
            "Shrinkage: pseudo-ratings at the global mean when initialising user biases; None:"
            " estimated from the ratings."
        ),
    )
    item_damping: float | None = setting(
        None,
        low=0.0,
        doc=(
            "Shrinkage: pseudo-ratings at the global mean when initialising item biases; None:"
            " estimated from the ratings."
        ),
    )
    frequency_exponent: float = setting(
        0.5,
        low=0.0,
        high=1.0,
        doc=(
            "On rated data, the L2 of a row with n ratings grows as n to this"
            " power: 1: per example; 0: the same for all."
        ),
    )

    @property
    def fills_unobserved(self) -> bool:
        """Whether gravity holds the scores of all other pairs at 0."""
        return self.gravity > 0
