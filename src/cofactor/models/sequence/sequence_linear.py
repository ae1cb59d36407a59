"""SequenceLinear: the next item regressed on decayed histories, in closed form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from cofactor.base import memory
from cofactor.base.config import setting
from cofactor.base.errors import ArgumentError, TrainingError
from cofactor.base.run import Run
from cofactor.data import sorting
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.defaults import popularity_term
from cofactor.models.implicit.linear import dense_scores
from cofactor.models.sequence.base import (
    HistoryConfig,
    SequenceModel,
    by_item,
    one_history,
)
from cofactor.models.sequence.panel_cholesky import factorise, panel_rows, solve_lines
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import States, UserBatch

# Rows of Σ c_u x_u x_u' from the one to the other, of which columns up to the diagonal count.
_FinalRows = Callable[[int, int], np.ndarray]
# A state's entry below this adds nothing that float32 sums could hold.
_FORGOTTEN = 1e-7


class _Sums(NamedTuple):
    """What histories add up to, as `SequenceLinear.update` adds to it.

    Parameters
    ----------
    following
        float32 [n_items, d n_items], A': for each next item the decayed histories before it.
    final
        float32 [d n_items, d n_items], lower triangle of Σ c_u x_u x_u' of the last states.
    counts
        float64 [n_items], Σ c_u over the events of each item.
    """

    following: np.ndarray
    final: np.ndarray
    counts: np.ndarray


class SequenceLinearConfig(HistoryConfig):
    """Settings of `SequenceLinear`."""

    new_defaults = {"history_length": 500}

    decays: tuple[float, ...] = setting(
        (0.5, 0.9),
        above=0,
        below=1,
        doc="Decay of a past event's weight per later event, in each copy of the history.",
    )
    regularization: float = setting(
        100.0, above=0, doc="L2 penalty λ of the weights, added to the Gram matrix's diagonal."
    )
    frequency_exponent: float = setting(
        0.0, low=0, high=2, doc="The penalty of an item with n events grows as n to this power."
    )
    user_weight_power: float = setting(
        0.0, low=0, high=1, doc="A history of n events weighs n to minus this power in training."
    )
    target_power: float = setting(
        0.0, low=0, high=1, doc="Scores are divided by the item's events to this power."
    )
    keep_sums: bool = setting(
        False, doc="Whether the sums are kept, so that `update` adds to them instead of recounting."
    )


class SequenceLinear(SequenceModel[SequenceLinearConfig]):
    """Ridge regression of the next item on the history: ``s_u = x_u B`` with ``B = (G + Λ)^-1 A``.

    A history is read as x = [x^1 ... x^d], one copy for each decay w_a: x^a_t = w_a x^a_(t-1) +
    e_(i_t). With A_a = Σ_t x^a_t e_(i_t+1)' and G_ab = Σ_t x^a_t (x^b_t)' over all events t that
    have a next one, the recurrence gives, with D the diagonal of all items' events and X_ab = Σ_u
    x^a_u (x^b_u)' over the last states,

    ``G_ab = (w_a A_a + w_b A_b' + D - X_ab) / (1 - w_a w_b)``

    so that G costs no more than A: no matrix of prefixes is ever built. A history has the weight
    c_u = n_u^-``user_weight_power``.

    Unless each user's last training event shows that this ranks better than popularity, a term of
    popularity is added (`models.defaults.popularity_term`).

    Notes
    -----
    After the linear item models of Choi, Kim, Lee, Shim and Lee. 2021. Session-aware Linear
    Item-Item Models for Session-based Recommendation (SLIST). WWW; here the whole decayed history
    predicts the next item alone, and several decays stand side by side. Memory at the peak: n²
    (2 d² + 4 d) bytes, or 8 n² for one decay; ``keep_sums`` adds 4 n² (d² + d).
    """

    name = "sequence_linear"
    traits = Traits(explains=True, uses_order=True)
    arrays = {
        "weights": ArraySpec("float32", ("inputs", "items")),
        "following": ArraySpec("float32", ("items", "inputs"), optional=True),
        "final": ArraySpec("float32", ("inputs", "inputs"), optional=True),
        "counts": ArraySpec("float64", ("items",), optional=True),
        **popularity_term.ARRAYS,
    }

    weights: np.ndarray
    sums: _Sums | None

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        n, copies = data.n_items, len(self.config.decays)
        if not copies:
            raise ArgumentError("sequence_linear decays must name at least one decay.")
        memory.require(
            self._needed(n),
            what=f"sequence_linear of {n:,} items with {copies} decays",
            cure="use one decay, leave out rare items, or use transitions",
        )
        self._learn_from(data.histories(), run)

    def _needed(self, n_items: int) -> int:
        """Bytes at the peak of a fit."""
        width = n_items * len(self.config.decays)
        kept = 4 * width * (width + n_items) if self.config.keep_sums else 0
        following, panel = 4 * width * n_items, 4 * width * panel_rows(width)
        # Three panels are at work beside the factor; weights are copied when it is gone.
        solving = following + 2 * width * width + panel // 2 + 3 * panel
        return kept + max(solving, 2 * following) + 2**26

    def _learn_from(self, histories: Histories, run: Run) -> None:
        from cofactor.kernels.cpu.gram import gram_rows

        if self.config.keep_sums:
            self._keep(self._sums_of(histories, run))
            return
        states = self._weighted_states(histories)
        self.sums = None
        self.weights = self._solve(
            *self._following(histories),
            lambda first, end: gram_rows(states, first, end, run.n_threads),
        )

    def _keep(self, sums: _Sums) -> None:
        self.sums = sums
        self.weights = self._solve(
            sums.following.copy(), sums.counts, lambda first, end: sums.final[first:end].copy()
        )

    def _sums_of(self, histories: Histories, run: Run) -> _Sums:
        from cofactor.kernels.cpu.gram import gram_rows

        following, counts = self._following(histories)
        states = self._weighted_states(histories)
        final = gram_rows(states, 0, following.shape[1], run.n_threads)
        return _Sums(following, final, counts)

    def _shares(self, histories: Histories) -> np.ndarray:
        """c_u, float64 [n_users]."""
        shares: np.ndarray = np.maximum(histories.lengths, 1.0) ** -self.config.user_weight_power
        return shares

    def _following(self, histories: Histories) -> tuple[np.ndarray, np.ndarray]:
        """A' and counts; see `_Sums`."""
        from cofactor.kernels.cpu.next_sums import next_sums

        n, decays, share = histories.n_items, self.config.decays, self._shares(histories)
        following = np.zeros((n, n * len(decays)), np.float32)
        for a, decay in enumerate(decays):
            part = following[:, a * n : (a + 1) * n]
            next_sums(histories.indptr, histories.item_rows, share, decay, part)
        of_events = np.repeat(share, histories.lengths)
        return following, np.bincount(histories.item_rows, of_events, minlength=n)

    def _weighted_states(self, histories: Histories) -> tuple[np.ndarray, ...]:
        """The last states times √c_u by users and by inputs, as `gram_lower` takes them."""
        indptr, inputs, values = self._states_of(histories)
        roots = np.sqrt(self._shares(histories))
        values = values * np.repeat(roots, np.diff(indptr)).astype(np.float32)
        width = histories.n_items * len(self.config.decays)
        columns, users, positions = sorting.by_item(indptr, inputs, width)
        return indptr, inputs, values, columns, users, values[positions]

    def _states_of(self, histories: Histories) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The histories' last states as CSR over the inputs: decay after decay, items ascending."""
        age, owners, n = histories.ages, histories.owners, histories.n_items
        keys, values = [], []
        for a, decay in enumerate(self.config.decays):
            shares = decay**age
            alive = shares >= _FORGOTTEN
            row = owners[alive] * (n * len(self.config.decays)) + a * n
            keys.append(row + histories.item_rows[alive])
            values.append(shares[alive])
        found, which = np.unique(np.concatenate(keys), return_inverse=True)
        width = n * len(self.config.decays)
        indptr = np.searchsorted(found, np.arange(len(histories) + 1) * width).astype(np.int64)
        total = np.bincount(which, np.concatenate(values), minlength=len(found))
        return indptr, (found % width).astype(np.int32), total.astype(np.float32)

    def _solve(
        self, following: np.ndarray, counts: np.ndarray, final_rows: _FinalRows
    ) -> np.ndarray:
        """B, float32 [d n, n], of A', which is overwritten."""
        mean = max(float(counts.mean()), 1e-12)
        exponent = self.config.frequency_exponent
        penalty = self.config.regularization * (counts / mean) ** exponent

        def rows(first: int, end: int) -> np.ndarray:
            gram = self._gram_rows(following, counts, first, final_rows(first, end))
            diagonal = gram[np.arange(end - first), np.arange(first, end)]
            diagonal += penalty[np.arange(first, end) % len(counts)].astype(np.float32)
            # An item without events would leave a zero on the diagonal.
            diagonal[diagonal <= 0] = np.float32(self.config.regularization)
            gram[np.arange(end - first), np.arange(first, end)] = diagonal
            return gram

        try:
            factor = factorise(rows, following.shape[1])
        except ArithmeticError as error:
            raise TrainingError(
                f"sequence_linear's Gram matrix isn't positive definite ({error}); raise"
                f" regularization above {self.config.regularization:g}, or lower decays"
                f" {self.config.decays}."
            ) from error
        solve_lines(factor, following)
        del factor  # before the weights are copied
        if self.config.target_power:
            towards = np.maximum(counts, 1.0) ** self.config.target_power
            following /= towards.astype(np.float32)[:, None]
        return np.ascontiguousarray(following.T)

    def _gram_rows(
        self, following: np.ndarray, counts: np.ndarray, first: int, final: np.ndarray
    ) -> np.ndarray:
        """Rows of G from ``first`` on, in place of those of Σ c_u x_u x_u'."""
        n, decays, end = len(counts), self.config.decays, first + len(final)
        np.negative(final, out=final)
        for a in range(first // n, -(-end // n)):
            low, high = max(first, a * n), min(end, (a + 1) * n)
            items = slice(low - a * n, high - a * n)
            diagonal = np.arange(high - low), np.arange(items.start, items.stop)
            for b in range(a + 1):
                block = final[low - first : high - first, b * n : (b + 1) * n]
                block += np.float32(decays[a]) * following[:, low:high].T
                block += np.float32(decays[b]) * following[items, b * n : (b + 1) * n]
                block[diagonal] += counts[items].astype(np.float32)
                block /= np.float32(1 - decays[a] * decays[b])
        return final

    def _learn(self, old: Interactions, new: Interactions, concerned: np.ndarray, run: Run) -> None:
        if self.sums is None:
            self._fit(new, None, run)
            return
        items = new.items.rows(old.items.arrow, what="item")
        known = old.users.find(new.users.take(concerned))
        taken = self._sums_of(old.histories(known[known >= 0]), run)
        added = self._sums_of(new.histories(concerned), run)
        inputs = np.concatenate([items + a * new.n_items for a in range(len(self.config.decays))])
        for total, plus, minus, rows, columns in (
            (self.sums.following, added.following, taken.following, items, inputs),
            (self.sums.final, added.final, taken.final, inputs, inputs),
        ):
            plus[np.ix_(rows, columns)] += total - minus
        added.counts[items] += self.sums.counts - taken.counts
        if not (np.diff(items) > 0).all():
            raise ArgumentError("the items' rows must ascend by id to be updated.")
        self._keep(added)

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        assert isinstance(states, Histories)
        read = self._states_of(states.tail(self.config.history_length))
        return dense_scores(*read, self.weights, item_rows)

    def _explain(self, batch: UserBatch, item_row: int) -> tuple[np.ndarray, np.ndarray, float]:
        read = one_history(batch).tail(self.config.history_length)
        age, n = read.ages, self.data.n_items
        added = np.zeros(len(age))
        for a, decay in enumerate(self.config.decays):
            added += decay**age * self.weights[a * n + read.item_rows, item_row]
        return *by_item(read.item_rows, added), 0.0

    def _state(self) -> dict[str, np.ndarray]:
        held = {"weights": self.weights}
        return held if self.sums is None else {**held, **self.sums._asdict()}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        from cofactor.base.errors import ArtifactError

        self.weights = arrays["weights"]
        wanted = len(self.config.decays) * self.data.n_items
        if len(self.weights) != wanted:
            raise ArtifactError(
                f"array 'weights' must have a line for each decay and item ({wanted}), not"
                f" {len(self.weights)}."
            )
        held = [name for name in _Sums._fields if name in arrays]
        self.sums = _Sums(*(arrays[name] for name in held)) if len(held) == 3 else None


# Settings of the boards in `cofactor reproduce sequences`, chosen on validation data.
PRESETS: dict[str, dict[str, Any]] = {
    "sasrec-ml-1m": {"decays": (0.4, 0.8, 0.97), "regularization": 400.0},
}
