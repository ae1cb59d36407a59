"""The exceptions of the store.

::

    CofactorError
    └── StoreError                      the store could not do what was asked
        ├── ConflictError               an event id that is stored already, with another content
        ├── UnknownEventError           an event id that was never stored
        ├── StoreBusyError              nothing was stored, and trying again later may work
        │   └── OverloadError           ... because the queue is full
        ├── StoreUnavailableError       the disk is full, fails, or the database can't be reached
        ├── ReadOnlyError               the store was opened for reading
        ├── StoreClosedError            the store was closed
        └── StoreFormatError            a database that isn't a store, is damaged, or is of a later
        version
    ArgumentError                       an id, a text, a value or a batch beyond the limits

After a `StoreUnavailableError` the outcome of a write is unknown in one case only: the disk failed
during the commit itself (``unknown`` is true). Sending the same events again, under the same ids,
is always right."""

from __future__ import annotations

from collections.abc import Sequence

from cofactor.base.errors import CofactorError


class StoreError(CofactorError, RuntimeError):
    """The store could not do what was requested."""


class ConflictError(StoreError):
    """An event id is stored already with another content; nothing of the request was stored.

    Parameters
    ----------
    event_ids
        The ids at fault, in the order of the request.
    """

    def __init__(self, event_ids: Sequence[str], message: str | None = None) -> None:
        self.event_ids = tuple(event_ids)
        super().__init__(
            message
            or f"the event ids {_listed(self.event_ids)} are stored already with another content; "
            "nothing of the request was stored; give a new event a new id."
        )


class UnknownEventError(StoreError):
    """Event ids that were never stored; nothing of the request was done.

    Parameters
    ----------
    event_ids
        The ids at fault, in the order of the request.
    """

    def __init__(self, event_ids: Sequence[str]) -> None:
        self.event_ids = tuple(event_ids)
        super().__init__(
            f"the event ids {_listed(self.event_ids)} are unknown to the store; nothing was undone."
        )


class StoreBusyError(StoreError):
    """Nothing was stored, and trying again later may work.

    Parameters
    ----------
    message
        The sentence.
    retry_after
        Seconds after which trying again makes sense.
    """

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class OverloadError(StoreBusyError):
    """The queue is full: nothing of the request was taken."""


class StoreUnavailableError(StoreError):
    """The storage fails: a full disk, an I/O error, a lost connection.

    Parameters
    ----------
    message
        The sentence.
    unknown
        Whether the failure came during the commit itself, so that what was sent may or may not turn
        out to be stored.
    retry_after
        Seconds after which trying again makes sense.
    """

    def __init__(self, message: str, *, unknown: bool = False, retry_after: float = 5.0) -> None:
        self.unknown = unknown
        self.retry_after = retry_after
        super().__init__(message)


class ReadOnlyError(StoreError):
    """The store was opened for reading."""


class StoreClosedError(StoreError):
    """The store was closed."""


class StoreFormatError(StoreError, ValueError):
    """A database that isn't a store, is damaged, or was written by a later version."""


def _listed(ids: Sequence[str]) -> str:
    shown = ", ".join(repr(one if len(one) <= 60 else one[:59] + "…") for one in ids[:5])
    return f"{shown} (and {len(ids) - 5} more)" if len(ids) > 5 else shown
