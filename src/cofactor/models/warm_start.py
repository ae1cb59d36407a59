"""Warm starts: where training begins when a fitted model learns from more data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from cofactor.data.interactions import Interactions
from cofactor.models.traits import ArraySpec


@dataclass(frozen=True)
class KeptRows:
    """The rows of users and items that had interactions before, in old and in new data.

    Parameters
    ----------
    old, new
        By axis (``"users"``, ``"items"``), int64: where each of them was, and where it is.
    """

    old: Mapping[str, np.ndarray]
    new: Mapping[str, np.ndarray]

    @classmethod
    def between(cls, before: Interactions, after: Interactions) -> Self:
        """Return the rows of data whose ids are all known to later data."""
        old = {
            "users": np.flatnonzero(before.user_counts),
            "items": np.flatnonzero(before.item_counts),
        }
        new = {
            "users": after.users.rows(before.users.take(old["users"]), what="user"),
            "items": after.items.rows(before.items.take(old["items"]), what="item"),
        }
        return cls(old, new)

    def moved(self, axis: str, array: np.ndarray, fresh: np.ndarray) -> np.ndarray:
        """Return a fresh array [new rows, ...] with the rows of an old one at their new places."""
        made = np.array(fresh)
        made[self.new[axis]] = array[self.old[axis]]
        return made

    def begin(
        self,
        fresh: Mapping[str, np.ndarray],
        known: Mapping[str, np.ndarray],
        specs: Mapping[str, ArraySpec],
    ) -> dict[str, np.ndarray]:
        """Return fresh arrays with what is known under the same names, moved by their first axis.

        Parameters
        ----------
        fresh
            What a fit on the new data would begin with.
        known
            The state of the fitted model.
        specs
            The axes of the known arrays.
        """
        made = dict(fresh)
        for name in fresh.keys() & known.keys() & specs.keys():
            axis = specs[name].axes[0]
            if axis in self.new:
                made[name] = self.moved(axis, known[name], fresh[name])
        return made
