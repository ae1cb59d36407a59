"""New users: the strong generalisation of the ranking literature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.data.conversion import as_interactions
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part, Split
from cofactor.data.splits import cut
from cofactor.data.splits.per_user import ORDERS

if TYPE_CHECKING:
    from cofactor.data.conversion import DataLike


def by_users(
    data: DataLike,
    *,
    test: float = 0.1,
    validation: float = 0.0,
    history: float = 0.8,
    order: str = "random",
    seed: int = 0,
) -> Split:
    """Hold out whole users: nothing of them is trained on; a part of their
    interactions is their history, and the rest is predicted.

    Parameters
    ----------
    data
        The interactions, or what `Recommender.fit` takes.
    test, validation
        The shares of those users who have two interactions or more, rounded to a whole number of
        users, halves up; 0 for no validation. Users with one interaction stay in training.
    history
        The share of a held-out user's interactions that is the history, in (0, 1). At least one
        is, and at least one is predicted.
    order
        What is predicted: ``"random"`` interactions, or the latest (``"time"``; the order of the
        source where there are no times).
    seed
        Of the draws.

    Returns
    -------
    Split
        Whose parts have ``fold_in=True``.

    Notes
    -----
    After Liang et al., Variational Autoencoders for Collaborative Filtering, WWW 2018, section 4.2,
    where 80 % of a held-out user's interactions are shown, drawn at random.
    """
    data = as_interactions(data)
    test_share, validation_share = cut.shares(test, validation)
    shown = checks.real(history, "history", above=0, below=1)
    checks.choice(order, "order", ORDERS)
    seed = checks.seed(seed)
    eligible = np.flatnonzero(data.user_counts >= 2)
    test_users, validation_users = cut.held_out(
        eligible, (test_share, validation_share), seed, "users"
    )
    in_truth = _in_truth(data, shown, order, seed)
    held = np.concatenate([test_users, validation_users])
    train = data.where(_users(data, held, False))
    if not len(train):
        raise ArgumentError(
            "the training part would be empty: all users are held out; ask for smaller shares."
        )
    also = f", {len(validation_users):,} for validation" if validation_share else ""
    sentence = cut.seeded(
        f"{len(test_users):,} users drawn at random and held out for test{also};"
        f" {cut.percent(1 - shown)} of each one's interactions, {cut.order_words(data, order)}, are"
        " predicted from the others",
        seed,
    )
    return Split(
        train,
        _part(data, test_users, in_truth, "test"),
        _part(data, validation_users, in_truth, "validation") if validation_share else None,
        sentence,
    )


def _in_truth(data: Interactions, shown: float, order: str, seed: int) -> np.ndarray:
    """Which interactions would be the truth if their user were held out, bool [n]."""
    counts = data.user_counts
    n_true = np.clip(cut.counts(1 - shown, counts), 1, np.maximum(counts - 1, 1))
    return cut.among_last(data, [n_true], order, seed, "users")[0]


def _users(data: Interactions, users: np.ndarray, held: bool) -> np.ndarray:
    """Whether each interaction is of one of the users (or, with ``held=False``, of none), bool
    [n]. Without a row number of each interaction, which would take more memory.
    """
    chosen = cut.marked(users, data.n_users)
    return np.repeat(chosen if held else ~chosen, data.user_counts)


def _part(data: Interactions, users: np.ndarray, in_truth: np.ndarray, name: str) -> Part:
    theirs = _users(data, users, True)
    truth = data.where(cut.nonempty(theirs & in_truth, name, data))
    return Part(truth, data.where(theirs & ~in_truth), fold_in=True)
