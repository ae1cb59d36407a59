"""The new articles of CiteULike-a, known by their tags."""

from __future__ import annotations

from cofactor.base.run import Run
from cofactor.data import datasets
from cofactor.runs.board import Board, closing, measured
from cofactor.runs.cold.chosen_settings import CITEULIKE, TAGS
from cofactor.runs.cold.cold_boards import MEASURE, METRICS, PROTOCOL, entries_of

NAME = "citeulike-a"
BARS = {"content_blend": {"recall@100": 0.62, "ndcg@100": 0.41}}


def recipe(run: Run) -> Board:
    """Fit on the articles with readers and rank the 3,396 others by their tags."""
    return board_of("citeulike", "by their tags", TAGS, run)


def board_of(name: str, what: str, columns: tuple[str, ...], run: Run) -> Board:
    """Fit the models on some columns and measure them on the published cold split."""
    board = Board(name, f"CiteULike-a, the published cold split: new articles {what}", PROTOCOL)
    split = datasets.load_split(NAME, fold="cold")
    bars = BARS if columns == TAGS else {}
    measured(board, split, entries_of(CITEULIKE, columns, bars), MEASURE, run)
    board.published(
        METRICS, (("LightFM hybrid, WARP (measured, the same split)", "text", (0.517, 0.296)),)
    )
    return closing(board, NAME, split, run)
