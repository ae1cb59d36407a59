"""Self-contained web pages for reports and curves: one file, no script, no network."""

from __future__ import annotations

import os
from pathlib import Path

from cofactor.base import checks
from cofactor.base.disk import check_regular, check_replaced, naming_full, replace_file
from cofactor.base.markup import safe


def page(title: str, body: str) -> str:
    """Return a whole page; the body is HTML."""
    return _PAGE.format(title=safe(title), style=_STYLE, body=body)


def section(title: str, note: str, body: str) -> str:
    """Return a part of a page: a heading, a remark, and HTML that scrolls where it is too wide."""
    remark = f'<p class="note">{safe(note)}</p>' if note else ""
    return f'<section><h2>{safe(title)}</h2>{remark}<div class="scroll">{body}</div></section>'


def write_page(path: str | os.PathLike[str], text: str) -> Path:
    """Write a page, and return its path; one that is there is replaced once this is whole."""
    path = check_page(path)
    with naming_full(path):
        replace_file(path, text.encode())
    return path


def check_page(path: str | os.PathLike[str]) -> Path:
    """Return the path of a page; raise ArgumentError if the file that is there is no page."""
    target = checks.path(path, "path")
    check_regular(target)
    check_replaced(target, _is_page, "a page")
    return target


def _is_page(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(_DOCTYPE)).upper() == _DOCTYPE


_DOCTYPE = b"<!DOCTYPE HTML>"
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head>
<body><main>
{body}
</main></body></html>
"""

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5c6675; --rule: #e3e7ee;
  --page: #f5f6f9; --card: #fff;
  --accent: #2456a6; --best: #e9f1fd; --warn: #8a4b00; --warnpage: #fff1dc; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaf0; --soft: #9aa5b5; --rule: #2d3542;
  --page: #12161d;
  --card: #1a2029; --accent: #7fb0ff; --best: #1e2f4a; --warn: #ffc98a; --warnpage: #3a2a12; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
font: 15px/1.55 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 40px 20px 64px; }
header { margin: 0 4px 24px; } h1 { font-size: 30px; line-height: 1.2; margin: 0 0 8px;
  letter-spacing: -0.01em; }
header p { margin: 2px 0; color: var(--soft); } .lead { font-size: 17px; color: var(--ink); }
.flag { display: inline-block; background: var(--warnpage); color: var(--warn);
  border-radius: 6px; padding: 3px 10px;
  font-weight: 600; margin: 4px 0 8px; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
  padding: 20px 24px; margin: 16px 0; }
h2 { font-size: 18px; margin: 0 0 6px; } .note { color: var(--soft); margin: 4px 0 10px;
font-size: 14px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%;
font-variant-numeric: tabular-nums; }
th, td { padding: 9px 12px; text-align: right; border-bottom: 1px solid var(--rule);
  white-space: nowrap; }
thead th { color: var(--soft); font-size: 13px; font-weight: 600; }
tbody tr:last-child > * { border-bottom: 0; }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--card); }
td b { font-weight: 500; } td.best { background: var(--best); }
td.best b { font-weight: 700; color: var(--accent); } td small { display: block;
  color: var(--soft); font-size: 12px; }
.dense th, .dense td { padding: 8px 6px; } .dense td small { font-size: 11px;
  letter-spacing: -0.02em; }
.win { background: rgba(0,114,178,.24); } .lose { background: rgba(213,94,0,.24); }
.even { background: rgba(128,136,150,.12); color: var(--soft); }
.pairs td { text-align: center; border: 2px solid var(--card); border-radius: 8px; }
.pairs th, .pairs td { padding: 6px 10px; } .pairs thead th { text-align: center; }
.tied { color: var(--soft); margin-left: 4px; }
.wide { overflow-x: auto; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); gap: 20px; }
svg { max-width: 100%; height: auto; display: block; } circle:hover { r: 7px; }
dl { display: grid; grid-template-columns: minmax(110px, max-content) 1fr; gap: 6px 20px;
  margin: 8px 0 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
code { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
@media (max-width: 640px) { .wide svg { max-width: none; }
  section { padding: 16px 14px; } dl { grid-template-columns: 1fr;
  gap: 0; } dd { margin-bottom: 8px; } }
@media print { body { background: #fff; } section { break-inside: avoid; } }
"""
