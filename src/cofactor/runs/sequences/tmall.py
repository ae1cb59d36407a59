"""Tmall: the next item of anonymous sessions."""

from __future__ import annotations

from cofactor.base.run import Run
from cofactor.runs.board import Board
from cofactor.runs.sequences.session_boards import session_board

# As quoted by papers that use these files; several chose their best epoch on the test part.
PUBLISHED = (
    ("COTREC (Xia et al. 2021)", "ids", (36.0, 18.0)),
    ("GCE-GNN (Wang et al. 2020)", "ids", (33.4, 15.4)),
)


def recipe(run: Run) -> Board:
    """Measure on the test prefixes that GCE-GNN's authors published."""
    board = Board("tmall", "Tmall, 65,286 sessions, 25,898 test prefixes (per cent)")
    bars = {"hit@20": 35.0, "mrr@20": 17.0}
    return session_board(board, "sessions-tmall", bars, PUBLISHED, run)
