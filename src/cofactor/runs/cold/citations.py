"""The new articles of CiteULike-a, known by their tags and by what they cite."""

from __future__ import annotations

from cofactor.base.run import Run
from cofactor.runs.board import Board
from cofactor.runs.cold.chosen_settings import CITATIONS
from cofactor.runs.cold.citeulike import board_of


def recipe(run: Run) -> Board:
    """Do as `citeulike` does, with the settings that were chosen for tags alone."""
    return board_of("citations", "by their tags and citations", CITATIONS, run)
