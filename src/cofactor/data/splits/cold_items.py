"""New items: only their catalogue entries are known in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.data.conversion import as_interactions
from cofactor.data.split import Part, Split
from cofactor.data.splits import cut

if TYPE_CHECKING:
    from cofactor.data.conversion import DataLike

RANKS = ("cold", "all")


def by_items(
    data: DataLike,
    *,
    test: float = 0.1,
    validation: float = 0.0,
    rank: str = "cold",
    seed: int = 0,
) -> Split:
    """Hold out whole items: all their interactions are the truth, and no model trains on any of
    them.

    Parameters
    ----------
    data
        The interactions, or what `Recommender.fit` takes; models can rank held-out items only by
        their catalogue entries.
    test, validation
        The shares of the items that have interactions, rounded to a whole number of items, halves
        up; 0 for no validation.
    rank
        The items to rank: ``"cold"`` (the part's held-out items alone) or ``"all"``.
    seed
        Of the draw.
    """
    data = as_interactions(data)
    test_share, validation_share = cut.shares(test, validation)
    checks.choice(rank, "rank", RANKS)
    seed = checks.seed(seed)
    eligible = np.flatnonzero(data.item_counts)
    shares = test_share, validation_share
    test_items, validation_items = cut.held_out(eligible, shares, seed, "items")

    def of(items: np.ndarray) -> np.ndarray:
        return cut.among(data.item_rows, items, data.n_items)

    train = data.where(~of(np.concatenate([test_items, validation_items])))
    if not len(train):
        raise ArgumentError(
            "the training part would be empty: all items are held out; ask for smaller shares."
        )

    def part(items: np.ndarray, name: str) -> Part:
        truth = data.where(cut.nonempty(of(items), name, data))
        return Part(
            truth, train, candidates=np.sort(items).astype(np.int32) if rank == "cold" else None
        )

    also = f", {len(validation_items):,} for validation" if validation_share else ""
    ranked = (
        "each part ranks its held-out items alone" if rank == "cold" else "all items are ranked"
    )
    sentence = f"{len(test_items):,} items drawn at random and held out for test{also}; {ranked}"
    validation_part = part(validation_items, "validation") if validation_share else None
    return Split(train, part(test_items, "test"), validation_part, cut.seeded(sentence, seed))
