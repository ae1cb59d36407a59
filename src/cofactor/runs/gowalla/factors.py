"""Factorisations of Gowalla."""

from __future__ import annotations

from cofactor.base.run import Run
from cofactor.models.implicit import bpr
from cofactor.runs.board import Board, BoardEntry
from cofactor.runs.gowalla.gowalla_board import board_of
from cofactor.runs.gowalla.published import IALS


def recipe(run: Run) -> Board:
    """Fit iALS with 64 and 256 factors and BPR on the training part, and measure them once."""
    entries = (
        *(
            BoardEntry("ials", {"factors": factors, **settings}, label=f"ials, {factors} factors")
            for factors, settings in IALS.items()
        ),
        BoardEntry(
            "bpr", bpr.PRESETS["gowalla"], label="bpr, 64 factors", cost="one to two minutes"
        ),
    )
    return board_of("factors", "factorisations", entries, run)
