"""How good content vectors are, on warm items held out from the map; and the scale at which cold
items stand fairly among warm ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from cofactor.base import rng
from cofactor.base.offsets import mask_of
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.metrics.paired import paired_p

# A map is checked on so many users and on so many of their best items.
_USERS, _TOP = 1000, 10
_ALPHA = 0.05
_SEED_NAME = "askers"  # glossary: old name, kept since it seeds the draw of users
CHECK = (
    "cosine",
    "auc",
    "auc_trained",
    "share_content",
    "share_trained",
    "scale",
    "ridge",
    "n_held_out",
    "recall",
    "recall_nearest",
    "recall_p",
)
# Recall is taken at so many places, or a tenth of the held-out items if these are fewer.
_PLACES = 20


@dataclass(frozen=True)
class Check:
    """What the check on held-out warm items found.

    Parameters
    ----------
    cosine
        Mean cosine between content vectors and trained ones.
    auc
        The chance that a held-out item stands above another held-out item that its reader didn't
        have, by content vectors.
    auc_trained
        The same by the trained vectors, which is what content could reach at the most.
    share_content, share_trained
        The share of the top 10 that the held-out items take, by content vectors (after scaling) and
        by their trained ones.
    scale
        What content vectors are multiplied by, so that the two shares meet.
    ridge
        λ of the map.
    n_held_out
        Items in the check.
    recall
        Recall among the held-out items at `places`, by content vectors, of users folded in from
        their other items; NaN in models of older versions.
    recall_nearest
        The same by content_knn, the baseline: the mean cosine with what the user had of the others.
    recall_p
        Of the paired test of the two over users, two-sided; 1 for fewer than two users.
    """

    cosine: float
    auc: float
    auc_trained: float
    share_content: float
    share_trained: float
    scale: float
    ridge: float
    n_held_out: int
    recall: float = math.nan
    recall_nearest: float = math.nan
    recall_p: float = math.nan

    @property
    def places(self) -> int:
        """At how many places recall is taken: 20, or a tenth of the held-out items if that is
        fewer.
        """
        return _places(self.n_held_out)

    @property
    def verdict(self) -> str:
        """How content vectors stand against content_knn on held-out items."""
        if math.isnan(self.recall):
            return "not compared with content_knn"
        if not self.recall_p < _ALPHA:
            return f"{self._beside}: not significantly better than content_knn, which costs less"
        if self.recall > self.recall_nearest:
            return f"{self._beside}: better than content_knn"
        return f"{self._beside}: worse than content_knn, which costs less"

    @property
    def _beside(self) -> str:
        theirs = self.recall_nearest
        return f"Recall@{self.places} {self.recall:.3f}, content_knn {theirs:.3f}"

    @property
    def sentence(self) -> str:
        """The check in a sentence."""
        return f"new items, checked on {self.n_held_out:,} held-out warm items: {self._found}"

    @property
    def sentence_of_trained(self) -> str:
        """The check in a sentence, of a model whose content vectors were trained on the items
        that they are measured on: what it reaches there says little of new items.
        """
        seen = f"{self.n_held_out:,} warm items"
        of = f"new items, checked on {seen} (seen in training, so this is an"
        if self.recall > self.recall_nearest and self.recall_p < _ALPHA:
            unknown = f"{self._beside}, whose items weren't: no comparison"
            return f"{of} upper bound): {self._found.replace(self.verdict, unknown)}"
        return f"{of} upper bound): {self._found}"

    @property
    def _found(self) -> str:
        return (
            f"{self.verdict}; AUC {self.auc:.3f} ({self.auc_trained:.3f} by their trained vectors,"
            f" with which content vectors have a cosine of {self.cosine:.2f}); scaled by"
            f" {self.scale:.2f}, content vectors take {self.share_content:.1%} of the top 10"
            f" ({self.share_trained:.1%} by the trained ones)"
        )

    def array(self) -> np.ndarray:
        """Return the numbers, float64 [11]."""
        return np.array([getattr(self, name) for name in CHECK], np.float64)

    @classmethod
    def of_array(cls, array: np.ndarray) -> Check:
        """Make a check from what `array` gave; older versions saved the first eight numbers."""
        values = dict(zip(CHECK, array.tolist(), strict=False))
        return cls(**{**values, "n_held_out": int(values["n_held_out"])})


class Scores(NamedTuple):
    """Scores of the held-out items for some users, float32 [n_users, n], by content and by the
    items' trained vectors.
    """

    content: np.ndarray
    trained: np.ndarray


class HeldOutScores(NamedTuple):
    """Scores of some users.

    Parameters
    ----------
    users, items
        Their rows, and those of the held-out items.
    folded
        Of the held-out items, with users folded in from their other items: vectors of users that
        were trained on the held-out items know which of them they had.
    known
        The same with the trained users.
    others
        Scores of the other items with interactions, float32 [n_users, n_others], by the trained
        users.
    """

    users: np.ndarray
    items: np.ndarray
    folded: Scores
    known: Scores
    others: np.ndarray


def check_of(
    data: Interactions,
    scores: HeldOutScores,
    *,
    cosine: float,
    ridge: float,
    calibrate: bool,
    features: Any,
) -> Check:
    """Return what the scores say of content vectors; with ``calibrate``, their scale too.

    Parameters
    ----------
    data
        The training interactions.
    scores
        Of held-out items with interactions.
    cosine, ridge
        As of `Check`.
    calibrate
        Whether content vectors are scaled to the held-out items' share of the lists.
    features
        Of all items, CSR [n_items, width]: what content_knn reads.
    """
    users, items, (content, trained), known, others = scores
    scale, mine, wanted = 1.0, 0.0, 0.0
    if calibrate:
        scale, mine, wanted = exposure_scale(others, known.trained, known.content)
    mine_recall = recalls(content, data, users, items)
    theirs = recalls(nearest(features, data, users, items), data, users, items)
    return Check(
        recall=float(mine_recall.mean()) if len(mine_recall) else 0.0,
        recall_nearest=float(theirs.mean()) if len(theirs) else 0.0,
        recall_p=paired_p(mine_recall - theirs) if len(theirs) > 1 else 1.0,
        cosine=cosine,
        auc=auc(content, data, users, items),
        auc_trained=auc(trained, data, users, items),
        share_content=mine,
        share_trained=wanted,
        scale=scale,
        ridge=ridge,
        n_held_out=len(items),
    )


def held_out(data: Interactions, seed: int, share: float = 0.2) -> np.ndarray:
    """Draw warm items to check a map on, int64 ascending: a fifth, at most 5,000."""
    warm = np.flatnonzero(data.item_counts)
    count = max(1, min(5000, round(share * len(warm))))
    return np.sort(rng.generator(seed, "content", "held out").permutation(warm)[:count])


class HeldOutItems(NamedTuple):
    """Warm items that a map is checked on.

    Parameters
    ----------
    items
        int64 ascending: from `held_out`.
    users
        int64 ascending: from `sample_users`.
    rest
        int64 ascending: the other warm items.
    """

    items: np.ndarray
    users: np.ndarray
    rest: np.ndarray

    @classmethod
    def draw(cls, data: Interactions, seed: int) -> Self:
        """Draw them."""
        items = held_out(data, seed)
        rest = np.setdiff1d(np.flatnonzero(data.item_counts), items)
        return cls(items, sample_users(data, items, seed), rest)


def sample_users(data: Interactions, items: np.ndarray, seed: int) -> np.ndarray:
    """Draw users who had some of the items, int64 ascending."""
    users = np.unique(data.user_rows[mask_of(items, data.n_items)[data.item_rows]])
    return np.sort(rng.generator(seed, "content", _SEED_NAME).permutation(users)[:_USERS])


def other_items(data: Interactions, users: np.ndarray, items: np.ndarray) -> Histories:
    """Return some users' histories without some items."""
    past = data.histories(users)
    return past.where(~mask_of(items, data.n_items)[past.item_rows])


def auc(scores: np.ndarray, data: Interactions, users: np.ndarray, items: np.ndarray) -> float:
    """Return the mean AUC of some users over some items, scores [n_users, n_items]; 0.5 where
    nothing can be compared.
    """
    matrix = data.matrix()[users][:, items].tocsr()
    found = []
    for n in range(len(users)):
        own = matrix.indices[matrix.indptr[n] : matrix.indptr[n + 1]]
        if 0 < len(own) < len(items):
            order = np.argsort(np.argsort(scores[n], kind="stable"), kind="stable")
            above = order[own].sum() - len(own) * (len(own) - 1) / 2
            found.append(above / (len(own) * (len(items) - len(own))))
    return float(np.mean(found)) if found else 0.5


def nearest(features: Any, data: Interactions, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Return content_knn's scores of held-out items, float32 [n_users, n_items]: a user's profile
    is made of the user's other items.
    """
    from cofactor.models.similarity import unit_rows

    units = unit_rows(features)
    others = np.ones(data.n_items, np.float32)
    others[items] = 0.0
    profiles = data.matrix()[users].sign().multiply(others).tocsr() @ units
    return np.asarray((profiles @ units[items].T).todense(), np.float32)


def _places(n_items: int) -> int:
    return max(1, min(_PLACES, n_items // 10))


def recalls(
    scores: np.ndarray, data: Interactions, users: np.ndarray, items: np.ndarray
) -> np.ndarray:
    """Return each user's recall among some items at 20 places (a tenth of the items at the most),
    float64 [n_users], scores [n_users, n_items].
    """
    places = _places(len(items))
    own = data.matrix()[users][:, items].toarray() > 0
    # Equal scores in the order of the rows, as everywhere.
    best = np.argsort(-scores, axis=1, kind="stable")[:, :places]
    hits = np.take_along_axis(own, best, 1).sum(1)
    return np.asarray(hits / np.maximum(own.sum(1), 1), np.float64)


def share(best_of_others: np.ndarray, scores: np.ndarray) -> float:
    """Return the share of the top 10 that some items take beside others.

    Parameters
    ----------
    best_of_others
        float32 [n_users, 10]: the best scores of the others.
    scores
        float32 [n_users, n]: of the items.
    """
    both = np.concatenate((best_of_others, scores), 1)
    top = np.argpartition(-both, min(_TOP, both.shape[1]) - 1, axis=1)[:, :_TOP]
    return float((top >= best_of_others.shape[1]).mean())


def exposure_scale(
    theirs: np.ndarray, trained: np.ndarray, content: np.ndarray
) -> tuple[float, float, float]:
    """Return the scale s at which ``s · content`` takes the share of the top 10 that ``trained``
    takes; and both shares.

    Parameters
    ----------
    theirs
        float32 [n_users, n_others]: scores of the other items.
    trained, content
        float32 [n_users, n]: scores of the held-out items, by their trained vectors and by content.
    """
    if theirs.shape[1] == 0 or len(theirs) == 0:
        return 1.0, 0.0, 0.0
    best = -np.partition(-theirs, min(_TOP, theirs.shape[1]) - 1, axis=1)[:, :_TOP]
    wanted = share(best, trained)
    low, high = 0.2, 5.0
    for _ in range(12):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if share(best, middle * content) < wanted else (low, middle)
    scale = float(np.sqrt(low * high))
    return scale, share(best, scale * content), wanted


def cosine(left: np.ndarray, right: np.ndarray) -> float:
    """Return the mean cosine between the rows of two matrices; rows of length 0 count as 0."""
    dots = np.einsum("nf,nf->n", left, right, dtype=np.float64)
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return float(np.mean(dots / np.maximum(lengths, 1e-12)))
