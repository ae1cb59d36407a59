"""Diginetica: the next item of anonymous sessions."""

from __future__ import annotations

from cofactor.base.run import Run
from cofactor.runs.board import Board
from cofactor.runs.sequences.session_boards import session_board

# As quoted by papers that use these files; several chose their best epoch on the test part.
PUBLISHED = (("GCE-GNN (Wang et al. 2020)", "ids", (54.2, 19.0)),)


def recipe(run: Run) -> Board:
    """Measure on the test prefixes that GCE-GNN's authors published."""
    board = Board("diginetica", "Diginetica, 186,670 sessions, 60,858 test prefixes (per cent)")
    bars = {"hit@20": 54.2, "mrr@20": 19.0}
    return session_board(board, "sessions-diginetica", bars, PUBLISHED, run)
