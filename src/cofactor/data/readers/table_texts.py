"""Texts in tables of items and users: numbers, codes, words for nothing, and totals."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.data.arrow import is_number_type, is_text_type, with_column
from cofactor.data.catalogue import title_column
from cofactor.data.id_text import MISSING_WORDS, WORDS_FOR_NOTHING
from cofactor.data.readers.columns import Options
from cofactor.data.readers.delimited import read_text_table
from cofactor.data.readers.sniff import dialect_of
from cofactor.data.readers.source_files import SourceFile
from cofactor.data.readers.total_lines import MEANS, TOTALS, total_word

_POINTS, _CLEAR_POINT = r"^[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?$", r",\d{3}(\.\d|,\d{3})"
_COMMAS = r"^[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?$"
_PLAIN, _DASHES = r"^[+-]?\d+(\.\d+)?$", pa.array(["-", "--", "\u2013", "\u2014", "?"])
# What is a code and no number.
_CODE = r"^(0\d+|\+\d{7,}|-?\d{19,})$"
# Where it stands alone in a file; dates and times are looked at once too often.
_CODE_IN_TEXT = re.compile(rb"(?<![\w.+/-])(?:0\d+|\+\d{7,}|-?\d{19,})(?![\w./-])")


def with_digits(
    table: pa.Table, entry: SourceFile, options: Options, texts: Sequence[str]
) -> pa.Table:
    """Return a table whose columns of codes (``01067``, ``+49301234``, 20 digits) are texts: as
    numbers they would lose some of their digits.
    """
    numbers = [f.name for f in table.schema if is_number_type(f.type) and f.name not in texts]
    plain = dialect_of(entry, options).encoding.startswith(("utf-16", "utf-32"))
    if not numbers or not (plain or _CODE_IN_TEXT.search(entry.read())):
        return table
    again = read_text_table(entry, options, text=[*texts, *numbers])[0]
    for name in numbers:
        written = pc.utf8_trim_whitespace(again.column(name))
        if pc.any(pc.match_substring_regex(written, _CODE)).as_py():
            table = with_column(table, name, written)
    return table


def in_numbers(table: pa.Table, texts: Sequence[str]) -> pa.Table:
    """Return a table whose columns of numbers with decimal commas (``1.234,50``), grouped thousands
    (``1,234.50``) or a dash for none are numbers; ids and titles (``texts``) stay as they are.
    """
    for place, field in enumerate(table.schema):
        if field.name in texts or not pa.types.is_string(field.type):
            continue
        found = as_numbers(table.column(place), dashes=True)
        table = table if found is None else table.set_column(place, field.name, found)
    return table


def as_numbers(texts: pa.ChunkedArray, *, dashes: bool = False) -> pa.ChunkedArray | None:
    """Return texts as numbers; None if some aren't, or may be one number or another (``1,234``).

    Parameters
    ----------
    texts
        Texts; what is empty is missing.
    dashes
        Whether texts of plain numbers are numbers only if there are dashes for missing ones among
        them: without any they would be read as numbers already, or are codes.
    """
    texts = pc.utf8_trim_whitespace(texts)
    texts = pc.if_else(pc.equal(texts, ""), None, texts)
    lacking = pc.is_in(texts, value_set=_DASHES)
    if texts.null_count == len(texts):
        return None
    if dashes and pc.all(lacking).as_py():
        # Of one new item, say.
        return pa.chunked_array([pa.nulls(len(texts))])
    if not dashes or pc.any(lacking).as_py():
        plain = pc.if_else(lacking, None, texts)
        codes = pc.any(pc.match_substring_regex(plain, _CODE)).as_py()
        if pc.all(pc.match_substring_regex(plain, _PLAIN)).as_py() and not codes:
            return plain.cast(pa.float64())
    if pc.any(pc.match_substring_regex(texts, _CLEAR_POINT)).as_py():
        # 1,234.50 beside 3.
        if not pc.all(pc.match_substring_regex(texts, _POINTS)).as_py():
            return None
        return pc.replace_substring(texts, ",", "").cast(pa.float64())
    if not pc.all(pc.match_substring_regex(texts, _COMMAS)).as_py():
        return None
    # 1,234 alone may be either.
    if not pc.any(pc.match_substring_regex(texts, r",(\d{1,2}|\d{4,})$")).as_py():
        return None
    plain = pc.replace_substring(pc.replace_substring(texts, ".", ""), ",", ".")
    return plain.cast(pa.float64())


def without_total(table: pa.Table, ids: str) -> pa.Table:
    """Return a table whose last line has no id if it sums up the others: it holds nothing but a
    word for totals, and numbers.
    """
    column = table.column(ids)
    if len(column) < 2 or total_word(column[-1].as_py()) not in TOTALS | MEANS:
        return table
    texts = (table.column(f.name)[-1].as_py() for f in table.schema if is_text_type(f.type))
    if sum(text is not None for text in texts) > 1:
        return table
    last = pc.equal(pa.array(np.arange(len(column))), len(column) - 1)
    return with_column(table, ids, pc.if_else(last, None, column))


def without_words_for_nothing(table: pa.Table) -> pa.Table:
    """Return a table in which a text that is empty or a word for nothing (NULL) is none; only of a
    title is NA one, which elsewhere may be a country's code.
    """
    title = title_column(table)
    for place, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        if not is_text_type(column.type):
            continue
        words = MISSING_WORDS if name == title else WORDS_FOR_NOTHING
        nothing = pa.array([*words], column.type)
        lacking = pc.is_in(pc.utf8_trim_whitespace(column), value_set=nothing)
        if pc.any(lacking).as_py():
            kept = pc.if_else(lacking, pa.scalar(None, column.type), column)
            table = table.set_column(place, name, kept)
    return table
