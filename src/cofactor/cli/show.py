"""How results look in a terminal: rows of tables from results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cofactor.cli.output import Output
from cofactor.evaluation.result import Result
from cofactor.models.answering.answers import Explanation, RankedTable, Reason

if TYPE_CHECKING:
    from cofactor.runs.baselines import Baselined


def show_result(output: Output, result: Result, baselines: Baselined | None) -> None:
    """Show metrics, those of the baselines beside them, and what the paired tests say."""
    from cofactor.runs.baselines import Baselined

    beside = baselines if baselines is not None and baselines.results else Baselined("value")
    output.table(beside.rows(result))
    output.line(*(baselines.sentences() if baselines is not None else []))


def ranked_rows(table: RankedTable) -> list[dict[str, Any]]:
    """Return the lines of one ranking: rank, id, title where known, score."""
    lines = []
    for line in table:
        shown: dict[str, Any] = {"rank": line["rank"], "id": str(line[table.answer])}
        if "title" in line:
            shown["title"] = line["title"] or ""
        lines.append({**shown, "score": float(line["score"])})
    return lines


def reasoned_rows(
    table: RankedTable, explanations: Sequence[Explanation], most: int
) -> list[dict[str, Any]]:
    """Return the lines of one ranking, each with the past items (``most`` of them) and the words
    that carried it.
    """
    lines = ranked_rows(table)
    for line, explanation in zip(lines, explanations, strict=False):
        line["because of"] = _carriers(explanation.reasons[:most])
        if explanation.features:
            line["by its"] = _carriers(explanation.features[:4])
    return lines


def _carriers(reasons: Sequence[Reason]) -> str:
    return "; ".join(
        str(reason.title or reason.id) for reason in reasons if reason.contribution > 0
    )
