"""Pages of a person's list: the list as of the moment when it began, without what was shown."""

from __future__ import annotations

import numpy as np

from cofactor.service.answering.cursors import Cursor, digest_of, read_cursor
from cofactor.service.answering.loaded import Loaded
from cofactor.service.wire import RecommendRequest
from cofactor.store import Store


def page_of(request: RecommendRequest, loaded: Loaded, store: Store) -> Cursor | None:
    """Return where a request's list stands; None where it asks for no pages.

    Raises
    ------
    RequestError
        422 for a cursor of another request.
    """
    if request.cursor is None and not request.paged:
        return None
    query = digest_of(
        request.user_id,
        request.history,
        request.allow,
        request.block,
        request.where,
        request.exclude_seen,
        request.rerank,
    )
    if request.cursor is not None:
        return read_cursor(request.cursor, query, loaded.model.data.n_items)
    return Cursor(loaded.version, query, store.last_seq(), store.settings.moment())


def next_of(page: Cursor | None, rows: np.ndarray, ids: tuple[str, ...] = ()) -> str | None:
    """Return the cursor behind a page of item rows, and ids without any, as text."""
    found = None if page is None else page.after(rows, ids)
    return None if found is None else found.text()
