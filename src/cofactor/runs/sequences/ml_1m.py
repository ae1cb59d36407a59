"""MovieLens 1M as SASRec cut it."""

from __future__ import annotations

from cofactor.base.run import Run
from cofactor.data import datasets
from cofactor.models.blends import blend_settings
from cofactor.models.sequence import gru4rec, sequence_linear, transformer, transitions
from cofactor.runs.board import Board, BoardEntry, Measure, closing, measured

NAME = "sasrec-ml-1m"
METRICS = ("hit@10", "ndcg@10")

ENTRIES = (
    BoardEntry("transitions", transitions.PRESETS[NAME], bars={"hit@10": 0.274, "ndcg@10": 0.160}),
    BoardEntry(
        "sequence_linear", sequence_linear.PRESETS[NAME], bars={"hit@10": 0.285, "ndcg@10": 0.171}
    ),
    BoardEntry("blend", blend_settings.PRESETS[NAME]),
    BoardEntry(
        "gru4rec",
        gru4rec.PRESETS[NAME],
        bars={"hit@10": 0.281, "ndcg@10": 0.165},
        cost="about seven minutes of one core with bfloat16 instructions",
    ),
    BoardEntry(
        "transformer",
        transformer.PRESETS[NAME],
        bars={"hit@10": 0.316, "ndcg@10": 0.186},
        cost="about nine minutes of one core with bfloat16 instructions",
    ),
)


def recipe(run: Run) -> Board:
    """Fit the models on all but each user's last two items; ask for the last one, all items ranked.

    The item before it is in the history when the last one is asked for, as published."""
    board = Board("ml_1m", "MovieLens 1M, SASRec's file (6,040 users, 3,416 items)")
    board.protocol = (
        "Settings were chosen on the validation items; the test items were looked at once for each"
        " row of ours. All unseen items are ranked, ties at their middle."
    )
    split = datasets.load_split(NAME)
    measured(board, split, ENTRIES, Measure(metrics=METRICS), run)
    board.published(
        METRICS,
        (
            ("SASRec+, 3,000 negatives (Klenitskiy and Vasilev 2023)", "ids", (0.3159, 0.1857)),
            ("BERT4Rec (Klenitskiy and Vasilev 2023)", "ids", (0.2843, 0.1537)),
            ("SASRec, BCE (Klenitskiy and Vasilev 2023)", "ids", (0.2500, 0.1341)),
        ),
    )
    return closing(board, NAME, split, run)
