"""TwoTower: vectors from ids and content together, trained in PyTorch; its state is plain
arrays, and only `fit` needs torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from cofactor.base.config import setting
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.data.catalogue import Catalogue
from cofactor.data.features import FeatureSpec
from cofactor.data.histories import Histories
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions
from cofactor.models.content import check as checking
from cofactor.models.content.base import (
    COMPARISON,
    SPEC_ARRAYS,
    ContentConfig,
    ContentFeatures,
    cold_rows,
    read_features,
)
from cofactor.models.content.check import CHECK, Check
from cofactor.models.content.feature_ials import USER_ARRAYS
from cofactor.models.content.twin import shared, warm_ndcg
from cofactor.models.neural.latent_factor import LatentFactor, LatentFactorConfig
from cofactor.models.neural.trained import Metric
from cofactor.models.recommender import Recommender
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import States, UserBatch
from cofactor.training.settings import LOSSES

if TYPE_CHECKING:
    import torch

    from cofactor.data.split import Part
    from cofactor.models.neural.latent_factor_module import FactorTables
    from cofactor.training.loop import Step


class TwoTowerConfig(LatentFactorConfig, ContentConfig):
    """Settings of `TwoTower`: those of `LatentFactor` and of the content."""

    factors: int = setting(64, low=1, high=4096, doc="Length of the user and item vectors.")
    loss: str = setting(
        "in_batch_softmax",
        choices=LOSSES,
        doc="What is minimised: squared learns the values, the others who met what.",
    )
    epochs: int = setting(15, low=1, high=1_000_000, doc="Passes over the data.")
    batch_size: int = setting(
        1024, low=0, high=2**30, doc="Examples of a step; 0 takes all of them at once."
    )
    learning_rate: float = setting(
        0.005, above=0.0, high=1e3, doc="The optimiser's step size, at the schedule's top."
    )
    regularization: float = setting(
        0.01, low=0.0, doc="L2 on the vectors that a batch touches, per example."
    )
    sparse: str = setting(
        "no", choices=("auto", "yes", "no"), doc="Whether gradients hold only the rows of a batch."
    )
    id_dropout: float = setting(
        0.3,
        low=0.0,
        high=1.0,
        doc="Share of the loss in which ids are left out; 1 leaves content alone.",
    )
    half_at: float | None = setting(
        100.0,
        above=0.0,
        doc=(
            "Interactions of an item or user at which its content is halved, c in c / (c + n); None"
            " keeps it whole."
        ),
    )
    hidden: tuple[int, ...] = setting(
        (),
        low=1,
        high=65536,
        doc="Widths of hidden layers between features and vectors; none is linear.",
    )
    user_text: tuple[str, ...] = setting(
        (),
        doc="Columns of the profiles read as text; users have no content unless columns are named.",
    )
    user_features: tuple[str, ...] = setting(
        (), doc="Columns of the profiles read as categories, lists, numbers or dates."
    )
    fair: bool = setting(
        True,
        doc=(
            "Whether content vectors are scaled so that new items take their fair share of the"
            " lists."
        ),
    )


class TwoTower(ContentFeatures, LatentFactor):
    """``s_ui = x_u · y_i + b_i`` with ``[y_i ; b_i] = e_i + t_i h(f_i)`` and ``x_u = e_u + t_u
    g(f_u)``: ids and content side by side.

    e are embeddings of the ids; h and g are networks over the features (hashed words and letters,
    categories, lists, numbers): an embedding bag ``E' f``, and, with ``hidden``, ReLU layers behind
    it. The gate ``t = c / (c + n)`` lets the n interactions of an item or a user speak for
    themselves (c is ``half_at``; None: t = 1). Training minimises

    ``(1 - d) L(e + t h) + d L(h alone)``

    with d the ``id_dropout``: the first loss is that of `LatentFactor`, whose L2 here pulls e alone
    to zero, so that a vector with little data is what its features say; in the second the other
    side is held fixed, so that content learns to stand alone without bending the trained vectors.
    An item that nobody has had is ``s h(f_i)``, where s lets it take its fair share of people's top
    10. Cold items are no negatives in training.

    Users never seen are folded in as in `LatentFactor`; one of whom only a profile is known is
    g(f).

    Notes
    ----- The layers have no constants, so h(a f) = a h(f) for a > 0 and what its features add to a
    score, the gradient times each of them, adds up to what content adds: reasons are exact, also
    with hidden layers. Source: Volkovs, Yu and Poutanen. 2017. DropoutNet. NeurIPS (training for
    cold start by leaving ids out; here by a loss of its own, not at random); Yi et al. 2019.
    Sampling-Bias-Corrected Neural Modeling. RecSys (two towers with the in-batch softmax)."""

    name = "two_tower"
    Config = TwoTowerConfig  # type: ignore[assignment]
    traits = Traits(has_vectors=True, uses_features=True)
    arrays = {  # noqa: RUF012
        **LatentFactor.arrays,
        **SPEC_ARRAYS,
        **USER_ARRAYS,
        **COMPARISON,
        "check": ArraySpec("float64", (str(len(CHECK)),)),
    }

    maps: list[np.ndarray]  # of items: E and the layers after it; the last column is for the bias
    user_maps: list[np.ndarray]
    user_spec: FeatureSpec | None
    check: Check

    def __init__(self, config: Any = None, **settings: Any) -> None:
        super().__init__(config, **settings)
        widths = ["width", *map(str, self.config.hidden), "vector"]
        self.arrays = {**type(self).arrays}  # type: ignore[misc]
        for n, (a, b) in enumerate(pairwise(widths)):
            self.arrays[f"map_{n}"] = ArraySpec("float32", (a, b))
            self.arrays[f"user_map_{n}"] = ArraySpec(
                "float32", ("user_width" if n == 0 else a, b), optional=True
            )

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        from cofactor.models.neural import fitting
        from cofactor.training.loop import train

        config = self.config
        self.spec, self._matrix = read_features(data, config, run)
        self.user_spec, self._profiles = None, None
        if config.user_text or config.user_features:
            self.user_spec = FeatureSpec.fit(
                data.profiles,
                text=config.user_text,
                features=config.user_features,
                rows=np.flatnonzero(data.user_counts),
            )
            self._profiles = self.user_spec.transform(data.profiles)
        self._warm = np.flatnonzero(data.item_counts)
        known = _items_of(data, self._warm)
        device = fitting.device_of(run)
        module = self._module(known, run, device)
        publish = lambda: self._publish(module, data)  # noqa: E731
        step = fitting.step_of(
            known,
            config,
            device,
            fitting.Scorer(module.pairs, module.penalty, module.whole),
            (lambda: config.gravity * module.gravity()) if config.gravity else None,
        )
        self.history = train(
            module,
            _both(step, module, config.id_dropout, with_profiles=self._profiles is not None),
            fitting.examples(known, config, run, device, float(self.scale[0]), self.name),
            config,
            run,
            watches=self._watches(data, validation, publish),
            checkpoint=self._checkpoint,
            belongs_to=self._belongs_to(data, run),
            name=self.name,
        )
        publish()
        run.progress.say(self.notes_of_check)
        matrix = self._matrix
        del self._matrix, self._profiles
        self._keep_features(matrix)
        self._cache["gate"] = self._gate(data.item_counts)

    def plain_twin(self) -> Recommender:
        """Return `LatentFactor` with the same settings."""
        return shared(self.config, LatentFactor)

    def _own_metrics(self) -> tuple[Metric, ...]:
        """What stops training: items with interactions among themselves, since what is held out
        has no items that nobody has had.
        """
        if self.traits.predicts_ratings:
            return super()._own_metrics()
        return (Metric("ndcg@10", lambda model, part: warm_ndcg(model, part, 2000), True),)

    def _gate(self, counts: np.ndarray) -> np.ndarray:
        """t of rows with so many interactions, float32 [n]."""
        c = self.config.half_at
        whole = c is None or self.config.id_dropout == 1
        return np.ones(len(counts), np.float32) if whole else (c / (c + counts)).astype(np.float32)

    def _module(self, data: Interactions, run: Run, device: torch.device) -> FactorTables:
        import torch

        generator = torch.Generator().manual_seed(
            int(run.generator(self.name, "towers").integers(2**62))
        )
        hidden = self.config.hidden
        self._towers = {
            "items": (self._matrix[self._warm], self._gate(data.item_counts), hidden, generator)
        }
        if self._profiles is not None:
            self._towers["users"] = (
                self._profiles,
                self._gate(data.user_counts),
                hidden,
                generator,
            )
        module = super()._module(data, run, device)
        del self._towers
        return module

    def _tables(self, users: torch.Tensor, items: torch.Tensor, **settings: Any) -> FactorTables:
        from cofactor.models.content.towers import TowerTables

        if self.config.id_dropout == 1:
            items = 0 * items
            users = 0 * users if self._profiles is not None else users
        return TowerTables(users, items, towers=self._towers, **settings)

    def _publish(self, module: FactorTables, data: Interactions) -> None:
        """Take the vectors out of the towers, of the trained items and, by content alone, of the
        cold ones.
        """
        import torch

        module.eval()
        with torch.no_grad():
            super()._publish(module, _items_of(data, self._warm))
        items: Any = module.items
        users: Any = module.users
        self.maps = items.maps()
        self.user_maps = users.maps() if self._profiles is not None else []
        trained = np.concatenate((self.item_factors, self.item_bias[:, None]), 1)
        whole = np.zeros((data.n_items, trained.shape[1]), np.float32)
        whole[self._warm] = trained
        self.item_factors, self.item_bias = np.ascontiguousarray(whole[:, :-1]), whole[:, -1].copy()
        if self._profiles is not None:
            empty = np.flatnonzero(data.user_counts == 0)
            self.user_factors[empty] = _through(self._profiles[empty], self.user_maps)[:, :-1]
        self._check(data)
        self._put(self._matrix, cold_rows(data))

    def _check(self, data: Interactions) -> None:
        """How well content stands alone on warm items. They were in training: this is no
        held-out measure.
        """
        items = checking.held_out(data, 0)
        users = checking.askers(data, items, 0)
        rest = np.setdiff1d(self._warm, items)
        found = _through(self._matrix[items], self.maps)
        x = self.user_factors[users]
        trained = x @ self.item_factors[items].T + self.item_bias[items]
        content = x @ found[:, :-1].T + found[:, -1]
        theirs = x @ self.item_factors[rest].T + self.item_bias[rest]
        scale, mine, wanted = (
            checking.fair_scale(theirs, trained, content) if self.config.fair else (1.0, 0.0, 0.0)
        )
        self.check = Check(
            checking.cosine(found[:, :-1], self.item_factors[items]),
            checking.auc(content, data, users, items),
            checking.auc(trained, data, users, items),
            mine,
            wanted,
            scale,
            0.0,
            len(items),
        )

    @property
    def notes_of_check(self) -> str:
        """The check in a sentence."""
        return self.check.sentence.replace(
            "held-out warm items", "warm items (seen in training, so this is an upper bound)"
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found in the columns, and how well content stands alone."""
        _ = self.data
        return (*self.spec.notes, self.notes_of_check, *self.compared)

    def _content_vectors(self, matrix: Any) -> np.ndarray:
        made = self.check.scale * _through(matrix, self.maps)
        if self.config.loss == "cosine_contrastive":
            made[:, :-1] /= np.maximum(np.linalg.norm(made[:, :-1], axis=1, keepdims=True), 1e-12)
        return made.astype(np.float32)

    def _put(self, matrix: Any, rows: np.ndarray) -> None:
        vectors = self._content_vectors(matrix[rows])
        self.item_factors[rows], self.item_bias[rows] = vectors[:, :-1], vectors[:, -1]

    def _extend(self, data: Interactions, matrix: Any, first: int) -> None:
        vectors = self._content_vectors(matrix)
        self.item_factors = np.concatenate((self.item_factors, vectors[:, :-1]))
        self.item_bias = np.concatenate((self.item_bias, vectors[:, -1]))

    def _fold_in_profiles(self, histories: Histories, profiles: Any) -> States:
        """Who has a history is folded in by it; the others get what their profile says."""
        if self.user_spec is None:
            raise ArgumentError(
                "this model was fitted without profiles; name their columns in user_features or"
                " user_text."
            )
        states = np.array(self._fold_in(histories))
        empty = histories.lengths == 0
        states[empty] = _through(self.user_spec.transform(profiles), self.user_maps)[empty]
        if self.config.loss != "squared":
            states[empty, -1] = 0
        return states

    def _feature_weights(self, batch: UserBatch, item_row: int) -> np.ndarray | None:
        """The gradient of the score by the item's features: through hidden layers it depends on
        the item.
        """
        state = np.asarray(batch.states)[0]
        kept, values = [], self.features[item_row] @ self.maps[0]
        for layer in self.maps[1:]:
            kept.append(values[0] > 0)
            values = np.maximum(values, 0) @ layer
        slope = np.append(state[:-1], np.float32(1))
        for layer, mask in zip(self.maps[:0:-1], kept[::-1], strict=True):
            slope = (layer @ slope) * mask
        if "gate" not in self._cache:
            self._cache["gate"] = self._gate(self.data.item_counts)
        counted = self.data.item_counts[item_row] > 0
        return (self._cache["gate"][item_row] if counted else self.check.scale) * (
            self.maps[0] @ slope
        )

    def _state(self) -> dict[str, np.ndarray]:
        own = {**super()._state(), **self.spec.arrays(), "check": self.check.array()}
        own |= {f"map_{n}": one for n, one in enumerate(self.maps)}
        if self.user_spec is not None:
            own |= {"user_" + n: a for n, a in self.user_spec.arrays().items()}
            own |= {f"user_map_{n}": one for n, one in enumerate(self.user_maps)}
        return own

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        super()._restore(arrays)
        self._restore_spec(arrays)
        self.check = Check.of_array(arrays["check"])
        layers = range(1 + len(self.config.hidden))
        self.maps = [arrays[f"map_{n}"] for n in layers]
        self.user_maps = [arrays[f"user_map_{n}"] for n in layers if f"user_map_{n}" in arrays]
        theirs = {
            n.removeprefix("user_"): a for n, a in arrays.items() if n.startswith("user_spec")
        }
        self.user_spec = FeatureSpec.from_arrays(theirs) if theirs else None


def _through(matrix: Any, maps: list[np.ndarray]) -> np.ndarray:
    """What the network makes of features, float32 [n, vector]: a linear map, then ReLU and a
    linear map for each hidden layer.
    """
    made = np.asarray(matrix @ maps[0], np.float32)
    for layer in maps[1:]:
        made = np.maximum(made, 0) @ layer
    return made


def _both(step: Step, module: Any, share: float, *, with_profiles: bool) -> Step:
    """The loss with everything, and beside it, on the same draws, that of each side's content
    against the other side as it is.
    """
    from cofactor.models.content.towers import CONTENT, FIXED, WHOLE

    if share == 0:
        return step
    whole, alone = (WHOLE, WHOLE, 1 - share), [(FIXED, CONTENT, share)]
    if with_profiles:
        alone = [(FIXED, CONTENT, share / 2), (CONTENT, FIXED, share / 2)]
    passes = [whole, *alone] if share < 1 else [(CONTENT if with_profiles else WHOLE, CONTENT, 1.0)]

    def both(batch: tuple[torch.Tensor, ...], generator: torch.Generator) -> torch.Tensor:
        drawn = generator.get_state()
        total: Any = 0.0
        for users, items, weight in passes:
            generator.set_state(drawn)
            module.answer(users, items)
            total = total + weight * step(batch, generator)
        module.answer(WHOLE, WHOLE)
        return total

    return both


def _items_of(data: Interactions, items: np.ndarray) -> Interactions:
    """The data with some of its items only (ascending rows, which hold all interactions)."""
    if len(items) == data.n_items:
        return data
    new = np.full(data.n_items, -1, np.int32)
    new[items] = np.arange(len(items), dtype=np.int32)
    catalogue = Catalogue(data.catalogue.table.take(pa.array(items)), data.catalogue.title_column)
    return replace(
        data,
        items=IdMap(data.items.take(items)),
        item_rows=new[data.item_rows],
        catalogue=catalogue,
    )
