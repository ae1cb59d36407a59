"""Graph filters: low-pass filters of the normalised interactions, without gradient training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cofactor.base import memory
from cofactor.base.config import setting
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.base.search import between, log
from cofactor.base.threads import current_threads, native_threads
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.defaults import popularity_term
from cofactor.models.implicit.held_out_choice import Usual, choose_value
from cofactor.models.implicit.linear import (
    BothOrders,
    LinearItemModel,
    WeightedConfig,
    by_user_and_item,
    weighed,
)
from cofactor.models.implicit.neighbour_pieces import neighbours_of_all
from cofactor.models.implicit.sparse_weights import SPARSE_ARRAYS, SparseWeights
from cofactor.models.implicit.truncated_svd import item_vectors
from cofactor.models.traits import ArraySpec, Traits

# Right for most sets of the panel (benchmarks/panel.py), by their validation parts. The sparser the
# data, the more is the linear filter one of chance; with less of the ideal filter than this the
# model fell below popularity where users are few, too few to choose by.
_IDEAL_WEIGHT = Usual(2.4, 4.0, "ideal_weight")
# Interactions that it is chosen on, by one fit: a wide catalogue needs many to show a difference.
_MOST = 50_000


class GraphFilterConfig(WeightedConfig):
    """Settings of `GraphFilter`."""

    search = {
        "factors": log(16, 1024),
        "neighbours": log(20, 2000),
        "user_exponent": between(0.0, 1.0),
        "item_exponent": between(0.0, 1.0),
        "ideal_weight": between(0.0, 2.0),
        "spectral_power": between(0.0, 2.0),
    }

    factors: int | None = setting(
        None,
        low=0,
        high=4096,
        doc=(
            "Number of singular vectors of the ideal low-pass filter; 0: none; None: √(items"
            " with interactions), at most 256."
        ),
    )
    neighbours: int = setting(
        500,
        low=0,
        high=100_000,
        doc="How many weights of each item are kept in the linear filter; 0: none.",
    )
    user_exponent: float = setting(
        0.4, low=0, high=2, doc="a: a user with n items weighs n^-a in the normalised matrix."
    )
    item_exponent: float = setting(
        0.4, low=0, high=2, doc="b: an item with n users weighs n^-b in the normalised matrix."
    )
    ideal_weight: float | None = setting(
        None,
        low=0,
        doc=(
            "α: weight of the ideal low-pass filter beside the linear one; None: 2.4, or 4 or"
            " 16 times more or less if that ranks held-out interactions better."
        ),
    )
    spectral_power: float = setting(
        0.5,
        low=0,
        high=16,
        doc=(
            "g: a vector of singular value s counts (s / largest s)^g; 0: all"
            " the same, as published."
        ),
    )
    iterations: int = setting(
        12, low=1, high=100, doc="Power iterations of the randomised singular value decomposition."
    )


class GraphFilter(LinearItemModel):
    """Linear and ideal low-pass filters of the item graph, in closed form.

    With R~ = D_u^-a X D_i^-b, the degrees D_u and D_i of users and items, and the largest singular
    values s and right singular vectors V of R~::

        w = D_i^-b (R~' R~ + α V (s / s_1)^g V' D_i^b),    s_u = x_u w

    The first term is the linear filter, of which the ``neighbours`` largest weights of each item
    are kept (an item's weight on itself never is); the second is the ideal filter with soft weights
    of its frequencies. GF-CF has a = b = .5, g = 0, all neighbours, an item's weight on itself, and
    a linear filter without the factor D_i^-b in front.

    Memory: for each item 8 bytes a neighbour kept (20 while they are sorted) and 4 bytes a factor
    (16 while they are computed), and for each user 8 bytes a factor while they are computed. A
    million items and users with 100 neighbours and 128 factors take 1.3 GB kept, 5 GB at the peak.
    What wouldn't fit is refused before it begins.

    Notes
    -----
    The defaults follow the data. Where interactions are few, the counts of two items'
    common users are mostly chance, and the ideal filter has to weigh more beside the linear one: α
    is 2.4, or 4 or 16 times more or less where that ranks held-out interactions of the training
    data significantly better (`choose_value`). Singular values lie close together there, which is
    why the decomposition takes 12 iterations: after 3, the vectors were mixtures of the wanted ones
    and of noise.

    Y. Shen et al., "How Powerful is Graph Convolution for Recommendation?", CIKM 2021 (GF-CF,
    equation 11). J. Choi et al., "Blurring-Sharpening Process Models for Collaborative Filtering",
    SIGIR 2023, and J.-D. Park et al., "Turbo-CF", SIGIR 2024, are the same family; the exponents
    are those of Turbo-CF's asymmetric normalisation. N. Halko, P. G. Martinsson, J. A. Tropp, SIAM
    Review 53(2), 2011 (algorithm 4.4). The soft spectral weights aren't part of those papers.
    """

    name = "graph_filter"
    Config = GraphFilterConfig
    fits_on_engine = True  # its neighbours; the vectors are computed here
    traits = Traits(explains=True)
    arrays = {
        **SPARSE_ARRAYS,
        **popularity_term.ARRAYS,
        "past_vectors": ArraySpec.of_items("items", "vectors"),
        "new_vectors": ArraySpec.of_items("items", "vectors"),
    }

    weights: SparseWeights
    past_vectors: np.ndarray
    new_vectors: np.ndarray
    _weight_in_use: float  # of the ideal filter, while a fit lasts

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        x = weighed(data, self.config, self.name).astype(np.float64)
        if x.min() < 0:
            raise ArgumentError(
                f"graph_filter needs values of at least 0, and one is {x.min():g}; use"
                " values='ones'."
            )
        factors = self.config.factors
        if factors is None:
            factors = min(int(np.count_nonzero(data.item_counts) ** 0.5), 256)
        factors = min(factors, data.n_users, data.n_items)
        memory.require(
            self._bytes(data, factors),
            what=f"graph_filter with {self.config.neighbours} neighbours and {factors} factors",
            cure="lower neighbours or factors",
        )
        user_scale, item_scale = self._scales(data, x)
        normalised = (x * user_scale[data.user_rows] * item_scale[data.item_rows]).astype(
            np.float32
        )
        with run.progress.task("graph_filter", 2) as task, native_threads(run.n_threads):
            orders = by_user_and_item(data, normalised)
            self.weights = self._linear(orders, item_scale, run)
            task.advance(1)
            values, vectors = item_vectors(
                orders,
                factors,
                self.config.iterations,
                run.generator(self.name, "vectors"),
                run.n_threads,
            )
            soft = (values / max(values[:1], default=1.0)) ** self.config.spectral_power
            weight = self._weight_in_use = self._ideal_weight(data, run)
            self.past_vectors = (item_scale[:, None] * vectors * (weight * soft)).astype(np.float32)
            self.new_vectors = (vectors / item_scale[:, None]).astype(np.float32)
            task.advance(1)

    def as_chosen(self, data: Interactions) -> GraphFilter:
        """Return an unfitted model with this fit's weight of the ideal filter."""
        return type(self)(self.config.replace(ideal_weight=self._weight_in_use))

    def _ideal_weight(self, data: Interactions, run: Run) -> float:
        """α as it is set, or else as held-out interactions choose it."""
        config = self.config
        if config.ideal_weight is not None:
            return config.ideal_weight
        if 0 in (config.factors, config.neighbours):
            return _IDEAL_WEIGHT.value  # there is one filter alone
        model = type(self)(config.replace(ideal_weight=1.0, popularity_weight=0.0))
        unweighted: list[np.ndarray] = []

        def weighted(some: Interactions, weight: float, run: Run) -> GraphFilter:
            if not unweighted:  # the filters are the same with any weight
                unweighted.append(model.fit(some, run=run).past_vectors)
            model.past_vectors = np.float32(weight) * unweighted[0]
            return model

        return choose_value(weighted, data, _IDEAL_WEIGHT, run, most=_MOST)

    def _scales(self, data: Interactions, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """n^-a of each user and n^-b of each item, float64; 1 where there is nothing."""
        config = self.config
        scales = []
        for rows, n, exponent in (
            (data.user_rows, data.n_users, config.user_exponent),
            (data.item_rows, data.n_items, config.item_exponent),
        ):
            degrees = np.bincount(rows, x, minlength=n)
            scales.append(np.where(degrees > 0, degrees, 1.0) ** -exponent)
        return scales[0], scales[1]

    def _linear(self, orders: BothOrders, item_scale: np.ndarray, run: Run) -> SparseWeights:
        n_items = len(item_scale)
        if self.config.neighbours == 0:
            none = np.zeros((n_items, 1), np.float32)
            return SparseWeights.of_recommended(
                none.astype(np.int32), none, np.zeros(n_items, np.int32)
            )
        one, zero = np.ones(n_items, np.float32), np.zeros(n_items, np.float32)
        formula = (one, (1 / item_scale).astype(np.float32), zero, zero, 0.0)
        keep = min(self.config.neighbours, max(1, n_items - 1))
        rows, values, count = neighbours_of_all(orders, formula, keep, run)
        return SparseWeights.of_recommended(rows, values, count)

    def _bytes(self, data: Interactions, factors: int) -> int:
        kept = min(self.config.neighbours, data.n_items)
        by_item = 20 * kept + 16 * (factors + 32)
        return data.n_items * by_item + 8 * data.n_users * (factors + 32) + 64 * len(data) + 2**26

    def _product(
        self, indptr: np.ndarray, past: np.ndarray, values: np.ndarray, item_rows: np.ndarray | None
    ) -> np.ndarray:
        from cofactor.kernels.cpu.history import scores_from_dense

        n_threads = current_threads()
        linear = self.weights.scores(indptr, past, values, n_threads)
        states = scores_from_dense(indptr, past, values, self.past_vectors, n_threads)
        if item_rows is None:
            linear += states @ self.new_vectors.T
            return linear
        chosen: np.ndarray = linear[:, item_rows] + states @ self.new_vectors[item_rows].T
        return chosen

    def _column(self, past: np.ndarray, item_row: int) -> np.ndarray:
        ideal: np.ndarray = self.past_vectors[past] @ self.new_vectors[item_row]
        return self.weights.column(past, item_row) + ideal

    def _state(self) -> dict[str, np.ndarray]:
        return {
            **self.weights.arrays(),
            "past_vectors": self.past_vectors,
            "new_vectors": self.new_vectors,
        }

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.weights = SparseWeights.of_arrays(arrays, self.data.n_items)
        self.past_vectors, self.new_vectors = arrays["past_vectors"], arrays["new_vectors"]
