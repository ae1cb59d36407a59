"""What next-item networks share: windows, the loss, reading histories, the state."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cofactor.base import memory
from cofactor.base.errors import ArgumentError, ArtifactError
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.sequences import PADDING, Windows, cut_windows, padded_right
from cofactor.data.split import Part
from cofactor.models.defaults import popularity_term
from cofactor.models.defaults.held_out_epochs import log_popularity
from cofactor.models.hooks import Hooks
from cofactor.models.iterative import CURVE_ARRAYS
from cofactor.models.sequence.item_content import CONTENT_ARRAYS, ItemContent
from cofactor.models.sequence.next_item_config import NextItemConfig
from cofactor.models.sequence.spectral_embedding import spectral_embeddings
from cofactor.models.sequence.token_batches import Augmentation, TokenBatches, rounded_up
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import States
from cofactor.models.warm_start import KeptRows
from cofactor.retrieval.topk import TopK
from cofactor.training.curve import LearningCurve
from cofactor.training.loop import Control

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from cofactor.models.sequence.transformer_module import ItemEncoder
    from cofactor.training.torch.learner import Step

_READ_TOKENS = 2**14  # places that are read at once: their hidden layers stay near the cache

# A named weight of the network beside the embeddings, and its shape.
Layout = list[tuple[str, tuple[int, ...]]]


class NextItemHooks(Hooks[NextItemConfig]):
    """A network that reads a history and scores the next item: ``s_uj = h_u · E_j + c log(n_j +
    1)``, where n_j is an item's number of interactions and c the ``popularity_prior``.

    Trained at all places of each window at once; answered by NumPy alone. A subclass brings the
    module (`_encoder`), the shapes of its weights (`layout`) and their reading (`_hidden`).
    """

    uses_device = True
    fits_on_engine = trained_together = weighs_popularity = True

    arrays = {
        "item_factors": ArraySpec.of_items("items", "factors"),
        "item_bias": ArraySpec("float32", ("items",), optional=True),
        **popularity_term.ARRAYS,
        "weights": ArraySpec("float32", ("weights",)),
        "precision_bits": ArraySpec("uint8", ("1",), optional=True),
        **CURVE_ARRAYS,
    }

    item_factors: np.ndarray
    item_bias: np.ndarray | None = None
    weights: dict[str, np.ndarray]
    precision_bits: np.ndarray | None = None  # of training, 16 or 32: what "auto" came to
    content: ItemContent | None = None
    curve: LearningCurve

    @classmethod
    def traits_of(cls, config: NextItemConfig) -> Traits:
        """Return the traits under some settings: with content, new items have vectors."""
        return replace(cls.traits, uses_features=config.content_factors > 0)

    @classmethod
    def arrays_of(cls, config: NextItemConfig) -> Mapping[str, ArraySpec]:
        """Return the arrays under some settings."""
        return {**cls.arrays, **(CONTENT_ARRAYS if config.content_factors else {})}

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
    def _encoder(self, n_items: int, content: Tensor | None = None) -> ItemEncoder:
        """Return the untrained module; content is float32 [n_items, content_factors]."""

    @abstractmethod
    def _hidden(self, inputs: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return the hidden vectors after the last event, float32 [B, width], of embedded inputs
        float32 [B, T, width], padded on the right.
        """

    # Learning.

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        from cofactor.training.torch.device import device_of
        from cofactor.training.torch.seeding import seeded
        from cofactor.training.torch.train import train

        self.content = self._content_of(data, run)
        self.item_bias = self._prior(data)
        self.precision_bits = np.array([16 if self.config.precision == "bfloat16" else 32], "u1")
        histories = data.histories()
        if self.content is not None:
            histories = self.content.warm_histories(histories)
        windows = self._windows(histories)
        memory.require(
            16 * data.n_items * self.config.factors + 2**28,
            what=f"{self.name}'s embeddings of {data.n_items:,} items and their moments",
            cure="use fewer factors, leave out rare items, or use transitions",
        )
        device = device_of(run)
        with seeded(int(run.generator(self.name, "init").integers(2**62))):
            module = self._begun(histories, run)
        module.to(device)
        changed = Augmentation(self.config.event_dropout, self.config.reversal)
        tokens = self.config.batch_tokens
        source = TokenBatches(histories, windows, tokens, run, self.name, device, changed)

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

    def _prior(self, data: Interactions) -> np.ndarray | None:
        """Return ``c log(n_j + 1)`` for items with n_j interactions, float32 [n_items], or None.

        Few histories teach a network less than counts do. New items have none, so with content
        there is no prior.
        """
        if self.content is not None or not self.config.popularity_prior:
            return None
        return np.float32(self.config.popularity_prior) * log_popularity(data)

    def _windows(self, histories: Histories) -> Windows:
        config = self.config
        windows = cut_windows(histories, config.max_length + 1, last=config.latest_windows)
        if not len(windows.lengths):
            raise ArgumentError(
                f"{self.name} learns which item comes next, and no history has two events; use a"
                " model for which one is enough (popularity, content_knn)."
            )
        return windows

    def _content_of(self, data: Interactions, run: Run) -> ItemContent | None:
        return ItemContent.learn(data, self.config, run) if self.config.content_factors else None

    def _begun(self, histories: Histories, run: Run) -> ItemEncoder:
        """Return the untrained module, with what is read of the items."""
        import torch

        content = None if self.content is None else torch.from_numpy(self.content.reduced)
        module, width = self._encoder(histories.n_items, content), self.config.factors
        if self.config.initial_embeddings == "spectral":
            draws = run.generator(self.name, "spectral")
            start = spectral_embeddings(histories, width, draws, run.n_threads)
            start *= np.float32(self.config.init_scale * width**0.5)
            module.embeddings.weight.data.copy_(torch.from_numpy(start))
        return module

    def _step(self, module: ItemEncoder) -> Step:
        import torch

        from cofactor.models.sequence.next_losses import LOSSES

        config = self.config
        loss = LOSSES[config.loss_for(len(module.embeddings.weight))]
        share = config.id_dropout if self.content is not None else 0.0
        prior = None
        if self.item_bias is not None:  # in two parts, whose sum bfloat16 keeps
            whole = torch.from_numpy(self.item_bias)
            rounded = whole.bfloat16().float()
            prior = torch.stack((rounded, whole - rounded), 1)

        def step(batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
            rows = _few_shapes(batch[0], config.max_length)
            inputs, target = rows[:, :-1], rows[:, 1:]
            inside, kept = (target >= 0).flatten().nonzero().squeeze(1), None
            if share:
                n_items, device = len(module.embeddings.weight), rows.device
                kept = torch.rand(n_items, generator=generator, device=device) >= share
            vectors = module.item_vectors(kept)
            hidden = module(inputs.clamp_min(0), vectors).flatten(0, 1).index_select(0, inside)
            if prior is not None:  # two more coordinates, in which all histories have 1
                vectors = torch.cat((vectors, prior.to(vectors)), 1)
                hidden = torch.cat((hidden, hidden.new_ones(len(hidden), 2)), 1)
            return loss(hidden, target.flatten()[inside], vectors, config, generator)

        return step

    def _begin_with(
        self, before: Self, fresh: Mapping[str, np.ndarray], rows: KeptRows
    ) -> Mapping[str, np.ndarray]:
        made = {**fresh, **before.weights}
        vectors = before.item_factors
        if self.content is None:
            made["embeddings.weight"] = rows.moved("items", vectors, fresh["embeddings.weight"])
            return made
        assert before.content is not None
        alone = before.content.vectors_of(before.content.feature_map.matrix)
        own = (vectors - alone, alone)
        made |= self.content.begun(own, fresh["embeddings.weight"], rows)
        return made

    def _take(self, module: ItemEncoder) -> None:
        """Take the module's weights as this model's arrays."""
        held = {
            name: tensor.detach().to("cpu", copy=True).float().numpy()
            for name, tensor in module.state_dict().items()
        }
        self.item_factors = held.pop("embeddings.weight")
        if self.content is not None:
            self.content = self.content.learned(held.pop("content.weight"))
            self.item_factors = self.content.item_vectors(self.item_factors)
        self.weights = held

    # Answers.

    def _states(self, user_rows: np.ndarray) -> States:
        return self._fold_in(self.data.histories(user_rows))

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

    # New items.

    def _grow_from(self, before: Self) -> None:
        assert before.content is not None
        first = before.data.n_items
        self.content, vectors = before.content.grown(self.data.catalogue, first)
        self.item_factors = np.concatenate((self.item_factors, vectors))

    def described(self, descriptions: Sequence[Any]) -> Any:
        """Return the features of things described by a sentence or by columns."""
        if self.content is None:
            return super().described(descriptions)
        return self.content.feature_map.describe(descriptions)

    def similar_to_features(self, matrix: Any, k: int, allowed: np.ndarray | None = None) -> TopK:
        """Return the items with the largest cosine of the features [n, width]."""
        if self.content is None:
            return super().similar_to_features(matrix, k, allowed)
        return self.content.feature_map.similar_to(matrix, k, allowed)

    @property
    def features(self) -> Any:
        """The items' features, SciPy CSR float32 [n_items, width], in models that read content."""
        return None if self.content is None else self.content.feature_map.matrix

    # State.

    def _state(self) -> dict[str, np.ndarray]:
        flat = [self.weights[name].reshape(-1) for name, _ in self.layout(self.config)]
        own = {"item_factors": self.item_factors, "weights": np.concatenate(flat)}
        if self.item_bias is not None:
            own["item_bias"] = self.item_bias
        if self.precision_bits is not None:
            own["precision_bits"] = self.precision_bits
        return own if self.content is None else {**own, **self.content.arrays()}

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
        # Models of older versions have neither.
        self.item_bias, self.precision_bits = arrays.get("item_bias"), arrays.get("precision_bits")
        if self.config.content_factors:
            self.content = ItemContent.from_arrays(arrays, self.data)


def _few_shapes(rows: Tensor, longest: int) -> Tensor:
    """Return windows, int64 [B, T + 1], with padding beside and below; see `rounded_up`."""
    from torch.nn import functional

    n_windows, n_inputs = len(rows), rows.shape[1] - 1
    right = max(n_inputs, min(rounded_up(n_inputs), longest)) - n_inputs
    below = rounded_up(n_windows) - n_windows
    return functional.pad(rows, (0, right, 0, below), value=PADDING)


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
