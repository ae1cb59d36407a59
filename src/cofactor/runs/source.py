"""From a source to interactions, always in the same order: read, merge repeats, filter."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run, run_of

# Readers are imported where they are used, so that commands that only need these settings start
# fast.
if TYPE_CHECKING:
    from cofactor.data.events import Events
    from cofactor.data.interactions import Interactions
    from cofactor.data.split import Split


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a source is read and filtered.

    Parameters
    ----------
    columns
        Role (``user``, ``item``, ``value``, ``time``) -> column name, where the usual names don't
        find it.
    items
        A catalogue: a file or table with titles and columns of the items.
    items_file
        The file of a catalogue that the source holds already; kept for the next retraining.
    repeats
        How several events of one user with one item are merged: ``last``, ``sum``, ``mean`` or
        ``max``.
    min_value
        Keep only interactions with at least this value, e.g. ratings of 4 as positive feedback;
        None keeps all.
    core
        Keep only users and items with at least this many interactions, repeated until all have; 0
        keeps all.
    on_bad
        What to do with lines that can't be read: ``error`` or ``skip`` (they are counted).
    keep_items
        Whether items of the catalogue without interactions get rows too, so that models with
        content can recommend them.
    licence
        The terms of use of the data, for the model card; None if not given.
    stores
        Event stores, by `cofactor.runs.data_origin.store_name`, and the number of the last event
        that was read before.
    more
        Further arguments of `cofactor.data.readers.read`: ``time_format``, ``decimal``, ``kinds``,
        ``rejects``, ``member`` ...
    """

    columns: dict[str, str] | None = None
    items: Any = None
    items_file: str | None = None
    repeats: str = "last"
    min_value: float | None = None
    core: int = 0
    on_bad: str = "error"
    keep_items: bool = False
    licence: str | None = None
    stores: Mapping[str, int] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks.integer(self.core, "core", low=0)
        if self.min_value is not None:
            checks.real(self.min_value, "min_value")


@dataclass(frozen=True, kw_only=True)
class Cutting:
    """How a data set is cut: the rule, the shares, the seed (see `cofactor.data.split.split`)."""

    how: str = "per-user"
    test: float = 0.2
    validation: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        checks.real(self.test, "test", low=0)
        checks.real(self.validation, "validation", low=0)


def as_reading(reading: Reading | None) -> Reading:
    """Return how a source is read, by default if it is None; raise ArgumentError for anything
    else.
    """
    found = Reading() if reading is None else reading
    checks.of_kind(found, "reading", Reading, "a Reading (cofactor.runs.source), or None")
    return found


def as_cutting(cutting: Cutting | None, default: Cutting) -> Cutting:
    """Return how data is cut, by default if it is None; raise ArgumentError for anything else."""
    found = default if cutting is None else cutting
    checks.of_kind(found, "cutting", Cutting, "a Cutting (cofactor.runs.source), or None")
    return found


def interactions(
    source: Any, reading: Reading | None = None, run: Run | None = None
) -> Interactions:
    """Read a source (file, dataset name, database URL, data frame ...) into interactions.

    Raises
    ------
    DataError
        If it can't be read, or nothing is left of it.
    """
    import pyarrow as pa

    from cofactor.data.interactions import Interactions
    from cofactor.data.shards import is_shards, listed_items

    reading = as_reading(reading)
    run = run_of(run)
    if isinstance(source, Interactions):
        return _filtered(source, reading)
    if is_shards(source):
        whole = _opened(source, reading)
        table = listed_items(source) if reading.keep_items else None
    else:
        events = events_of(source, reading, run)
        whole = Interactions.build(events, repeats=reading.repeats)
        table = events.item_table if reading.keep_items else None
    data = _filtered(whole, reading)
    if table is None:
        return data
    # Items that the filters removed don't come back as new ones.
    rows = whole.items.find(table.column("item_id"))
    kept = data.items.find(table.column("item_id"))
    return data.with_catalogue_items(table.filter(pa.array((rows < 0) | (kept >= 0))))


def events_of(source: Any, reading: Reading, run: Run) -> Events:
    """Read a source into events, before merging and filtering."""
    from cofactor.data.events import Events
    from cofactor.data.readers import read

    columns: Any = {**(reading.columns or {}), **reading.more}
    if isinstance(source, Events):
        columns = {}  # it was read by these already (of a retraining, which hands them on)
    return read(
        source, items=reading.items, on_bad=reading.on_bad, progress=run.progress, **columns
    )


def _filtered(data: Interactions, reading: Reading) -> Interactions:
    from cofactor.data import filter as filters

    return filters.apply(
        data, min_value=reading.min_value, min_user=reading.core, min_item=reading.core
    )[0]


def _opened(folder: Any, reading: Reading) -> Interactions:
    from cofactor.data.shards import open_shards

    usual = Reading()
    named = ("columns", "items", "repeats", "on_bad")
    given = [name for name in named if getattr(reading, name) != getattr(usual, name)]
    for name in (*given, *reading.more):
        raise ArgumentError(
            f"{name} must be given to `cofactor shard`: {folder} holds shards, which were read"
            " already."
        )
    return open_shards(folder)


def cut(data: Interactions, cutting: Cutting) -> Split:
    """Cut a data set into training, validation and test."""
    from cofactor.data.splits import split

    shares: dict[str, Any] = {"test": cutting.test, "validation": cutting.validation}
    if cutting.how.replace("_", "-") == "leave-last":
        shares = {name: _last(share, name) for name, share in shares.items()}
    return split(data, cutting.how, seed=cutting.seed, **shares)


def _last(share: float, name: str) -> int:
    """How many of each user's last interactions are held out; a share means one."""
    if share > 1 and share % 1:
        raise ArgumentError(
            f"{name} must be a whole number of each user's last interactions, not {share}."
        )
    return math.ceil(share)


class Clock:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since it was made."""
        return time.perf_counter() - self._began
