"""Copies of a store, and users who are erased while one is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cofactor.store.exceptions import StoreBusyError
from cofactor.store.store import Store

Copy = TypeVar("Copy")
_TRIES = 5


def without_erased(
    store: Store,
    make: Callable[[], Copy],
    publish: Callable[[], object],
    withdraw: Callable[[], object],
) -> Copy:
    """Return what is made from a store; made again if users were erased meanwhile, who would
    stand in a copy that appears after their erasure was acknowledged.

    Parameters
    ----------
    store
        The store.
    make
        Makes the copy, in the place of an earlier one.
    publish
        Puts it in its place, also over one that was put there before.
    withdraw
        Removes it from there.

    Raises
    ------
    StoreBusyError
        If users were erased each time.
    """
    published = False
    for _ in range(_TRIES):
        before = store.last_erasure()
        made = make()
        if store.last_erasure() != before:
            continue
        publish()
        published = True
        # Somebody may have been erased right before it was there.
        if store.last_erasure() == before:
            return made
    if published:
        withdraw()
    raise StoreBusyError(
        f"users were erased during each of {_TRIES} attempts to copy {store.database.shown};"
        " nothing was written; try again when fewer are."
    )
