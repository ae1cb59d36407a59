"""Tables for papers: rows of equal keys as LaTeX, with the rules of the booktabs package."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

_SIGNS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "<": "$<$",
    ">": "$>$",
    **{sign: "\\" + sign for sign in "&%$#_{}"},
}


def latex_table(
    rows: Sequence[Mapping[str, Any]], *, best: int | None = None, caption: str | None = None
) -> str:
    """Return rows as a table for LaTeX; the document must load ``booktabs``.

    Parameters
    ----------
    rows
        Lines of equal keys, at least one.
    best
        The line that is set in bold, or None.
    caption
        What stands below; with it the table floats.
    """
    names = list(rows[0])
    right = [n for n in names if all(_is_number(row[n]) for row in rows)]
    columns = "".join("r" if name in right else "l" for name in names)
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", _line(names), r"\midrule"]
    for n, row in enumerate(rows):
        cells = [latex_text(row[name]) for name in names]
        lines.append(_join([rf"\textbf{{{c}}}" if n == best and c else c for c in cells]))
    lines += [r"\bottomrule", r"\end{tabular}"]
    if caption is not None:
        lines = [
            r"\begin{table}",
            r"\centering",
            *lines,
            rf"\caption{{{latex_text(caption)}}}",
            r"\end{table}",
        ]
    return "\n".join(lines) + "\n"


def latex_text(value: Any) -> str:
    """Return a value as LaTeX shows it: numbers with four digits, text with its signs escaped."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = f"{value:.4f}" if isinstance(value, float) else str(value)
    return re.sub("[" + re.escape("".join(_SIGNS)) + "]", lambda found: _SIGNS[found[0]], text)


def _line(names: Sequence[str]) -> str:
    return _join([latex_text(name) for name in names])


def _join(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _is_number(value: Any) -> bool:
    text = value if isinstance(value, str) else ""
    # A value with its interval is a number to who reads the table.
    return isinstance(value, (int, float)) or bool(re.fullmatch(r"|<? ?[0-9.e ±-]+", text))
