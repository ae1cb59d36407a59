"""TwoTower: vectors from ids and content together, trained in PyTorch; its state is plain
arrays, and only `fit` needs torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from cofactor.base.config import setting
from cofactor.base.run import Run
from cofactor.data.features import FeatureSpec
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.content import check as checking
from cofactor.models.content.check import Check, HeldOutScores, Scores
from cofactor.models.content.content_config import (
    CalibrationConfig,
    ContentConfig,
    PriorConfig,
    ProfileConfig,
)
from cofactor.models.content.content_features import (
    COMPARISON,
    ContentFeatures,
    cold_rows,
    with_items_only,
)
from cofactor.models.content.feature_map import SPEC_ARRAYS, FeatureMap
from cofactor.models.content.no_features_baseline import shared
from cofactor.models.content.profiles import (
    USER_ARRAYS,
    features_of_profiles,
    learn_profiles,
    user_spec_arrays,
    user_spec_of,
)
from cofactor.models.defaults.bias_term import BIAS_TERM_ARRAYS, BiasTermConfig
from cofactor.models.factors import FactorModel
from cofactor.models.iterative import (
    IterativeModel,
    ValidationMetric,
    warm_ndcg_metric,
)
from cofactor.models.neural.biased_factors import BiasedFactors
from cofactor.models.neural.factor_fold_in import Factors
from cofactor.models.neural.factor_settings import FactorConfig
from cofactor.models.neural.latent_factor import LatentFactor
from cofactor.models.recommender import Recommender
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import States, UserBatch
from cofactor.retrieval.topk import unit_length
from cofactor.training.losses import LOSSES, Loss

if TYPE_CHECKING:
    import torch

    from cofactor.models.content.towers import TowerTables
    from cofactor.models.neural.latent_factor_module import TableSettings


class TwoTowerConfig(
    FactorConfig, BiasTermConfig, PriorConfig, CalibrationConfig, ProfileConfig, ContentConfig
):
    """Settings of `TwoTower`: those of `LatentFactor` and of the content."""

    usual_batch = 1024

    new_defaults = {"factors": 64, "learning_rate": 0.005, "regularization": 0.01, "sparse": "no"}

    epochs: int = setting(15, low=1, high=1_000_000, doc="Passes over the data.")
    loss: str | Loss = setting(
        "in_batch_softmax",
        choices=LOSSES,
        doc="Training loss: squared fits values; all others rank. A name or a Loss object.",
    )
    id_dropout: float = setting(
        0.3,
        low=0.0,
        high=1.0,
        doc="Share of the loss in which ids are left out; 1 leaves content alone.",
    )
    feature_prior_count: float | None = setting(
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


class TwoTower(BiasedFactors, ContentFeatures, IterativeModel, FactorModel):
    """Two towers in PyTorch: embeddings of the ids plus networks over text and features.

    ``s_ui = x_u · y_i + b_i`` with ``[y_i ; b_i] = e_i + t_i h(f_i)`` and ``x_u = e_u + t_u
    g(f_u)``.

    e are embeddings of the ids; h and g are networks over the features (hashed words and letters,
    categories, lists, numbers): an embedding bag ``E' f``, followed by ReLU layers with ``hidden``.
    The gate ``t = c / (c + n)`` gives features less weight the more interactions n an item or a
    user has (c is ``feature_prior_count``; None: t = 1). Training minimises

    ``(1 - d) L(e + t h) + d L(h alone)``

    with d the ``id_dropout``. The first loss is that of `LatentFactor`, whose L2 here applies to e
    alone, so that a vector with little data follows its features; in the second the other side is
    held fixed, so that content works without ids and the trained vectors don't change. A new item
    is ``s h(f_i)``, where s gives new items their share of users' top 10. Cold items aren't
    sampled as negatives.

    With ``loss="squared"`` on ratings it predicts them, with a share ``bias_weight`` of the mean
    and damped biases alone, as `LatentFactor` does; a new item's damped bias is 0.

    Unseen users are folded in as in `LatentFactor`; one with a profile alone is g(f).

    Notes
    -----
    The layers have no biases, so h(a f) = a h(f) for a > 0, and the features' contributions (the
    gradient times each feature) add up to the content part of the score: reasons are exact, also
    with hidden layers. Source: Volkovs, Yu and Poutanen. 2017. DropoutNet. NeurIPS (training for
    cold start by leaving ids out; here by a loss of its own, not at random); Yi et al. 2019.
    Sampling-Bias-Corrected Neural Modeling. RecSys (two towers with the in-batch softmax).
    """

    name = "two_tower"
    uses_device = True
    Config = TwoTowerConfig
    traits = Traits(has_vectors=True, uses_features=True)
    adds_user_bias = True
    arrays = {
        **LatentFactor.arrays,
        **SPEC_ARRAYS,
        **USER_ARRAYS,
        **COMPARISON,
        "check": ArraySpec("float64", ("check numbers",)),
    }

    item_bias: np.ndarray
    maps: list[np.ndarray]  # of items: E and the layers after it; the last column is for the bias
    user_maps: list[np.ndarray]
    user_spec: FeatureSpec | None
    check: Check

    @classmethod
    def arrays_of(cls, config: TwoTowerConfig) -> Mapping[str, ArraySpec]:
        """Return the arrays of the state under some settings: one for each layer."""
        widths, made = ["width", *map(str, config.hidden), "vector"], dict(cls.arrays)
        for n, (a, b) in enumerate(pairwise(widths)):
            made[f"map_{n}"] = ArraySpec.of_items(a, b)
            own = "user_width" if n == 0 else a
            made[f"user_map_{n}"] = ArraySpec("float32", (own, b), optional=True)
        return made

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        from cofactor.models.content.towers import with_content_alone
        from cofactor.models.neural import factor_training as training

        config = self.config
        self.feature_map = FeatureMap.learn(data, config, run)
        matrix = self.features
        self.user_spec, profiles = learn_profiles(data, config)
        known = with_items_only(data, np.flatnonzero(data.item_counts))
        self.scale = training.rating_bounds(known, config)
        module = self._begun(known, run, matrix[data.item_counts > 0], profiles)
        publish = lambda: self._copy_weights(module, data, known, matrix, profiles)  # noqa: E731
        self.curve = training.train_factors(
            module,
            known,
            config,
            run,
            name=self.name,
            wrap=lambda step: with_content_alone(
                step, module, config.id_dropout, with_profiles=profiles is not None
            ),
            control=self._control(data, validation, run, publish),
        )
        publish()
        run.progress.say(*self.checked)

    def _begun(self, known: Interactions, run: Run, features: Any, profiles: Any) -> TowerTables:
        """The tables as training begins, of the items with interactions."""
        import torch

        from cofactor.models.content.towers import TowerTables
        from cofactor.models.neural import factor_training as training

        config = self.config
        seed = int(run.generator(self.name, "towers").integers(2**62))
        shared = config.hidden, torch.Generator().manual_seed(seed)
        towers = {"items": (features, self._gate(known.item_counts), *shared)}
        if profiles is not None:
            towers["users"] = (profiles, self._gate(known.user_counts), *shared)

        def make(users: torch.Tensor, items: torch.Tensor, settings: TableSettings) -> TowerTables:
            if config.id_dropout == 1:
                items = 0 * items
                users = 0 * users if profiles is not None else users
            return TowerTables(users, items, settings, towers)

        made: Any = training.begin(known, config, run, self.name, make)
        return made

    def without_features(self) -> Recommender:
        """Return `LatentFactor` with the same settings."""
        return shared(self.config, LatentFactor)

    def _own_metrics(self, run: Run) -> tuple[ValidationMetric, ...]:
        """What stops training: items with interactions among themselves, since what is held out
        has no new items.
        """
        if self.traits.predicts_ratings:
            return super()._own_metrics(run)
        return (warm_ndcg_metric(run),)

    def _gate(self, counts: np.ndarray) -> np.ndarray:
        """t of rows with so many interactions, float32 [n]."""
        c = self.config.feature_prior_count
        whole = c is None or self.config.id_dropout == 1
        return np.ones(len(counts), np.float32) if whole else (c / (c + counts)).astype(np.float32)

    def _copy_weights(
        self,
        module: TowerTables,
        data: Interactions,
        known: Interactions,
        matrix: Any,
        profiles: Any,
    ) -> None:
        """Take the vectors out of the towers, of the trained items and, by content alone, of the
        cold ones.
        """
        import torch

        from cofactor.models.neural import factor_training as training
        from cofactor.models.neural import fitting

        module.eval()
        with torch.no_grad():
            factors = training.factors_of(module, known, self.config)
        items: Any = module.items
        users: Any = module.users
        self.maps = items.maps()
        self.user_maps = users.maps() if profiles is not None else []
        unit = np.float32(fitting.unit_of(known, self.config))
        self.maps[-1][:, -1] *= unit
        for last in self.user_maps[-1:]:
            last *= unit
        warm = data.item_counts > 0
        self.user_factors, self.user_bias = factors.user_factors, factors.user_bias
        self.item_factors = np.zeros((data.n_items, self.config.factors), np.float32)
        self.item_bias = np.zeros(data.n_items, np.float32)
        self.item_factors[warm], self.item_bias[warm] = factors.item_factors, factors.item_bias
        if profiles is not None:
            empty = np.flatnonzero(data.user_counts == 0)
            self.user_factors[empty] = _through(profiles[empty], self.user_maps)[:, :-1]
        self._check(data, matrix)
        cold = cold_rows(data)
        vectors = self._content_vectors(matrix[cold])
        self.item_factors[cold], self.item_bias[cold] = vectors[:, :-1], vectors[:, -1]

    def _check(self, data: Interactions, matrix: Any) -> None:
        """How well content stands alone on warm items. They were in training: this is no
        held-out measure.
        """
        items, users, rest = checking.HeldOutItems.draw(data, 0)
        found = _through(matrix[items], self.maps)
        x = self.user_factors[users]
        trained = x @ self.item_factors[items].T + self.item_bias[items]
        known = Scores(x @ found[:, :-1].T + found[:, -1], trained)
        theirs = x @ self.item_factors[rest].T + self.item_bias[rest]
        self.check = checking.check_of(
            data,
            HeldOutScores(users, items, known, known, theirs),
            cosine=checking.cosine(found[:, :-1], self.item_factors[items]),
            ridge=0.0,
            calibrate=self.config.calibrate_exposure,
            features=matrix,
        )

    @property
    def checked(self) -> tuple[str, ...]:
        """What the check found: here the items were seen in training."""
        return () if self.check is None else (self.check.sentence_of_trained,)

    def _content_vectors(self, matrix: Any) -> np.ndarray:
        made = self.check.scale * _through(matrix, self.maps)
        if self.config.objective.uses_cosine:
            made[:, :-1] = unit_length(made[:, :-1])
        return made.astype(np.float32)

    def _extend(self, features: Any) -> None:
        vectors = self._content_vectors(features)
        self.item_factors = np.concatenate((self.item_factors, vectors[:, :-1]))
        own = self._own_share * vectors[:, -1]
        self.item_bias = np.concatenate((self.item_bias, own))
        if self.bias_term_items is not None:
            self.bias_term_items = np.concatenate((self.bias_term_items, np.zeros_like(own)))

    def _fold_in_profiles(self, histories: Histories, profiles: Any) -> States:
        """Who has a history is folded in by it; the others get what their profile says."""
        features = features_of_profiles(self.user_spec, profiles)
        csr, empty = self._csr(histories), histories.lengths == 0
        states = self._learned_states(csr)
        states[empty] = _through(features, self.user_maps)[empty]
        if not self.config.objective.fits_values:
            states[empty, -1] = 0
        return self._with_term(states, csr, 0.0)

    def feature_weights(self, batch: UserBatch, item_row: int) -> np.ndarray | None:
        """Return the gradient of the score by the item's features.

        Through hidden layers it depends on the item.
        """
        state = np.asarray(batch.states)[0]
        kept, values = [], self.features[item_row] @ self.maps[0]
        for layer in self.maps[1:]:
            kept.append(values[0] > 0)
            values = np.maximum(values, 0) @ layer
        slope = np.append(state[:-1], self._own_share)
        for layer, mask in zip(self.maps[:0:-1], kept[::-1], strict=True):
            slope = (layer @ slope) * mask
        count = self.data.item_counts[[item_row]]
        return (self._gate(count)[0] if count[0] else self.check.scale) * (self.maps[0] @ slope)

    def _state(self) -> dict[str, np.ndarray]:
        own = {name: getattr(self, name) for name in (*Factors._fields, "scale")}
        own |= {**self.spec.arrays(), "check": self.check.array()}
        own |= {f"map_{n}": one for n, one in enumerate(self.maps)}
        own |= {f"user_map_{n}": one for n, one in enumerate(self.user_maps)}
        own |= {
            name: array for name in BIAS_TERM_ARRAYS if (array := getattr(self, name)) is not None
        }
        return own | user_spec_arrays(self.user_spec)

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        for name in (*Factors._fields, "scale", *BIAS_TERM_ARRAYS):
            setattr(self, name, arrays.get(name))
        super()._restore(arrays)
        self.check = Check.of_array(arrays["check"])
        layers = range(1 + len(self.config.hidden))
        self.maps = [arrays[f"map_{n}"] for n in layers]
        self.user_maps = [arrays[f"user_map_{n}"] for n in layers if f"user_map_{n}" in arrays]
        self.user_spec = user_spec_of(arrays, self.arrays)


def _through(matrix: Any, maps: list[np.ndarray]) -> np.ndarray:
    """What the network makes of features, float32 [n, vector]: a linear map, then ReLU and a
    linear map for each hidden layer.
    """
    made = np.asarray(matrix @ maps[0], np.float32)
    for layer in maps[1:]:
        made = np.maximum(made, 0) @ layer
    return made
