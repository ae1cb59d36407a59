"""New items of Beauty, known by their titles, as the next items of histories."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cofactor.base.offsets import mask_of, ranges
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.sessions import part_of
from cofactor.data.split import Part
from cofactor.data.splits import leave_last
from cofactor.data.splits import split as cut
from cofactor.evaluation.evaluate import evaluate
from cofactor.evaluation.next_item import evaluate_next
from cofactor.runs.board import Board, BoardEntry, Row, closing, fitted, values_of
from cofactor.runs.source import interactions

NAME = "amazon-beauty-5core"
QUESTIONS = 4000

_TRANSFORMER: dict[str, Any] = {
    "popularity_prior": 0.0,
    "factors": 192,
    "heads": 4,
    "blocks": 1,
    "loss": "sampled_softmax",
    "negatives": 384,
    "batch_tokens": 3200,
    "learning_rate": 0.0015,
    "schedule": "cosine",
    "epochs": 10,
    "max_length": 50,
    "history_length": 50,
    "dropout": 0.3,
}
ENTRIES = (
    BoardEntry("content_knn", {}, reads="text"),
    BoardEntry("transformer", _TRANSFORMER, cost="a minute"),
    BoardEntry(
        "transformer",
        {**_TRANSFORMER, "content_factors": 1024, "id_dropout": 0.5},
        label="transformer, titles",
        reads="text",
        cost="two minutes",
    ),
)


def recipe(run: Run) -> Board:
    """Hold a fifth of the items out of training, and rank them where they came next.

    A model with titles has to rank new items at least as well as content_knn, and may lose two
    hundredths of the other items' nDCG to the same model without them."""
    board = Board("beauty", "Amazon Beauty 5-core: a fifth of the items is new")
    board.protocol = (
        "A question is an event of a new item; what the user had before is the history, and the new"
        " items alone are ranked. The other items are ranked where they came last. Settings were"
        " chosen on a fifth of the training items, held out as if they were new."
    )
    data = replace(interactions(NAME), values=None)
    held_out = cut(data, "items", test=0.2, seed=0)
    new = held_out.test.candidates
    assert new is not None
    split = leave_last(held_out.train, test=1, validation=1)
    part = new_item_questions(data, new, QUESTIONS, run.seed)
    bars: dict[str, dict[str, float]] = {}
    least: dict[str, float] = {}
    for entry in ENTRIES:
        name, (model, seconds) = entry.name, fitted(entry.create(run), split, run)
        cold = evaluate(model, part, ("ndcg@10", "recall@10"), run=run)
        warm = evaluate_next(model, split.test, ("ndcg@10", "hit@10"), repeats="exclude", run=run)
        board.figures += [
            Row(f"{name}: {which}", entry.reads, values_of(result), bars.get(which, {}), fit)
            for which, result, fit in (("new items", cold, seconds), ("others", warm, None))
        ]
        # content_knn comes first, the transformer without titles second; the last has the bars.
        if entry.model == "content_knn":
            least = {"ndcg@10": cold["ndcg@10"]}
        else:
            bars = {"new items": least, "others": {"ndcg@10": 0.98 * warm["ndcg@10"]}}
    return closing(board, NAME, split, run)


def new_item_questions(data: Interactions, new: np.ndarray, count: int, seed: int) -> Part:
    """Return a part of events of new items, each with what the user had before it.

    Parameters
    ----------
    data
        All interactions.
    new
        int32: the rows of the items that are new; they alone are ranked.
    count
        How many events, drawn at random.
    seed
        Of the draw.
    """
    histories, is_new = data.histories(), mask_of(new, data.n_items)
    events = np.arange(len(histories.item_rows))
    first = histories.indptr[histories.owners]
    found = np.flatnonzero(is_new[histories.item_rows] & (events > first))
    chosen = np.sort(np.random.default_rng(seed).permutation(found)[:count])
    indptr, positions = ranges(first[chosen], chosen - first[chosen])
    part = part_of(
        histories.at(positions, indptr),
        histories.item_rows[chosen].astype(np.int32),
        data.items,
        data.catalogue,
    )
    return replace(part, candidates=np.sort(np.asarray(new, np.int32)))
