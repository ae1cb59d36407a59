"""The event store: events that are on disk before they are acknowledged, items, and their
histories.

``open_store("sqlite:///events.db")`` gives a `Store`. Writes return futures of an `Ack`; in a
coroutine, await ``asyncio.wrap_future(store.append(events))``; elsewhere call ``.result()``. Reads
answer at once."""

from cofactor.store.backups import backup, restore, verify
from cofactor.store.exceptions import (
    ConflictError,
    OverloadError,
    ReadOnlyError,
    StoreBusyError,
    StoreClosedError,
    StoreError,
    StoreFormatError,
    StoreUnavailableError,
    UnknownEventError,
)
from cofactor.store.exports import (
    export_events,
    export_impressions,
    export_items,
    json_lines,
)
from cofactor.store.imports import (
    Imported,
    import_catalogue,
    import_events,
    import_interactions,
    import_items,
)
from cofactor.store.impressions import Impression, ShownItem, StoredImpression, impression_line
from cofactor.store.journal import Journal, take_in
from cofactor.store.limits import (
    MAX_BATCH,
    MAX_FEATURES,
    MAX_ID,
    MAX_TEXT,
    MAX_TITLE,
    IdMaker,
    made_ids,
    outside_id,
)
from cofactor.store.manifest import BackupManifest
from cofactor.store.opening import open_store
from cofactor.store.pruning import Retention, prune_impressions
from cofactor.store.records import (
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
)
from cofactor.store.store import Store

__all__ = [
    "MAX_BATCH",
    "MAX_FEATURES",
    "MAX_ID",
    "MAX_TEXT",
    "MAX_TITLE",
    "Ack",
    "BackupManifest",
    "ConflictError",
    "Counts",
    "Event",
    "Health",
    "History",
    "IdMaker",
    "Imported",
    "Impression",
    "Item",
    "ItemChange",
    "Journal",
    "OverloadError",
    "ReadOnlyError",
    "Retention",
    "ShownItem",
    "Store",
    "StoreBusyError",
    "StoreClosedError",
    "StoreError",
    "StoreFormatError",
    "StoreSettings",
    "StoreUnavailableError",
    "StoredEvent",
    "StoredImpression",
    "StoredItem",
    "UnknownEventError",
    "backup",
    "export_events",
    "export_impressions",
    "export_items",
    "import_catalogue",
    "import_events",
    "import_interactions",
    "import_items",
    "impression_line",
    "json_lines",
    "made_ids",
    "open_store",
    "outside_id",
    "prune_impressions",
    "restore",
    "take_in",
    "verify",
]
