"""The settings of next-item networks."""

from __future__ import annotations

from cofactor.base.config import setting
from cofactor.base.errors import ArgumentError
from cofactor.models.sequence.base import SequenceConfig
from cofactor.models.sequence.item_content import ItemContentConfig
from cofactor.training.training_config import TrainingConfig

NEXT_LOSSES = ("softmax", "sampled_softmax", "gbce", "bpr_max")
# For each interaction, the softmax over all items takes 6 n_items × factors operations, and the
# network 6 for each of its weights, which are 16 factors² by default: with so many items and 64
# factors, sixteen times less. Beyond, items are sampled, and the catalogue hardly matters.
_MOST_ITEMS = 2**14


class NextItemConfig(TrainingConfig, SequenceConfig, ItemContentConfig):
    """Settings of next-item models that are trained by gradient descent."""

    group = "model"
    new_defaults = {"learning_rate": 0.001}

    factors: int = setting(64, low=2, high=4096, doc="Length of embeddings and hidden vectors.")
    batch_size: int | None = setting(
        None, low=0, high=2**30, doc="Not used by this model: batch_tokens sets the batch size."
    )
    blocks: int = setting(2, low=1, high=64, doc="Number of blocks (or layers).")
    dropout: float = setting(0.1, low=0, below=1, doc="Dropout probability of hidden values.")
    loss: str = setting(
        "auto",
        choices=("auto", *NEXT_LOSSES),
        doc=(
            "Training loss: softmax over all items; the others over negatives sampled per"
            " batch; auto: softmax, or sampled_softmax with more than 16,384 items."
        ),
    )
    negatives: int = setting(
        512, low=1, high=1_000_000, doc="Negatives sampled per batch, shared by its positions."
    )
    calibration: float = setting(
        0.75, low=0, high=1, doc="gbce: 0 is binary cross-entropy, 1 as calibrated as a softmax."
    )
    popularity_prior: float = setting(
        1.0,
        low=0,
        high=2,
        doc=(
            "Weight of the items' log popularity in the scores, on top of which the network"
            " learns; 0, or with content: none."
        ),
    )
    score_regularization: float = setting(
        1.0, low=0, doc="bpr_max: weight of the squared scores of the negatives."
    )
    max_length: int = setting(200, low=2, high=10_000, doc="Maximum length of a window of events.")
    latest_windows: int = setting(
        0, low=0, doc="Windows of each history that are learned from, the latest; 0 takes all."
    )
    batch_tokens: int = setting(
        12_800, low=16, high=2**26, doc="Batch size in positions, padding included."
    )
    event_dropout: float = setting(
        0.0, low=0, below=1, doc="Share of a window's events left out at random in each epoch."
    )
    reversal: float = setting(
        0.0, low=0, high=1, doc="Share of windows read from their end, at random in each epoch."
    )
    scale_embeddings: bool = setting(
        True, doc="Whether embeddings are multiplied by the square root of their length."
    )
    init_scale: float = setting(0.02, above=0, doc="Standard deviation of the initial embeddings.")
    initial_embeddings: str = setting(
        "random",
        choices=("random", "spectral"),
        doc=(
            "Initial embeddings: random, or close to each other for items that occur near each"
            " other."
        ),
    )
    precision: str = setting(
        "auto",
        choices=("auto", "float32", "bfloat16"),
        doc=(
            "Numeric precision of the forward pass; auto: bfloat16 if the processor has"
            " instructions for it, otherwise float32."
        ),
    )
    history_length: int = setting(
        200, low=1, high=10_000, doc="Number of a user's latest events that the model reads."
    )

    def loss_for(self, n_items: int) -> str:
        """Return the name of the loss for a catalogue: ``loss``, or what "auto" takes."""
        if self.loss != "auto":
            return self.loss
        return "softmax" if n_items <= _MOST_ITEMS else "sampled_softmax"

    def check(self) -> None:
        """Refuse settings that contradict one another."""
        super().check()
        if self.history_length > self.max_length:
            raise ArgumentError(
                f"{self._label('history_length')} must be at most max_length ({self.max_length}):"
                f" longer histories are never learned from. It is {self.history_length}."
            )
        if self.batch_tokens < self.max_length:
            raise ArgumentError(
                f"{self._label('batch_tokens')} must be at least max_length ({self.max_length}),"
                f" not {self.batch_tokens}."
            )
