"""The ranks of the true items of a part's users, block by block.

Scores exist for one block of users at a time, within a memory limit. Where lists suffice (every
metric has a cutoff), the model's own top-k search is used, for which models with vectors need no
block of scores."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from cofactor.base.offsets import mask_of, owners_of
from cofactor.base.rng import state64
from cofactor.base.run import Run
from cofactor.evaluation.csr_rows import narrowed, take_rows, united
from cofactor.evaluation.list_sums import Lists
from cofactor.evaluation.protocol import LONGEST_LIST
from cofactor.evaluation.question import Question
from cofactor.metrics.table import Metric
from cofactor.models.answering.reranking import RerankedLists
from cofactor.models.recommender import Recommender
from cofactor.models.user_batch import UserBatch
from cofactor.retrieval.topk import Exclusions, TopK, best_scores

# Blocks of scores that stay in the processor's cache are faster than the largest that memory
# allows.
CACHE_BLOCK = 24 * 2**20
# Users at a time, for a model that needs no block of scores.
MOST_USERS = 8192
DRAWN_FOR_AUC = 100
_STREAM = 0xD1342543DE82EF95  # distance between the random streams of the kernel


@dataclass
class TrueItemRanks:
    """The ranks of the true items.

    Parameters
    ----------
    ranks
        int32 [n_truth], from 0; -1 where an item isn't in the list or is never recommended.
    auc_shares
        By the name of an AUC metric, the share of negatives below each true item, float64
        [n_truth].
    seconds
        The time taken, including the model's scoring.
    """

    ranks: np.ndarray
    auc_shares: dict[str, np.ndarray] = field(default_factory=dict)
    seconds: float = 0.0


class Blocks(NamedTuple):
    """How users are divided."""

    memory_limit: int  # bytes that a block of scores and its working copy may take
    piece: int = 0  # the number of the piece, and how many pieces there are
    pieces: int = 1


def rank_true_items(
    model: Recommender,
    question: Question,
    metrics: Sequence[Metric],
    lists: Lists,
    run: Run,
    blocks: Blocks,
    reranked: RerankedLists | None = None,
) -> TrueItemRanks:
    """Return the ranks of the true items of all users, by the model's scores or lists.

    Parameters
    ----------
    model
        A fitted model.
    question
        From `question.ask`.
    metrics
        Ranking metrics; they decide whether scores or lists are needed.
    lists
        Collects the lists along the way.
    run
        Seed, threads, progress.
    blocks
        How the users are divided; ranks of users of other pieces stay -1.
    reranked
        Produces the lists in place of the model; `protocol.check_reranked` says which metrics
        apply.
    """
    began = time.perf_counter()
    aucs = [m for m in metrics if m.is_auc]
    longest = max((m.places for m in metrics if m not in aucs), default=0)
    by_lists = not question.sampled and not aucs and longest <= LONGEST_LIST
    true_ranks = TrueItemRanks(np.full(len(question.items), -1, np.int32))
    true_ranks.auc_shares = {str(m): np.full(len(question.items), np.nan) for m in aucs}
    ranker = _Ranker(
        model=model,
        question=question,
        aucs=tuple(aucs),
        longest=longest,
        lists=lists,
        run=run,
        reranked=reranked,
    )
    size = block_size(model, question, by_lists, blocks.memory_limit)
    starts = range(0, len(question.users), size)
    _, number, count = blocks
    with run.progress.task("evaluating", len(question.users)) as task:
        for start in starts[number * len(starts) // count : (number + 1) * len(starts) // count]:
            block = slice(start, min(start + size, len(question.users)))
            (ranker.by_lists if by_lists else ranker.by_scores)(block, true_ranks)
            task.advance(block.stop - block.start)
    true_ranks.seconds = time.perf_counter() - began
    return true_ranks


def block_size(model: Recommender, question: Question, by_lists: bool, memory_limit: int) -> int:
    """Return how many users to score at a time: two blocks of scores stay within the limit."""
    if by_lists and model.inner_product() is not None:
        return MOST_USERS
    line = 4 * (question.n_items if by_lists or question.sampled else question.n_candidates)
    return int(max(1, min(MOST_USERS, min(memory_limit // 2, max(CACHE_BLOCK, 64 * line)) // line)))


@dataclass(frozen=True)
class _Ranker:
    """Ranks a block of users, by lists or by scores."""

    model: Recommender
    question: Question
    aucs: tuple[Metric, ...]
    longest: int
    lists: Lists
    run: Run
    reranked: RerankedLists | None = None

    def by_lists(self, block: slice, true_ranks: TrueItemRanks) -> None:
        """Look the true items up in the model's lists."""
        from cofactor.kernels.cpu.ranking import list_ranks

        question = self.question
        users, (start, stop), indptr = self._truth(block)
        top = self._topk(question.user_batch(self.model, users), take_rows(*question.seen, users))
        true_ranks.ranks[start:stop] = list_ranks(
            top.rows, top.count, indptr, question.items[start:stop]
        )
        self._add(top)

    def by_scores(self, block: slice, true_ranks: TrueItemRanks) -> None:
        """Score all candidates, and count the items ranked before each true item."""
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
        owners = owners_of(np.diff(truth[0]))
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
        owners = owners_of(np.diff(truth[0]))
        if question.negatives is not None:
            negatives = question.negatives[start:stop]
        else:
            negatives = self._candidates(owners, int(start), united(truth, seen))
        ranks, shares = candidate_ranks(scores, owners, truth[1], negatives)
        true_ranks.ranks[start:stop] = ranks
        for metric in self.aucs:
            true_ranks.auc_shares[str(metric)][start:stop] = shares
        if self.lists.longest:
            k, threads = self.lists.longest, self.run.n_threads
            self._add(
                best_scores(scores, k, excluded=seen, allowed=self._allowed, n_threads=threads)
            )

    def _candidates(self, owners: np.ndarray, first: int, forbidden: Exclusions) -> np.ndarray:
        """Candidates drawn for each true item, int32 [n, drawn], -1 where there are no more."""
        question = self.question
        among, count = question.candidates, question.drawn
        if among is None:
            return self._drawn(owners, first, forbidden, question.n_items, count, "candidates")
        forbidden = narrowed(forbidden, among, question.n_items)
        places = self._drawn(owners, first, forbidden, len(among), count, "candidates")
        return np.where(places >= 0, among[places], -1).astype(np.int32)

    def _drawn(
        self,
        owners: np.ndarray,
        first: int,
        forbidden: Exclusions,
        n_items: int,
        count: int,
        purpose: str,
    ) -> np.ndarray:
        """Distinct unseen items for each query. Query ``first`` + q has its own random stream, so
        results don't depend on the blocks.
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
        topk = self.model.topk if self.reranked is None else self.reranked.topk
        return topk(batch, k, excluded=seen, allowed=self._allowed, n_threads=self.run.n_threads)

    def _add(self, top: TopK) -> None:
        if self.lists.longest:
            self.lists.add(top.rows, top.count)

    @property
    def _allowed(self) -> np.ndarray | None:
        among = self.question.candidates
        return None if among is None else mask_of(among, self.question.n_items)


def predictions(model: Recommender, question: Question) -> Iterator[np.ndarray]:
    """Yield the predicted ratings of the true items, float32, a block of users at a time."""
    for start in range(0, len(question.users), MOST_USERS):
        users = question.users[start : start + MOST_USERS]
        indptr = question.indptr[start : start + len(users) + 1]
        which = owners_of(np.diff(indptr))
        yield model.predict_batch(
            question.user_batch(model, users), which, question.items[indptr[0] : indptr[-1]]
        )
