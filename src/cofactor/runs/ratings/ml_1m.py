"""Ratings of MovieLens 1M, five folds."""

from __future__ import annotations

from cofactor.base.run import Run
from cofactor.data.readers.movielens import FOLDS_1M
from cofactor.runs.board import Board
from cofactor.runs.ratings.folds import METRICS, PROTOCOL, entries_of, rated

NAME = "ml-1m"


def recipe(run: Run) -> Board:
    """Fit four models on the training part of each fold, and measure them on its test part."""
    board = Board("ml_1m", "MovieLens 1M, five folds", PROTOCOL)
    entries = entries_of(NAME, {"factors": 32, "sweeps": 120, "burn_in": 30}, bar=0.828)
    folds = FOLDS_1M
    rated(board, NAME, folds, entries, run)
    board.published(
        METRICS[:1],
        (
            ("Surprise, SVD (measured, the same folds)", "ids", (0.873,)),
            ("cornac, MF (measured, the same folds)", "ids", (0.846,)),
        ),
    )
    return board
