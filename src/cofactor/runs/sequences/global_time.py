"""Leave-one-out beside one point in time for all users: what the leak from the future adds."""

from __future__ import annotations

from dataclasses import replace

from cofactor.base.run import Run
from cofactor.data import datasets
from cofactor.data.interactions import Interactions
from cofactor.data.splits import leave_last, next_after
from cofactor.models.sequence import sequence_linear, transitions
from cofactor.runs.board import Board, BoardEntry, Measure, closing, measured

NAME = "ml-100k"
METRICS = ("hit@10", "ndcg@10")
HELD_OUT = 0.1


def recipe(run: Run) -> Board:
    """Measure two models by both cuts of one data set with times.

    The published files have no times (SASRec's, Beauty, Scientific, the sessions), so another set
    shows it."""
    data = Interactions.build(replace(datasets.load(NAME), values=None))
    board = Board("global_time", f"{NAME}: leave-one-out beside one point in time for all users")
    cuts = {
        "leave-one-out": leave_last(data),
        "one moment": next_after(data, test=HELD_OUT),
    }
    for name, split in cuts.items():
        entries = (
            BoardEntry(
                "transitions", transitions.PRESETS["sasrec-ml-1m"], label=f"transitions, {name}"
            ),
            BoardEntry(
                "sequence_linear",
                sequence_linear.PRESETS["sasrec-ml-1m"],
                label=f"sequence_linear, {name}",
            ),
        )
        measured(board, split, entries, Measure(metrics=METRICS), run)
        board.shown.append(f"{name}: {split.sentence} {len(split.test.user_rows):,} questions.")
    board.protocol = "Settings are those of MovieLens 1M; nothing was chosen on this set."
    both = replace(cuts["one moment"], sentence="Both cuts are of the same events")
    return closing(board, NAME, both, run)
