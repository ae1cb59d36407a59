"""Transitions: counts of which item came next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cofactor.base.config import setting
from cofactor.base.errors import DataError
from cofactor.base.run import Run
from cofactor.base.search import between, log
from cofactor.base.threads import current_threads
from cofactor.data.features import FeatureSpec
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.sorting import sparse_rows
from cofactor.data.split import Part
from cofactor.models.defaults import popularity_term
from cofactor.models.implicit.sparse_weights import SparseWeights
from cofactor.models.sequence.base import (
    HistoryConfig,
    SequenceModel,
    by_item,
    one_history,
)
from cofactor.models.similarity import unit_rows
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import Shares, States, UserBatch

# Items whose texts are compared with all others at a time.
_BLOCK = 512
# What is left of a count that was taken out whole is rounding.
_NOTHING = 1e-9
_COUNTS = ("count_offsets", "count_items", "count_values")
_TEXTS = ("text_offsets", "text_items", "text_values")


class TransitionsConfig(HistoryConfig):
    """Settings of `Transitions`."""

    search = {
        "window": log(1, 50),
        "decay": between(0.3, 1.0),
        "backward": between(0.0, 1.0),
        "source_power": between(0.0, 1.0),
        "target_power": between(0.0, 1.0),
        "history_decay": between(0.1, 1.0),
        "walk_weight": between(0.0, 2.0),
    }

    window: int = setting(
        20, low=1, high=10_000, doc="How many events apart two items may be to count as a pair."
    )
    decay: float = setting(
        0.8, above=0, high=1, doc="Decay of a pair's weight per event between its two."
    )
    backward: float = setting(
        0.3, low=0, high=10, doc="Weight of the same pairs from the later item to the earlier one."
    )
    source_power: float = setting(
        0.5, low=0, high=2, doc="A past item's counts are divided by their sum to this power."
    )
    target_power: float = setting(
        0.0,
        low=0,
        high=2,
        doc=(
            "They are also divided by the sum of the counts towards the recommended item to"
            " this power."
        ),
    )
    damping: float = setting(
        0.0,
        low=0,
        high=1e6,
        doc="Added to both sums before their power, so that items of few counts gain less.",
    )
    history_decay: float = setting(
        0.5, above=0, high=1, doc="Decay of a past event's weight per later event."
    )
    walk_weight: float = setting(
        0.0,
        low=0,
        high=1000,
        doc="Weight of a second step from what the first one reached; 0 takes one step.",
    )
    repeat_weight: float = setting(
        0.0,
        low=0,
        high=1000,
        doc="Score that an item gets for being in the history; decays too.",
    )
    repeat_decay: float = setting(0.8, above=0, high=1, doc="Decay of that score per later event.")
    text: tuple[str, ...] = setting(
        (), doc="Columns read as text; all that look like text if none is named."
    )
    text_weight: float = setting(
        0.0, low=0, high=1000, doc="Weight of the cosine between texts; 0 reads no text."
    )
    text_neighbours: int = setting(
        150, low=1, high=100_000, doc="How many items of the most similar text are kept of each."
    )


class Transitions(SequenceModel[TransitionsConfig]):
    """Score an item by how often it occurs near the user's latest items, before or after them.

    With F_ij = Σ d^(gap - 1) over all pairs of events of one history, i before j, at most
    ``window`` apart, T = F + b F', and r, c the sums of its rows and columns plus ``damping``:

    ``s_uj = Σ_e h^age(e) (T_ej / (r_e^p c_j^q) + w cos(text_e, text_j)) + v Σ_(e = j) g^age(e)``

    over the last ``history_length`` events e of the user; age 0 is the latest. With ``walk_weight``
    m, a second step is taken from what the first sum reaches: s + m s W, W being the bracket.
    Counts add up, so new events are learnt exactly: see `update`.

    Unless each user's last training event shows that this ranks better than popularity, a term of
    popularity is added (`models.defaults.popularity_term`).

    Notes
    -----
    Sequential rules: Kamehkhosh, Jannach and Ludewig. 2017. A Comparison of Frequent Pattern
    Techniques and a Deep Learning Method for Session-Based Recommendation. RecTemp at RecSys. The
    graph with text neighbours follows what was reported of untrained graphs in arXiv 2605.07125.
    """

    name = "transitions"
    traits = Traits(explains=True, uses_order=True)
    arrays = {
        "count_offsets": ArraySpec("int64", ("items + 1",)),
        "count_items": ArraySpec("int32", ("counts",)),
        "count_values": ArraySpec("float64", ("counts",)),
        "text_offsets": ArraySpec("int64", ("items + 1",), optional=True),
        "text_items": ArraySpec("int32", ("texts",), optional=True),
        "text_values": ArraySpec("float32", ("texts",), optional=True),
        **popularity_term.ARRAYS,
    }

    counts: Any  # SciPy CSR float64, T
    texts: SparseWeights | None
    weights: SparseWeights

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        self.counts = self._counted(data.histories(), run)
        self.texts = self._read_texts(data, run) if self.config.text_weight else None
        self._weigh()

    def _counted(self, histories: Histories, run: Run) -> Any:
        from cofactor.kernels.cpu.transitions import transition_counts

        config, n = self.config, histories.n_items
        indptr, columns, counts = transition_counts(
            histories.indptr,
            histories.item_rows,
            n,
            window=config.window,
            decay=config.decay,
            backward=config.backward,
            n_threads=run.n_threads,
        )
        return sparse_rows(indptr, columns, n, counts)

    def _read_texts(self, data: Interactions, run: Run) -> SparseWeights:
        """The items of the most similar text, of each item."""
        if not data.catalogue.column_names:
            raise DataError(
                "nothing is known of the items: text_weight needs a catalogue with titles (give"
                " items=), or text_weight=0."
            )
        rows = np.flatnonzero(data.item_counts)
        spec = FeatureSpec.fit(
            data.catalogue, text=self.config.text, rows=rows, counts=data.item_counts
        )
        return nearest_texts(unit_rows(spec.transform(data.catalogue)), self.config.text_neighbours)

    def _weigh(self) -> None:
        """Set the weights by which a history is scored: normalised counts and texts in one."""
        config, counts = self.config, self.counts
        rows, columns = (np.asarray(counts.sum(axis=n)).ravel() + config.damping for n in (1, 0))
        out = np.maximum(rows, 1e-12) ** -config.source_power
        towards = np.maximum(columns, 1e-12) ** -config.target_power
        values = counts.data * np.repeat(out, np.diff(counts.indptr)) * towards[counts.indices]
        weights = SparseWeights(
            counts.indptr.astype(np.int64),
            counts.indices.astype(np.int32),
            values.astype(np.float32),
        )
        self.weights = (
            weights if self.texts is None else _added(weights, self.texts, config.text_weight)
        )

    def _learn(self, old: Interactions, new: Interactions, concerned: np.ndarray, run: Run) -> None:
        from scipy.sparse import csr_matrix

        items = new.items.rows(old.items.arrow, what="item")
        before = new.users.take(concerned)
        known = old.users.find(before)
        taken = self._counted(old.histories(known[known >= 0]), run)
        coo = (self.counts - taken).tocoo()
        moved = csr_matrix(
            (coo.data, (items[coo.row], items[coo.col])), shape=(new.n_items, new.n_items)
        )
        self.counts = moved + self._counted(new.histories(concerned), run)
        self.counts.data[np.abs(self.counts.data) < _NOTHING] = 0.0
        self.counts.eliminate_zeros()
        self.counts.sort_indices()
        if self.texts is not None:
            self.texts = self._read_texts(new, run)
        self._weigh()

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        assert isinstance(states, Histories)
        read = states.tail(self.config.history_length)
        age = read.ages
        shares = (self.config.history_decay**age).astype(np.float32)
        scores = self._walked(read.indptr, read.item_rows, shares)
        if self.config.repeat_weight:
            again = self.config.repeat_weight * self.config.repeat_decay**age
            np.add.at(scores, (read.owners, read.item_rows), again.astype(np.float32))
        return scores if item_rows is None else scores[:, item_rows]

    def _walked(self, indptr: np.ndarray, past: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Return x W + m (x W) W for pasts x in CSR, float32 [B, n_items]."""
        threads, walk = current_threads(), np.float32(self.config.walk_weight)
        scores = self.weights.scores(indptr, past, shares, threads)
        if walk:
            lines, reached = np.nonzero(scores)
            starts = np.searchsorted(lines, np.arange(len(scores) + 1)).astype(np.int64)
            amounts = scores[lines, reached]
            scores += walk * self.weights.scores(starts, reached.astype(np.int32), amounts, threads)
        return scores

    def _explain_rows(self, batch: UserBatch, item_rows: np.ndarray) -> Shares:
        read = one_history(batch).tail(self.config.history_length)
        age = read.ages
        past, shares = by_item(read.item_rows, self.config.history_decay**age)
        added = self._alone(past, item_rows).T * shares
        if self.config.repeat_weight:
            decayed = self.config.repeat_weight * self.config.repeat_decay**age
            again = by_item(read.item_rows, decayed)[1]
            added = added + (past == np.asarray(item_rows)[:, None]) * again
        return Shares(past, added, np.zeros(len(item_rows)))

    def _alone(self, past: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        """What each past item alone, with share 1, gives some items, float32 [p, n]."""
        if not self.config.walk_weight:
            return self.weights.between(past, item_rows)
        one_each = np.arange(len(past) + 1, dtype=np.int64)
        return self._walked(one_each, past, np.ones(len(past), np.float32))[:, item_rows]

    def _state(self) -> dict[str, np.ndarray]:
        held = {
            "count_offsets": self.counts.indptr.astype(np.int64),
            "count_items": self.counts.indices.astype(np.int32),
            "count_values": self.counts.data,
        }
        if self.texts is not None:
            held |= self.texts.arrays(_TEXTS)
        return held

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        n = self.data.n_items
        counts = SparseWeights.of_arrays(arrays, n, _COUNTS)
        self.counts = sparse_rows(counts.indptr, counts.columns, n, counts.values)
        self.texts = SparseWeights.of_arrays(arrays, n, _TEXTS) if _TEXTS[0] in arrays else None
        self._weigh()


def nearest_texts(units: Any, count: int) -> SparseWeights:
    """Return the ``count`` largest cosines above 0 of each row with all others.

    Parameters
    ----------
    units
        SciPy CSR with rows of length 1 or 0.
    count
        At least 1.
    """
    n = units.shape[0]
    kept = min(count, max(1, n - 1))
    columns, values = np.zeros((n, kept), np.int32), np.zeros((n, kept), np.float32)
    filled = np.zeros(n, np.int32)
    across = units.T.tocsr()
    for low in range(0, n, _BLOCK):
        block = (units[low : low + _BLOCK] @ across).toarray()
        block[np.arange(len(block)), np.arange(low, low + len(block))] = 0.0
        best = np.sort(np.argpartition(-block, kept - 1, axis=1)[:, :kept], axis=1)
        found = np.take_along_axis(block, best, axis=1)
        for row in range(len(block)):
            positive = found[row] > 0
            size = int(positive.sum())
            filled[low + row] = size
            columns[low + row, :size] = best[row, positive]
            values[low + row, :size] = found[row, positive]
    return SparseWeights.of_past(columns, values, filled)


def _added(left: SparseWeights, right: SparseWeights, weight: float) -> SparseWeights:
    """left + weight · right."""
    n = len(left.indptr) - 1
    one, two = (sparse_rows(w.indptr, w.columns, n, w.values) for w in (left, right))
    total = (one + np.float32(weight) * two).tocsr()
    total.sort_indices()
    return SparseWeights(total.indptr.astype(np.int64), total.indices.astype(np.int32), total.data)


# Settings of the boards in `cofactor reproduce sequences`, chosen on validation data.
PRESETS: dict[str, dict[str, Any]] = {
    "sasrec-ml-1m": {
        "window": 10,
        "decay": 0.8,
        "backward": 0.0,
        "source_power": 0.75,
        "target_power": 0.2,
        "history_decay": 0.7,
    },
    "amazon-beauty-5core": {
        "window": 50,
        "decay": 0.82,
        "backward": 0.25,
        "source_power": 1.0,
        "target_power": 0.2,
        "damping": 200.0,
        "history_decay": 0.57,
    },
    "amazon-beauty-5core with text": {
        "window": 50,
        "decay": 0.9,
        "backward": 0.3,
        "source_power": 0.25,
        "target_power": 0.1,
        "history_decay": 0.6,
        "text": ("title",),
        "text_weight": 0.9,
        "text_neighbours": 500,
    },
    "amazon-scientific": {
        "window": 20,
        "decay": 0.8,
        "backward": 0.7,
        "source_power": 1.0,
        "damping": 100.0,
        "history_decay": 0.7,
        "walk_weight": 2.0,
    },
    "amazon-scientific with text": {
        "window": 20,
        "decay": 0.8,
        "backward": 0.6,
        "source_power": 0.25,
        "history_decay": 0.7,
        "text_weight": 1.0,
    },
    "sessions-diginetica": {
        "repeats": "allow",
        "window": 10,
        "decay": 0.7,
        "backward": 1.0,
        "source_power": 0.5,
        "target_power": 0.5,
        "history_decay": 0.5,
        "walk_weight": 3.0,
        "repeat_weight": 1.0,
    },
    "sessions-tmall": {
        "repeats": "allow",
        "window": 20,
        "decay": 0.9,
        "backward": 1.0,
        "source_power": 1.0,
        "target_power": 0.1,
        "history_decay": 0.9,
        "repeat_weight": 3.0,
        "repeat_decay": 0.95,
    },
}
