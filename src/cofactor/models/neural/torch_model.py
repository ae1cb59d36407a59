"""Any PyTorch module that scores pairs, made into a recommender with the whole contract."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from cofactor.base.config import Config
from cofactor.base.errors import ArgumentError, ArtifactError
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.defaults import popularity_term
from cofactor.models.defaults.bias_term import BIAS_TERM_ARRAYS, BiasTerm, BiasTermHooks
from cofactor.models.defaults.damped_biases import damped_biases, estimated_damping
from cofactor.models.iterative import CURVE_ARRAYS
from cofactor.models.liked import rated_csr
from cofactor.models.neural import fitting
from cofactor.models.neural.embedding_tables import Replicas, Tables
from cofactor.models.neural.module_fold_in import FoldIn, ModuleConfig
from cofactor.models.rating_scale import spread_in
from cofactor.models.traits import UNBOUNDED, ArraySpec, Traits
from cofactor.models.user_batch import States
from cofactor.models.warm_start import KeptRows
from cofactor.training.curve import LearningCurve
from cofactor.training.loop import Control
from cofactor.training.torch.device import device_of
from cofactor.training.torch.planning import without_memory
from cofactor.training.torch.seeding import seeded
from cofactor.training.torch.train import train

# So many pairs are scored at once: their hidden layers, a few hundred bytes each, stay in the
# cache.
_PAIRS = 2**14


def begin_at_biases(
    module: nn.Module, tables: Tables, data: Interactions, config: ModuleConfig, run: Run
) -> None:
    """Set the tables of width 1 to the damped means, if the loss learns ratings."""
    if not config.fits(data):
        return
    _, *biases = damped_biases(data, *estimated_damping(data))
    for names, bias in zip((tables.users, tables.items), biases, strict=True):
        for name in names:
            if tables.widths(module, (name,)) == [1]:
                in_unit = bias / np.float32(fitting.unit_of(data, config))
                tables.put(module, (name,), torch.from_numpy(in_unit)[:, None])


@dataclass(frozen=True)
class Builder:
    """How a module comes about.

    Parameters
    ----------
    build
        ``build(n_users, n_items, config)`` returns an untrained module; torch's global generator
        is seeded and put back around the call.
    begin
        ``begin(module, tables, data, config, run)`` sets the weights that training begins from.
    find
        ``find(module, n_users, n_items)`` returns which tables belong to users and items.
    """

    build: Callable[[int, int, Any], nn.Module]
    begin: Callable[[nn.Module, Tables, Interactions, Any, Run], None] = begin_at_biases
    find: Callable[[nn.Module, int, int], Tables] = Tables.found


class ModuleHooks(BiasTermHooks):
    """A module with ``forward(users [n], items [n]) -> scores [n]`` as a model; together with
    `IterativeModel` it is a recommender.

    A user enters the module through its user tables alone. An unseen user is a new row of them: it
    begins as the mean of the trained ones and descends on the training loss over the history,
    everything else frozen. Items without interactions, and items not known at all, are answered by
    the mean of the item tables. Answers may be asked from any number of threads at once.

    Predicted ratings have a share ``bias_weight`` of the mean and damped biases alone, as those of
    `BiasedMF`; a user's state then ends with what that adds.

    A preset is a name, a Config and a `Builder`: ``class MLP(IterativeModel, ModuleHooks)``."""

    uses_device = True
    fits_on_engine = trained_together = weighs_popularity = True
    Config: ClassVar[type[Config]] = ModuleConfig
    traits = Traits(predicts_ratings=True)
    arrays = {
        "user_tables": ArraySpec("float32", ("users", "user_width")),
        "item_tables": ArraySpec("float32", ("items", "item_width")),
        "weights": ArraySpec("float32", ("weights",)),
        "scale": ArraySpec("float64", ("bounds",), most=UNBOUNDED),
        "item_prior": ArraySpec("float32", ("items",), optional=True),
        **popularity_term.ARRAYS,
        **BIAS_TERM_ARRAYS,
        **CURVE_ARRAYS,
    }

    builder: Builder
    curve: LearningCurve
    module: nn.Module
    tables: Tables
    scale: np.ndarray  # the mean, the lowest and highest value, and the unit of learning
    item_prior: np.ndarray | None = None  # float32 [n_items], added to the module's scores

    @classmethod
    def traits_of(cls, config: ModuleConfig) -> Traits:
        """Return the traits under some settings: a loss that fits values predicts them."""
        fits = config.objective.fits_values
        return replace(cls.traits, predicts_ratings=fits)

    @abstractmethod
    def _control(
        self, data: Interactions, part: Part | None, run: Run, update: Callable[[], None]
    ) -> Control:
        """Return what watches over a fit; see `IterativeModel`."""

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        seed = int(run.generator(self.name, "init").integers(2**62))
        module = self._built(data, seed)
        bounds = (
            (data.weights.mean(dtype=np.float64), data.weights.min(), data.weights.max())
            if self.config.fits(data)
            else (0, -UNBOUNDED, UNBOUNDED)
        )
        self.scale = np.array((*bounds, fitting.unit_of(data, self.config)), np.float64)
        self.item_prior = self._prior_of(data)
        tables = self.builder.find(module, data.n_users, data.n_items)
        self.builder.begin(module, tables, data, self.config, run)
        self.curve = train_module(
            module,
            tables,
            data,
            self.config,
            run,
            name=self.name,
            prior=self.item_prior,
            control=self._control(data, validation, run, lambda: self._copy_weights(module, data)),
        )
        self._copy_weights(module, data)

    def _prior_of(self, data: Interactions) -> np.ndarray | None:
        before = getattr(self, "_before", None)
        if before is not None and before.item_prior is None:  # of an older version, or without
            return None
        return fitting.popularity_prior(data, self.config, self.config.popularity_prior)

    def _begin_with(
        self, before: Self, fresh: Mapping[str, np.ndarray], rows: KeptRows
    ) -> Mapping[str, np.ndarray]:
        """Return the weights of the module before, its tables moved to their new rows."""
        return before.tables.moved(before.module, fresh, rows)

    def _built(self, data: Interactions, seed: int) -> nn.Module:
        with seeded(seed):
            return self.builder.build(data.n_users, data.n_items, self.config).eval()

    def _copy_weights(self, module: nn.Module, data: Interactions) -> None:
        """Take a copy of the module to answer with, on the CPU; who has no interaction gets the
        others' mean.
        """
        self._take(self._built(data, 0), data)
        self.module.load_state_dict(fitting.weights_of(module))
        for names, counts in (
            (self.tables.users, data.user_counts),
            (self.tables.items, data.item_counts),
        ):
            warm = torch.from_numpy(counts > 0)
            rows = self.tables.joined(self.module, names)
            rows[~warm] = rows[warm].mean(0)
            self.tables.put(self.module, names, rows)
        self._build_cache(data)

    def _take(self, module: nn.Module, data: Interactions) -> None:
        self.module = module
        self.tables = self.builder.find(module, data.n_users, data.n_items)

    def _build_cache(self, data: Interactions) -> None:
        """Derive what answering needs: the tables with a last row that stands for the unknown."""
        self.module.eval().requires_grad_(False)
        self._replicas = Replicas(self.module)
        prior = self.item_prior
        if prior is None:
            prior = np.zeros(data.n_items, np.float32)
        self._priors = np.append(prior, prior.min(initial=0.0) if len(prior) else 0)
        users, items = (
            self.tables.joined(self.module, names)
            for names in (self.tables.users, self.tables.items)
        )
        self._user_rows, self._term_items = users.numpy(), np.zeros(data.n_items + 1, np.float32)
        if (term := self._term) is not None:
            rated = data.indptr, data.item_rows, data.weights
            self._user_rows, self._term_items = term.beside(self._user_rows, *rated), term.of_items
        self._item_weights = self.tables.weights(
            self.module,
            self.tables.items,
            torch.cat((items, items[torch.from_numpy(data.item_counts > 0)].mean(0, keepdim=True))),
        )
        self._fold = FoldIn(
            self.tables,
            users[torch.from_numpy(data.user_counts > 0)].mean(0),
            self.config.on(data),
            self.config.needs(data),
            data.item_counts,
            torch.from_numpy(self._priors[:-1]),
        )

    def _take_term(self, term: BiasTerm, data: Interactions) -> None:
        super()._take_term(term, data)
        self._build_cache(data)

    # Answers.

    def _states(self, user_rows: np.ndarray) -> States:
        return np.asarray(self._user_rows[user_rows])

    def _fold_in(self, histories: Histories) -> States:
        if self.config.fits(self.data):
            indptr, items, values = rated_csr(self, histories)
            target = (values - np.float32(self.scale[0])) / np.float32(spread_in(self.scale))
        else:
            indptr, items, _ = histories.csr
            target = np.ones(len(items), np.float32)
        with self._replicas.one() as module:
            rows = self._fold.rows(module, indptr, items, target.astype(np.float32))
        term = self._term
        return rows if term is None else term.beside(rows, indptr, items, values)

    @torch.no_grad()
    def _pairs(self, states: np.ndarray, which: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        """Scores of pairs of a state and an item row (-1: an item never seen), float32 [n], on the
        data's scale.
        """
        beside = self._term_items[item_rows]
        if self.bias_term is not None:
            states, beside = states[:, :-1], beside + states[which, -1]
        rows = torch.from_numpy(np.ascontiguousarray(states, np.float32))
        users = torch.from_numpy(np.asarray(which, np.int64))
        unseen = self.data.n_items
        items = torch.from_numpy(np.where(item_rows < 0, unseen, item_rows).astype(np.int64))
        scores = np.empty(len(items), np.float32)
        with self._replicas.one() as module:
            weights = self.tables.weights(module, self.tables.users, rows) | self._item_weights
            for low in range(0, len(items), _PAIRS):
                part = slice(low, low + _PAIRS)
                scores[part] = self.tables.call(module, weights, users[part], items[part]).numpy()
        scores += self._priors[item_rows]
        own = np.float32(spread_in(self.scale)) * scores + np.float32(self.scale[0])
        return self._own_share * own + beside

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        vectors = np.asarray(states)
        rows = np.arange(self.data.n_items) if item_rows is None else np.asarray(item_rows)
        scores = np.empty((len(vectors), len(rows)), np.float32)
        per_block = max(1, _PAIRS // max(1, len(rows)))
        for low in range(0, len(vectors), per_block):
            some = vectors[low : low + per_block]
            which, items = np.repeat(np.arange(len(some)), len(rows)), np.tile(rows, len(some))
            scores[low : low + per_block] = self._pairs(some, which, items).reshape(
                len(some), len(rows)
            )
        return self.config.objective.link(scores)

    def _predict(self, states: States, which: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        scores = self._pairs(np.asarray(states), which, item_rows)
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
        return {
            **super()._state(),  # what are attributes
            "user_tables": self.tables.joined(self.module, self.tables.users).numpy(),
            "item_tables": self.tables.joined(self.module, self.tables.items).numpy(),
            "weights": self.tables.free(self.module),
        }

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        data = self.data
        # First without memory: what the settings ask for must be what the file holds.
        with without_memory():
            planned = self.builder.build(data.n_users, data.n_items, self.config)
        tables = self.builder.find(planned, data.n_users, data.n_items)
        sizes = {"weights": tables.n_free(planned)}
        found = {"weights": len(arrays["weights"])}
        for name, names in (("user_tables", tables.users), ("item_tables", tables.items)):
            sizes[name], found[name] = (
                sum(tables.widths(planned, names)),
                arrays[name].shape[1],
            )
        if sizes != found:
            raise ArtifactError(
                f"the state of {self.name} has the sizes {found}, and its settings ask for {sizes}."
            )
        self._take(self._built(data, 0), data)
        self.tables.put(self.module, self.tables.users, torch.tensor(arrays["user_tables"]))
        self.tables.put(self.module, self.tables.items, torch.tensor(arrays["item_tables"]))
        self.tables.put_free(self.module, arrays["weights"])
        self.scale = np.asarray(arrays["scale"])
        spread_in(self.scale)
        for name in ("item_prior", *BIAS_TERM_ARRAYS):  # models of older versions have none
            setattr(self, name, arrays.get(name))
        self._build_cache(data)


def train_module(
    module: nn.Module,
    tables: Tables,
    data: Interactions,
    config: ModuleConfig,
    run: Run,
    *,
    name: str,
    prior: np.ndarray | None = None,
    control: Control = Control(),  # noqa: B008 (frozen)
) -> LearningCurve:
    """Train a module that scores pairs with the Config's loss; return its learning curve.

    Parameters
    ----------
    module, tables
        What is trained, and where users and items enter it.
    data, config, run
        On what, how, and with which seed, threads and device.
    name
        What seeds and the progress bar call it.
    prior
        float32 [n_items]: what is added to the module's scores; None: 0.
    control
        Monitors, checkpoint, callbacks and the time budget.
    """
    device, config = device_of(run), config.on(data)
    held = None if prior is None else torch.from_numpy(prior).to(device)

    def pairs(users: Tensor, items: Tensor) -> Tensor:
        if items.dim() == 2:
            users = users[:, None].expand_as(items)
        scores: Tensor = module(users.reshape(-1), items.reshape(-1))
        scores = _one_each(scores, items)
        return scores if held is None else scores + held[items.long()]

    def penalty(users: Tensor, items: Tensor) -> Tensor | None:
        strengths = config.regularization, config.bias_regularization
        return tables.penalty(module, users, items, *strengths)

    def whole(users: Tensor, items: Tensor) -> Tensor:
        return pairs(users, items[None, :].expand(len(users), -1))

    module.to(device)
    mean = data.weights.mean(dtype=np.float64) if config.fits(data) else 0.0
    return train(
        module,
        fitting.step_of(data, config, device, fitting.PairScorer(pairs, penalty, whole)),
        fitting.examples(data, config, run, device, float(mean), name),
        config,
        run,
        control=control,
        name=name,
    )


def _one_each(scores: Tensor, items: Tensor) -> Tensor:
    """Scores in the shape of their items; a module of one's own may return others."""
    if scores.numel() != items.numel():
        raise ArgumentError(
            f"forward(users, items) must return a score for each of {items.numel()} pairs, not"
            f" {list(scores.shape)}."
        )
    return scores.reshape(items.shape)
