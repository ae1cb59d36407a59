"""Any PyTorch module that scores pairs, made into a recommender with the whole contract."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from cofactor.base.config import Config, setting
from cofactor.base.errors import ArtifactError
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models.neural import fitting, module_fold_in
from cofactor.models.neural.biases import damped_biases
from cofactor.models.neural.tables import Tables, free_weights
from cofactor.models.neural.trained import HISTORY_ARRAYS, TrainedRecommender
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import States
from cofactor.training.history import History
from cofactor.training.loop import train
from cofactor.training.settings import LossConfig

if TYPE_CHECKING:
    from cofactor.data.split import Part

# So many pairs are scored at once: their hidden layers, a few hundred bytes each, stay near the
# cache.
_PAIRS = 2**17
# Losses of single pairs or of drawn negatives; a softmax over all items would run the whole module
# for each of them.
MODULE_LOSSES = ("squared", "logistic", "bpr", "hinge", "adaptive_hinge", "warp", "sampled_softmax")


class ModuleConfig(LossConfig):
    """What every module that scores pairs can be told."""

    loss: str = setting(
        "squared",
        choices=MODULE_LOSSES,
        doc="What is minimised: squared learns values, the others who met what.",
    )
    fold_in_steps: int = setting(
        150, low=1, high=10_000, doc="Steps of descent for the vector of a user never seen."
    )


class TorchRecommender(TrainedRecommender):
    """A module with ``forward(users [n], items [n]) -> scores [n]`` as a recommender.

    A user enters the module through its user tables alone. A user never seen is a new row of them:
    it begins as the mean of the trained ones and descends on the training loss over the history,
    everything else frozen. Items that nobody met, and items not known at all, are answered by the
    mean of the item tables."""

    Config: ClassVar[type[Config]] = ModuleConfig
    traits = Traits(predicts_ratings=True, uses_values=True)
    arrays = {  # noqa: RUF012
        "user_tables": ArraySpec("float32", ("users", "user_width")),
        "item_tables": ArraySpec("float32", ("items", "item_width")),
        "weights": ArraySpec("float32", ("weights",)),
        "scale": ArraySpec("float64", ("3",)),
        **HISTORY_ARRAYS,
    }

    module: nn.Module
    tables: Tables
    scale: np.ndarray  # the mean, and the lowest and highest value of the data

    def __init__(self, config: Any = None, **settings: Any) -> None:
        super().__init__(config, **settings)
        rates = self.config.loss == "squared"
        traits = replace(type(self).traits, predicts_ratings=rates, uses_values=rates)
        self.traits = traits  # type: ignore[misc]

    @abstractmethod
    def _new_module(self, n_users: int, n_items: int) -> nn.Module:
        """Return an untrained module; torch's global generator is seeded and put back around
        this call.
        """

    def _tables_of(self, module: nn.Module, n_users: int, n_items: int) -> Tables:
        return Tables.found(module, n_users, n_items)

    def _begin(self, module: nn.Module, data: Interactions, run: Run) -> None:
        """Set weights that training should begin from; by default the tables of width 1 get the
        damped means.
        """
        if not self._rated(data):
            return
        _, *biases = damped_biases(data)
        for names, bias in zip((self.tables.users, self.tables.items), biases, strict=True):
            for name in names:
                table = module.get_submodule(name)
                if table.embedding_dim == 1:
                    with torch.no_grad():
                        begun = torch.from_numpy(bias)[:, None]
                        table.weight.copy_(begun)  # type: ignore[operator]

    def _rated(self, data: Interactions) -> bool:
        return bool(self.config.loss == "squared" and data.values is not None)

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        module = self._made(
            data.n_users, data.n_items, int(run.generator(self.name, "init").integers(2**62))
        )
        self.tables = self._tables_of(module, data.n_users, data.n_items)
        rated = self._rated(data)
        bounds = (
            (data.weights.mean(dtype=np.float64), data.weights.min(), data.weights.max())
            if rated
            else (0, -1e30, 1e30)
        )
        self.scale = np.array(bounds, np.float64)
        self._begin(module, data, run)
        self.history = self._trained(module, data, validation, run, self.name)
        self._publish(module, data)

    def _trained(
        self, module: nn.Module, data: Interactions, validation: Part | None, run: Run, name: str
    ) -> Any:
        """Train a module with this model's loss; return the history."""
        device = fitting.device_of(run)
        module.to(device)
        return train(
            module,
            fitting.step_of(data, self.config, device, self._scorer(module)),
            fitting.examples(data, self.config, run, device, float(self.scale[0]), name),
            self.config,
            run,
            watches=self._watches(data, validation, lambda: self._publish(module, data)),
            checkpoint=self._checkpoint,
            belongs_to=self._belongs_to(data, run),
            name=name,
        )

    def _made(self, n_users: int, n_items: int, seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self._new_module(n_users, n_items).eval()

    def _scorer(self, module: nn.Module) -> fitting.Scorer:
        def pairs(users: Tensor, items: Tensor) -> Tensor:
            if items.dim() == 2:
                scores: Tensor = module(
                    users[:, None].expand_as(items).reshape(-1), items.reshape(-1)
                )
                return scores.reshape(items.shape)
            return module(users, items).reshape(items.shape)

        def penalty(users: Tensor, items: Tensor) -> Tensor | None:
            return self.tables.penalty(
                module, users, items, self.config.regularization, self.config.bias_regularization
            )

        return fitting.Scorer(
            pairs, penalty, lambda users, items: pairs(users, items[None, :].expand(len(users), -1))
        )

    def _publish(self, module: nn.Module, data: Interactions) -> None:
        """Take a copy of the module to answer with, on the CPU; who has no interaction gets the
        others' mean.
        """
        self.module = self._made(data.n_users, data.n_items, 0)
        self.module.load_state_dict(fitting.weights_of(module))
        for names, counts in (
            (self.tables.users, data.user_counts),
            (self.tables.items, data.item_counts),
        ):
            met = torch.from_numpy(counts > 0)
            rows = self.tables.joined(self.module, names)
            rows[~met] = rows[met].mean(0)
            self.tables.put(self.module, names, rows)
        self._prepare(data)

    def _prepare(self, data: Interactions) -> None:
        """Derive what answering needs: the tables with a last row that stands for the unknown."""
        self.module.eval().requires_grad_(False)
        users, items = (
            self.tables.joined(self.module, names)
            for names in (self.tables.users, self.tables.items)
        )
        self._user_rows = users.numpy()
        self._stranger = users[torch.from_numpy(data.user_counts > 0)].mean(0)
        self._item_rows = torch.cat(
            (items, items[torch.from_numpy(data.item_counts > 0)].mean(0, keepdim=True))
        )

    # Answers.

    def _states(self, user_rows: np.ndarray) -> States:
        return np.asarray(self._user_rows[user_rows])

    def _fold_in(self, histories: Histories) -> States:
        data = self.data
        indptr, items, values = histories.csr
        if self._rated(data):
            if histories.values is None:
                # Items without ratings say nothing about how they were liked, beyond that they were
                # chosen.
                values = np.full(len(items), self.scale[0] + 1.0, np.float32)
            target = (values - np.float32(self.scale[0])).astype(np.float32)
        else:
            target = np.ones(len(items), np.float32)
        return module_fold_in.vectors(
            self.module,
            self.tables,
            indptr,
            items,
            target,
            self._stranger,
            self.config,
            data,
            rated=self._rated(data),
        )

    @torch.no_grad()
    def _pairs(self, states: np.ndarray, which: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        """Scores of pairs of a state and an item row (-1: an item never seen), float32 [n]."""
        rows = torch.from_numpy(np.ascontiguousarray(states, np.float32))
        users = torch.from_numpy(np.asarray(which, np.int64))
        items = torch.from_numpy(
            np.where(item_rows < 0, len(self._item_rows) - 1, item_rows).astype(np.int64)
        )
        scores = np.empty(len(items), np.float32)
        for low in range(0, len(items), _PAIRS):
            part = slice(low, low + _PAIRS)
            scores[part] = self.tables.call(
                self.module, rows, users[part], items[part], self._item_rows
            ).numpy()
        return scores

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        vectors = np.asarray(states)
        asked = np.arange(len(self._item_rows) - 1) if item_rows is None else np.asarray(item_rows)
        scores = np.empty((len(vectors), len(asked)), np.float32)
        per_block = max(1, _PAIRS // max(1, len(asked)))
        for low in range(0, len(vectors), per_block):
            some = vectors[low : low + per_block]
            which, items = np.repeat(np.arange(len(some)), len(asked)), np.tile(asked, len(some))
            scores[low : low + per_block] = self._pairs(some, which, items).reshape(
                len(some), len(asked)
            )
        if self.config.loss == "logistic":
            return (1 / (1 + np.exp(-scores.astype(np.float64)))).astype(np.float32)
        return scores + np.float32(self.scale[0])

    def _predict(self, states: States, which: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        scores = self._pairs(np.asarray(states), which, item_rows) + np.float32(self.scale[0])
        return np.clip(scores, self.scale[1], self.scale[2]).astype(np.float32)

    def item_vectors(self) -> np.ndarray:
        """Return the item embeddings side by side, float32 [n_items, width], in row order,
        without biases.
        """
        _ = self.data
        return self._vectors(self.tables.items)

    def user_vectors(self) -> np.ndarray:
        """Return the trained users' embeddings side by side, float32 [n_users, width], in row
        order, without biases.
        """
        _ = self.data
        return self._vectors(self.tables.users)

    def _vectors(self, names: tuple[str, ...]) -> np.ndarray:
        wide = tuple(
            n for n, w in zip(names, self.tables.widths(self.module, names), strict=True) if w > 1
        )
        return self.tables.joined(self.module, wide or names).numpy()

    # State.

    def _state(self) -> dict[str, np.ndarray]:
        free = [
            tensor.detach().reshape(-1).to(torch.float32)
            for tensor in free_weights(self.module, self.tables)
        ]
        return {
            "user_tables": self.tables.joined(self.module, self.tables.users).numpy(),
            "item_tables": self.tables.joined(self.module, self.tables.items).numpy(),
            "weights": torch.cat(free).numpy() if free else np.zeros(0, np.float32),
            "scale": self.scale,
            **self.history.to_arrays(),
        }

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        data = self.data
        self.module = self._made(data.n_users, data.n_items, 0)
        self.tables = self._tables_of(self.module, data.n_users, data.n_items)
        free = free_weights(self.module, self.tables)
        sizes = {"weights": sum(t.numel() for t in free)}
        found = {"weights": len(arrays["weights"])}
        for name, names in (("user_tables", self.tables.users), ("item_tables", self.tables.items)):
            sizes[name], found[name] = (
                sum(self.tables.widths(self.module, names)),
                arrays[name].shape[1],
            )
        if sizes != found:
            raise ArtifactError(
                f"the state of {self.name} has the sizes {found}, and its settings ask for {sizes}."
            )
        self.tables.put(self.module, self.tables.users, torch.tensor(arrays["user_tables"]))
        self.tables.put(self.module, self.tables.items, torch.tensor(arrays["item_tables"]))
        with torch.no_grad():
            for tensor, part in zip(
                free, torch.tensor(arrays["weights"]).split([t.numel() for t in free]), strict=True
            ):
                tensor.copy_(part.reshape(tensor.shape))
        self.scale = np.asarray(arrays["scale"])
        self.history = History.from_arrays(arrays)
        self._prepare(data)
