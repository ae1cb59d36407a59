"""New films of MovieLens 1M, known by their plots, people, genres and years."""

from __future__ import annotations

from dataclasses import replace

from cofactor.base.run import Run
from cofactor.data.splits import split as cut
from cofactor.runs.board import Board, closing, measured
from cofactor.runs.cold.chosen_settings import FILMS, ML1M
from cofactor.runs.cold.cold_boards import MEASURE, PROTOCOL, entries_of
from cofactor.runs.source import interactions

NAME = "ml-1m"


def recipe(run: Run) -> Board:
    """Hold a fifth of the films out, and rank them by what is said of them.

    Nobody has published figures for this split."""
    board = Board("films", "MovieLens 1M: a fifth of the films is new", PROTOCOL)
    split = cut(replace(interactions(NAME), values=None), "items", test=0.2, seed=0)
    measured(board, split, entries_of(ML1M, FILMS), MEASURE, run)
    return closing(board, NAME, split, run)
