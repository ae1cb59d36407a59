"""What next-item networks share: windows, the loss, reading histories, the state."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from cofactor.base import memory, rng
from cofactor.base.config import setting
from cofactor.base.errors import ArgumentError, ArtifactError
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.sequences import Windows, cut_windows, padded_right, plan_batches
from cofactor.models.hooks import Hooks
from cofactor.models.iterative import CURVE_ARRAYS
from cofactor.models.sequence.base import SequenceConfig
from cofactor.models.traits import ArraySpec
from cofactor.models.user_batch import States
from cofactor.training.curve import LearningCurve
from cofactor.training.loop import Control
from cofactor.training.settings import TrainingConfig

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from cofactor.data.split import Part
    from cofactor.models.sequence.transformer_module import ItemEncoder
    from cofactor.training.torch.learner import Step

NEXT_LOSSES = ("softmax", "sampled_softmax", "gbce", "bpr_max")
_READ_TOKENS = 2**14  # places that are read at once: their hidden layers stay near the cache

# A named weight of the network beside the embeddings, and its shape.
Layout = list[tuple[str, tuple[int, ...]]]


class NextItemConfig(TrainingConfig, SequenceConfig):
    """Settings of next-item models that are trained by gradient descent."""

    group = "model"

    factors: int = setting(64, low=2, high=4096, doc="Length of embeddings and hidden vectors.")
    blocks: int = setting(2, low=1, high=64, doc="Number of blocks (or layers).")
    dropout: float = setting(0.1, low=0, below=1, doc="Dropout probability of hidden values.")
    loss: str = setting(
        "softmax",
        choices=NEXT_LOSSES,
        doc=("Training loss: softmax over all items; the others over negatives sampled per batch."),
    )
    negatives: int = setting(
        512, low=1, high=1_000_000, doc=("Negatives sampled per batch, shared by its positions.")
    )
    calibration: float = setting(
        0.75, low=0, high=1, doc="gbce: 0 is binary cross-entropy, 1 as calibrated as a softmax."
    )
    score_regularization: float = setting(
        1.0, low=0, doc="bpr_max: weight of the squared scores of the negatives."
    )
    max_length: int = setting(200, low=2, high=10_000, doc="Maximal length of a window of events.")
    batch_tokens: int = setting(
        12_800, low=16, high=2**26, doc="Batch size in positions, padding included."
    )
    scale_embeddings: bool = setting(
        True, doc=("Whether embeddings are multiplied by the square root of their length.")
    )
    init_scale: float = setting(
        0.02, above=0, doc=("Standard deviation of the initial embeddings.")
    )
    learning_rate: float = setting(0.001, above=0.0, high=1e3, doc="Learning rate.")
    history_length: int = setting(
        200, low=1, high=10_000, doc=("Number of a user's latest events that the model reads.")
    )

    def check(self) -> None:
        """Refuse settings that contradict one another."""
        super().check()
        if self.history_length > self.max_length:
            raise ArgumentError(
                f"{self._label('history_length')} must be at most max_length ({self.max_length}):"
                f" no longer history is ever learnt, and {self.history_length} events were given."
            )
        if self.batch_tokens < self.max_length:
            raise ArgumentError(
                f"{self._label('batch_tokens')} must be at least max_length ({self.max_length}),"
                f" not {self.batch_tokens}."
            )


class NextItemHooks(Hooks[NextItemConfig]):
    """A network that reads a history and scores the next item: ``s_uj = h_u · E_j``.

    Trained at all places of each window at once; answered by NumPy alone. A subclass brings the
    module (`_encoder`), the shapes of its weights (`layout`) and their reading (`_hidden`).
    """

    arrays = {  # noqa: RUF012
        "item_factors": ArraySpec("float32", ("items", "factors")),
        "weights": ArraySpec("float32", ("weights",)),
        **CURVE_ARRAYS,
    }

    item_factors: np.ndarray
    weights: dict[str, np.ndarray]
    curve: LearningCurve

    @classmethod
    @abstractmethod
    def layout(cls, config: NextItemConfig) -> Layout:
        """Return the names and shapes of the weights beside the embeddings, in order."""

    @abstractmethod
    def _control(
        self, data: Interactions, part: Part | None, run: Run, update: Callable[[], None]
    ) -> Control:
        """Return what watches over a fit; see `IterativeModel`."""

    @abstractmethod
    def _encoder(self, n_items: int) -> ItemEncoder:
        """Return the untrained module."""

    @abstractmethod
    def _hidden(self, inputs: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return the hidden vectors after the last event, float32 [B, width], of embedded inputs
        float32 [B, T, width], padded on the right.
        """

    # Learning.

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        import torch

        from cofactor.models.neural.fitting import device_of
        from cofactor.training.torch.train import train

        histories = data.histories()
        windows = cut_windows(histories, self.config.max_length + 1)
        if not len(windows.lengths):
            raise ArgumentError(
                f"{self.name} learns which item comes next, and no history has two events."
            )
        memory.require(
            16 * data.n_items * self.config.factors + 2**28,
            what=f"{self.name}'s embeddings of {data.n_items:,} items and their moments",
            cure="use fewer factors, leave out rare items, or use transitions",
        )
        device = device_of(run)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(run.generator(self.name, "init").integers(2**62)))
            module = self._encoder(data.n_items)
        module.to(device)
        source = TokenBatches(histories, windows, self.config.batch_tokens, run, self.name, device)

        def update() -> None:
            self._take(module)

        self.curve = train(
            module,
            self._step(module),
            source,
            self.config,
            run,
            control=self._control(data, validation, run, update),
            name=self.name,
        )
        update()

    def _step(self, module: ItemEncoder) -> Step:
        from cofactor.models.sequence.next_losses import LOSSES

        config, loss = self.config, LOSSES[self.config.loss]

        def step(batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
            (rows,) = batch
            inputs, target = rows[:, :-1], rows[:, 1:]
            inside = target >= 0
            hidden = module(inputs.clamp_min(0))[inside]
            return loss(hidden, target[inside], module.embeddings.weight, config, generator)

        return step

    def _take(self, module: ItemEncoder) -> None:
        """Take the module's weights as this model's arrays."""
        held = {
            name: tensor.detach().to("cpu", copy=True).float().numpy()
            for name, tensor in module.state_dict().items()
        }
        self.item_factors = held.pop("embeddings.weight")
        self.weights = held

    # Answers.

    def _states(self, user_rows: np.ndarray) -> States:
        if "histories" not in self._cache:
            self._cache["histories"] = self.data.histories()
        return self._fold_in(self._cache["histories"].take(user_rows))

    def _fold_in(self, histories: Histories) -> States:
        """Return the hidden vector after each history, float32 [B, width]; zeros for empty ones."""
        states = np.zeros((len(histories), self.config.factors), np.float32)
        scale = np.float32(self.config.factors**0.5 if self.config.scale_embeddings else 1.0)
        read = histories.tail(self.config.history_length)
        for users in _alike(read.lengths):
            lengths = read.lengths[users]
            windows = Windows(users, read.indptr[users], lengths)
            rows = padded_right(read, windows, np.arange(len(users)))
            states[users] = self._hidden(self.item_factors[np.maximum(rows, 0)] * scale, lengths)
        return states

    # State.

    def _state(self) -> dict[str, np.ndarray]:
        flat = [self.weights[name].reshape(-1) for name, _ in self.layout(self.config)]
        return {"item_factors": self.item_factors, "weights": np.concatenate(flat)}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        layout = self.layout(self.config)
        sizes = [int(np.prod(shape)) for _, shape in layout]
        if sum(sizes) != len(arrays["weights"]):
            raise ArtifactError(
                f"array 'weights' must hold {sum(sizes):,} numbers for these settings, not"
                f" {len(arrays['weights']):,}."
            )
        parts = np.split(arrays["weights"], np.cumsum(sizes)[:-1])
        named = zip(layout, parts, strict=True)
        self.weights = {name: part.reshape(shape) for (name, shape), part in named}
        self.item_factors = arrays["item_factors"]


class TokenBatches:
    """Windows in batches of a budget of places, grouped by length again in each epoch.

    Parameters
    ----------
    histories, windows
        The events, and the stretches of them that are read at once.
    tokens
        Places of a batch at most.
    run, name
        What the order of each epoch follows from.
    device
        Where batches are put.
    """

    def __init__(
        self,
        histories: Histories,
        windows: Windows,
        tokens: int,
        run: Run,
        name: str,
        device: torch.device,
    ) -> None:
        self.histories, self.windows, self.device = histories, windows, device
        self.tokens = max(tokens, int(windows.lengths.max()))
        self.seed, self.name = run.seed, name
        # Epochs differ by a batch or two: a bound on their number.
        self.most = len(self._plan(0)) + 1 + len(self._plan(0)) // 50

    def __len__(self) -> int:
        return self.most

    def epoch(self, number: int, start: int = 0) -> Iterator[tuple[Tensor, ...]]:
        """Yield the batches of an epoch, each one tensor int64 [B, T], -1 beyond the end."""
        import torch

        for batch in self._plan(number)[start : self.most]:
            rows = padded_right(self.histories, self.windows, batch)
            yield (torch.from_numpy(rows.astype(np.int64)).to(self.device),)

    def _plan(self, number: int) -> list[np.ndarray]:
        generator = rng.generator(self.seed, self.name, "batches", number)
        return plan_batches(self.windows.lengths, self.tokens, generator)


def _alike(lengths: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the histories that have events, some of like length at a time."""
    order = np.argsort(lengths, kind="stable")
    low = int(np.count_nonzero(lengths == 0))
    while low < len(order):
        high = low + max(1, _READ_TOKENS // int(lengths[order[low]]))
        while (
            high - low > 1
            and lengths[order[min(high, len(order)) - 1]] * (high - low) > _READ_TOKENS * 2
        ):
            high = low + (high - low) // 2
        yield order[low:high]
        low = high
