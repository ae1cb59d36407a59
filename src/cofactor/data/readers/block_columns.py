"""The columns of a file that is read block by block."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from cofactor.data.arrow import is_text_type, value_type
from cofactor.data.readers.clock_columns import moments
from cofactor.data.readers.columns import Options
from cofactor.data.readers.id_columns import id_column
from cofactor.data.readers.list_cells import explode_lists
from cofactor.data.readers.partitions import Partition, with_partition
from cofactor.data.readers.raw import Locate, Raw
from cofactor.data.readers.times import ParsedTimes, joined
from cofactor.data.readers.values import numbers_and_odd


@dataclass
class BlockColumns:
    """What accumulates over the blocks of one file.

    Parameters
    ----------
    roles
        The column of each role.
    options
        What the caller gave.
    source
        For messages.
    partition
        Columns that the folders above the file name.
    texts
        Ids, kinds, and values that aren't all numbers, by their roles: chunks of dictionaries.
    numbers, times
        Values that are numbers, and times, of each block.
    """

    roles: Mapping[str, str]
    options: Options
    source: str
    partition: Partition = field(default_factory=dict)
    texts: dict[str, list[pa.Array]] = field(default_factory=lambda: defaultdict(list))
    numbers: list[np.ndarray] = field(default_factory=list)
    times: list[ParsedTimes] = field(default_factory=list)

    def add(self, table: pa.Table) -> None:
        """Keep the columns of the next block, if it has rows."""
        if not table.num_rows:
            return
        table = with_partition(table, self.partition)
        columns = {role: table.column(name) for role, name in self.roles.items()}
        if "time" in columns:
            self.times.append(moments(columns, self.options.time_format))
        for role in columns.keys() & {"user", "item", "event", "value"}:
            column = columns[role]
            if role == "value" and not is_text_type(value_type(column.type)):
                self.numbers.append(numbers_and_odd(column)[0])
                continue
            if not pa.types.is_dictionary(column.type):
                of_ids = role in ("user", "item")
                column = (
                    id_column(column, self.source, role) if of_ids else column.cast(pa.string())
                )
                column = column.dictionary_encode()
            self.texts[role] += column.chunks

    def clear(self) -> None:
        """Forget what was kept."""
        for kept in (self.texts, self.numbers, self.times):
            kept.clear()

    def raw(self, locate: Locate, notes: list[str], *, headed: bool, of_hive: bool = False) -> Raw:
        """Return the columns of all blocks."""
        texts = {role: pa.chunked_array(chunks) for role, chunks in self.texts.items()}
        values, odd = None, None
        if "value" in texts:
            values, odd = numbers_and_odd(texts["value"], self.options.decimal)
        elif "value" in self.roles:
            values = self.numbers[0] if len(self.numbers) == 1 else np.concatenate(self.numbers)
        raw = Raw(
            users=texts["user"],
            items=texts["item"],
            values=values,
            times=joined(self.times),
            source=self.source,
            locate=locate,
            notes=notes,
            columns=self.roles,
            headed=headed,
            odd=odd,
            events=texts.get("event"),
        )
        return explode_lists(raw, of_hive=of_hive)
