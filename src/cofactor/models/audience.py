"""An audience: a batch of users, trained or never seen, as a model sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cofactor.data.histories import Histories
from cofactor.retrieval.topk import Exclusions

# What a model keeps of a batch of users: vectors float32 [B, width], or the histories themselves.
States = np.ndarray | Histories


@dataclass(frozen=True)
class Audience:
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

    def __len__(self) -> int:
        return len(self.empty)
