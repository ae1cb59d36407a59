"""The settings of models that can be trained by any of the losses."""

from __future__ import annotations

from cofactor.base.config import setting
from cofactor.data.interactions import Interactions
from cofactor.training import losses
from cofactor.training.losses.loss import Loss, Needs
from cofactor.training.training_config import TrainingConfig

SAMPLING = ("uniform", "popularity")


class LossConfig(TrainingConfig):
    """The settings of a model that can be trained by any of the losses."""

    group = "training"

    renamed = {
        "sampler": "negative_sampling",
        "popularity_power": "negative_power",
    }

    loss: str | Loss = setting(
        "squared",
        choices=losses.LOSSES,
        doc="Training loss: squared fits values; all others rank. A name or a Loss object.",
    )
    negatives: int = setting(
        4,
        low=1,
        high=4096,
        doc="Negatives sampled per observed item, for losses that need unobserved items.",
    )
    negative_sampling: str = setting(
        "uniform", choices=SAMPLING, doc="Sampling distribution of the negatives."
    )
    negative_power: float = setting(
        0.75,
        low=0.0,
        high=2.0,
        doc="Power of the item counts in popularity sampling; 1 is popularity itself.",
    )
    margin: float = setting(
        1.0,
        low=-1.0,
        high=100.0,
        doc="The margin of hinge, adaptive_hinge, warp and cosine_contrastive.",
    )
    negative_weight: float = setting(
        1.0, low=0.0, doc="cosine_contrastive: the weight of the negatives beside the positive."
    )
    regularization: float = setting(
        0.05, low=0.0, doc="L2 on the vectors that a batch touches, per example."
    )
    bias_regularization: float = setting(
        0.005, low=0.0, doc="L2 on the biases that a batch touches, per example."
    )

    def __post_init__(self) -> None:
        losses.get(self.loss)  # the error says how to register a loss of one's own
        super().__post_init__()

    @property
    def objective(self) -> Loss:
        """The loss itself."""
        return losses.get(self.loss)

    @property
    def fills_unobserved(self) -> bool:
        """Whether another term pulls the scores of all other pairs towards 0."""
        return False

    def fits(self, data: Interactions) -> bool:
        """Whether the loss fits this data's values."""
        return self.objective.fits_values and data.values is not None

    def needs(self, data: Interactions) -> Needs:
        """The scores that the loss needs for this data: those of observed pairs alone if there are
        values to fit, or if all other pairs are pulled towards 0.
        """
        if self.fits(data) or (self.objective.fits_values and self.fills_unobserved):
            return Needs.PAIRS
        return self.objective.needs

    def check(self) -> None:
        """Refuse settings that contradict one another."""
        super().check()
        self.objective.check(self)
