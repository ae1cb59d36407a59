"""Which words and features contributed to a score, in models with content."""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.models.recommender import Recommender
from cofactor.models.user_batch import UserBatch
from cofactor.service.replies import WordOut

_LEAST = 0.1  # the least share of the strongest word's part that a word in a response has


def carrying(
    model: Recommender, one: UserBatch, item_rows: np.ndarray, limit: int
) -> list[list[WordOut]] | None:
    """Return the words of each item that added most to its score for one person; None where the
    model doesn't tell.

    Parameters
    ----------
    model
        A model with content.
    one
        One person.
    item_rows
        int [n].
    limit
        How many words an item at most.
    """
    if one.empty[0]:
        return None
    strongest = [
        [(str(reason.id), reason.contribution) for reason in reasons]
        for reasons in model.explain_features(one, item_rows)
    ]
    return [_strongest(pairs, limit) for pairs in strongest] if any(strongest) else None


def shared(model: Any, description: Any, item_rows: np.ndarray, limit: int) -> list[list[WordOut]]:
    """Return the words that each item shares with a description, by what each adds to their cosine.

    Parameters
    ----------
    model
        A model with content.
    description
        Its features, SciPy CSR [1, width].
    item_rows
        int [n].
    limit
        How many words an item at most.
    """
    query = description.toarray()[0]
    lengths = [
        float(np.linalg.norm(model.features[int(row)].data) * np.linalg.norm(query))
        for row in item_rows
    ]
    return [
        _named(model, int(row), query / max(length, 1e-12), limit)
        for row, length in zip(item_rows, lengths, strict=True)
    ]


def _named(model: Any, row: int, weights: np.ndarray, limit: int) -> list[WordOut]:
    """The words of an item whose features times the weights are largest."""
    line = model.features[row]
    names = model.spec.names(model.data.catalogue.row(row))
    added = zip(line.indices.tolist(), (line.data * weights[line.indices]).tolist(), strict=True)
    return _strongest([(names[f], a) for f, a in added if f in names], limit)


def _strongest(pairs: list[tuple[str, float]], limit: int) -> list[WordOut]:
    """The words that added most; what pulled the score down isn't a reason, and what adds next to
    nothing ("the") explains nothing.
    """
    least = _LEAST * max((a for _, a in pairs), default=0.0)
    ordered = sorted(
        (pair for pair in pairs if pair[1] > max(least, 0.0)), key=lambda pair: -pair[1]
    )
    return [WordOut(word=word, contribution=a) for word, a in ordered[:limit]]
