"""Telling when a fitted model ranks items alike for everybody: its vectors have collapsed."""

from __future__ import annotations

from typing import Any

import numpy as np

USERS, ITEMS = 64, 4096  # scored at most: enough for a mean, and little beside any fit
FEWEST = 20  # users with interactions, and items, below which nothing can be said
ALIKE = 0.98  # mean correlation of two users' scores from which they count as one ranking


def collapse_of(model: Any) -> str | None:
    """Say that a fitted model ranks nearly alike for all users, or return None if it doesn't.

    With z_u the standard scores of a user's scores over items, ``|mean_u z_u|² / n_items`` is the
    mean correlation of two users' scores (each with itself included); from .98 on, what a user has
    interacted with no longer matters.

    Parameters
    ----------
    model
        A fitted model; some 64 users and 4,096 items of its training data are scored.

    Returns
    -------
    str or None
        One sentence, with what is likely to help.
    """
    data = model.data
    users = _some(np.flatnonzero(data.user_counts), USERS)
    items = _some(np.flatnonzero(data.item_counts), ITEMS)
    if len(users) < FEWEST or len(items) < FEWEST:
        return None
    scores = model.score_rows(users, items).astype(np.float64)
    spread = scores.std(axis=1, keepdims=True)
    if not (spread > 0).all():
        return (
            f"{model.name} has collapsed: it gives a user the same score for all items; lower its"
            " regularization, or train it longer."
        )
    standard = (scores - scores.mean(axis=1, keepdims=True)) / spread
    common = standard.mean(axis=0)
    alike = float(common @ common) / len(items)
    if alike < ALIKE:
        return None
    popular = float(np.corrcoef(common, np.log(data.item_counts[items]))[0, 1])
    like = ", much like popularity" if popular > 0.7 else ""
    return (
        f"{model.name} has collapsed: it ranks the items alike for all users{like} (their scores"
        f" correlate by {alike:.3f} on the average); lower its regularization, or train it longer."
    )


def _some(rows: np.ndarray, most: int) -> np.ndarray:
    """As many of some rows, evenly spaced, int32."""
    step = max(1, -(-len(rows) // most))
    return rows[::step].astype(np.int32)
