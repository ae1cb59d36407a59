"""What a request is answered: the best items of a user with their reasons, or popular ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cofactor.models.user_batch import UserBatch
from cofactor.retrieval.topk import TopK
from cofactor.service.answering.content_reasons import carrying
from cofactor.service.answering.cursors import Cursor
from cofactor.service.answering.exploring import DrawnFrom, Explorer, with_probabilities
from cofactor.service.answering.loaded import Loaded
from cofactor.service.answering.paging import next_of
from cofactor.service.answering.profiles import UserProfile
from cofactor.service.answering.rerankers import ServedRules
from cofactor.service.replies import ReasonOut, Recommendations, Recommended, WordOut
from cofactor.service.wire import RecommendRequest


@dataclass(eq=False)
class ScoringJob:
    """A request that waits to be scored.

    Parameters
    ----------
    loaded
        The version that answers it, from the first look to the last.
    request
        The request; None when ``call`` is to be run instead.
    call
        Something else that needs the model's kernels.
    future
        Where the answer goes, in the event loop.
    explorer
        Draws the list instead of taking the best; None for the best. Rules of reranking come first:
        a list that they choose isn't drawn.
    alone, who
        Whether it can't be scored together with others, and whose it is, as `turns.asking` says.
    """

    loaded: Loaded
    future: asyncio.Future[Any]
    request: RecommendRequest | None = None
    call: Callable[[], Any] | None = None
    explorer: Explorer | None = None
    alone: bool = False
    who: str = ""

    @property
    def width(self) -> int:
        """How many of the best are needed."""
        assert self.request is not None
        k = self.request.k
        return k if self.explorer is None else max(k, self.explorer.exploration.pool)


@dataclass(eq=False)
class ScoringTask:
    """A job on its way through a batch."""

    job: ScoringJob
    profile: UserProfile
    k: int
    excluded: np.ndarray
    mask: np.ndarray | None
    reasons: int
    rules: ServedRules | None = None
    page: Cursor | None = None

    @property
    def own(self) -> int:
        """A number that tasks share if they can be scored in one scan."""
        return 0 if self.mask is None and self.rules is None else id(self)

    @property
    def explorer(self) -> Explorer | None:
        """What draws its list."""
        return self.job.explorer if self.rules is None else None


def allowed_mask(loaded: Loaded, allow: list[Any] | None, where: str | None) -> np.ndarray | None:
    """Return which items a request lets come back, bool [n_items]; None for all that are
    visible.
    """
    if allow is None and where is None:
        return None
    mask = loaded.view.visible if where is None else loaded.view.where(where)
    if allow is None:
        return mask
    rows = loaded.model.data.items.find(allow) if allow else np.zeros(0, np.int32)
    # An id that the model doesn't know can't come back anyway; a shop's list of what is in stock
    # may well hold some.
    rows = rows[rows >= 0]
    chosen = np.zeros(len(mask), np.bool_)
    chosen[rows] = mask[rows]
    return chosen


def recommended(
    loaded: Loaded,
    rows: np.ndarray,
    scores: np.ndarray,
    reasons: list[list[ReasonOut]] | None = None,
    words: list[list[WordOut]] | None = None,
) -> list[Recommended]:
    """Return item rows and scores as they go out."""
    view = loaded.view
    ids, titles, values = view.ids(rows), view.titles(rows), scores.tolist()
    nothing = [None] * len(ids)
    images = view.images.of(rows) or nothing
    parts = zip(ids, values, titles, images, reasons or nothing, words or nothing, strict=True)
    return [
        Recommended(item_id=i, score=s, title=t, image=m, reasons=r, words=w or None)
        for i, s, t, m, r, w in parts
    ]


def personal_answer(
    task: ScoringTask, user_batch: UserBatch, best: TopK, place: int
) -> Recommendations:
    """Return the best items of one user of a batch, with reasons as far as they are wanted."""
    loaded = task.job.loaded
    explorer = task.explorer
    count = min(int(best.count[place]), task.k if explorer is None else task.job.width)
    rows, scores = best.rows[place, :count], best.scores[place, :count]
    probabilities = None
    if explorer is not None:
        candidates = DrawnFrom(rows, scores, task.excluded, task.mask)
        one = _one_of(user_batch, place)
        rows, scores, probabilities = explorer.draw(loaded, candidates, task.k, one)
        count = len(rows)
    reasons = words = None
    if task.reasons and count:
        traits = loaded.model.traits
        if traits.explains:
            reasons = _reasons(loaded, user_batch, place, rows, task.reasons)
        if traits.uses_features:
            words = carrying(loaded.model, _one_of(user_batch, place), rows, task.reasons)
    return Recommendations(
        items=with_probabilities(recommended(loaded, rows, scores, reasons, words), probabilities),
        source="personal",
        model=loaded.name,
        history_used=len(task.profile.rows),
        note=_note(task.profile),
        rerank=None if task.rules is None else task.rules.text,
        next=next_of(task.page, rows),
    )


def _reasons(
    loaded: Loaded, user_batch: UserBatch, place: int, rows: np.ndarray, limit: int
) -> list[list[ReasonOut]]:
    past, added, _ = loaded.model.explain_rows(_one_of(user_batch, place), rows)
    # What is hidden by now isn't named, though it still counts.
    shown = loaded.view.visible[past]
    past, added = past[shown], added[:, shown]
    if not len(past):
        return [[] for _ in rows]
    order = np.argsort(-added, axis=1, kind="stable")[:, :limit]  # [k, limit]
    amounts = added[np.arange(len(order))[:, None], order].tolist()
    lines: Any = order.tolist()
    # The same few past items carry most of a list: each is named once.
    named = list({at for line in lines for at in line})
    ids, titles = loaded.view.ids(past[named]), loaded.view.titles(past[named])
    names = {at: (i, title) for at, i, title in zip(named, ids, titles, strict=True)}
    # What pulled a score down isn't a reason for recommending.
    made: list[list[ReasonOut]] = []
    for line, added in zip(lines, amounts, strict=True):
        pairs = [(names[at], amount) for at, amount in zip(line, added, strict=True) if amount > 0]
        made.append(
            [ReasonOut(item_id=i, contribution=amount, title=title) for (i, title), amount in pairs]
        )
    return made


def _one_of(user_batch: UserBatch, place: int) -> UserBatch:
    """One person of a batch."""
    indptr, items = user_batch.seen
    span = slice(indptr[place], indptr[place + 1])
    states: Any = user_batch.states
    array = isinstance(states, np.ndarray)
    one = states[place : place + 1] if array else states.take(np.array([place]))
    values = None if user_batch.values is None else user_batch.values[span]
    return UserBatch(
        one,
        user_batch.empty[place : place + 1],
        (np.array([0, span.stop - span.start], np.int64), items[span]),
        values,
    )


def popular_answer(task: ScoringTask) -> Recommendations:
    """Return the fallback: the most popular of the items that may be recommended."""
    loaded = task.job.loaded
    mask = loaded.view.visible if task.mask is None else task.mask
    probabilities = None
    if task.rules is None:
        width = task.k if task.explorer is None else task.job.width
        rows = loaded.most_popular(width, mask, task.excluded)
    else:

        def find(count: int, chosen: np.ndarray | None) -> TopK:
            among = mask if chosen is None else chosen
            found = loaded.most_popular(count, among, task.excluded)
            shares = loaded.shares(found).astype(np.float32)
            return TopK(found[None], shares[None], np.array([len(found)], np.int32))

        nothing = np.zeros(2, np.int64), np.zeros(0, np.int32)
        best = task.rules.lists(find, task.k, nothing, mask)
        rows, _ = best.of(0)
    scores = loaded.shares(rows).astype(np.float32)
    if task.explorer is not None:
        candidates = DrawnFrom(rows, scores, task.excluded, task.mask)
        rows, scores, probabilities = task.explorer.draw(loaded, candidates, task.k)
    note = _note(task.profile)
    if note is None:
        note = (
            "nothing is known of this user yet" if task.profile.unseen else "the history is empty"
        )
    return Recommendations(
        items=with_probabilities(recommended(loaded, rows, scores), probabilities),
        source="popularity",
        model=loaded.name,
        history_used=0,
        note=note,
        rerank=None if task.rules is None else task.rules.text,
        next=next_of(task.page, rows),
    )


def _note(profile: UserProfile) -> str | None:
    if not profile.unknown:
        return None
    return (
        f"{profile.unknown} of the history's items came after the model was trained, and aren't"
        " used yet"
    )
