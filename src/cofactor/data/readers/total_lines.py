"""Words in place of an id in the last line of a table, which sums up the others."""

from __future__ import annotations

TOTALS = frozenset(
    (
        *("total", "totals", "grand total", "sum", "summe", "gesamt", "gesamtsumme", "insgesamt"),
        *("somme", "suma", "totale", "totaal", "итого", "всего", "合计", "总计", "合計", "総計"),
    )
)
MEANS = frozenset(
    ("mean", "average", "avg", "mittelwert", "durchschnitt", "moyenne", "media", "promedio", "平均")
)


def total_word(cell: object) -> str:
    """Return a cell as one of the words for totals and means would be written."""
    return str(cell).lower().strip().rstrip(":")
