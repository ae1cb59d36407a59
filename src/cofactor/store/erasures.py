"""Copies of a store, and users who are erased while one is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cofactor.store.exceptions import StoreBusyError
from cofactor.store.store import Store

Copy = TypeVar("Copy")
_TRIES = 5


def without_erased(store: Store, make: Callable[[], Copy]) -> Copy:
    """Return what is made from a store; made again if users were erased meanwhile, who would
    stand in a copy that appears after their erasure was acknowledged.

    Parameters
    ----------
    store
        The store.
    make
        Makes the copy, in the place of an earlier one.

    Raises
    ------
    StoreBusyError
        If users were erased each time.
    """
    for _ in range(_TRIES):
        before = store.last_erasure()
        made = make()
        if store.last_erasure() == before:
            return made
    raise StoreBusyError(
        f"users were erased during each of {_TRIES} attempts to copy {store.database.shown};"
        " nothing was written; try again when fewer are."
    )
