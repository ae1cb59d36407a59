"""The tables of a saved model, read within bounds: a file's numbers of rows, columns and values are
checked before anything is unpacked.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cofactor.artifact import format as fmt
from cofactor.base.errors import ArtifactError
from cofactor.data.arrow import is_list_type
from cofactor.data.catalogue import Catalogue
from cofactor.data.id_text import are_distinct_stripped
from cofactor.data.ids import IdMap

# Bytes that a table may take in memory: so many whatever it takes on disk, and so many times that.
# Our own files unpack to less than a tenth of it.
_PLAIN = 256 << 20
_TIMES = 64
# Tables of up to this many rows are read by the calling thread.
_FEW_ROWS = 10_000


def read_table(path: Path, n_rows: int, title: str | None) -> tuple[IdMap, Catalogue]:
    """Return the ids and the other columns of a table.

    Raises
    ------
    ArtifactError
        If it has another number of rows, unpacks to more than its size explains, or has invalid ids
        or texts.
    """
    # Not pq.read_table, which loads Arrow's dataset module (half a second) to read one file.
    with pq.ParquetFile(path) as file:
        _check_shape(path, file, n_rows)
        table = _unpacked(path, file)
    table.validate(full=True)
    if table.num_rows != n_rows:
        raise _wrong_rows(path, n_rows, table.num_rows)
    column = table.column(fmt.ID_COLUMN)
    if pc.count_distinct(column, mode="all").as_py() != n_rows:
        raise ArtifactError(f"{path}: an id occurs twice, or is missing.")
    ids = IdMap(column.combine_chunks())
    if ids.kind == "string" and not are_distinct_stripped(ids.arrow):
        raise ArtifactError(
            f"{path}: two ids differ only in the whitespace around them, so that no call could name"
            " one of them alone (docs/data.md says how ids are read); train the model again."
        )
    rest = table.drop_columns([fmt.ID_COLUMN])
    return ids, (Catalogue(rest, title) if rest.num_columns else Catalogue.nothing(n_rows))


def _check_shape(path: Path, file: pq.ParquetFile, n_rows: int) -> None:
    facts = file.metadata
    names = file.schema_arrow.names
    if facts.num_rows != n_rows or fmt.ID_COLUMN not in names:
        raise _wrong_rows(path, n_rows, facts.num_rows)
    twice = {name for name, count in Counter(names).items() if count > 1}
    if twice:
        raise ArtifactError(f"{path}: the columns {sorted(twice)} occur twice.")
    groups = [facts.row_group(number) for number in range(facts.num_row_groups)]
    # Each value takes eight bytes at least, also one that is missing.
    wanted = max(sum(group.total_byte_size for group in groups), 8 * n_rows * len(names))
    if any(pa.types.is_nested(kind) for kind in file.schema_arrow.types):
        # One row may hold any number of values. What a file says of its columns may end the process
        # if it is damaged; reading through them without keeping anything only raises.
        file.scan_contents()
        wanted = max(
            wanted,
            8 * sum(g.column(n).num_values for g in groups for n in range(facts.num_columns)),
        )
    _check_bytes(path, wanted)


def _unpacked(path: Path, file: pq.ParquetFile) -> pa.Table:
    """The whole table. A text that stands in every row takes its place in the file once, and in
    memory once a row: where that could be more than is allowed, texts are first read by their
    number.
    """
    facts = file.metadata
    groups = [facts.row_group(number) for number in range(facts.num_row_groups)]
    if sum(group.total_byte_size * group.num_rows for group in groups) <= _PLAIN:
        # Small tables aren't worth Arrow's threads.
        return file.read(use_threads=facts.num_rows > _FEW_ROWS)
    texts = [
        facts.schema.column(n).path
        for n in range(facts.num_columns)
        if facts.schema.column(n).physical_type == "BYTE_ARRAY"
    ]
    with pq.ParquetFile(path, read_dictionary=texts) as numbered:
        table = numbered.read()
    total = sum(_plain_bytes(chunk) for column in table.columns for chunk in column.chunks)
    _check_bytes(path, total)
    return table.cast(file.schema_arrow)


def _plain_bytes(array: pa.Array) -> int:
    """The bytes of an array without its dictionary encoding."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        lengths = np.asarray(pc.binary_length(array.dictionary).fill_null(0)).astype(np.int64)
        if not len(lengths):
            return 0
        places = np.asarray(array.indices.drop_null())
        return int(np.bincount(places, minlength=len(lengths)) @ lengths)
    if is_list_type(kind):
        return _plain_bytes(array.flatten())
    if pa.types.is_struct(kind):
        return sum(_plain_bytes(part) for part in array.flatten())
    return int(array.nbytes)


def _check_bytes(path: Path, wanted: int) -> None:
    size = path.stat().st_size
    allowed = _PLAIN + _TIMES * size
    if wanted > allowed:
        raise ArtifactError(
            f"{path} has {size:,} bytes and would take {wanted:,} bytes of memory; a table of that"
            f" size may take {allowed:,}: it is damaged or malicious."
        )


def _wrong_rows(path: Path, n_rows: int, found: int) -> ArtifactError:
    return ArtifactError(
        f"{path} must hold {n_rows} rows with a column {fmt.ID_COLUMN}, not {found} rows."
    )
