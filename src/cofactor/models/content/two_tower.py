"""TwoTower: vectors from ids and content together, trained in PyTorch; its state is plain arrays, and only `fit` needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
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
from cofactor.models.base import Audience, States
from cofactor.models.content import check as checking
from cofactor.models.content.base import SPEC_ARRAYS, ContentConfig, ContentFeatures, cold_rows, read_features
from cofactor.models.content.check import CHECK, Check
from cofactor.models.content.feature_ials import USER_ARRAYS
from cofactor.models.neural.latent_factor import LatentFactor, LatentFactorConfig
from cofactor.models.traits import ArraySpec, Traits
from cofactor.training.settings import LOSSES

if TYPE_CHECKING:
    import torch

    from cofactor.data.split import Part
    from cofactor.models.neural.latent_factor_module import FactorTables


class TwoTowerConfig(LatentFactorConfig, ContentConfig):
    """Settings of `TwoTower`: those of `LatentFactor` and of the content."""

    factors: int = setting(64, low=1, high=4096, doc="Length of the user and item vectors.")
    loss: str = setting("in_batch_softmax", choices=LOSSES, doc="What is minimised: squared learns the values, the others who met what.")
    epochs: int = setting(15, low=1, high=1_000_000, doc="Passes over the data.")
    batch_size: int = setting(1024, low=0, high=2**30, doc="Examples of a step; 0 takes all of them at once.")
    learning_rate: float = setting(0.005, above=0.0, high=1e3, doc="The optimiser's step size, at the schedule's top.")
    regularization: float = setting(0.01, low=0.0, doc="L2 on the vectors that a batch touches, per example.")
    sparse: str = setting("no", choices=("auto", "yes", "no"), doc="Whether gradients hold only the rows of a batch.")
    id_dropout: float = setting(0.5, low=0.0, high=1.0, doc="Share of look-ups without the id's vector while training; 1 leaves content alone.")
    user_text: tuple[str, ...] = setting((), doc="Columns of the profiles read as text; users have no content unless columns are named.")
    user_features: tuple[str, ...] = setting((), doc="Columns of the profiles read as categories, lists, numbers or dates.")
    fair: bool = setting(True, doc="Whether content vectors are scaled so that new items take their fair share of the lists.")


class TwoTower(ContentFeatures, LatentFactor):
    """``s_ui = x_u · y_i + b_i`` with ``[y_i ; b_i] = e_i + E' f_i`` and ``x_u = e_u + V' g_u``: ids and content side by side.

    e are embeddings of the ids and E, V embedding bags over the features: hashed words and letters, categories, lists, numbers.
    While training, the id's part is left out at random, so that content learns to stand alone. An item that nobody has had is
    ``s E' f_i``, where s lets it take its fair share of people's top 10. Cold items are no negatives in training.

    Users never seen are folded in as in `LatentFactor`; one of whom only a profile is known is V' g.

    Notes
    -----
    Source: Volkovs, Yu and Poutanen. 2017. DropoutNet. NeurIPS (leaving ids out); Yi et al. 2019. Sampling-Bias-Corrected Neural
    Modeling. RecSys (two towers with the in-batch softmax). The towers here are linear in the features, so reasons are exact.
    """

    name = "two_tower"
    Config = TwoTowerConfig  # type: ignore[assignment]
    traits = Traits(has_vectors=True, uses_features=True)
    arrays = {  # noqa: RUF012
        **LatentFactor.arrays,
        **SPEC_ARRAYS,
        **USER_ARRAYS,
        "map": ArraySpec("float32", ("width", "vector")),
        "user_map": ArraySpec("float32", ("user_width", "vector"), optional=True),
        "check": ArraySpec("float64", (str(len(CHECK)),)),
    }

    map: np.ndarray  # E, the last column for the bias
    user_map: np.ndarray | None
    user_spec: FeatureSpec | None
    check: Check

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        from cofactor.models.neural import fitting
        from cofactor.training.loop import train

        config = self.config
        self.spec, self._matrix = read_features(data, config, run)
        self.user_spec, self._profiles = None, None
        if config.user_text or config.user_features:
            self.user_spec = FeatureSpec.fit(
                data.profiles, text=config.user_text, features=config.user_features, rows=np.flatnonzero(data.user_counts)
            )
            self._profiles = self.user_spec.transform(data.profiles)
        self._warm = np.flatnonzero(data.item_counts)
        known = _items_of(data, self._warm)
        device = fitting.device_of(run)
        module = self._module(known, run, device)
        publish = lambda: self._publish(module, data)  # noqa: E731
        self.history = train(
            module,
            fitting.step_of(known, config, device, fitting.Scorer(module.pairs, module.penalty, module.whole),
                            (lambda: config.gravity * module.gravity()) if config.gravity else None),
            fitting.examples(known, config, run, device, float(self.scale[0]), self.name),
            config, run, watches=self._watches(data, validation, publish), checkpoint=self._checkpoint,
            belongs_to=self._belongs_to(data, run), name=self.name,
        )  # fmt: skip
        publish()
        run.progress.say(self.notes_of_check)
        matrix = self._matrix
        del self._matrix, self._profiles
        self._keep_features(matrix)

    def _module(self, data: Interactions, run: Run, device: torch.device) -> FactorTables:
        from cofactor.models.content.towers import Tower

        module: Any = super()._module(data, run, device)
        module.items = Tower(module.items.weight.detach(), self._matrix[self._warm], self.config.id_dropout).to(device)
        if self._profiles is not None:
            module.users = Tower(module.users.weight.detach(), self._profiles, self.config.id_dropout).to(device)
        return module

    def _publish(self, module: FactorTables, data: Interactions) -> None:
        """Take the vectors out of the towers, of the trained items and, by content alone, of the cold ones."""
        import torch

        module.eval()
        with torch.no_grad():
            super()._publish(module, _items_of(data, self._warm))
        tower: Any = module.items
        self.map = tower.bag.detach().cpu().numpy().copy()
        self.user_map = module.users.bag.detach().cpu().numpy().copy() if self._profiles is not None else None
        trained = np.concatenate((self.item_factors, self.item_bias[:, None]), 1)
        whole = np.zeros((data.n_items, trained.shape[1]), np.float32)
        whole[self._warm] = trained
        self.item_factors, self.item_bias = np.ascontiguousarray(whole[:, :-1]), whole[:, -1].copy()
        if self._profiles is not None:
            empty = np.flatnonzero(data.user_counts == 0)
            self.user_factors[empty] = np.asarray(self._profiles[empty] @ self.user_map)[:, :-1]
        self._check(data)
        self._put(self._matrix, cold_rows(data))

    def _check(self, data: Interactions) -> None:
        """How well content stands alone on warm items. They were in training: this is no held-out measure."""
        items = checking.held_out(data, 0)
        users = checking.askers(data, items, 0)
        rest = np.setdiff1d(self._warm, items)
        found = np.asarray(self._matrix[items] @ self.map, np.float32)
        x = self.user_factors[users]
        trained = x @ self.item_factors[items].T + self.item_bias[items]
        content = x @ found[:, :-1].T + found[:, -1]
        theirs = x @ self.item_factors[rest].T + self.item_bias[rest]
        scale, mine, wanted = checking.fair_scale(theirs, trained, content) if self.config.fair else (1.0, 0.0, 0.0)
        self.check = Check(
            checking.cosine(found[:, :-1], self.item_factors[items]), checking.auc(content, data, users, items),
            checking.auc(trained, data, users, items), mine, wanted, scale, 0.0, len(items),
        )  # fmt: skip

    @property
    def notes_of_check(self) -> str:
        """The check in a sentence."""
        return self.check.sentence.replace("held-out warm items", "warm items (seen in training, so this is an upper bound)")

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found in the columns, and how well content stands alone."""
        return (*super().notes, self.notes_of_check)

    def _content_vectors(self, matrix: Any) -> np.ndarray:
        made = self.check.scale * np.asarray(matrix @ self.map, np.float32)
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
        if self.user_spec is None or self.user_map is None:
            raise ArgumentError("this model was fitted without profiles; name their columns in user_features or user_text.")
        states = np.array(self._fold_in(histories))
        empty = histories.lengths == 0
        states[empty] = np.asarray(self.user_spec.transform(profiles) @ self.user_map, np.float32)[empty]
        if self.config.loss != "squared":
            states[empty, -1] = 0
        return states

    def _feature_weights(self, audience: Audience) -> np.ndarray | None:
        state = np.asarray(audience.states)[0]
        return self.check.scale * (self.map[:, :-1] @ state[:-1] + self.map[:, -1])

    def _state(self) -> dict[str, np.ndarray]:
        own = {**super()._state(), **self.spec.arrays(), "map": self.map, "check": self.check.array()}
        if self.user_spec is not None and self.user_map is not None:
            own |= {"user_map": self.user_map, **{"user_" + n: a for n, a in self.user_spec.arrays().items()}}
        return own

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        super()._restore(arrays)
        self._restore_spec(arrays)
        self.map, self.check, self.user_map = arrays["map"], Check.of_array(arrays["check"]), arrays.get("user_map")
        theirs = {n.removeprefix("user_"): a for n, a in arrays.items() if n.startswith("user_spec")}
        self.user_spec = FeatureSpec.from_arrays(theirs) if theirs else None


def _items_of(data: Interactions, items: np.ndarray) -> Interactions:
    """The data with some of its items only (ascending rows, which hold all interactions)."""
    if len(items) == data.n_items:
        return data
    new = np.full(data.n_items, -1, np.int32)
    new[items] = np.arange(len(items), dtype=np.int32)
    catalogue = Catalogue(data.catalogue.table.take(pa.array(items)), data.catalogue.title_column)
    return replace(data, items=IdMap(data.items.take(items)), item_rows=new[data.item_rows], catalogue=catalogue)
