"""The tokens of a table: words and character n-grams of its texts, values of its categories and
lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.offsets import begins, offsets, owners_of, row_offsets
from cofactor.data.arrow import is_list_type
from cofactor.data.features.columns import Column
from cofactor.data.features.texts import (
    Tokens,
    as_text,
    cleaned,
    joined_text,
    tokens_of,
    value_hashes,
)

TEXT, CHARACTERS, VALUE = range(BLOCKS := 3)
# Texts are read so many at a time: the tokens of one block, not of the whole catalogue, stand in
# memory uncounted.
BLOCK = 20_000
_MIN_ROWS = 2  # that must have a token for it to be a feature


class Weights(NamedTuple):
    """What text, and categories and lists, count for; 0 leaves them out."""

    text: float = 1.0
    value: float = 1.0


def present(table: pa.Table, columns: Sequence[Column], kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the columns of some kinds that a table has."""
    return tuple(c.name for c in columns if c.kind in kinds and c.name in table.column_names)


def token_blocks(
    table: pa.Table, columns: Sequence[Column], weights: Weights, characters: bool
) -> dict[int, Tokens]:
    """Return the tokens of a table's text (words and character n-grams apart) and of its values."""
    names = present(table, columns, ("text",)) if weights.text else ()
    parts = []
    for low in range(0, max(1, table.num_rows), BLOCK):
        text = cleaned(joined_text(table.slice(low, BLOCK), names))
        parts.append(tokens_of(text, characters=characters))
    whole = _concatenated(parts)
    found = {TEXT: _where(whole, whole.hashes >= 0)}
    if characters:
        found[CHARACTERS] = _where(whole, whole.hashes < 0)
    found[VALUE] = _value_tokens(table, columns if weights.value else ())
    return found


def _value_tokens(table: pa.Table, columns: Sequence[Column]) -> Tokens:
    owners, hashes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for column in columns:
        if column.name not in present(table, (column,), ("category", "list")):
            continue
        lists = text_lists(table.column(column.name), column)
        lengths = np.asarray(pc.list_value_length(lists).fill_null(0)).astype(np.int64)
        tokens = value_hashes(lists.flatten(), column.name)
        owner = owners_of(lengths)
        owners.append(owner[tokens >= 0])
        hashes.append(tokens[tokens >= 0])
    owner, token = np.concatenate(owners), np.concatenate(hashes)
    order = np.lexsort((token, owner))
    owner, token = owner[order], token[order]
    first = begins(owner, token)
    indptr = row_offsets(owner[first], table.num_rows)
    return Tokens(indptr, token[first], np.ones(int(first.sum()), np.float32))


def text_lists(cells: pa.ChunkedArray, column: Column) -> pa.Array:
    """Return the cells of a category or list column as lists of text; text with ``|`` or another
    sign between its values is a list.
    """
    array = cells.combine_chunks()
    if is_list_type(array.type):
        return array.cast(pa.list_(array.type.value_type)).cast(pa.list_(pa.string()))
    text = as_text(array)
    if column.kind != "list":
        return pc.split_pattern(text, "\x00")
    if column.form:
        return pc.split_pattern(text, column.form)
    # Bars divide where there are any; else commas do.
    text = pc.if_else(pc.match_substring(text, "|"), text, pc.replace_substring(text, ", ", "|"))
    return pc.split_pattern(text, "|")


def known_tokens(
    found: Mapping[int, Tokens], n_rows: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the tokens that enough rows have but not all, block by block and ascending within
    each: the tokens int64 [n], ln(n_rows / df) float32 [n], and their blocks uint8 [n].
    """
    parts = []
    for block, tokens in found.items():
        distinct, times = np.unique(tokens.hashes, return_counts=True)
        keep = (times >= min(_MIN_ROWS, max(1, n_rows - 1))) & (times < n_rows)
        idf = np.log(n_rows / times[keep]).astype(np.float32)
        parts.append((distinct[keep], idf, np.full(len(idf), block, np.uint8)))
    hashes, idfs, blocks = map(np.concatenate, zip(*parts, strict=True))
    return hashes, idfs, blocks


def _concatenated(parts: list[Tokens]) -> Tokens:
    if len(parts) == 1:
        return parts[0]
    indptr = offsets(np.concatenate([np.diff(p.indptr) for p in parts]))
    return Tokens(
        indptr, np.concatenate([p.hashes for p in parts]), np.concatenate([p.counts for p in parts])
    )


def _where(tokens: Tokens, keep: np.ndarray) -> Tokens:
    before = offsets(keep)
    return Tokens(before[tokens.indptr], tokens.hashes[keep], tokens.counts[keep])
