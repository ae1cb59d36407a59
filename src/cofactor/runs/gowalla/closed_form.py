"""Models of Gowalla that need no gradient descent, but EASE."""

from __future__ import annotations

from cofactor.base.run import Run
from cofactor.runs.board import Board, BoardEntry
from cofactor.runs.gowalla.gowalla_board import board_of
from cofactor.runs.gowalla.published import CLOSED_FORM


def recipe(run: Run) -> Board:
    """Fit popularity, item_knn and graph_filter on the training part, and measure them once."""
    recency = "graph_filter, newest first (reads the order of the lines)"
    entries = (
        BoardEntry("popularity", {}),
        BoardEntry("item_knn", CLOSED_FORM["item_knn"]),
        BoardEntry(
            "graph_filter",
            CLOSED_FORM["graph_filter"],
            bars={"recall@20": 0.192, "ndcg@20": 0.160},
            cost="15 to 120 CPU s",
        ),
        BoardEntry("graph_filter", CLOSED_FORM["graph_filter:recency"], label=recency),
    )
    return board_of("closed_form", "closed-form models", entries, run)
