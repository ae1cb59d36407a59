"""Ratings of MovieLens 100K, folds u1 to u5."""

from __future__ import annotations

from cofactor.base.run import Run
from cofactor.data.readers.movielens import FOLDS_100K
from cofactor.runs.board import Board
from cofactor.runs.ratings.folds import METRICS, PROTOCOL, entries_of, rated

NAME = "ml-100k"


def recipe(run: Run) -> Board:
    """Fit four models on the training part of each fold, and measure them on its test part."""
    board = Board("ml_100k", "MovieLens 100K, folds u1 to u5", PROTOCOL)
    entries = entries_of(NAME, {}, bar=0.885)
    folds = FOLDS_100K[:5]
    rated(board, NAME, folds, entries, run)
    board.published(
        METRICS[:1],
        (
            ("Surprise, SVD (measured, the same folds)", "ids", (0.938,)),
            ("cornac, MF (measured, the same folds)", "ids", (0.909,)),
        ),
    )
    return board
