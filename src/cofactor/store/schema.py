"""The tables of the store, by version, in SQL that both databases understand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

MARK = "cofactor events"
META = "CREATE TABLE IF NOT EXISTS store_meta (name {text} PRIMARY KEY, value {text} NOT NULL)"
NOTE = (
    "INSERT INTO store_meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value ="
    " excluded.value"
)

# One list of statements a version; a store of version n is brought up to date by those after the
# n-th. Never edit a list that was released: add one.
MIGRATIONS: tuple[Sequence[str], ...] = (
    (
        """CREATE TABLE events (
            seq {serial},
            event_id {text} NOT NULL UNIQUE,
            user_id {text} NOT NULL,
            item_id {text} NOT NULL,
            kind {text} NOT NULL,
            value {real},
            time {int} NOT NULL,
            received {int} NOT NULL,
            undone {int})""",
        # Holds all that a history needs: one user's lie together, in order, and the table isn't
        # touched.
        (
            "CREATE INDEX events_by_user ON events (user_id, time, seq, item_id, kind, value) WHERE"
            " undone IS NULL"
        ),
        "CREATE INDEX events_undone ON events (user_id) WHERE undone IS NOT NULL",
        """CREATE TABLE items (
            item_id {text} PRIMARY KEY,
            title {text},
            text {text},
            features {text},
            state {int} NOT NULL,
            time {int} NOT NULL)""",
        "CREATE INDEX items_unseen ON items (item_id, state) WHERE state > 0",
        """CREATE TABLE item_changes (
            seq {serial},
            time {int} NOT NULL,
            action {text} NOT NULL,
            item_id {text} NOT NULL,
            title {text},
            text {text},
            features {text},
            state {int} NOT NULL)""",
        "CREATE INDEX item_changes_by_item ON item_changes (item_id, seq)",
        "CREATE TABLE erasures (seq {serial}, time {int} NOT NULL, events {int} NOT NULL)",
        "CREATE TABLE counters (name {text} PRIMARY KEY, value {int} NOT NULL)",
        """INSERT INTO counters (name, value)
            VALUES ('events', 0), ('undone', 0), ('users', 0), ('items', 0), ('hidden', 0),
                   ('last_seq', 0)""",
    ),
    (
        # One row per list: what stands in it is a JSON list by position.
        """CREATE TABLE impressions (
            seq {serial},
            request_id {text} NOT NULL UNIQUE,
            user_id {text} NOT NULL,
            version {text} NOT NULL,
            experiment {text},
            arm {text},
            source {text} NOT NULL,
            shown {int} NOT NULL,
            items {text} NOT NULL,
            probabilities {text} NOT NULL,
            item_arms {text},
            ms {real},
            time {int} NOT NULL)""",
        "CREATE INDEX impressions_by_user ON impressions (user_id)",
        (
            "CREATE INDEX impressions_by_experiment ON impressions (experiment, seq) WHERE"
            " experiment IS NOT NULL"
        ),
        "INSERT INTO counters (name, value) VALUES ('impressions', 0)",
    ),
)

# Table -> its columns, for backups and restores: in this order, every row of each.
TABLES: Mapping[str, tuple[str, ...]] = {
    "events": (
        "seq",
        "event_id",
        "user_id",
        "item_id",
        "kind",
        "value",
        "time",
        "received",
        "undone",
    ),
    "items": ("item_id", "title", "text", "features", "state", "time"),
    "item_changes": ("seq", "time", "action", "item_id", "title", "text", "features", "state"),
    "erasures": ("seq", "time", "events"),
    "impressions": (
        "seq",
        "request_id",
        "user_id",
        "version",
        "experiment",
        "arm",
        "source",
        "shown",
        "items",
        "probabilities",
        "item_arms",
        "ms",
        "time",
    ),
    "counters": ("name", "value"),
}
STATES = ("visible", "hidden", "deleted")
VISIBLE, HIDDEN, DELETED = range(3)
