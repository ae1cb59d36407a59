"""How results look in a terminal: rows of tables from results."""

from __future__ import annotations

from typing import Any

from cofactor.evaluation.result import Result
from cofactor.models.answers import RankedTable


def metric_rows(result: Result) -> list[dict[str, Any]]:
    """Return a line for each metric: name, value, interval."""
    rows = []
    for name in result.metrics:
        one = result.summary[name]
        interval = "" if one.low is None or one.high is None else f"{one.low:.4f} to {one.high:.4f}"
        rows.append({"metric": name, "value": one.value, f"{result.how.confidence:.0%} interval": interval, "users": one.n_users})
    return rows


def ranked_rows(table: RankedTable) -> list[dict[str, Any]]:
    """Return the lines of one ranking: rank, id, title where known, score."""
    lines = []
    for line in table:
        shown: dict[str, Any] = {"rank": line["rank"], "id": str(line[table.answer])}
        if "title" in line:
            shown["title"] = line["title"] or ""
        lines.append({**shown, "score": float(line["score"])})
    return lines
