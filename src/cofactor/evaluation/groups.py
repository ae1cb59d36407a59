"""Groups of items that are measured separately: warm and cold items, by count, or by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.base.offsets import mask_of
from cofactor.data.interactions import Interactions

Groups = Mapping[str, Any]
GROUPINGS = ("warm", "count")  # that have a name
GROUP_EDGES = (0, 1, 2, 5, 10)


def item_groups(groups: str | Groups | None, train: Interactions) -> dict[str, np.ndarray]:
    """Return groups of items by name, as masks, bool [n_items].

    Parameters
    ----------
    groups
        ``"warm"``, ``"count"``, or names with item rows or masks.
    train
        The training data, whose interactions are counted.
    """
    counts = train.item_counts
    if groups is None:
        return {}
    if isinstance(groups, str):
        checks.choice(groups, "groups", GROUPINGS)
        if groups == "warm":
            return {"warm items": counts > 0, "cold items": counts == 0}
        named = {}
        for low, above in zip(GROUP_EDGES, (*GROUP_EDGES[1:], None), strict=True):
            last = None if above is None else above - 1
            name = f"{low}" if last == low else f"{low}+" if last is None else f"{low}–{last}"
            named[f"{name} interaction{'' if name == '1' else 's'}"] = (counts >= low) & (
                True if last is None else counts <= last
            )
        return named
    checks.of_kind(groups, "groups", Mapping, "'warm', 'count' or a mapping from name to items")
    masks = {}
    for name, items in groups.items():
        array = np.asarray(items)
        if array.dtype == np.bool_:
            if array.shape != counts.shape:
                raise ArgumentError(
                    f"groups[{name!r}] must be a mask of {len(counts)} items, not of shape"
                    f" {array.shape}."
                )
            masks[str(name)] = array
        else:
            rows = checks.rows(array, f"groups[{name!r}]", len(counts))
            masks[str(name)] = mask_of(rows, len(counts))
    return masks
