"""What the boards of Gowalla share: the split, the metrics, and the published rows."""

from __future__ import annotations

from collections.abc import Iterable

from cofactor.base.run import Run
from cofactor.data import datasets
from cofactor.runs.board import Board, BoardEntry, Measure, closing, measured
from cofactor.runs.gowalla.published import METRICS, NAME, PROTOCOL, PUBLISHED


def board_of(name: str, what: str, entries: Iterable[BoardEntry], run: Run) -> Board:
    """Fit some models, measure them on the published test part, and put them beside the rest."""
    board = Board(name, f"Gowalla, the split of NGCF and LightGCN: {what}", PROTOCOL)
    split = datasets.load_split(NAME)
    measured(board, split, entries, Measure(metrics=METRICS, repeats=None), run)
    board.published(METRICS, PUBLISHED)
    return closing(board, NAME, split, run)
