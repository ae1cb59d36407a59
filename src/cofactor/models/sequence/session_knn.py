"""SessionKNN: what the most similar recent sessions had near the items they share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cofactor.base import checks
from cofactor.base.config import setting
from cofactor.base.errors import ArtifactError
from cofactor.base.offsets import row_offsets
from cofactor.base.run import Run
from cofactor.base.threads import current_threads
from cofactor.data import sorting
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.kernels.reference.session_neighbours import Index, NeighbourSettings
from cofactor.models.defaults import popularity_term
from cofactor.models.sequence.base import HistoryConfig, SequenceModel, one_history
from cofactor.models.traits import ArraySpec, Traits, check_offsets
from cofactor.models.user_batch import Shares, States, UserBatch
from cofactor.retrieval.topk import Exclusions, TopK, allowed_mask, exclusions


class SessionKNNConfig(HistoryConfig):
    """Settings of `SessionKNN`."""

    neighbours: int = setting(
        500, low=1, high=1_000_000, doc="How many of the most similar sessions contribute."
    )
    sessions_per_item: int = setting(
        1000, low=1, high=10_000_000, doc="How many sessions are indexed for each item, the latest."
    )
    max_sessions: int = setting(
        1_000_000, low=1, high=2_000_000_000, doc="How many sessions are kept in all, the latest."
    )
    query_decay: float = setting(
        0.7, above=0, high=1, doc="Decay of a query item's weight per later event."
    )
    neighbour_decay: float = setting(
        0.8, above=0, high=1, doc="Decay of a neighbour's item per step from the match."
    )
    backward: float = setting(
        0.5, low=0, high=1, doc="Weight of a neighbour's items before the match."
    )
    length_power: float = setting(
        0.5, low=0, high=1, doc="A session's similarity is divided by its length to this power."
    )
    query_idf: float = setting(
        0.0, low=0, high=4, doc="Query items are weighted by their idf to this power."
    )
    idf: float = setting(
        0.0, low=0, high=4, doc="Scores are multiplied by the items' idf to this power."
    )
    repeat_weight: float = setting(
        1.0, low=0, high=1000, doc="Factor of the scores of items of the query itself."
    )


class SessionKNN(SequenceModel[SessionKNNConfig]):
    """Score an item by the sessions most like the user's latest events.

    With w_i = q^age of the query's items i (times idf_i^``query_idf``), the similarity of a session
    n of l_n events is s_n = l_n^-p Σ_(i in n) w_i; of the ``neighbours`` most similar ones

    ``s_j = idf_j^e Σ_n s_n Σ_(places a of n that hold j) d^|a - m_n|``

    where m_n is the place of the query's latest item in n, and places before it count ``backward``
    times. idf_i = ln(1 + N / n_i) for n_i of N sessions.

    Memory is bounded by ``max_sessions`` and, in the index, by ``sessions_per_item``.

    Unless each user's last training event shows that this ranks better than popularity, a term of
    popularity is added (`models.defaults.popularity_term`).

    Notes
    -----
    VSTAN: Ludewig, Mauro, Latifi and Jannach. 2021. Empirical Analysis of Session-based
    Recommendation Algorithms. UMUAI, after STAN, Garg et al. 2019, SIGIR; the index of the latest
    sessions of each item: Kersbergen, Sprangers and Schelter. 2022. Serenade. SIGMOD (VMIS-kNN).
    """

    name = "session_knn"
    traits = Traits(explains=True, uses_order=True)
    arrays = {
        "indptr": ArraySpec("int64", ("sessions + 1",)),
        "items": ArraySpec("int32", ("events",), rows_of="items"),
        "item_indptr": ArraySpec("int64", ("items + 1",)),
        "sessions": ArraySpec("int32", ("entries",), rows_of="sessions"),
        "places": ArraySpec("int32", ("entries",), low=0),
        "item_sessions": ArraySpec("int64", ("items",), low=0),
        **popularity_term.ARRAYS,
    }

    index: Index
    item_sessions: np.ndarray

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        histories = data.histories()
        kept = histories.take(histories.by_last_event()[-self.config.max_sessions :])
        owners, n = kept.owners, data.n_items
        # The last occurrence of each item in each session.
        _, events = sorting.last_of_pairs(owners, kept.item_rows, len(kept), n)
        self.item_sessions = np.bincount(kept.item_rows[events], minlength=n)
        by_item = np.lexsort((-owners[events], kept.item_rows[events]))
        events = events[by_item]
        items = kept.item_rows[events]
        starts = np.cumsum(self.item_sessions) - self.item_sessions
        rank = np.arange(len(events)) - starts[items]
        events = events[rank < self.config.sessions_per_item]
        item_indptr = row_offsets(kept.item_rows[events], n)
        self.index = Index(
            kept.indptr,
            kept.item_rows,
            self._scale(kept.lengths),
            item_indptr,
            owners[events].astype(np.int32),
            (events - kept.indptr[owners[events]]).astype(np.int32),
        )

    def _scale(self, lengths: np.ndarray) -> np.ndarray:
        scale: np.ndarray = np.maximum(lengths, 1.0) ** -self.config.length_power
        return scale.astype(np.float32)

    def _idf(self, power: float) -> np.ndarray:
        """Each item's idf to a power, float32 [n_items]."""
        n, counts = max(1, len(self.index.scale)), self.item_sessions
        return self._once(
            f"idf {power}",
            lambda: (np.log1p(n / np.maximum(counts, 1)) ** power).astype(np.float32),
        )

    def _settings(self) -> NeighbourSettings:
        config = self.config
        indptr = self.index.indptr
        longest = self._once("longest", lambda: int(np.diff(indptr).max(initial=1)))
        return NeighbourSettings(
            config.neighbours,
            config.neighbour_decay,
            config.backward,
            config.repeat_weight,
            longest,
        )

    def _queries(self, histories: Histories) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Each history's distinct items, the latest first, and their weights, as CSR."""
        length = self.config.history_length
        if len(histories) == 1:
            indptr, items, age = _distinct_of_one(histories.item_rows[-length:])
        else:
            indptr, items, age = _distinct(histories.tail(length))
        weights = self.config.query_decay**age * self._idf(self.config.query_idf)[items]
        return indptr, items, weights.astype(np.float64)

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        from cofactor.kernels.cpu.session_neighbours import session_votes

        assert isinstance(states, Histories)
        scores = session_votes(
            *self._queries(states),
            self.index,
            self._settings(),
            self._idf(self.config.idf),
            current_threads(),
        )
        return scores if item_rows is None else scores[:, item_rows]

    def topk(
        self,
        batch: UserBatch,
        k: int,
        *,
        excluded: Exclusions | None = None,
        allowed: np.ndarray | None = None,
        n_threads: int = 1,
    ) -> TopK:
        """Return the k best items of each user; see `Model.topk`. Items without votes are looked at
        only where those with votes are fewer than k.
        """
        from cofactor.kernels.cpu.session_neighbours import top_votes

        assert isinstance(batch.states, Histories)
        if self.popularity_offset is not None:  # then all items have scores
            return super().topk(batch, k, excluded=excluded, allowed=allowed, n_threads=n_threads)
        n_items = self.data.n_items
        k = min(checks.integer(k, "k", low=1), n_items)
        limits = (*exclusions(excluded, len(batch)), allowed_mask(allowed, n_items))
        best = TopK(
            *top_votes(
                self._queries(batch.states),
                self.index,
                self._settings(),
                self._idf(self.config.idf),
                limits,
                k,
                n_threads,
            )
        )
        if best.count.min(initial=k) == k:
            return best
        return super().topk(batch, k, excluded=excluded, allowed=allowed, n_threads=n_threads)

    def _explain_rows(self, batch: UserBatch, item_rows: np.ndarray) -> Shares:
        """The neighbours being what they are, each item of the query adds its part of their
        similarity.
        """
        from cofactor.kernels.cpu.session_shares import vote_shares

        _, items, weights = self._queries(one_history(batch))
        idf = self._idf(self.config.idf)
        added = vote_shares(items, weights, self.index, self._settings(), idf, item_rows)
        order = np.argsort(items, kind="stable")
        return Shares(items[order], added[:, order], np.zeros(len(item_rows)))

    def _state(self) -> dict[str, np.ndarray]:
        held = self.index._asdict()
        del held["scale"]
        return {**held, "item_sessions": self.item_sessions}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        held = dict(arrays)
        self.item_sessions = held.pop("item_sessions")
        _check(held)
        held["scale"] = self._scale(np.diff(held["indptr"]))
        self.index = Index(**held)


def _distinct(histories: Histories) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each history's distinct items, the latest first, as CSR, and how many events came after."""
    age, owners = histories.ages, histories.owners
    newest = np.lexsort((age, owners))
    keys = owners[newest] * histories.n_items + histories.item_rows[newest]
    _, first = np.unique(keys, return_index=True)
    chosen = newest[np.sort(first)]
    offsets = row_offsets(owners[chosen], len(histories))
    return offsets, histories.item_rows[chosen], age[chosen]


def _distinct_of_one(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same of one history, where sorting would take longer than finding its neighbours."""
    youngest: dict[int, int] = {}
    for age, item in enumerate(rows[::-1].tolist()):
        youngest.setdefault(item, age)
    items, found = np.array([*youngest], np.int32), np.array([*youngest.values()], np.int64)
    return np.array([0, len(items)]), items, found


def _check(held: Mapping[str, np.ndarray]) -> None:
    """Refuse an index whose offsets or places aren't some: kernels follow them without looking."""
    indptr, places = held["indptr"], held["places"]
    for offsets, entries in (("indptr", "items"), ("item_indptr", "sessions")):
        n_rows = len(held[offsets]) - 1
        check_offsets(held[offsets], held[entries], n_rows, (offsets, entries))
    if (places >= np.diff(indptr)[held["sessions"]]).any():
        raise ArtifactError("array 'places' must hold places within its sessions.")


# NeighbourSettings of the boards in `cofactor reproduce sequences`, chosen on validation data.
PRESETS: dict[str, dict[str, Any]] = {
    "sessions-diginetica": {
        "repeats": "allow",
        "query_decay": 0.5,
        "backward": 1.0,
        "length_power": 0.25,
        "query_idf": 2.0,
        "idf": 2.0,
        "repeat_weight": 3.0,
    },
    "sessions-tmall": {
        "repeats": "allow",
        "neighbours": 200,
        "query_decay": 0.9,
        "neighbour_decay": 0.9,
        "backward": 1.0,
        "length_power": 0.25,
        "query_idf": 2.0,
        "idf": 1.0,
        "repeat_weight": 3.0,
    },
}
