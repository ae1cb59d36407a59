"""Telling when a fitted model ranks items alike for everybody, since its vectors have collapsed, or
when the data has nothing personal to learn from.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.base.offsets import kept_offsets, pick_rows, places_of
from cofactor.base.progress import say_or_log
from cofactor.base.run import Run
from cofactor.base.threads import native_threads
from cofactor.data.interactions import Interactions
from cofactor.retrieval.topk import exclusions

USERS, ITEMS = 64, 4096  # enough for a mean, and little beside any fit
Had = tuple[np.ndarray, np.ndarray]
FEWEST = 20  # users, and items, below which nothing can be said
PAIRED = 0.1  # share of users with two items from which something can be learned of pairs
ALIKE = 0.98  # mean correlation of two users' scores from which they count as one ranking
# Share of the pairs in a wrong order under one ranking for all, that a user's own has to put right:
# a few items far above all others make scores correlate that order the rest by the user.
PUT_RIGHT = 0.1


def rows_to_score(counts: np.ndarray, most: int) -> np.ndarray:
    """Return at most so many rows that have interactions, evenly spaced, int32."""
    rows = np.flatnonzero(counts)
    step = max(1, -(-len(rows) // most))
    return rows[::step].astype(np.int32)


def pairs_say_nothing(data: Interactions) -> bool:
    """Whether hardly any user has two items, so that nothing says which items go together."""
    users = data.user_counts
    return bool(np.count_nonzero(users > 1) < PAIRED * np.count_nonzero(users))


def say_if_collapsed(model: Any, run: Run) -> None:
    """Say so if hardly any user of a fitted `Model` has two items, or if a latent one that ranks
    has come to rank alike for everybody; log it where no progress is shown.
    """
    users = model.data.user_counts
    paired, known = np.count_nonzero(users > 1), np.count_nonzero(users)
    personal = model.traits.finds_similar and not model.traits.uses_features
    if personal and not model.traits.predicts_ratings and pairs_say_nothing(model.data):
        then = "and popularity is likely to be better"
        if model.popularity_offset is not None:
            then = "so it ranks by popularity"
        say_or_log(
            run.progress,
            f"only {paired:,} of {known:,} users have two items or more: {model.name} can't learn"
            f" which items go together, {then}.",
        )
        return
    popular = model.popularity_offset is not None
    if popular and getattr(model.config, "regularization", None) is None:
        return  # held-out interactions asked for it, and no setting would help
    latent = model.traits.has_vectors or model.iterative
    if not latent or model.traits.predicts_ratings:
        return
    counts = model.data.item_counts
    users = rows_to_score(model.data.user_counts, USERS)
    items = rows_to_score(counts, ITEMS)
    # After a product, other threads of BLAS would wait busily for tens of milliseconds.
    with native_threads(run.n_threads, blas=1):
        scores = model.score_rows(users, items)
    if popular:  # its own scores alone
        scores = scores - model.popularity_offset[items]
    had = _among(model.data, users, items)
    sentence = collapse_of(model.name, scores, counts[items], had)
    if sentence is not None:
        say_or_log(run.progress, sentence)


def _among(data: Interactions, users: np.ndarray, items: np.ndarray) -> Had:
    """The interactions of some users with some items, by their places among them."""
    indptr, positions = pick_rows(data.indptr, users)
    places = places_of(items, data.n_items)[data.item_rows[positions]]
    return kept_offsets(indptr, places >= 0), places[places >= 0]


def collapse_of(name: str, scores: np.ndarray, item_counts: np.ndarray, had: Had) -> str | None:
    """Say that a fitted model ranks nearly alike for all users, or return None if it doesn't.

    With z_u the standard scores of a user's scores over items, ``|mean_u z_u|² / n_items`` is the
    mean correlation of two users' scores (each with itself included); from .98 on, what a user has
    interacted with no longer matters, unless the users' own scores order a tenth of the pairs of an
    item they have and one they haven't right that the mean of z orders wrongly.

    Parameters
    ----------
    name
        The model's.
    scores
        Of some users for some items, float [users, items].
    item_counts
        The items' numbers of interactions, int [items], at least 1.
    had
        Which of the items each user has: indptr int64 [users + 1] and places among the items, int32
        ascending within a user.

    Returns
    -------
    str or None
        One sentence, with what is likely to help; None for fewer than 20 users or items.
    """
    if min(scores.shape) < FEWEST:
        return None
    common = _common(scores)
    if common is None:
        return (
            f"{name} has collapsed: it gives a user the same score for all items; lower its"
            " regularization, or train it longer."
        )
    alike = float(common @ common) / len(common)
    if alike < ALIKE or _puts_right(scores, common, had):
        return None
    popular = 0.0
    if np.ptp(item_counts) and np.ptp(common):
        popular = float(np.corrcoef(common, np.log(item_counts))[0, 1])
    like = ", much like popularity" if popular > 0.7 else ""
    return (
        f"{name} has collapsed: it ranks the items alike for all users{like} (their scores"
        f" correlate by {alike:.3f} on average); lower its regularization, or train it longer."
    )


def _puts_right(scores: np.ndarray, common: np.ndarray, had: Had) -> bool:
    from cofactor.kernels.cpu.ranking import positive_ranks

    none = exclusions(None, len(scores))
    wrong = []
    for one in (scores, np.broadcast_to(common, scores.shape)):
        ranked = np.ascontiguousarray(one, np.float32)
        _, below = positive_ranks(ranked, *had, *none, ranked.shape[1], True)
        wrong.append(float(1 - below[np.isfinite(below)].mean()) if len(below) else 0.0)
    return wrong[0] < (1 - PUT_RIGHT) * wrong[1]


def one_ranking(scores: np.ndarray) -> bool:
    """Whether some users' scores of some items, float [users, items], rank these nearly alike for
    all; see `collapse_of`. False for fewer than 20 users or items.
    """
    if min(scores.shape) < FEWEST:
        return False
    common = _common(scores)
    return common is None or bool(common @ common >= ALIKE * len(common))


def _common(scores: np.ndarray) -> np.ndarray | None:
    """The mean of users' standard scores, float64 [items]; None if a user's scores are all the
    same.
    """
    scores = scores.astype(np.float64)
    spread = scores.std(axis=1, keepdims=True)
    if not (spread > 0).all():
        return None
    standard = (scores - scores.mean(axis=1, keepdims=True)) / spread
    common: np.ndarray = standard.mean(axis=0)
    return common
