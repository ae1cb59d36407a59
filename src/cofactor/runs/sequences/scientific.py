"""Amazon Scientific, the small filtering in RecBole's files."""

from __future__ import annotations

from cofactor.base.run import Run
from cofactor.data import datasets
from cofactor.models.blends import blend_settings
from cofactor.models.sequence import transitions
from cofactor.runs.board import Board, BoardEntry, Measure, closing, measured

NAME = "amazon-scientific"
METRICS = ("hit@10", "ndcg@10")


def recipe(run: Run) -> Board:
    """Fit the models on all but each user's last two items; ask for the last one, all items ranked.

    Nobody published figures for this filtering, so there are none beside ours."""
    board = Board("scientific", "Amazon Scientific, 2,928 users (no published figures)")
    board.protocol = (
        "Settings were chosen on the validation items and the ones before them; the test items were"
        " looked at twice, once with settings chosen on the validation items alone, and once more"
        " for transitions with ids. All unseen items are ranked, ties at their middle."
    )
    split = datasets.load_split(NAME)
    entries = (
        BoardEntry(
            "transitions", transitions.PRESETS[NAME], bars={"hit@10": 0.157, "ndcg@10": 0.105}
        ),
        BoardEntry(
            "transitions",
            transitions.PRESETS[f"{NAME} with text"],
            label="transitions, text",
            reads="text",
            bars={"hit@10": 0.181, "ndcg@10": 0.120},
        ),
        BoardEntry(
            "blend", blend_settings.PRESETS[f"{NAME} with text"], label="blend, text", reads="text"
        ),
    )
    measured(board, split, entries, Measure(metrics=METRICS), run)
    return closing(board, NAME, split, run)
