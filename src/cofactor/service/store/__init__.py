"""The event store: events that are on disk before they are acknowledged, items, and their histories.

``open_store("sqlite:///events.db")`` gives a `Store`. Writes return futures of an `Ack`; in a coroutine, await
``asyncio.wrap_future(store.append(events))``; elsewhere call ``.result()``. Reads answer at once.
"""

from cofactor.service.store.errors import (
    ConflictError,
    OverloadError,
    ReadOnlyError,
    StoreBusyError,
    StoreClosedError,
    StoreError,
    StoreFormatError,
    StoreUnavailableError,
    UnknownEventError,
)  # fmt: skip
from cofactor.service.store.limits import MAX_BATCH, MAX_FEATURES, MAX_ID, MAX_TEXT, MAX_TITLE
from cofactor.service.store.records import (
    Ack,
    Counts,
    Event,
    Health,
    History,
    Item,
    ItemChange,
    StoredEvent,
    StoredItem,
    StoreSettings,
)  # fmt: skip
from cofactor.service.store.store import Store, open_store

__all__ = [
    "MAX_BATCH", "MAX_FEATURES", "MAX_ID", "MAX_TEXT", "MAX_TITLE", "Ack", "ConflictError", "Counts", "Event", "Health",
    "History", "Item", "ItemChange", "OverloadError", "ReadOnlyError", "Store", "StoreBusyError", "StoreClosedError", "StoreError",
    "StoreFormatError", "StoreSettings", "StoreUnavailableError", "StoredEvent", "StoredItem", "UnknownEventError", "open_store",
]  # fmt: skip
