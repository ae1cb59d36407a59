"""Lists that were shown with known probabilities, and their rewards: the input of off-policy
evaluation.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence, Sized
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base import checks
from cofactor.base.errors import ArgumentError, DataError
from cofactor.data.arrow import without_views
from cofactor.data.readers.arrow_memory import arrow_reader
from cofactor.data.readers.json_text import has_null_record

COLUMNS = ("request_id", "user_id", "position", "item_id", "probability", "reward")


@dataclass(frozen=True)
class LoggedLists:
    """Lists of items, with probability and reward by position.

    Parameters
    ----------
    users
        User ids, one per list.
    items
        Item ids of each list by position.
    probabilities
        Probability of each item at its position, given the items before it, in (0, 1].
    rewards
        The reward of each position.
    histories
        Item ids that each list's user interacted with before it, including those that the model
        wasn't trained on; None to use the model's training histories.
    source
        Name of the source for messages.

    Raises
    ------
    DataError
        If a list's columns differ in length, or a probability isn't in (0, 1].
    """

    users: Sequence[str]
    items: Sequence[Sequence[str]]
    probabilities: Sequence[Sequence[float]]
    rewards: Sequence[Sequence[float]]
    histories: Sequence[Sequence[str]] | None = None
    source: str = "the log"

    def __repr__(self) -> str:
        n_users = len(set(self.users))
        return f"LoggedLists({len(self.items):,} lists of {n_users:,} users, from {self.source})"

    def __post_init__(self) -> None:
        columns = ("users", "items", "probabilities", "rewards")
        for name in (*columns, *(() if self.histories is None else ("histories",))):
            one = getattr(self, name)
            checks.of_kind(one, name, Sized, "a list with an entry for each list that was shown")
            if len(one) != len(self.users):
                raise DataError(
                    f"there are {len(self.users)} users and {len(one)} {name}; each list that was"
                    " shown needs one.",
                    source=self.source,
                )
        parts = zip(self.items, self.probabilities, self.rewards, strict=True)
        for place, (items, probabilities, rewards) in enumerate(parts):
            if not len(items) == len(probabilities) == len(rewards):
                raise DataError(
                    f"list {place} has {len(items)} items, {len(probabilities)} probabilities and"
                    f" {len(rewards)} rewards; it needs as many of each.",
                    source=self.source,
                )
            if not all(_is_number(p) and 0 < p <= 1 for p in probabilities):
                raise DataError(
                    f"list {place} has a probability outside (0, 1]: {list(probabilities)}; give"
                    " the probability with which each item was shown.",
                    source=self.source,
                )
            if not all(map(_is_number, rewards)):
                raise DataError(
                    f"list {place} has a reward that is no finite number: {list(rewards)}.",
                    source=self.source,
                )

    def __len__(self) -> int:
        return len(self.users)


def _is_number(value: Any) -> bool:
    real = isinstance(value, (bool, int, float, Decimal, np.number, np.bool_))
    return real and math.isfinite(value)


def read_lists(source: Any) -> LoggedLists:
    """Read lists from a table with a row per item and position.

    Parameters
    ----------
    source
        A Parquet, JSON-lines or CSV file, or a table (pandas, polars, Arrow), with the columns
        `COLUMNS`. Other columns are ignored, and so are rows whose ``shown`` is false.

    Raises
    ------
    DataError
        If a column or an id is missing, or a list's positions aren't 0, 1, 2 ...
    ArgumentError
        If ``source`` is neither a file nor a table.
    """
    table, shown = _table(source)
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise DataError(
            f"it has no column {', '.join(missing)}; it needs {', '.join(COLUMNS)}.", source=shown
        )
    if "shown" in table.column_names:
        table = table.filter(table.column("shown"))
    table = table.select(COLUMNS).sort_by([("request_id", "ascending"), ("position", "ascending")])
    for name in COLUMNS[:4]:
        if count := table.column(name).null_count:
            raise DataError(f"{count:,} rows have no {name}; leave them out.", source=shown)
    requests, users, positions, items, probabilities, rewards = (
        table.column(name).to_pylist() for name in COLUMNS
    )
    if not requests:
        raise DataError("there are no lists in it.", source=shown)
    starts = [n for n in range(len(requests)) if not n or requests[n] != requests[n - 1]]
    ends = [*starts[1:], len(requests)]
    for start, end in zip(starts, ends, strict=True):
        if positions[start:end] != list(range(end - start)):
            raise DataError(
                f"request {requests[start]!r} has the positions {positions[start:end][:10]}; they"
                " must be 0, 1, 2 ...",
                source=shown,
            )
    spans = [slice(start, end) for start, end in zip(starts, ends, strict=True)]
    return LoggedLists(
        users=[str(users[span.start]) for span in spans],
        items=[[str(item) for item in items[span]] for span in spans],
        probabilities=[probabilities[span] for span in spans],
        rewards=[rewards[span] for span in spans],
        source=shown,
    )


def _table(source: Any) -> tuple[pa.Table, str]:
    if isinstance(source, pa.Table):
        return source, "the table"
    if hasattr(source, "__arrow_c_stream__"):
        table = pa.table(source)
        for n, column in enumerate(table.schema):
            if pa.types.is_string_view(column.type):  # can't be sorted
                table = table.set_column(n, column.name, without_views(table[n], pa.string()))
        return table, "the table"
    if not isinstance(source, (str, os.PathLike)):
        raise ArgumentError(
            "the lists must be LoggedLists, a file or a table with the columns"
            f" {', '.join(COLUMNS)}, not {type(source).__name__}."
        )
    path = Path(os.fspath(source))
    if not path.is_file():
        raise DataError("there is no such file.", source=str(path))
    try:
        if path.suffix in (".parquet", ".pq"):
            import pyarrow.parquet as pq

            return pq.read_table(path), str(path)
        if path.suffix in (".jsonl", ".ndjson", ".json"):
            return _json_table(path), str(path)
        if path.suffix == ".csv":
            import pyarrow.csv as pc

            return pc.read_csv(path), str(path)
    except pa.ArrowInvalid as error:
        raise DataError(f"the file can't be read: {error}.", source=str(path)) from None
    raise DataError("its name must end in .parquet, .jsonl or .csv.", source=str(path))


def _json_table(path: Path) -> pa.Table:
    import pyarrow.json as pj

    content = path.read_bytes()
    if has_null_record(content):
        raise DataError("a line is null instead of a list of items; remove it.", source=str(path))
    return pj.read_json(arrow_reader(content))


def padded(rows: Sequence[Sequence[float]], width: int, fill: float) -> np.ndarray:
    """Return lists of different lengths as float64 [n, width]."""
    made = np.full((len(rows), width), fill)
    for place, row in enumerate(rows):
        made[place, : len(row)] = row[:width]
    return made
