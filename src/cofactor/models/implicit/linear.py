"""What linear item models share: the score of an item is the sum of what each past item adds to
it.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TypeVar

import numpy as np

from cofactor.base.config import setting
from cofactor.base.errors import ArgumentError
from cofactor.base.threads import current_threads
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models.defaults.popularity_term import PopularityTermConfig
from cofactor.models.recommender import Recommender
from cofactor.models.similarity import nearest_users
from cofactor.models.traits import Traits
from cofactor.models.user_batch import States, UserBatch
from cofactor.retrieval.topk import TopK, best_others, one_each

# indptr, rows and values by user, then by item
BothOrders = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


WEIGHTINGS = ("none", "tfidf", "bm25")
WEIGHTING_DOC = (
    "Whether users with many items, and under bm25 items with many users, weigh less in training."
)


class WeightedConfig(PopularityTermConfig):
    """How interactions are weighed: shared by `ItemKNN`, `EASE` and `GraphFilter`."""

    values: str = setting(
        "ones",
        choices=("ones", "values", "log"),
        doc="How much an interaction counts: 1, its value, or log(1 + value).",
    )
    weighting: str = setting(
        "none",
        choices=WEIGHTINGS,
        doc=WEIGHTING_DOC,
    )
    bm25_k1: float = setting(
        1.2,
        above=0,
        high=1e6,
        doc="Under bm25: saturation of large values; the higher, the later it sets in.",
    )
    bm25_b: float = setting(
        0.75,
        low=0,
        high=1,
        doc="Under bm25: how much items with many users are penalised; 0: not at all.",
    )
    recency_half_life: float | None = setting(
        None,
        above=0,
        doc=(
            "Half-life of an interaction's weight, in newer interactions of the"
            " history; None: all weigh the same."
        ),
    )
    recency_floor: float = setting(
        0.0, low=0, high=1, doc="With a half-life: least weight of old interactions."
    )


WeightedT = TypeVar("WeightedT", bound=WeightedConfig)


class LinearItemModel(Recommender[WeightedT]):
    """A model of the form ``s_uj = Σ_i x_ui w_ij`` over the items i of u's history; a subclass
    learns and keeps w.

    Where these scores aren't shown to rank better than popularity, a term of it is added to them
    (`models.defaults.popularity_term`).

    A new user needs no training: the history is all there is to know of any user. With
    ``recency_half_life`` h, an interaction with n newer ones in its history counts ``f + (1 - f)
    2^(-n / h)`` when it is scored by (f is ``recency_floor``); training isn't changed.
    """

    weighs_popularity = True

    @classmethod
    def traits_of(cls, config: WeightedT) -> Traits:
        """Return the traits under some settings: recency reads the order of a history."""
        return replace(cls.traits, uses_order=config.recency_half_life is not None)

    def _states(self, user_rows: np.ndarray) -> States:
        data = self.data
        if self.config.recency_half_life is not None:
            return self._recent(data.histories(user_rows))
        whole = Histories(data.indptr, data.item_rows, data.values, None, data.n_items)
        return whole.take(user_rows)

    def _fold_in(self, histories: Histories) -> States:
        return self._recent(histories)

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        indptr, past, values = self._past(states)
        return self._product(indptr, past, values, item_rows)

    def _past(self, states: States) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The histories in CSR, with how much each interaction counts."""
        assert isinstance(states, Histories)
        indptr, past, values = states.csr
        if self.config.recency_half_life is None:
            values = counted(values, self.config.values, self.name)
        return indptr, past, values

    def _recent(self, histories: Histories) -> Histories:
        """The histories with their interactions counted by recency, or as they are without a
        half-life.
        """
        half_life, floor = self.config.recency_half_life, self.config.recency_floor
        if half_life is None:
            return histories
        values, n_events = histories.values, len(histories.item_rows)
        values = np.ones(n_events, np.float32) if values is None else values
        shares = floor + (1 - floor) * 0.5 ** (histories.ages / half_life)
        counts = (counted(values, self.config.values, self.name) * shares).astype(np.float32)
        return Histories(histories.indptr, histories.item_rows, counts, None, histories.n_items)

    def _explain(self, batch: UserBatch, item_row: int) -> tuple[np.ndarray, np.ndarray, float]:
        _, past, counts = self._past(batch.states)
        added = counts * self._column(past, item_row)
        return past, added, 0.0

    def _similar_items(
        self, item_rows: np.ndarray, k: int, allowed: np.ndarray | None, n_threads: int
    ) -> TopK:
        # What having the item alone would recommend: its row of w. An item that it says nothing of
        # isn't similar.
        scores = self._product(*one_each(item_rows), np.ones(len(item_rows), np.float32), None)
        return best_others(scores, item_rows, k, allowed=allowed, n_threads=n_threads)

    def _similar_users(self, user_rows: np.ndarray, k: int, n_threads: int) -> TopK:
        """Return the users whose histories have the largest cosine with each user's."""
        data = self.data
        values = counted(data.weights, self.config.values, self.name)
        lengths = np.sqrt(
            np.bincount(data.user_rows, values.astype(np.float64) ** 2, minlength=data.n_users)
        )
        units = (values / np.maximum(lengths, 1e-30)[data.user_rows]).astype(np.float32)
        return nearest_users(data, units, user_rows, k, n_threads)

    @abstractmethod
    def _product(
        self, indptr: np.ndarray, past: np.ndarray, values: np.ndarray, item_rows: np.ndarray | None
    ) -> np.ndarray:
        """Return X w for histories in CSR, float32 [B, n_items], or [B, len(item_rows)]."""

    @abstractmethod
    def _column(self, past: np.ndarray, item_row: int) -> np.ndarray:
        """Return w_ij for some items i and the item j, float32 [len(past)]."""


def dense_scores(
    indptr: np.ndarray,
    past: np.ndarray,
    values: np.ndarray,
    weights: np.ndarray,
    item_rows: np.ndarray | None,
) -> np.ndarray:
    """Return X w of histories in CSR and dense weights, float32 [B, n_items], or [B,
    len(item_rows)]: for a few items of their columns alone.
    """
    from cofactor.kernels.cpu.history import scores_from_dense

    if item_rows is not None and len(item_rows) * 8 < weights.shape[1]:
        weights, item_rows = np.ascontiguousarray(weights[:, item_rows]), None
    scores = scores_from_dense(indptr, past, values, weights, current_threads())
    return scores if item_rows is None else scores[:, item_rows]


def counted(values: np.ndarray, how: str, name: str) -> np.ndarray:
    """Return how much each interaction counts, float32 [n]: 1, v, or log(1 + v)."""
    if how == "ones":
        return np.ones(len(values), np.float32)
    if how == "values":
        return np.asarray(values, np.float32)
    if values.size and values.min() < 0:
        raise ArgumentError(
            f"{name} values='log' needs values of at least 0, not {values.min()}; use 'values' or"
            " 'ones'."
        )
    return np.log1p(values).astype(np.float32)


def weighed(data: Interactions, config: WeightedConfig, name: str) -> np.ndarray:
    """Return the weights x_ui that a linear item model is trained on, float32 [n], in the order of
    the data.

    With v_ui as `counted`, an item as the document and its users as the words: idf_u = log(1 +
    n_items / (1 + n_u)) for a user with n_u items; tfidf: √v idf_u; bm25: idf_u v (k1 + 1) / (v +
    k1 (1 - b + b l_i / mean l)) with l_i = Σ_u v_ui.

    Raises
    ------
    ArgumentError
        If a value is negative where a weighting needs none.

    Notes
    -----
    Stephen Robertson and Hugo Zaragoza. 2009. The Probabilistic Relevance Framework: BM25 and
    Beyond. The inverse user frequency is that of Breese, Heckerman and Kadie. 1998. UAI, kept
    positive by the 1 + under the logarithm."""
    v = counted(data.weights, config.values, name)
    if config.weighting == "none":
        return v
    if v.size and v.min() < 0:
        raise ArgumentError(
            f"{name} weighting={config.weighting!r} needs values of at least 0, and one is"
            f" {v.min()}; use weighting='none' or values='ones'."
        )
    idf = np.log1p(data.n_items / (1.0 + data.user_counts))[data.user_rows]
    if config.weighting == "tfidf":
        return (np.sqrt(v) * idf).astype(np.float32)
    total = np.bincount(data.item_rows, v.astype(np.float64), minlength=data.n_items)
    mean = max(float(total.mean()), 1e-30)
    k1, b = config.bm25_k1, config.bm25_b
    held_back = k1 * (1 - b + b * total[data.item_rows] / mean)
    below = v + held_back
    return (idf * v * (k1 + 1) / np.where(below > 0, below, 1.0)).astype(np.float32)


def by_user_and_item(data: Interactions, weights: np.ndarray) -> BothOrders:
    """Return the data with other weights by user and by item, as the Gram kernels want it."""
    indptr, users, positions = data.by_item
    alike = bool((weights == weights[:1]).all())  # in any order, then
    return (
        data.indptr,
        data.item_rows,
        weights,
        indptr,
        users,
        weights if alike else weights[positions],
    )
