"""What the two boards of anonymous sessions share."""

from __future__ import annotations

from collections.abc import Mapping

from cofactor.base.run import Run
from cofactor.data import datasets
from cofactor.models.sequence import session_knn, transitions
from cofactor.runs.board import Board, BoardEntry, Measure, closing, measured

METRICS = ("hit@20", "mrr@20")


def session_board(
    board: Board,
    name: str,
    bars: Mapping[str, float],
    published: tuple[tuple[str, str, tuple[float, float]], ...],
    run: Run,
) -> Board:
    """Fit the models on the training sessions and ask for the next item of each test prefix.

    Items of the prefix may be answers; rows of repeats and of other targets follow the whole."""
    board.protocol = (
        "Settings were chosen on the last tenth of the training sessions; the test prefixes were"
        " looked at once for each row of ours. All items are ranked, those of the prefix too."
    )
    split = datasets.load_split(name)
    entries = [
        BoardEntry(model, presets[name], bars=wanted)
        for model, presets, wanted in (
            ("transitions", transitions.PRESETS, bars),
            ("session_knn", session_knn.PRESETS, {}),
        )
    ]
    measure = Measure(metrics=METRICS, repeats="allow", scale=100.0)
    results = measured(board, split, entries, measure, run)
    board.published(METRICS, published)
    for result in results:
        for group, part in result.groups.items():
            values = ", ".join(f"{m} {100 * part[m]:.2f}" for m in METRICS)
            board.shown.append(f"{result.model}, {group} ({part.n_users:,}): {values}")
    return closing(board, name, split, run)
