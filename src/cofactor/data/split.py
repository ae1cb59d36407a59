"""Splits: what a model may learn from, what it is chosen by, and what it is judged on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cofactor.base.errors import ArgumentError
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions


@dataclass(frozen=True, eq=False)
class Part:
    """What a model is judged on: for each user the truth, and the history that it may see when asked.

    Parameters
    ----------
    truth
        The held-out interactions.
    history
        What is known of each user when the question is asked; the seen items are excluded from the answer. For users
        the model was fitted on, this is their training data.
    fold_in
        Whether the users are new to the model (strong generalisation): they are answered by `fold_in` of their history
        instead of by their trained row.
    candidates
        Item rows to rank, int32 ascending (None: all). An item hold-out ranks the held-out items alone.
    negatives
        Published sampled candidates: for each position of ``truth`` the item rows to rank beside the true one, int32
        [n_truth, n_negatives], or None. Evaluation that uses them is labelled as sampled.
    """

    truth: Interactions
    history: Interactions
    fold_in: bool = False
    candidates: np.ndarray | None = None
    negatives: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.truth.users != self.history.users or self.truth.items != self.history.items:
            raise ArgumentError("a part's truth and history must share their id maps; split them from one data set.")

    @cached_property
    def user_rows(self) -> np.ndarray:
        """The users with any truth, int32 ascending: those over whom metrics are averaged."""
        return np.flatnonzero(self.truth.user_counts).astype(np.int32)

    def histories(self, user_rows: np.ndarray) -> Histories:
        """Return what may be seen of some users, in order of time."""
        return self.history.histories(user_rows)


@dataclass(frozen=True, eq=False)
class Split:
    """One way to cut a data set; all parts share its id maps, so rows mean the same everywhere.

    Parameters
    ----------
    train
        What models are fitted on.
    test
        What is reported; never used for any choice.
    validation
        What hyperparameters and early stopping are chosen by, or None.
    sentence
        How the cut was made, in one sentence, with the rule for ties.
    """

    train: Interactions
    test: Part
    validation: Part | None
    sentence: str

    @cached_property
    def fingerprint(self) -> str:
        """A SHA-256 (hex) of the parts; equal for two splits that hold the same interactions in each part."""
        digest = hashlib.sha256(self.train.fingerprint.encode())
        for part in (self.validation, self.test):
            if part is None:
                digest.update(b"-")
                continue
            digest.update((part.truth.fingerprint + part.history.fingerprint + str(part.fold_in)).encode())
            for rows in (part.candidates, part.negatives):
                digest.update(b"-" if rows is None else np.ascontiguousarray(rows).tobytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        validation = "no" if self.validation is None else f"{len(self.validation.truth):,}"
        return f"Split({len(self.train):,} train, {validation} validation, {len(self.test.truth):,} test: {self.sentence})"
