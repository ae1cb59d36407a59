"""Ranks the true items of a part's users, block by block.

Scores exist only for a block of users at a time, within a stated bound of memory. Where lists are
enough (every metric has a cutoff), the model's own top-k answers and no block of scores is made by
models with vectors."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.base.rng import state64
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.evaluation.lists import Lists
from cofactor.metrics.table import Metric
from cofactor.models.recommender import Recommender
from cofactor.models.user_batch import UserBatch
from cofactor.retrieval.topk import Exclusions, TopK, best_scores

# Up to this length lists are made by selection; beyond it, counting over all scores is cheaper.
LONGEST_LIST = 256
# Blocks of scores that stay in the processor's cache are faster than the largest that memory
# allows.
CACHE_BLOCK = 24 * 2**20
# Of a model that needs no block of scores, this many users are scored at a time.
MOST_USERS = 8192
DRAWN_FOR_AUC = 100
_STREAM = 0xD1342543DE82EF95  # the step between streams of the kernel's generator


@dataclass(frozen=True)
class Question:
    """The users, their true items, and the items that may be recommended.

    Parameters
    ----------
    part
        Where it comes from.
    users
        int32 [n_users], ascending: those with at least one true item that may be recommended.
    indptr, items
        Their true items, CSR; int32 ascending within a user.
    positions
        int64 [n_truth]: where each true item stands in ``part.truth``.
    seen
        CSR over all user rows: what may not be recommended to each.
    candidates
        int32 ascending: what may be recommended, or None for all.
    dropped
        How many true interactions were left out, since they may not be recommended.
    negatives
        int32 [n_truth, n_negatives], or None.
    drawn
        How many candidates to draw for each true item; 0 for the full ranking.
    """

    part: Part
    users: np.ndarray
    indptr: np.ndarray
    items: np.ndarray
    positions: np.ndarray
    seen: Exclusions
    candidates: np.ndarray | None
    dropped: int
    negatives: np.ndarray | None = None
    drawn: int = 0

    @property
    def sampled(self) -> bool:
        """Whether each true item is ranked among a few candidates only."""
        return self.negatives is not None or self.drawn > 0

    @property
    def n_items(self) -> int:
        """The number of item rows there are."""
        return self.part.truth.n_items

    @property
    def n_candidates(self) -> int:
        """The number of items that may be recommended to somebody."""
        return self.n_items if self.candidates is None else len(self.candidates)

    def user_batch(self, model: Recommender, users: np.ndarray) -> UserBatch:
        """Return users as the model sees them: by their trained row, or folded in from their
        history.
        """
        return (
            model.fold_in(self.histories.take(users))
            if self.part.fold_in
            else model.user_batch(users)
        )

    @cached_property
    def histories(self) -> Histories:
        """All users' histories in order of time, put in order once rather than for each block."""
        return self.part.history.histories()


@dataclass
class TrueItemRanks:
    """Where the true items stand.

    Parameters
    ----------
    ranks
        int32 [n_truth], from 0; -1 where an item isn't in the list or is never recommended.
    auc_shares
        By the name of an AUC metric, the share of negatives below each true item, float64
        [n_truth].
    seconds
        How long it took, the model's scoring included.
    """

    ranks: np.ndarray
    auc_shares: dict[str, np.ndarray] = field(default_factory=dict)
    seconds: float = 0.0


def ask(
    part: Part,
    *,
    exclude_seen: bool,
    candidates: int | np.ndarray | None = None,
    full: bool = False,
) -> Question:
    """Make the question that a part asks.

    Parameters
    ----------
    part
        Truth and history.
    exclude_seen
        Whether the items of the history are left out of the answers.
    candidates
        Item rows instead of the part's own, or how many to draw for each true item.
    full
        Whether the part's published negatives are passed over.
    """
    truth = part.truth
    n_items = truth.n_items
    drawn = (
        checks.integer(candidates, "candidates", low=1)
        if candidates is not None and np.ndim(candidates) == 0
        else 0
    )
    rows = (
        part.candidates
        if candidates is None or drawn
        else np.unique(checks.rows(candidates, "candidates", n_items))
    )
    keep = np.ones(len(truth), bool)
    if rows is not None:
        allowed = np.zeros(n_items, bool)
        allowed[rows] = True
        keep &= allowed[truth.item_rows]
    if exclude_seen:
        keep &= ~contains(part.history, truth.user_rows, truth.item_rows)
    positions = np.flatnonzero(keep)
    sizes = np.bincount(truth.user_rows[positions], minlength=truth.n_users)
    users = np.flatnonzero(sizes).astype(np.int32)
    if len(users) == 0:
        raise ArgumentError(
            "there is no user with a true item that may be recommended, so there is nothing to"
            " measure."
        )
    nothing = np.zeros(truth.n_users + 1, np.int64), np.zeros(0, np.int32)
    negatives = None
    if part.negatives is not None and not full and not drawn:
        negatives = np.ascontiguousarray(part.negatives, np.int32)[positions]
    return Question(
        part=part,
        users=users,
        indptr=offsets(sizes[users]),
        items=truth.item_rows[positions],
        positions=positions,
        seen=(part.history.indptr, part.history.item_rows) if exclude_seen else nothing,
        candidates=None if rows is None else rows.astype(np.int32),
        dropped=len(truth) - len(positions),
        negatives=negatives,
        drawn=drawn,
    )


def stand(
    model: Recommender,
    question: Question,
    metrics: Sequence[Metric],
    lists: Lists,
    run: Run,
    memory_limit: int,
    piece: tuple[int, int] = (0, 1),
) -> TrueItemRanks:
    """Ask the model about all users, and note where their true items stand.

    Parameters
    ----------
    model
        A fitted model.
    question
        From `ask`.
    metrics
        Ranking metrics; what they need decides how the model is called.
    lists
        Takes in the lists on the way.
    run
        Seed, threads, progress.
    memory_limit
        Bytes that a block of scores and its working copy may take.
    piece
        Which of how many pieces of the users; ranks of the others stay -1.
    """
    began = time.perf_counter()
    aucs = [m for m in metrics if m.is_auc]
    longest = max((m.places for m in metrics if m not in aucs), default=0)
    by_lists = not question.sampled and not aucs and longest <= LONGEST_LIST
    true_ranks = TrueItemRanks(np.full(len(question.items), -1, np.int32))
    true_ranks.auc_shares = {str(m): np.full(len(question.items), np.nan) for m in aucs}
    asker = _Asker(model, question, tuple(aucs), longest, lists, run)
    size = block_size(model, question, by_lists, memory_limit)
    starts = range(0, len(question.users), size)
    number, count = piece
    with run.progress.task("evaluating", len(question.users)) as task:
        for start in starts[number * len(starts) // count : (number + 1) * len(starts) // count]:
            block = slice(start, min(start + size, len(question.users)))
            (asker.by_lists if by_lists else asker.by_scores)(block, true_ranks)
            task.advance(block.stop - block.start)
    true_ranks.seconds = time.perf_counter() - began
    return true_ranks


def block_size(model: Recommender, question: Question, by_lists: bool, memory_limit: int) -> int:
    """Return how many users to ask at a time, such that two blocks of scores stay within the
    limit.
    """
    if by_lists and model.inner_product() is not None:
        return MOST_USERS
    line = 4 * (question.n_items if by_lists or question.sampled else question.n_candidates)
    return int(max(1, min(MOST_USERS, min(memory_limit // 2, max(CACHE_BLOCK, 64 * line)) // line)))


@dataclass(frozen=True)
class _Asker:
    """One block of users at a time, in either of two ways."""

    model: Recommender
    question: Question
    aucs: tuple[Metric, ...]
    longest: int
    lists: Lists
    run: Run

    def by_lists(self, block: slice, true_ranks: TrueItemRanks) -> None:
        """Let the model pick its best items, and look the true ones up."""
        from cofactor.kernels.cpu.ranking import list_ranks

        question = self.question
        users, (start, stop), indptr = self._truth(block)
        top = self._topk(question.user_batch(self.model, users), take_rows(*question.seen, users))
        true_ranks.ranks[start:stop] = list_ranks(
            top.rows, top.count, indptr, question.items[start:stop]
        )
        self._add(top)

    def by_scores(self, block: slice, true_ranks: TrueItemRanks) -> None:
        """Score all candidates, and count what stands before each true item."""
        question = self.question
        users, (start, stop), indptr = self._truth(block)
        batch = question.user_batch(self.model, users)
        seen, items = take_rows(*question.seen, users), question.items[start:stop]
        columns = None if question.sampled else question.candidates
        scores = np.ascontiguousarray(self.model.score_batch(batch, columns), np.float32)
        if question.sampled:
            self._among_few(block, scores, (indptr, items), seen, true_ranks)
        else:
            self._among_all(block, scores, (indptr, items), seen, true_ranks)

    def _among_all(
        self,
        block: slice,
        scores: np.ndarray,
        truth: Exclusions,
        seen: Exclusions,
        true_ranks: TrueItemRanks,
    ) -> None:
        from cofactor.kernels.cpu.ranking import candidate_ranks, positive_ranks

        if self.question.candidates is not None:
            truth, seen = (
                narrowed(csr, self.question.candidates, self.question.n_items)
                for csr in (truth, seen)
            )
        start, stop = self.question.indptr[block.start], self.question.indptr[block.stop]
        full = any(m.kind == "auc" for m in self.aucs)
        ranks, shares = positive_ranks(scores, *truth, *seen, max(self.longest, 1), full)
        true_ranks.ranks[start:stop] = ranks
        owners = np.repeat(np.arange(len(scores)), np.diff(truth[0]))
        for metric in self.aucs:
            if metric.kind == "auc_sampled":
                count = metric.cutoff or DRAWN_FOR_AUC
                users = np.arange(len(scores))
                drawn = self._drawn(
                    users, block.start, united(truth, seen), scores.shape[1], count, str(metric)
                )
                _, shares = candidate_ranks(scores, owners, truth[1], drawn[owners])
            true_ranks.auc_shares[str(metric)][start:stop] = shares
        if self.lists.longest:
            top = best_scores(
                scores, self.lists.longest, excluded=seen, n_threads=self.run.n_threads
            )
            if self.question.candidates is not None:
                rows = np.where(top.rows >= 0, self.question.candidates[top.rows], -1).astype(
                    np.int32
                )
                top = TopK(rows, top.scores, top.count)
            self._add(top)

    def _among_few(
        self,
        block: slice,
        scores: np.ndarray,
        truth: Exclusions,
        seen: Exclusions,
        true_ranks: TrueItemRanks,
    ) -> None:
        from cofactor.kernels.cpu.ranking import candidate_ranks

        question = self.question
        start, stop = question.indptr[block.start], question.indptr[block.stop]
        owners = np.repeat(np.arange(len(scores)), np.diff(truth[0]))
        if question.negatives is not None:
            negatives = question.negatives[start:stop]
        elif question.candidates is None:
            negatives = self._drawn(
                owners,
                int(start),
                united(truth, seen),
                question.n_items,
                question.drawn,
                "candidates",
            )
        else:
            forbidden = narrowed(united(truth, seen), question.candidates, question.n_items)
            places = self._drawn(
                owners,
                int(start),
                forbidden,
                len(question.candidates),
                question.drawn,
                "candidates",
            )
            negatives = np.where(places >= 0, question.candidates[places], -1).astype(np.int32)
        ranks, shares = candidate_ranks(scores, owners, truth[1], negatives)
        true_ranks.ranks[start:stop] = ranks
        for metric in self.aucs:
            true_ranks.auc_shares[str(metric)][start:stop] = shares
        if self.lists.longest:
            k, threads = self.lists.longest, self.run.n_threads
            self._add(
                best_scores(scores, k, excluded=seen, allowed=self._allowed, n_threads=threads)
            )

    def _drawn(
        self,
        owners: np.ndarray,
        first: int,
        forbidden: Exclusions,
        n_items: int,
        count: int,
        purpose: str,
    ) -> np.ndarray:
        """Distinct unseen items for each query; query ``first`` + q has its own stream, so
        blocks don't matter.
        """
        from cofactor.kernels.cpu.ranking import draw_negatives

        seed = (state64(self.run.seed, "evaluation", purpose) + first * _STREAM) % 2**64
        drawn: np.ndarray = draw_negatives(*forbidden, owners, n_items, count, np.uint64(seed))
        return drawn

    def _truth(self, block: slice) -> tuple[np.ndarray, tuple[int, int], np.ndarray]:
        """The users of a block, where their true items begin and end, and the offsets within it."""
        indptr = self.question.indptr[block.start : block.stop + 1]
        return self.question.users[block], (int(indptr[0]), int(indptr[-1])), indptr - indptr[0]

    def _topk(self, batch: UserBatch, seen: Exclusions) -> TopK:
        k = max(self.longest, self.lists.longest, 1)
        return self.model.topk(
            batch, k, excluded=seen, allowed=self._allowed, n_threads=self.run.n_threads
        )

    def _add(self, top: TopK) -> None:
        if self.lists.longest:
            self.lists.add(top.rows, top.count)

    @property
    def _allowed(self) -> np.ndarray | None:
        if self.question.candidates is None:
            return None
        allowed = np.zeros(self.question.n_items, bool)
        allowed[self.question.candidates] = True
        return allowed


def predictions(model: Recommender, question: Question, run: Run) -> Iterator[np.ndarray]:
    """Yield the predicted ratings of the true items, float32, a block of users at a time."""
    for start in range(0, len(question.users), MOST_USERS):
        users = question.users[start : start + MOST_USERS]
        indptr = question.indptr[start : start + len(users) + 1]
        which = np.repeat(np.arange(len(users)), np.diff(indptr))
        yield model.predict_batch(
            question.user_batch(model, users), which, question.items[indptr[0] : indptr[-1]]
        )


def offsets(sizes: np.ndarray) -> np.ndarray:
    """Return the CSR offsets of rows of these sizes, int64 [n + 1]."""
    indptr = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=indptr[1:])
    return indptr


def take_rows(indptr: np.ndarray, items: np.ndarray, rows: np.ndarray) -> Exclusions:
    """Return some rows of a CSR, in the given order."""
    starts, sizes = indptr[rows], indptr[rows.astype(np.int64) + 1] - indptr[rows]
    taken = offsets(sizes)
    return taken, items[np.repeat(starts - taken[:-1], sizes) + np.arange(taken[-1])]


def contains(data: Interactions, user_rows: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
    """Return for each pair whether the data holds it, bool [n]."""
    if len(data) == 0:
        return np.zeros(len(user_rows), bool)
    held = data.user_rows.astype(np.int64) * data.n_items + data.item_rows
    wanted = user_rows.astype(np.int64) * data.n_items + item_rows
    found: np.ndarray = held[np.minimum(np.searchsorted(held, wanted), len(held) - 1)] == wanted
    return found


def narrowed(csr: Exclusions, candidates: np.ndarray, n_items: int) -> Exclusions:
    """Return a CSR of items as positions among the ``candidates`` (ascending); other items fall
    out.
    """
    indptr, items = csr
    position = np.full(n_items, -1, np.int32)
    position[candidates] = np.arange(len(candidates), dtype=np.int32)
    places = position[items]
    owners = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    sizes = np.bincount(owners[places >= 0], minlength=len(indptr) - 1)
    return offsets(sizes), places[places >= 0]


def united(first: Exclusions, second: Exclusions) -> Exclusions:
    """Return the rows of two disjoint CSRs put together, ascending within a row."""
    owners = [
        np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)) for indptr, _ in (first, second)
    ]
    owner, item = np.concatenate(owners), np.concatenate([first[1], second[1]])
    order = np.lexsort((item, owner))
    return first[0] + second[0], item[order].astype(np.int32, copy=False)


def whole_truth(part: Part) -> Question:
    """Return the question of rating metrics: every held-out rating, whatever was seen or may be
    recommended.
    """
    sizes: Any = part.truth.user_counts
    users = part.user_rows
    nothing = np.zeros(part.truth.n_users + 1, np.int64), np.zeros(0, np.int32)
    return Question(
        part=part,
        users=users,
        indptr=offsets(sizes[users]),
        items=part.truth.item_rows,
        positions=np.arange(len(part.truth)),
        seen=nothing,
        candidates=None,
        dropped=0,
    )
