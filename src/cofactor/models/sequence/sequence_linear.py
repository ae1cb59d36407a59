"""SequenceLinear: the next item regressed on decayed histories, in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cofactor.base import memory
from cofactor.base.config import setting
from cofactor.base.errors import ArgumentError, TrainingError
from cofactor.base.run import Run
from cofactor.base.threads import current_threads
from cofactor.data import sorting
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models.sequence.base import (
    SequenceConfig,
    SequenceModel,
    by_item,
    one_history,
)
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import States, UserBatch

if TYPE_CHECKING:
    from cofactor.data.split import Part

# A state's entry below this adds nothing that float32 sums could hold.
_FORGOTTEN = 1e-7


class _Sums(NamedTuple):
    """What histories add up to.

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


class SequenceLinearConfig(SequenceConfig):
    """Settings of `SequenceLinear`."""

    decays: tuple[float, ...] = setting(
        (0.5, 0.9),
        above=0,
        below=1,
        doc=("Decay of a past event's weight per later event, in each copy of the history."),
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
    history_length: int = setting(
        500, low=1, high=100_000, doc=("Number of a user's latest events that the model reads.")
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

    so that G costs no more than A: no matrix of prefixes is ever built. One history counts c_u =
    n_u^-``user_weight_power``.

    Notes
    -----
    After the linear item models of Choi, Kim, Lee, Shim and Lee. 2021. Session-aware Linear
    Item-Item Models for Session-based Recommendation (SLIST). WWW; here the whole decayed history
    predicts the next item alone, and several decays stand side by side. Memory: 4 n² (2 d + d²)
    bytes, and as much again with ``keep_sums``.
    """

    name = "sequence_linear"
    traits = Traits(explains=True, uses_order=True)
    arrays = {  # noqa: RUF012
        "weights": ArraySpec("float32", ("inputs", "items")),
        "following": ArraySpec("float32", ("items", "inputs"), optional=True),
        "final": ArraySpec("float32", ("inputs", "inputs"), optional=True),
        "counts": ArraySpec("float64", ("items",), optional=True),
    }

    weights: np.ndarray
    sums: _Sums | None

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        n, copies = data.n_items, len(self.config.decays)
        if not copies:
            raise ArgumentError("sequence_linear decays must name at least one decay.")
        kept = 2 if self.config.keep_sums else 1
        memory.require(
            4 * n * n * kept * (2 * copies + copies * copies) + 2**26,
            what=f"sequence_linear's matrices of {n:,} items and {copies} decays",
            cure="use one decay, leave out rare items, or use transitions",
        )
        self._solved(self._summed(data.histories(), run), data, run)

    def _solved(self, sums: _Sums, data: Interactions, run: Run) -> None:
        self.sums = sums if self.config.keep_sums else None
        self.weights = self._solve(sums, data, run)

    def _summed(self, histories: Histories, run: Run) -> _Sums:
        from cofactor.kernels.cpu.gram import gram_lower
        from cofactor.kernels.cpu.next_sums import next_sums

        n, decays = histories.n_items, self.config.decays
        share = np.maximum(histories.lengths, 1.0) ** -self.config.user_weight_power
        following = np.zeros((n, n * len(decays)), np.float32)
        for a, decay in enumerate(decays):
            part = following[:, a * n : (a + 1) * n]
            next_sums(histories.indptr, histories.item_rows, share, decay, part)
        indptr, inputs, values = self._states_of(histories)
        values = values * np.repeat(np.sqrt(share), np.diff(indptr)).astype(np.float32)
        columns, users, positions = sorting.by_item(indptr, inputs, n * len(decays))
        final = gram_lower(indptr, inputs, values, columns, users, values[positions], run.n_threads)
        counts = np.bincount(histories.item_rows, np.repeat(share, histories.lengths), minlength=n)
        return _Sums(following, final, counts)

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

    def _gram(self, sums: _Sums, n_threads: int) -> np.ndarray:
        """G, lower triangle, float32 [d n, d n]."""
        gram = sums.final.copy() if self.config.keep_sums else sums.final
        n, decays = len(sums.counts), self.config.decays
        for a, one in enumerate(decays):
            left = sums.following[:, a * n : (a + 1) * n]
            for b, two in enumerate(decays[: a + 1]):
                block = gram[a * n : (a + 1) * n, b * n : (b + 1) * n]
                np.negative(block, out=block)
                block += np.float32(one) * left.T
                block += np.float32(two) * sums.following[:, b * n : (b + 1) * n]
                np.einsum("ii->i", block)[:] += sums.counts.astype(np.float32)
                block /= np.float32(1 - one * two)
        return gram

    def _solve(self, sums: _Sums, data: Interactions, run: Run) -> np.ndarray:
        from scipy.linalg.lapack import spotrf, spotrs

        config = self.config
        gram = self._gram(sums, run.n_threads)
        # Only the lower triangle is valid: the upper one of the transpose, which Fortran reads.
        mean = max(float(sums.counts.mean()), 1e-12)
        penalty = config.regularization * (sums.counts / mean) ** config.frequency_exponent
        diagonal = np.einsum("ii->i", gram)
        diagonal += np.tile(penalty, len(config.decays)).astype(np.float32)
        # An item without events would leave a zero on the diagonal.
        diagonal[diagonal <= 0] = np.float32(config.regularization)
        factor, info = spotrf(gram.T, lower=0, overwrite_a=1)
        if info != 0:
            raise TrainingError(
                f"sequence_linear's Gram matrix isn't positive definite (pivot {info}); raise"
                f" regularization above {config.regularization:g}, or lower decays {config.decays}."
            )
        following = sums.following.copy() if config.keep_sums else sums.following
        solved, _ = spotrs(factor, following.T, lower=0, overwrite_b=1)
        if config.target_power:
            solved /= (np.maximum(sums.counts, 1.0) ** config.target_power).astype(np.float32)
        return np.ascontiguousarray(solved)

    def _learn(self, old: Interactions, new: Interactions, concerned: np.ndarray, run: Run) -> None:
        if self.sums is None:
            self._fit(new, None, run)
            return
        items = new.items.rows(old.items.arrow, what="item")
        known = old.users.find(new.users.take(concerned))
        taken = self._summed(old.histories(known[known >= 0]), run)
        added = self._summed(new.histories(concerned), run)
        inputs = np.concatenate([items + a * new.n_items for a in range(len(self.config.decays))])
        for total, plus, minus, rows, columns in (
            (self.sums.following, added.following, taken.following, items, inputs),
            (self.sums.final, added.final, taken.final, inputs, inputs),
        ):
            plus[np.ix_(rows, columns)] += total - minus
        added.counts[items] += self.sums.counts - taken.counts
        if not (np.diff(items) > 0).all():
            raise ArgumentError("the items' rows must ascend by id to be updated.")
        self._solved(added, new, run)

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        from cofactor.kernels.cpu.history import scores_from_dense

        assert isinstance(states, Histories)
        indptr, inputs, values = self._states_of(states.tail(self.config.history_length))
        weights = self.weights
        if item_rows is not None and len(item_rows) * 8 < weights.shape[1]:
            weights = np.ascontiguousarray(weights[:, item_rows])
            return scores_from_dense(indptr, inputs, values, weights, current_threads())
        scores = scores_from_dense(indptr, inputs, values, weights, current_threads())
        return scores if item_rows is None else scores[:, item_rows]

    def _explain(self, batch: UserBatch, item_row: int) -> tuple[np.ndarray, np.ndarray, float]:
        read = one_history(batch).tail(self.config.history_length)
        age, n = read.ages, self.data.n_items
        added = np.zeros(len(age))
        for a, decay in enumerate(self.config.decays):
            added += decay**age * self.weights[a * n + read.item_rows, item_row]
        past, sums = by_item(read.item_rows, added)
        return past, sums, float(self._popularity[item_row]) if batch.empty[0] else 0.0

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
