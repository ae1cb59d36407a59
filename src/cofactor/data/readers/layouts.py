"""Layouts recognised by the files in a folder or zip, the more specific ones first."""

from __future__ import annotations

from cofactor.data.readers import (
    book_crossing,
    citeulike,
    goodbooks,
    lists,
    movielens,
    ncf,
    recbole,
    reviews,
    sequences,
    sessions,
)
from cofactor.data.readers.layout import Layout
from cofactor.data.readers.source_files import Source

LAYOUTS: tuple[Layout, ...] = (
    *movielens.LAYOUTS,
    *goodbooks.LAYOUTS,
    *book_crossing.LAYOUTS,
    *ncf.LAYOUTS,
    *citeulike.LAYOUTS,
    *sequences.LAYOUTS,
    *sessions.LAYOUTS,
    *recbole.LAYOUTS,
    *reviews.LAYOUTS,
    *lists.LAYOUTS,
)


def layout_of(place: Source) -> Layout | None:
    """Return the first layout that a folder or zip has the files of, or None."""
    return next((layout for layout in LAYOUTS if layout.detect(place)), None)
