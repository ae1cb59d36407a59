"""Amazon Beauty 5-core as S3-Rec cut it."""

from __future__ import annotations

from cofactor.base.run import Run
from cofactor.data import datasets
from cofactor.models.blends import blend_settings
from cofactor.models.sequence import transformer, transitions
from cofactor.runs.board import Board, BoardEntry, Measure, closing, measured

NAME = "amazon-beauty-5core"
METRICS = ("hit@10", "ndcg@10")


def recipe(run: Run) -> Board:
    """Fit the models on all but each user's last two items; ask for the last one, all items ranked.

    Models of ids alone and those that read titles have rows of their own."""
    board = Board("beauty", "Amazon Beauty 5-core (22,363 users, 12,101 items)")
    board.protocol = (
        "Settings were chosen on the validation items; the test items were looked at once for each"
        " row and seed of ours, but three times for transitions with ids, six times for the blend"
        " with titles (of other models three times), five times for transformers of ids before this"
        " one, and six times for other blends. All unseen items are ranked, ties at their middle."
    )
    split = datasets.load_split(NAME)
    measured(board, split, _entries(), Measure(metrics=METRICS), run)
    board.published(
        METRICS,
        (
            ("BSARec (Shin et al. 2024, their log)", "ids", (0.1008, 0.0611)),
            ("HSTU, InfoNCE (RecBoard)", "ids", (0.0948, 0.0541)),
            ("eSASRec (transformer_benchmark)", "ids", (0.0928, 0.0523)),
            ("TIGER (transformer_benchmark)", "text", (0.0648, 0.0384)),
        ),
    )
    return closing(board, NAME, split, run)


def _entries() -> tuple[BoardEntry, ...]:
    return (
        BoardEntry(
            "transitions", transitions.PRESETS[NAME], bars={"hit@10": 0.087, "ndcg@10": 0.055}
        ),
        BoardEntry(
            "transformer",
            transformer.PRESETS[NAME],
            bars={"hit@10": 0.101, "ndcg@10": 0.061},
            cost="about four minutes of one core with bfloat16 instructions",
        ),
        BoardEntry(
            "blend",
            blend_settings.PRESETS[NAME],
            bars={"hit@10": 0.101, "ndcg@10": 0.061},
            cost="about four minutes of one core with bfloat16 instructions",
        ),
        BoardEntry(
            "transitions",
            transitions.PRESETS[f"{NAME} with text"],
            label="transitions, titles",
            reads="text",
            bars={"hit@10": 0.112, "ndcg@10": 0.069},
        ),
        BoardEntry(
            "blend",
            blend_settings.PRESETS[f"{NAME} with text"],
            label="blend, titles",
            reads="text",
            bars={"hit@10": 0.118, "ndcg@10": 0.073},
            cost="about three minutes of one core with bfloat16 instructions",
        ),
    )
