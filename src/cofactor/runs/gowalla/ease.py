"""EASE on all items of Gowalla."""

from __future__ import annotations

from cofactor.base.run import Run
from cofactor.runs.board import Board, BoardEntry
from cofactor.runs.gowalla.gowalla_board import board_of
from cofactor.runs.gowalla.published import CLOSED_FORM


def recipe(run: Run) -> Board:
    """Fit EASE on the training part, and measure it once."""
    entry = BoardEntry(
        "ease", CLOSED_FORM["ease"], cost="two to five minutes on two cores, and 10 GiB of memory"
    )
    return board_of("ease", "EASE", (entry,), run)
