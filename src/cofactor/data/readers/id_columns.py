"""Columns of ids: any type to integers or dictionaries of texts, under the rule of `id_text`."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.errors import DataError
from cofactor.data.arrow import coded, is_text_type, one_array
from cofactor.data.id_doubts import nobody_note
from cofactor.data.id_text import CONTROL, clean
from cofactor.data.notes import Fact, Note, of_side

_NONE = np.zeros(0, np.int64)
# Texts that are looked at before all of them are.
_SOME = 100


@dataclass(frozen=True)
class IdColumn:
    """A column of ids under the rule.

    Parameters
    ----------
    column
        int64, or a dictionary of strings [n].
    missing, nested
        int64: the rows without an id, and those with an object or a list instead of one.
    notes
        What was changed.
    """

    column: pa.ChunkedArray
    missing: np.ndarray
    nested: np.ndarray
    notes: tuple[str, ...] = ()


def cleaned(column: pa.ChunkedArray) -> IdColumn:
    """Apply the rule for the text of ids to a column of integers or strings (or a dictionary)."""
    if pa.types.is_integer(column.type):
        return _of_integers(column, column)
    column = as_words(column)
    if column.num_chunks == 0:
        return IdColumn(column, _NONE, _NONE)
    # Arrow keeps a dictionary per chunk, all the same after unification; they have to stay one
    # object.
    words = column.chunk(0).dictionary
    if pa.types.is_integer(words.type):
        return _of_integers(column, words)
    found = clean(words)
    if not (found.notes or found.words.null_count or column.null_count):
        return IdColumn(column, _NONE, _NONE)
    refused = np.asarray(found.words.is_null())
    changed = bool(found.notes) or bool(refused.any())
    if changed:
        column = pa.chunked_array(
            [pa.DictionaryArray.from_arrays(chunk.indices, found.words) for chunk in column.chunks]
        )
    missing = _rows(column, refused & ~found.nested, nulls=True)
    return IdColumn(column, missing, _rows(column, found.nested, nulls=False), found.notes)


def _of_integers(column: pa.ChunkedArray, numbers: pa.Array | pa.ChunkedArray) -> IdColumn:
    """A column whose distinct ids are among some integers."""
    absent = np.flatnonzero(np.asarray(column.is_null())) if column.null_count else _NONE
    signed = pa.types.is_signed_integer(numbers.type)
    nobody = signed and pc.any(pc.equal(numbers, pa.scalar(-1, numbers.type))).as_py()
    return IdColumn(column, absent, _NONE, (nobody_note("-1"),) if nobody else ())


def _rows(column: pa.ChunkedArray, words: np.ndarray, *, nulls: bool) -> np.ndarray:
    """The rows whose words are marked, and those without a word."""
    if not words.any() and not (nulls and column.null_count):
        return _NONE
    _, codes = coded(column)
    return np.flatnonzero(np.append(words, nulls)[codes])


def as_words(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as a dictionary (of texts, if it isn't one yet), one for all chunks."""
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column.cast(pa.string()))
    return column.unify_dictionaries()


def used_only(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a dictionary column with the words alone that occur in it."""
    if not pa.types.is_dictionary(column.type):
        return column
    return pc.dictionary_encode(pc.cast(column, column.type.value_type))


def typed_ids(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray:
    """Return ids as a dictionary of int64 where each is the usual decimal text of one, else of
    strings.

    ``"007"`` and ``"+7"`` aren't such texts: one of them makes the whole column strings, so that no
    id is ever changed."""
    column = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    if pa.types.is_integer(column.type):
        return column.cast(pa.int64())
    column = as_words(column)
    if column.num_chunks == 0:
        return column
    ids = canonical(column.chunk(0).dictionary)
    return pa.chunked_array(
        [pa.DictionaryArray.from_arrays(_narrow(chunk.indices), ids) for chunk in column.chunks]
    )


def _narrow(indices: pa.Array) -> pa.Array:
    return indices if indices.type == pa.int32() else indices.cast(pa.int32())


def canonical(words: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return texts as int64 if each is the usual decimal text of one, else as strings."""
    words = one_array(words)
    if pa.types.is_integer(words.type):
        return words.cast(pa.int64())
    words = words.cast(pa.string())
    # Mostly the first already aren't.
    for part in (words[:_SOME], words) if len(words) > _SOME else (words,):
        if pc.match_substring_regex(part, r"^(0|-?[1-9][0-9]{0,18})$").false_count:
            return words
    if words.null_count == len(words):
        return words
    try:
        return words.cast(pa.int64())
    except pa.ArrowInvalid:
        # Nineteen digits beyond 2^63.
        return words


def id_column(column: pa.ChunkedArray | pa.Array, source: str, what: str) -> pa.ChunkedArray:
    """Return a typed column (of a frame, a Parquet file ...) as one that `assemble` takes: integers
    or strings.

    Raises
    ------
    DataError
        If its type is none that ids can have.
    """
    column = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
        if is_text_type(kind):
            return _occurring(column)
        try:
            column = pc.cast(column, kind)
        except pa.ArrowNotImplementedError:
            raise _no_ids(kind, source, what) from None
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == "arrow.bool8":
            raise _no_ids(pa.bool_(), source, what)
        return id_column(_of_extension(column), source, what)
    if is_text_type(kind) or pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_uint64(kind):
        fits = not len(column) or (pc.max(column).as_py() or 0) < 2**63
        return column.cast(pa.int64() if fits else pa.string())
    if pa.types.is_integer(kind):
        return column.cast(pa.int64())
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        whole = _whole(column)
        if whole is not None:
            return whole
    elif pa.types.is_struct(kind):
        return _of_struct(column, source, what)
    elif "binary" in str(kind):
        texts = _texts(column)
        if texts is not None:
            return texts
        return pa.chunked_array([[None if b is None else b.hex() for b in column.to_pylist()]])
    raise _no_ids(kind, source, what)


def _no_ids(kind: pa.DataType, source: str, what: str) -> DataError:
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return DataError(
            f"the {what} column holds {kind} with a fraction, infinite or beyond the integers that"
            " it keeps exactly, and ids must be integers or strings; write them as texts at their"
            " source.",
            source=source,
        )
    return DataError(
        f"the {what} column holds {kind}, and ids must be integers or strings; convert it first.",
        source=source,
    )


def hex_note(column: pa.ChunkedArray, what: str) -> list[str]:
    """Return a note on a column of bytes that `id_column` reads as hexadecimal digits."""
    no_texts = "binary" in str(column.type) and _texts(column) is None
    return [in_hex(what)] if no_texts else []


def in_hex(what: str) -> Note:
    """Return the note on ids in bytes that are read as hexadecimal digits."""
    said = "ids in bytes aren't texts, and are read as hexadecimal digits"
    return of_side(what, Note(said, Fact.HEXADECIMAL))


def in_texts(table: pa.Table) -> pa.Table:
    """Return a table with its columns of bytes as texts, where they are texts."""
    for place, field in enumerate(table.schema):
        if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
            texts = _texts(table.column(place))
            table = table if texts is None else table.set_column(place, field.name, texts)
    return table


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Bytes as texts; None if some are none (see `id_text.texts_of_bytes`)."""
    try:
        texts = column.cast(pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        return None
    return None if pc.any(pc.match_substring_regex(texts, CONTROL)).as_py() else texts


def _occurring(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A dictionary column without the words that no row has: a category left out before must not
    decide what the ids are.
    """
    column = column.unify_dictionaries()
    if column.num_chunks == 0:
        return column
    occurs = np.zeros(len(column.chunk(0).dictionary), bool)
    for chunk in column.chunks:
        occurs[np.asarray(chunk.indices.drop_null())] = True
    return column if occurs.all() else used_only(column)


def _whole(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Floats or decimals that are whole numbers as integers (texts where they are too large), NaN
    as missing; None if some have fractions.

    A column of integers with gaps is floats in some frames; the gaps stay missing."""
    if pa.types.is_decimal(column.type):
        if column.type.scale < 0:
            column = column.cast(pa.decimal256(76, 0))
        texts = column.cast(pa.string())
        if pc.any(pc.match_substring_regex(texts, r"\.[0-9]*[1-9]|[eE]-")).as_py():
            return None
        return pc.replace_substring_regex(texts, r"\.0*$", "")
    # Beyond it, floats no longer tell neighbours apart.
    exact = {16: 2**11, 32: 2**24}.get(column.type.bit_width, 2**53)
    column = column.cast(pa.float64())
    absent = np.asarray(pc.or_kleene(column.is_null(), pc.is_nan(column)).fill_null(True))
    whole = np.where(absent, 0.0, np.asarray(column.fill_null(0.0), np.float64))
    if not (np.isfinite(whole).all() and (whole == np.floor(whole)).all()):
        return None
    if np.abs(whole).max(initial=0) >= exact:
        return None
    return pa.chunked_array([pa.array(whole.astype(np.int64), mask=absent)])


def _of_extension(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """UUIDs and JSON's texts as texts, other extension types as what they are stored in."""
    if column.type.extension_name == "arrow.json":
        return pa.chunked_array([[_in_json(text) for text in column.to_pylist()]], pa.string())
    if "uuid" in str(column.type).lower():
        return pa.chunked_array([[None if u is None else str(u) for u in column.to_pylist()]])
    return pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)


def _in_json(text: str | None) -> str | None:
    """The text in a cell of JSON; a number, an object or a list as it is written."""
    try:
        value = None if text is None else json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) or value is None else text


def _of_struct(column: pa.ChunkedArray, source: str, what: str) -> pa.ChunkedArray:
    names = [column.type.field(n).name for n in range(column.type.num_fields)]
    if len(names) == 1 and names[0].startswith("$"):
        return id_column(pc.struct_field(column, 0), source, what)
    raise DataError(
        f"the {what} column holds an object or a list ({', '.join(names)}), and ids must be"
        " integers or strings; take the field that is the id first.",
        source=source,
    )
