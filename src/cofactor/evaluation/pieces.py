"""The ranks of a part's true items, computed on an engine for some users at a time; the result
equals that of one process.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cofactor.base.engine import PIECES, in_turn
from cofactor.base.run import Run
from cofactor.evaluation.list_sums import Lists
from cofactor.evaluation.measure import Blocks, TrueItemRanks, rank_true_items
from cofactor.evaluation.question import Question
from cofactor.metrics.table import Metric
from cofactor.models.answering.reranking import RerankedLists
from cofactor.models.recommender import Recommender
from cofactor.models.shipped import ShippedModel


class Measuring(NamedTuple):
    """The inputs of every piece; see `measure.rank_true_items`."""

    model: ShippedModel
    question: Question
    metrics: Sequence[Metric]
    lists: Lists
    run: Run
    blocks: Blocks


def rank_in_pieces(
    model: Recommender,
    question: Question,
    metrics: Sequence[Metric],
    lists: Lists,
    run: Run,
    blocks: Blocks,
    reranked: RerankedLists | None = None,
) -> TrueItemRanks:
    """Call `measure.rank_true_items`, in pieces if the run has an engine; reranked lists are
    computed in this process.
    """
    began, engine = time.perf_counter(), run.engine
    if engine is None or reranked is not None:
        return rank_true_items(
            model, question, metrics, lists=lists, run=run, blocks=blocks, reranked=reranked
        )
    count = PIECES * engine.workers
    whole = Measuring(
        ShippedModel(model),
        question,
        tuple(metrics),
        copy.deepcopy(lists),
        run.alone(),
        blocks,
    )
    shared = engine.share(whole)
    pieces = ((shared, number, count) for number in range(count))
    found = []
    with run.progress.task("evaluating", count) as task:
        for ranks, part in in_turn(engine, ranked, pieces):
            found.append(ranks)
            lists.merge(part)
            task.advance()
    return _together(found, time.perf_counter() - began)


def ranked(whole: Measuring, number: int, count: int) -> tuple[TrueItemRanks, Lists]:
    """Return the ranks of one of ``count`` pieces of the users, and the sums over their lists."""
    lists = copy.deepcopy(whole.lists)
    found = rank_true_items(
        whole.model.model,
        whole.question,
        whole.metrics,
        lists,
        whole.run,
        whole.blocks._replace(piece=number, pieces=count),
    )
    return found, lists


def _together(pieces: Sequence[TrueItemRanks], seconds: float) -> TrueItemRanks:
    """Each rank from the piece that has it."""
    ranks = np.maximum.reduce([piece.ranks for piece in pieces])
    shares: dict[str, Any] = {}
    for name in pieces[0].auc_shares:
        shares[name] = np.fmax.reduce([piece.auc_shares[name] for piece in pieces])
    return TrueItemRanks(ranks, shares, seconds)
