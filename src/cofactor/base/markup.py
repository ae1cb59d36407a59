"""Small pieces of HTML for notebooks and reports: escaped text, tables, lists of facts.

Everything that comes from data is escaped here; what is returned may stand in a page as it is.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# Inherits the page's font and colours, so that it suits light and dark notebooks alike. The class
# is named twice where JupyterLab's own rules for tables (text to the right) would win otherwise.
_STYLE = """<style>
.cofactor{font:13px/1.5 system-ui,"Segoe UI",Roboto,sans-serif;max-width:72em}
.cofactor details,.cofactor .box{border:1px solid rgba(128,136,150,.45);border-radius:8px;
padding:6px 12px;margin:4px 0}
.cofactor summary{cursor:pointer}.cofactor small,.cofactor .soft{opacity:.7}
.cofactor .tag{border-radius:9px;padding:1px 8px;font-size:11px;background:rgba(0,114,178,.16)}
.cofactor .tag.not{background:rgba(213,94,0,.18)}
.cofactor table{border-collapse:collapse;margin:4px 0}
.cofactor.cofactor th,.cofactor.cofactor td{padding:3px 10px;text-align:left;border:0;
border-bottom:1px solid rgba(128,136,150,.3);background:none}
.cofactor.cofactor td.n,.cofactor.cofactor th.n{text-align:right;font-variant-numeric:tabular-nums}
.cofactor tr.best td{font-weight:650;background:rgba(0,114,178,.12)}
.cofactor svg{max-width:100%;height:auto}
</style>"""


_CODE = re.compile(r"(``?)([^`]+)\1")


def safe(text: object) -> str:
    """Return a text in which no character is markup."""
    return html.escape(str(text), quote=True)


def code_in(text: str) -> str:
    """Return a line of a docstring as HTML, with what stands between backquotes as code."""
    return _CODE.sub(lambda found: f"<code>{found[2]}</code>", safe(text))


def framed(*parts: str) -> str:
    """Return pieces of HTML as one element with the styles that they need."""
    return f'{_STYLE}<div class="cofactor">{"".join(parts)}</div>'


def heading(title: str, note: str = "") -> str:
    """Return a title in bold with a remark beside it."""
    said = f' <span class="soft">{safe(note)}</span>' if note else ""
    return f"<div><b>{safe(title)}</b>{said}</div>"


def table(rows: Sequence[Mapping[str, Any]], *, best: int | None = None, more: int = 0) -> str:
    """Return lines of equal keys as a table; numbers stand right.

    Parameters
    ----------
    rows
        What to show.
    best
        The line that is marked, or None.
    more
        How many lines aren't shown; said below.
    """
    if not rows:
        return ""
    names = list(rows[0])
    right = {name for name in names if all(_is_number(row[name]) for row in rows)}
    kinds = {name: ' class="n"' if name in right else "" for name in names}
    head = "".join(f'<th scope="col"{kinds[name]}>{safe(name)}</th>' for name in names)
    lines = []
    for n, row in enumerate(rows):
        cells = "".join(f"<td{kinds[name]}>{safe(shown(row[name], name))}</td>" for name in names)
        mark = ' class="best"' if n == best else ""
        lines.append(f"<tr{mark}>{cells}</tr>")
    rest = f'<div class="soft">… {more:,} more</div>' if more else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>{rest}"


def facts(pairs: Iterable[tuple[str, Any]]) -> str:
    """Return names and values as a table of two columns."""
    lines = (f"<tr><th scope='row'>{safe(k)}</th><td>{safe(shown(v))}</td></tr>" for k, v in pairs)
    return f"<table><tbody>{''.join(lines)}</tbody></table>"


def folded(summary: str, body: str, *, unfolded: bool = False) -> str:
    """Return a body that opens on a click; the summary is HTML."""
    state = " open" if unfolded else ""
    return f"<details{state}><summary>{summary}</summary>{body}</details>"


def tag(text: str, *, good: bool = True) -> str:
    """Return a word as a small badge."""
    return f'<span class="tag{"" if good else " not"}">{safe(text)}</span>'


def notes(sentences: Sequence[str]) -> str:
    """Return sentences as a list, or nothing."""
    items = "".join(f"<li>{safe(one)}</li>" for one in sentences)
    return f"<ul>{items}</ul>" if items else ""


def shown(value: Any, column: str = "") -> str:
    """Return a value as people read it: thousands separated (not in ids, of columns such as
    ``item_id``), four decimals below 10; two of the seconds of a column that says so
    (``seconds``, ``fit s``).
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value) if column.endswith("_id") else f"{value:,}"
    if isinstance(value, float):
        if math.isnan(value):
            return "–"
        if column == "seconds" or column.endswith(" s"):
            return f"{value:,.2f}"
        return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"
    return str(value)


def shortened(value: Any) -> str:
    """Return a value as text of at most 60 characters; None is empty."""
    text = "" if value is None else str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Return lines of cells as plain text, in columns."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
