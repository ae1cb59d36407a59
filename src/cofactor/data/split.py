"""Splits: the data to train on, to choose settings by, and to evaluate on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base import checks
from cofactor.base.cached import cached_property
from cofactor.base.errors import ArgumentError
from cofactor.data import sorting
from cofactor.data.histories import Histories, in_order
from cofactor.data.interactions import Interactions


@dataclass(frozen=True, eq=False, repr=False)
class Part:
    """The data that a model is measured on: for each user the held-out items, and the history that
    the model may see.

    Parameters
    ----------
    truth
        The held-out interactions.
    history
        Each user's known interactions when a list is requested; seen items are left out of the
        list. For users the model was fitted on, this is their training data.
    fold_in
        Whether the users are new to the model (strong generalisation): they are answered by
        `fold_in` of their history instead of by their trained row.
    candidates
        Item rows to rank, int32 ascending (None: all). An item hold-out ranks the held-out items
        alone.
    negatives
        Published sampled candidates: for each position of ``truth`` the item rows to rank beside
        the true one, int32 [n_truth, n_negatives], or None. Evaluation that uses them is labelled
        as sampled.
    owners
        Where the users are questions, as prefixes of one session are: whose events each of them is
        made of, ids by user row. None: the users' own.
    """

    truth: Interactions
    history: Interactions
    fold_in: bool = False
    candidates: np.ndarray | None = None
    negatives: np.ndarray | None = None
    owners: pa.Array | None = None

    def __post_init__(self) -> None:
        for name in ("truth", "history"):
            checks.of_kind(getattr(self, name), name, Interactions, "Interactions")
        object.__setattr__(self, "fold_in", checks.boolean(self.fold_in, "fold_in"))
        if self.truth.users != self.history.users or self.truth.items != self.history.items:
            raise ArgumentError(
                "a part's truth and history must share their id maps; split them from one data set."
            )
        n_items = self.truth.n_items
        if self.candidates is not None:
            rows = np.unique(checks.rows(self.candidates, "candidates", n_items))
            object.__setattr__(self, "candidates", rows)
        if self.negatives is not None:
            given = np.asarray(self.negatives)
            if given.ndim != 2 or len(given) != len(self.truth):
                raise ArgumentError(
                    f"negatives must be item rows [{len(self.truth)}, n_negatives], not of shape"
                    f" {list(given.shape)}."
                )
            rows = checks.rows(given.reshape(-1), "negatives", n_items).reshape(given.shape)
            object.__setattr__(self, "negatives", rows)

    def _repr_html_(self) -> str:
        from cofactor.data.data_html import part_html

        return part_html(self)

    @cached_property
    def user_rows(self) -> np.ndarray:
        """The users with any truth, int32 ascending: those over whom metrics are averaged."""
        return np.flatnonzero(self.truth.user_counts).astype(np.int32)

    @property
    def fingerprint(self) -> str:
        """A SHA-256 (hex) of the truth, history, candidates and negatives."""
        digest = hashlib.sha256()
        self.digest_into(digest)
        return digest.hexdigest()

    def digest_into(self, digest: Any) -> None:
        """Update a hash with what makes the fingerprint."""
        sources = self.truth.fingerprint + self.history.fingerprint + str(self.fold_in)
        digest.update(sources.encode())
        for rows in (self.candidates, self.negatives):
            digest.update(b"-" if rows is None else np.ascontiguousarray(rows).tobytes())

    def __repr__(self) -> str:
        how = "folded in" if self.fold_in else "trained"
        users = f"{len(self.user_rows):,} users"
        return f"Part({len(self.truth):,} held-out interactions, {users}, {how})"

    def histories(self, user_rows: np.ndarray) -> Histories:
        """Return the histories of some users that the model may see, in order of time."""
        return self.history.histories(user_rows)

    def where(self, keep: np.ndarray) -> Part:
        """Return the part with some of its truth, bool [n_truth]."""
        truth = self.truth.where(keep)
        negatives = None if self.negatives is None else self.negatives[np.asarray(keep)]
        return replace(self, truth=truth, negatives=negatives)


@dataclass(frozen=True, eq=False)
class Split:
    """A data set divided into parts that share its id maps: a row number means the same in each
    part.

    Parameters
    ----------
    train
        The data that models are fitted on.
    test
        The data that is reported on, never used for any choice.
    validation
        The data for choosing hyperparameters and early stopping, or None.
    sentence
        How the data was divided, in one sentence, with the rule for ties.
    """

    train: Interactions
    test: Part
    validation: Part | None
    sentence: str

    def __post_init__(self) -> None:
        checks.of_kind(self.train, "train", Interactions, "Interactions")
        checks.of_kind(self.test, "test", Part, "a Part")
        if self.validation is not None:
            checks.of_kind(self.validation, "validation", Part, "a Part, or None")

    @cached_property
    def fingerprint(self) -> str:
        """A SHA-256 (hex) of the parts; equal for two splits that hold the same interactions in
        each part.
        """
        digest = hashlib.sha256(self.train.fingerprint.encode())
        for part in (self.validation, self.test):
            if part is None:
                digest.update(b"-")
                continue
            part.digest_into(digest)
        return digest.hexdigest()

    def __repr__(self) -> str:
        validation = "no" if self.validation is None else f"{len(self.validation.truth):,}"
        counts = (
            f"{len(self.train):,} train, {validation} validation, {len(self.test.truth):,} test"
        )
        return f"Split({counts}: {self.sentence})"

    def _repr_html_(self) -> str:
        from cofactor.data.data_html import split_html

        return split_html(self)

    def with_validation_merged(self) -> Split:
        """Return the split for the final fit, once all choices are made: validation joins training.

        The histories of the test users grow by it, unless whole users are held out (``fold_in``).
        The result equals the split that the same rule makes without validation."""
        if self.validation is None:
            return self
        held_out = [self.validation.history] if self.validation.fold_in else []
        train = joined(self.train, self.validation.truth, *held_out)
        test = self.test if self.test.fold_in else replace(self.test, history=train)
        sentence = (
            f"{self.sentence} The validation part was merged into training for the final fit."
        )
        return Split(train, test, None, sentence)

    def with_validation_seen(self) -> Split:
        """Return the split in which the test users' histories include their validation items, which
        aren't trained on.

        Published results of sequence models are measured so: the model is chosen by the last but
        one item, and that item is in the history when the last one is predicted."""
        if self.validation is None or self.test.fold_in:
            return self
        test = replace(self.test, history=joined(self.test.history, self.validation.truth))
        sentence = (
            f"{self.sentence} The test histories hold the validation part as well as training."
        )
        return replace(self, test=test, sentence=sentence)

    def known_only(self) -> Split:
        """Return the split without the held-out interactions of users with no history and of items
        not trained on.

        Items are kept if the part ranks its own candidates (cold items). The sentence says how many
        interactions were left out.

        Raises
        ------
        ArgumentError
            If nothing of the test part, or of a validation part, is left.
        """
        test, n_test = _known_only(self.test, self.train, "test")
        sentence = (
            f"{self.sentence} Left out of test: {n_test:,} interactions of users or items unknown"
            " to training"
        )
        if self.validation is None:
            return replace(self, test=test, sentence=f"{sentence}.")
        validation, n_validation = _known_only(self.validation, self.train, "validation")
        return Split(self.train, test, validation, f"{sentence}; of validation: {n_validation:,}.")


def joined(*parts: Interactions) -> Interactions:
    """Return several parts of one data set as one; if a pair is in several, the last part's value
    counts.
    """
    first = parts[0]
    users = np.concatenate([part.user_rows for part in parts])
    items = np.concatenate([part.item_rows for part in parts])
    indptr, keep = sorting.last_of_pairs(users, items, first.n_users, first.n_items)
    values = [part.values for part in parts]
    times = [part.times for part in parts]
    return replace(
        first,
        indptr=indptr,
        item_rows=items[keep],
        values=_join(values, keep),
        times=_join(times, keep),
        source_order=np.concatenate([part.order for part in parts])[keep],
        log=_joined_logs(parts),
    )


def _joined_logs(parts: tuple[Interactions, ...]) -> Histories | None:
    """Every event of all parts, in order of time, or part by part without times; None if no part
    keeps repeats.
    """
    if all(part.log is None for part in parts):
        return None
    logs = [part.histories() for part in parts]
    owners = np.concatenate([log.owners for log in logs])
    items = np.concatenate([log.item_rows for log in logs])
    values = [log.values for log in logs]
    times = [log.times for log in logs]
    every = slice(None)
    return in_order(
        owners,
        items,
        _join(values, every),
        _join(times, every),
        parts[0].n_users,
        parts[0].n_items,
    )


def _known_only(part: Part, train: Interactions, name: str) -> tuple[Part, int]:
    truth = part.truth
    keep = part.history.user_counts[truth.user_rows] > 0
    if part.candidates is None:
        keep &= train.item_counts[truth.item_rows] > 0
    if not keep.any():
        raise ArgumentError(
            f"no interaction of the {name} part is of a user and an item that training knows."
        )
    return part.where(keep), int((~keep).sum())


def _join(parts: list[np.ndarray | None], keep: np.ndarray | slice) -> np.ndarray | None:
    """The kept entries of several columns in one; None where a part has no such column."""
    present = [part for part in parts if part is not None]
    return np.concatenate(present)[keep] if len(present) == len(parts) else None
