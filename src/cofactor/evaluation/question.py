"""What a part asks of a model: the users, their true items, and what may be recommended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cofactor.base import checks
from cofactor.base.cached import cached_property
from cofactor.base.errors import ArgumentError
from cofactor.base.offsets import mask_of, offsets
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.evaluation.csr_rows import contains
from cofactor.models.recommender import Recommender
from cofactor.models.user_batch import UserBatch
from cofactor.retrieval.topk import Exclusions, exclusions


@dataclass(frozen=True)
class Question:
    """The users, their true items, and the items that may be recommended.

    Parameters
    ----------
    part
        Where it comes from.
    users
        int32 [n_users], ascending: those with at least one true item that may be recommended.
    indptr, items
        Their true items, CSR; int32 ascending within a user.
    positions
        int64 [n_truth]: where each true item stands in ``part.truth``.
    seen
        CSR over all user rows: what may not be recommended to each.
    candidates
        int32 ascending: what may be recommended, or None for all.
    dropped
        How many true interactions were left out, since they may not be recommended.
    negatives
        int32 [n_truth, n_negatives], or None.
    drawn
        How many candidates to draw for each true item; 0 for the full ranking.
    """

    part: Part
    users: np.ndarray
    indptr: np.ndarray
    items: np.ndarray
    positions: np.ndarray
    seen: Exclusions
    candidates: np.ndarray | None
    dropped: int
    negatives: np.ndarray | None = None
    drawn: int = 0

    @property
    def sampled(self) -> bool:
        """Whether each true item is ranked among a few candidates only."""
        return self.negatives is not None or self.drawn > 0

    @property
    def n_items(self) -> int:
        """The number of item rows there are."""
        return self.part.truth.n_items

    @property
    def n_candidates(self) -> int:
        """The number of items that may be recommended to at least one user."""
        return self.n_items if self.candidates is None else len(self.candidates)

    def user_batch(self, model: Recommender, users: np.ndarray) -> UserBatch:
        """Return users as the model sees them: by their trained row, or folded in from their
        history.
        """
        return (
            model.fold_in(self.histories.take(users))
            if self.part.fold_in
            else model.user_batch(users)
        )

    @cached_property
    def histories(self) -> Histories:
        """All users' histories in order of time, put in order once rather than for each block."""
        return self.part.history.histories()


def ask(
    part: Part,
    *,
    exclude_seen: bool,
    candidates: int | np.ndarray | None = None,
    full: bool = False,
) -> Question:
    """Make the question that a part asks.

    Parameters
    ----------
    part
        Truth and history.
    exclude_seen
        Whether the items of the history are left out of the answers.
    candidates
        Item rows instead of the part's own, or how many to draw for each true item.
    full
        Whether the part's published negatives are passed over.
    """
    truth = part.truth
    by_number = candidates is not None and np.ndim(candidates) == 0
    drawn = checks.integer(candidates, "candidates", low=1) if by_number else 0
    rows = part.candidates
    if candidates is not None and not drawn:
        rows = np.unique(checks.rows(candidates, "candidates", truth.n_items))
    seen = part.history if exclude_seen else None
    positions = np.flatnonzero(_may_be_recommended(truth, rows, seen))
    sizes = np.bincount(truth.user_rows[positions], minlength=truth.n_users)
    users = np.flatnonzero(sizes).astype(np.int32)
    if len(users) == 0:
        raise _nothing_to_ask(len(truth), exclude_seen)
    negatives = None
    if part.negatives is not None and not full and not drawn:
        negatives = np.ascontiguousarray(part.negatives, np.int32)[positions]
    return Question(
        part=part,
        users=users,
        indptr=offsets(sizes[users]),
        items=truth.item_rows[positions],
        positions=positions,
        seen=exclusions(None, truth.n_users) if seen is None else (seen.indptr, seen.item_rows),
        candidates=None if rows is None else rows.astype(np.int32),
        dropped=len(truth) - len(positions),
        negatives=negatives,
        drawn=drawn,
    )


def _nothing_to_ask(n_true: int, exclude_seen: bool) -> ArgumentError:
    why = (
        ": items of the history are left out, and all of them are there; with exclude_seen=False"
        " they count (or use evaluate_next(..., repeats='allow'))."
    )
    return ArgumentError(
        f"none of the {n_true:,} true items may be recommended, so there is nothing to measure"
        f"{why if exclude_seen and n_true else '.'}"
    )


def _may_be_recommended(
    truth: Interactions, rows: np.ndarray | None, seen: Interactions | None
) -> np.ndarray:
    keep = np.ones(len(truth), bool)
    if rows is not None:
        keep &= mask_of(rows, truth.n_items)[truth.item_rows]
    if seen is not None:
        keep &= ~contains(seen, truth.user_rows, truth.item_rows)
    return keep


def whole_truth(part: Part) -> Question:
    """Return the question of rating metrics: every held-out rating, whatever was seen or may be
    recommended.
    """
    sizes: Any = part.truth.user_counts
    users = part.user_rows
    return Question(
        part=part,
        users=users,
        indptr=offsets(sizes[users]),
        items=part.truth.item_rows,
        positions=np.arange(len(part.truth)),
        seen=exclusions(None, part.truth.n_users),
        candidates=None,
        dropped=0,
    )
