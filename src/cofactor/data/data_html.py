"""How data looks in a notebook: events, interactions, catalogues, splits, descriptions."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from cofactor.base import markup

# These modules show themselves through this one, so it can't import their types.
_LINES = 5


def table_html(table: pa.Table, lines: int = 20, *, title: str = "", note: str = "") -> str:
    """Return the first lines of an Arrow table."""
    rows = table.slice(0, lines).to_pylist()
    head = markup.heading(title, note) if title else ""
    more = max(0, table.num_rows - lines)
    return markup.framed(head, markup.table([_short(row) for row in rows], more=more))


def events_html(events: Any) -> str:
    """Return the first events and what the reader did."""
    columns: dict[str, Any] = {"user": events.users, "item": events.items}
    if events.values is not None:
        columns["value"] = pa.array(events.values)
    if events.times is not None:
        columns["time"] = pa.array(events.times).cast(pa.timestamp("s"))
    rows = [{n: _plain(c[i]) for n, c in columns.items()} for i in range(min(_LINES, len(events)))]
    title = markup.heading(f"{len(events):,} events", f"of {events.source}")
    more = max(0, len(events) - _LINES)
    return markup.framed(title, markup.table(rows, more=more), markup.notes(events.notes))


def interactions_html(data: Any) -> str:
    """Return the counts, what is known of items and users, and what was done on the way."""
    pairs: list[tuple[str, Any]] = [
        ("users", data.n_users),
        ("items", data.n_items),
        ("interactions", len(data)),
        ("density", f"{data.density:.3%}"),
        ("values", "none" if data.values is None else _span(data.values)),
        ("times", "none" if data.times is None else _dates(data)),
        ("catalogue", ", ".join(data.catalogue.column_names) or "none"),
    ]
    if data.profiles.column_names:
        pairs.append(("profiles", ", ".join(data.profiles.column_names)))
    title = markup.heading("Interactions", f"of {data.source}")
    return markup.framed(title, markup.facts(pairs), markup.notes(data.notes))


def catalogue_html(catalogue: Any) -> str:
    """Return the first rows."""
    table = catalogue.table.select(catalogue.column_names)
    named = f"titles in {catalogue.title_column}" if catalogue.title_column else "no titles"
    if not table.num_columns:
        return markup.framed(markup.heading("Catalogue", f"{len(catalogue):,} rows, no columns"))
    return table_html(table, _LINES, title=f"Catalogue: {len(catalogue):,} rows", note=named)


def split_html(split: Any) -> str:
    """Return the parts with their sizes as bars, and the sentence that says how."""
    sizes = {"train": len(split.train)}
    if split.validation is not None:
        sizes["validation"] = len(split.validation.truth)
    sizes["test"] = len(split.test.truth)
    total = sum(sizes.values()) or 1
    colours = {"train": "0,114,178", "validation": "230,159,0", "test": "213,94,0"}
    bars = "".join(
        f'<div style="width:{max(12.0, 100 * size / total):.1f}%;padding:2px 8px;'
        f'background:rgba({colours[name]},.25);white-space:nowrap">'
        f"<b>{name}</b> {size:,}</div>"
        for name, size in sizes.items()
    )
    bar = f'<div style="display:flex;border-radius:6px;overflow:hidden">{bars}</div>'
    users = f"test users: {len(split.test.user_rows):,}; fingerprint {split.fingerprint[:12]}"
    said = f"<div>{markup.safe(split.sentence)}</div>"
    return markup.framed(markup.heading("Split", users), bar, said)


def part_html(part: Any) -> str:
    """Return the sizes of a part."""
    pairs: list[tuple[str, Any]] = [
        ("held-out interactions", len(part.truth)),
        ("users", len(part.user_rows)),
        ("interactions in their histories", len(part.history)),
        ("users are answered by", "fold-in" if part.fold_in else "their trained rows"),
    ]
    return markup.framed(markup.heading("Part of a split"), markup.facts(pairs))


def description_html(found: Any) -> str:
    """Return the counts, the long tail, and the histogram of the values."""
    pairs: list[tuple[str, Any]] = [
        ("users", found.users),
        ("items", found.items),
        ("interactions", found.interactions),
        ("density", f"{found.density:.3%}"),
        ("interactions a user", _tail(found.user_tail)),
        ("interactions an item", _tail(found.item_tail)),
    ]
    if found.span is not None:
        pairs.append(("time", f"{found.span.first_text} to {found.span.last_text}"))
    parts = [markup.heading("Description", f"of {found.source}"), markup.facts(pairs)]
    if found.values is not None:
        parts.append(_histogram(found.values.histogram))
    return markup.framed(*parts, markup.notes(found.notes))


def _histogram(bars: tuple[tuple[str, int], ...]) -> str:
    most = max((count for _, count in bars), default=1) or 1
    lines = "".join(
        f"<tr><th scope='row'>{markup.safe(label)}</th><td><div style='height:10px;"
        f"width:{160 * n / most:.0f}px;background:rgba(0,114,178,.5)'></div></td>"
        f"<td class='n'>{n:,}</td></tr>"
        for label, n in bars
    )
    return f"<table><tbody>{lines}</tbody></table>"


def _tail(tail: Any) -> str:
    median, largest = tail.quantiles["50 %"], tail.quantiles["100 %"]
    ends = f"median {median:,.0f}, largest {largest:,.0f}"
    return f"{ends}, mean {tail.mean:,.1f}, Gini {tail.gini:.2f}"


def _span(values: Any) -> str:
    return f"{values.min():g} to {values.max():g}" if len(values) else "none"


def _dates(data: Any) -> str:
    assert data.times is not None
    ends = pa.array([data.times.min(), data.times.max()], pa.int64()).cast(pa.timestamp("s"))
    first, last = (str(one.as_py()) for one in ends)
    return f"{first} to {last}"


def _short(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _shorten(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    return _shorten(value.as_py())


def _shorten(value: Any) -> Any:
    # Whole numbers stay as they are written: they may be ids or years.
    if value is None:
        return value
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return _shorten(", ".join(map(str, value)))
    return markup.shortened(value)
