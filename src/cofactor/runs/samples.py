"""Parts of a split with fewer users, for measurements that need not be on all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cofactor.base import rng
from cofactor.data.split import Part, Split


def with_users(part: Part, user_rows: np.ndarray) -> Part:
    """Return a part whose truth is that of some users."""
    return part.where(np.isin(part.truth.user_rows, user_rows))


def few_users(part: Part, most: int) -> Part:
    """Return a part with at most ``most`` of its users, evenly spaced by row."""
    rows = part.user_rows
    if len(rows) <= most:
        return part
    return with_users(part, rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)])


def sample(parts: Split, most: int, seed: int) -> Split:
    """Return a split with the interactions of randomly drawn users, about ``most`` in training.

    Rows of users and items don't change. The test part stays whole; it doesn't belong to the
    sample.
    """
    train, validation = parts.train, parts.validation
    share = most / max(1, len(train))
    if share >= 1 or validation is None:
        return parts
    chosen = rng.generator(seed, "sample of users").random(train.n_users) < share
    # Users who are held out entirely train nothing, so all of them stay.
    kept = Split(train.where(chosen[train.user_rows]), parts.test, validation, parts.sentence)
    if validation.fold_in:
        return kept
    rows = validation.user_rows[chosen[validation.user_rows]]
    if not len(rows) or not len(kept.train):
        return parts
    return replace(kept, validation=replace(with_users(validation, rows), history=kept.train))
