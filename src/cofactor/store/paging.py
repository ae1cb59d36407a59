"""Reading a table page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cofactor.base.errors import ArgumentError

PAGE = 5_000


def paged(page: Any, after: Any, limit: int | None, key: str, size: int = PAGE) -> Iterator[Any]:
    """Yield rows, page by page of some size by their key: one long query that stays open would keep
    the log from being cut.
    """
    if limit is not None and limit < 0:
        raise ArgumentError(f"limit must not be negative, not {limit}.")
    left = limit
    while left is None or left > 0:
        most = size if left is None else min(size, left)
        rows = page(after, most)
        yield from rows
        if len(rows) < most:
            return
        after = getattr(rows[-1], key)
        left = None if left is None else left - len(rows)
