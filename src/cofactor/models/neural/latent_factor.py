"""LatentFactor: matrix factorisation by gradient descent, with any loss. Its state is plain
arrays; only `fit` needs torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cofactor.base.config import setting
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models.neural.biases import damped_biases
from cofactor.models.neural.factor_fold_in import implicit_vectors, l2_weights, ridge_vectors
from cofactor.models.neural.trained import HISTORY_ARRAYS, TrainedRecommender
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import InnerProduct, States
from cofactor.training.history import History
from cofactor.training.settings import LossConfig

if TYPE_CHECKING:
    import torch

    from cofactor.data.split import Part
    from cofactor.models.neural.latent_factor_module import FactorTables

# Tables with more rows than this many times a batch's get sparse gradients; below, one dense pass
# is faster
_SPARSE_FROM = 8


class LatentFactorConfig(LossConfig):
    """Settings of `LatentFactor`."""

    factors: int = setting(32, low=1, high=4096, doc="Length of the user and item vectors.")
    mean: bool = setting(True, doc="Whether ratings are learnt as differences from their mean.")
    biases: bool = setting(
        True, doc="Whether users and items have a bias (users only where the loss can see it)."
    )
    init_scale: float = setting(
        0.05, low=0.0, high=10.0, doc="Standard deviation of the vectors' first values."
    )
    gravity: float = setting(
        0.0,
        low=0.0,
        doc="Weight of the mean square of the scores of all pairs (Gramian regulariser).",
    )
    sparse: str = setting(
        "auto",
        choices=("auto", "yes", "no"),
        doc="Whether gradients hold only the rows of a batch.",
    )
    regularization: float = setting(
        0.1, low=0.0, doc="L2 on the vectors that a batch touches, per example."
    )
    item_bias_regularization: float | None = setting(
        None, low=0.0, doc="L2 on the items' biases; None is that of the users'."
    )
    user_damping: float = setting(
        10.0, low=0.0, doc="Imagined ratings at the mean in the bias that a user begins with."
    )
    item_damping: float = setting(
        5.0, low=0.0, doc="Imagined ratings at the mean in the bias that an item begins with."
    )
    frequency_power: float = setting(
        0.5,
        low=0.0,
        high=1.0,
        doc=(
            "On rated data, the L2 of one with n ratings grows as n to this: 1 per example, 0 alike"
            " for all."
        ),
    )


class LatentFactor(TrainedRecommender):
    """A vector and a bias for each user and item: ``r̂_ui = μ + b_u + b_i + p_u · q_i``.

    ``L = 1/B Σ_(u,i) [loss + λ (‖p_u‖² + ‖q_i‖²) + λ_b (b_u² + b_i²)] + g · gravity``

    With ``loss="squared"`` on ratings it predicts them; with the other losses, or on data without
    values, it ranks (squared on data without values takes what was met as 1, and the rest as 0:
    through gravity if there is any, else by drawing). Users never seen are answered by the vector
    that minimises the same loss with the items frozen: in closed form for squared error, by a
    convex descent for the other losses (against negatives drawn once from the sampler's law, so
    that the answer depends on nothing but the history).

    Notes
    ----- With ``frequency_power`` f, the L2 of whoever has n ratings is multiplied by ``n^(f−1) /
    c`` in each of them, where c makes the mean over the data 1: the many ratings of busy users
    speak for themselves, few ones are held back more. Squared error's fold-in is exact for
    ``regularization`` and ``gravity``; ``weight_decay`` isn't part of it. The in-batch softmax
    folds in against negatives by popularity, the full softmax against the whole catalogue. Source:
    Koren, Bell and Volinsky, 2009; Rendle et al., UAI 2009; Krichene et al., ICLR 2019."""

    name = "latent_factor"
    Config = LatentFactorConfig
    traits = Traits(predicts_ratings=True, has_vectors=True, uses_values=True)
    arrays = {  # noqa: RUF012
        "user_factors": ArraySpec("float32", ("users", "factors")),
        "item_factors": ArraySpec("float32", ("items", "factors")),
        "user_bias": ArraySpec("float32", ("users",)),
        "item_bias": ArraySpec("float32", ("items",)),
        "scale": ArraySpec("float64", ("3",)),
        **HISTORY_ARRAYS,
    }

    user_factors: np.ndarray
    item_factors: np.ndarray
    user_bias: np.ndarray
    item_bias: np.ndarray
    scale: np.ndarray  # the mean, and the lowest and highest value of the data

    def __init__(self, config: Any = None, **settings: Any) -> None:
        super().__init__(config, **settings)
        rates = self.config.loss == "squared"
        traits = replace(type(self).traits, predicts_ratings=rates, uses_values=rates)
        self.traits = traits  # type: ignore[misc]

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        from cofactor.models.neural import fitting
        from cofactor.training.loop import train

        config: LatentFactorConfig = self.config
        device = fitting.device_of(run)
        module = self._module(data, run, device)
        scorer = fitting.Scorer(module.pairs, module.penalty, module.whole)

        def gravity() -> torch.Tensor:
            return config.gravity * module.gravity()

        def publish() -> None:
            self._publish(module, data)

        self.history = train(
            module,
            fitting.step_of(data, config, device, scorer, gravity if config.gravity else None),
            fitting.examples(data, config, run, device, float(self.scale[0]), self.name),
            config,
            run,
            watches=self._watches(data, validation, publish),
            checkpoint=self._checkpoint,
            belongs_to=self._belongs_to(data, run),
            name=self.name,
        )
        publish()

    def _module(self, data: Interactions, run: Run, device: torch.device) -> FactorTables:
        """The tables as training begins: small normal vectors, and the damped means as biases."""
        import torch

        from cofactor.models.neural.latent_factor_module import initial_rows

        config: LatentFactorConfig = self.config
        user_bias, item_bias = (
            np.zeros(data.n_users, np.float32),
            np.zeros(data.n_items, np.float32),
        )
        rated = config.loss == "squared" and data.values is not None
        mean = 0.0
        if rated:
            mean, user_bias, item_bias = damped_biases(
                data, config.user_damping, config.item_damping
            )
            if not config.mean:
                # Without a mean the biases have to carry it: half each.
                user_bias, item_bias, mean = (
                    user_bias + np.float32(mean / 2),
                    item_bias + np.float32(mean / 2),
                    0.0,
                )
        if not config.biases:
            user_bias, item_bias = np.zeros_like(user_bias), np.zeros_like(item_bias)
        bounds = (
            (float(data.weights.min()), float(data.weights.max())) if rated else (-np.inf, np.inf)
        )
        self.scale = np.array([mean, max(bounds[0], -1e30), min(bounds[1], 1e30)], np.float64)
        generator = torch.Generator().manual_seed(
            int(run.generator(self.name, "init").integers(2**62))
        )
        shape = (config.factors, config.init_scale)
        n_rows, per_batch = data.n_users + data.n_items, max(1, config.batch_size or len(data))
        sparse = config.sparse == "yes" or (
            config.sparse == "auto"
            and n_rows > _SPARSE_FROM * per_batch
            and not config.gravity
            and not config.weight_decay
        )

        def weighed(counts: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(l2_weights(counts, counts, config.frequency_power))

        return self._tables(
            initial_rows(data.n_users, *shape, torch.from_numpy(user_bias), generator),
            initial_rows(data.n_items, *shape, torch.from_numpy(item_bias), generator),
            biases=config.biases and config.loss != "cosine_contrastive",
            user_biases=config.loss in ("squared", "logistic"),
            cosine=config.loss == "cosine_contrastive",
            sparse=sparse,
            regularization=config.regularization,
            bias_regularization=(
                config.bias_regularization,
                (
                    config.bias_regularization
                    if config.item_bias_regularization is None
                    else config.item_bias_regularization
                ),
            ),
            user_weight=weighed(data.user_counts) if rated else None,
            item_weight=weighed(data.item_counts) if rated else None,
        ).to(device)

    def _tables(self, users: torch.Tensor, items: torch.Tensor, **settings: Any) -> FactorTables:
        """The module itself; a model with more to it brings its own."""
        from cofactor.models.neural.latent_factor_module import FactorTables

        return FactorTables(users, items, **settings)

    def _publish(self, module: FactorTables, data: Interactions) -> None:
        """Take the module's weights as this model's arrays; who has no interaction gets what an
        empty history gets.
        """
        users, items = (
            table.weight.detach().to("cpu", copy=True).numpy()
            for table in (module.users, module.items)
        )
        self.user_factors, self.item_factors = users[:, :-1].copy(), items[:, :-1].copy()
        self.user_bias, self.item_bias = users[:, -1].copy(), items[:, -1].copy()
        if module.cosine:
            for factors in (self.user_factors, self.item_factors):
                factors /= np.maximum(np.linalg.norm(factors, axis=1, keepdims=True), 1e-12)
        cold_users, cold_items = data.user_counts == 0, data.item_counts == 0
        self.user_factors[cold_users], self.user_bias[cold_users] = self._stranger(data, "user")
        # A cold item keeps no chance direction; where negatives are drawn, training itself has
        # pushed it down.
        if self.config.loss == "squared" and data.values is not None:
            self.item_factors[cold_items], self.item_bias[cold_items] = self._stranger(data, "item")

    def _stranger(self, data: Interactions, side: str) -> tuple[np.ndarray, np.float32]:
        """Vector and bias of a user or an item never met: zeros, or the others' mean where no
        mean rating stands for them.
        """
        factors, bias = (
            (self.user_factors, self.user_bias)
            if side == "user"
            else (self.item_factors, self.item_bias)
        )
        if self.config.mean or self.config.loss != "squared" or data.values is None:
            return np.zeros(factors.shape[1], np.float32), np.float32(0)
        met = (data.user_counts if side == "user" else data.item_counts) > 0
        return factors[met].mean(0), np.float32(bias[met].mean())

    @property
    def _extended(self) -> np.ndarray:
        """Item vectors with a 1 in the last place, which meets the user's bias, float32
        [n_items, factors + 1].
        """
        return np.concatenate(
            (self.item_factors, np.ones((len(self.item_factors), 1), np.float32)), 1
        )

    @property
    def _offsets(self) -> np.ndarray:
        return self.item_bias + np.float32(self.scale[0])

    def _states(self, user_rows: np.ndarray) -> States:
        return np.concatenate((self.user_factors[user_rows], self.user_bias[user_rows, None]), 1)

    def _fold_in(self, histories: Histories) -> States:
        config: LatentFactorConfig = self.config
        indptr, items, values = histories.csr
        rated = self.data.values is not None
        if config.loss == "squared" and (rated or config.gravity):
            if not rated:
                values = np.ones(len(items), np.float32)
            elif histories.values is None:
                # Items without ratings say nothing about how they were liked, beyond that they were
                # chosen.
                values = np.full(len(items), self.scale[0] + 1.0, np.float32)
            vectors = ridge_vectors(
                indptr,
                items,
                values - self._offsets[items],
                self.item_factors,
                strength=l2_weights(
                    np.diff(indptr), self.data.user_counts, config.frequency_power if rated else 1.0
                ),
                ridge=config.regularization,
                bias_ridge=config.bias_regularization if config.biases else None,
                gravity=config.gravity * len(self.data) / (self.data.n_users * self.data.n_items),
            )
            vectors[np.diff(indptr) == 0] = np.append(*self._stranger(self.data, "user"))
            return vectors
        return implicit_vectors(
            indptr, items, self.item_factors, self.item_bias, config, self.data.item_counts
        )

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        vectors = self._extended if item_rows is None else self._extended[item_rows]
        return np.asarray(states) @ vectors.T + (
            self._offsets if item_rows is None else self._offsets[item_rows]
        )

    def inner_product(self) -> InnerProduct | None:
        """Return the item vectors and offsets; see `Model.inner_product`."""
        return InnerProduct(self._extended, self._offsets)

    def _predict(self, states: States, which: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        vectors, mean = np.asarray(states), float(self.scale[0])
        known = item_rows >= 0
        predicted = vectors[which, -1].astype(np.float32) + np.float32(mean)
        rows = item_rows[known]
        # In blocks: two gathered matrices of all pairs would dwarf the model.
        dots = np.empty(len(rows), np.float32)
        for low in range(0, len(rows), 65536):
            part = slice(low, low + 65536)
            dots[part] = np.einsum(
                "nf,nf->n", vectors[which[known][part], :-1], self.item_factors[rows[part]]
            )
        predicted[known] += dots + self.item_bias[rows]
        if not known.all():
            vector, bias = self._stranger(self.data, "item")
            predicted[~known] += vectors[which[~known], :-1] @ vector + bias
        return np.clip(predicted, self.scale[1], self.scale[2]).astype(np.float32)

    def _state(self) -> dict[str, np.ndarray]:
        names = ("user_factors", "item_factors", "user_bias", "item_bias", "scale")
        return {**{name: getattr(self, name) for name in names}, **self.history.to_arrays()}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        for name in ("user_factors", "item_factors", "user_bias", "item_bias", "scale"):
            setattr(self, name, arrays[name])
        self.history = History.from_arrays(arrays)

    def item_vectors(self) -> np.ndarray:
        """Return the item vectors, float32 [n_items, factors], in row order."""
        _ = self.data
        return self.item_factors

    def user_vectors(self) -> np.ndarray:
        """Return the trained users' vectors without their biases, float32 [n_users, factors], in
        row order.
        """
        _ = self.data
        return self.user_factors
