"""User batches: several users, trained or unseen, whose scores are computed together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cofactor.data.histories import Histories
from cofactor.retrieval.topk import Exclusions, exclusions

# What a model keeps of a batch of users: vectors float32 [B, width], or the histories themselves.
States = np.ndarray | Histories


class InnerProduct(NamedTuple):
    """What makes a score of a user's vector: ``score = states @ item_vectors.T + offsets``.

    Parameters
    ----------
    item_vectors
        float32 [n_items, width], as wide as the states.
    offsets
        float32 [n_items], or None where there are none.
    """

    item_vectors: np.ndarray
    offsets: np.ndarray | None


class Shares(NamedTuple):
    """The scores of some items for one user, split among the user's past items.

    Parameters
    ----------
    past
        Past item rows, int32 [p].
    added
        What each added to each score, float [n, p].
    rest
        What belongs to none of them, float [n].
    """

    past: np.ndarray
    added: np.ndarray
    rest: np.ndarray


@dataclass(frozen=True)
class UserBatch:
    """A batch of users as a model sees them.

    Parameters
    ----------
    states
        What the model keeps of them.
    empty
        bool [B]: users of whom nothing is known; popularity answers for them unless the model does.
    seen
        CSR of what they had: indptr int64 [B + 1], item rows int32 ascending.
    values
        float32 [seen], the values of what they had, or None where there are none; for explanations.
    """

    states: States
    empty: np.ndarray
    seen: Exclusions
    values: np.ndarray | None = None

    @classmethod
    def of_states(cls, states: States) -> UserBatch:
        """Return users of whom only the states matter: none is empty, nothing counts as seen."""
        return cls(states, np.zeros(len(states), bool), exclusions(None, len(states)))

    def __len__(self) -> int:
        return len(self.empty)
