"""The text of an id: one rule for all input (files, frames, databases, HTTP, the command line).

The rule stands in docs/data.md: whitespace around an id is stripped, words that mean "nothing" are
no ids, wrappings of document stores are taken off, whole numbers written as floats are folded onto
the integers, objects and lists are refused. Everything else stays as it is: leading zeros, case,
accents, signs."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.names import counted
from cofactor.data.id_doubts import INVISIBLE, changed_words, doubts, doubts_of_words
from cofactor.data.notes import Fact, Note

# The number of the rule; it grows whenever `clean_one` makes another id of some text, so that
# stores are brought up to it.
RULE = "1"
# Words for nothing.
MISSING_WORDS = frozenset(
    (
        *("", "NULL", "Null", "null", "(null)", "<null>", "(NULL)", "<NULL>", "[NULL]", "[null]"),
        *("NaN", "nan", "NAN", "Nan", "-nan", "-NaN", "1.#QNAN", "-1.#QNAN", "1.#IND", "-1.#IND"),
        *("None", "none", "NONE", "NA", "<NA>", "N/A", "n/a", "#N/A", "#NA", "#N/A N/A", "NaT"),
        *("\\N", "undefined"),
        # A spreadsheet's failed formulas, in its languages.
        *("#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"),
        *("#ERROR!", "#FIELD!", "#GETTING_DATA", "#BEZUG!", "#WERT!", "#ZAHL!", "#NV"),
        *("#VALEUR!", "#NOM?", "#NOMBRE!", "#NUL!", "#¡REF!", "#¡VALOR!", "#¿NOMBRE?", "#N/D"),
        *("#¡DIV/0!", "#¡NUM!", "#¡NULO!", "#RIF!", "#VALORE!", "#NOME?", "#NULLO!", "#VALOR!"),
        *("#NÚM!", "#NULO!", "#VERW!", "#WAARDE!", "#NAAM?", "#DEEL/0!", "#GETAL!", "#LEEG!"),
        *("#N/B", "#ADR!", "#ARG!", "#NAZWA?", "#DZIEL/0!", "#LICZBA!", "#ZERO!", "#N/D!"),
        *("#ССЫЛКА!", "#ЗНАЧ!", "#ИМЯ?", "#ДЕЛ/0!", "#ЧИСЛО!", "#ПУСТО!", "#Н/Д"),
        *("#REFERENS!", "#VÄRDEFEL!", "#NAMN?", "#DIVISION/0!", "#OGILTIGT!", "#SAKNAS!"),
    )
)
# Of any other text than an id or a title, NA may be a code: a country's.
WORDS_FOR_NOTHING = MISSING_WORDS - {"NA"}
# As programs write the object that an id is.
_OBJECT = r"(?:ObjectId|(?:uuid\.)?UUID|Decimal|Number(?:Long|Int)|np\.(?:u?int\d+|str_)|tensor)"
_CALL = re.compile(rf"""^{_OBJECT}\(\s*(?:"([^"]+)"|'([^']+)'|([\w.-]+))\s*\)$""")
_PY_BYTES = r"""^b('[^'\\]+'|"[^"\\]+")$"""
# An object as JavaScript writes it, which says nothing of which one it is, and as Python does.
_JS_OBJECT = "[object Object]"
_PY_MAPPING = re.compile(r"^[\[(]*\{\s*'[^']*'\s*:")
_QUOTES = tuple((pair[0], pair[1]) for pair in ("''", '""', "``", "“”", "„“", "«»", "‘’"))
_QUOTED = "|".join(f"^{first}.+{last}$" for first, last in _QUOTES)
_WRAPPED = ("$oid", "$numberLong", "$numberInt", "$uuid")
_FLOAT = r"^-?(?:0|[1-9][0-9]{0,18})\.0+$"
# How R, Java and numpy.savetxt write whole numbers, without any loss; spreadsheets write 1.2E+05.
_EXPONENT = r"^-?[0-9](?:\.[0-9]+)?e\+[0-9]{2}$|^-?[0-9]\.[0-9]+E[0-9]{1,2}$"
_WHOLE = rf"^0$|^-?[1-9][0-9]{{0,15}}$|{_EXPONENT}"
FRACTION = r"^-?[0-9]+\.[0-9]*[1-9][0-9]*$"
# Also numbers beyond 2^53 that were floats, which no longer tell neighbours apart.
_SPREADSHEET = r"^[1-9](?:[.,][0-9]+)?E\+[0-9]{2}$|^-?[1-9][0-9]{15,18}\.0+$"
# What keeps a text a text in spreadsheets: ="007", and '007 of digits alone ('90s is a name).
_KEPT_TEXT = r"""^(?:="(.*)"|'([0-9]+))$"""
_SPACES = "".join(c for c in map(chr, range(0x3001)) if c.isspace())
_EDGES = _SPACES + INVISIBLE
CONTROL = r"[\x00-\x1f]"
_HALF = re.compile("[\ud800-\udfff]")
# Ids of these bytes alone are changed by no rule but that of words that mean nothing: 2 where there
# is another case.
_SIMPLE = np.zeros(256, np.uint8)
_SIMPLE[np.frombuffer((string.ascii_lowercase + string.digits + "_-:/").encode(), np.uint8)] = 1
_SIMPLE[np.frombuffer(string.ascii_uppercase.encode(), np.uint8)] = 2


@dataclass(frozen=True)
class Cleaned:
    """Distinct texts of ids after the rule.

    Parameters
    ----------
    words
        Strings [n], null where the text means that there is no id, or where it was refused.
    nested
        bool [n]: the text is an object or a list, and so refused.
    notes
        What was changed, without the column's name (``"whitespace around 3 ids was stripped"``).
    """

    words: pa.Array
    nested: np.ndarray
    notes: tuple[str, ...] = ()


def clean(words: pa.Array) -> Cleaned:
    """Apply the rule to distinct texts of ids."""
    notes: list[str] = []
    kinds = _byte_kinds(words)
    if kinds.all():
        found = _without_missing(words)
        distinct = found.drop_null()  # as the words are
        lower = pc.utf8_lower(distinct) if (kinds == 2).any() else distinct
        return Cleaned(found, np.zeros(len(words), bool), tuple(doubts(distinct, lower)))
    trimmed = _stripped(words.cast(pa.string()))
    changed = pc.not_equal(trimmed, words).true_count
    if changed:
        notes.append(f"whitespace around {counted(changed, 'id')} was stripped")
    kept = pc.match_substring_regex(trimmed, _KEPT_TEXT).true_count
    if kept:
        notes.append(
            f'{counted(kept, "id")} taken out of ="..." or cleared of a leading apostrophe'
        )
        trimmed = _stripped(pc.replace_substring_regex(trimmed, _KEPT_TEXT, r"\1\2"))
    if _all_match(trimmed, _PY_BYTES):
        said = f"ids such as {trimmed[0].as_py()!r} are Python's writing of bytes; read as texts"
        notes.append(Note(said, Fact.PYTHON_BYTES))
        trimmed = pc.replace_substring_regex(trimmed, r"^b.(.*).$", r"\1")
    trimmed = _without_quotes(trimmed, notes)
    trimmed, nested = _unwrapped(_without_missing(trimmed), notes)
    # Neither C nor PostgreSQL has texts with a zero byte.
    zeros = pc.match_substring(trimmed, "\x00").fill_null(False)
    if zeros.true_count:
        nested = nested | np.asarray(zeros)
        trimmed = pc.if_else(zeros, pa.scalar(None, pa.string()), trimmed)
    found = _folded(trimmed, notes)
    distinct = pc.unique(found.drop_null())
    notes += doubts_of_words(distinct) + changed_words(distinct)
    return Cleaned(found, nested, tuple(notes))


def _without_quotes(words: pa.Array, notes: list[str]) -> pa.Array:
    """Texts without the quotes that all of them stand in: a single one may be a title's own."""
    if len(words) < 2 or not pc.match_substring_regex(words[:1], _QUOTED).true_count:
        return words
    for first, last in _QUOTES:
        if _all_match(words, f"^{first}[^{first}{last}]+{last}$"):
            notes.append(f"ids such as {words.drop_null()[0].as_py()} taken out of quotes")
            return _stripped(pc.utf8_slice_codeunits(words, 1, -1))
    return words


def _byte_kinds(words: pa.Array) -> np.ndarray:
    """Of each byte of the texts whether some rule looks for it, as `_SIMPLE` has it, uint8: a pass
    over the bytes instead of ten patterns.
    """
    if not pa.types.is_string(words.type):
        return np.zeros(1, np.uint8)
    _, offsets, texts = words.buffers()
    if texts is None:
        return np.zeros(0, np.uint8)
    ends = np.frombuffer(offsets, np.int32, len(words) + 1, 4 * words.offset)[[0, -1]]
    return _SIMPLE[np.frombuffer(texts, np.uint8)[ends[0] : ends[1]]]


def _all_match(words: pa.Array, form: str) -> bool:
    """Whether there are words, all of a form; nulls aside."""
    found = pc.match_substring_regex(words, form)
    return bool(found.true_count) and not found.false_count


@cache
def _array(words: Collection[str]) -> pa.Array:
    """Words as Arrow has them; made when they are first needed, as Arrow may load pandas for it."""
    return pa.array(list(words))


def _without_missing(words: pa.Array) -> pa.Array:
    missing = pc.is_in(words, value_set=_array(MISSING_WORDS))
    if not missing.true_count:
        return words
    return pc.if_else(missing, pa.scalar(None, pa.string()), words)


def are_distinct_stripped(words: pa.Array) -> bool:
    """Return whether distinct texts of ids are so without whitespace around them, as every call
    reads them.
    """
    if _byte_kinds(words).all():
        return True
    trimmed = _stripped(words.cast(pa.string()))
    return bool(pc.count_distinct(trimmed, mode="all").as_py() == len(words))


def _stripped(words: pa.Array) -> pa.Array:
    # Arrow's own whitespace is the faster one, and what Python calls so besides is rare.
    trimmed = pc.utf8_trim_whitespace(words)
    if pc.match_substring_regex(trimmed, f"^[{_EDGES}]|[{_EDGES}]$").true_count:
        trimmed = pc.utf8_trim(trimmed, _EDGES)
    return trimmed


def texts_of_bytes(values: Iterable[Any]) -> tuple[list[Any], bool]:
    """Return values with those in bytes as texts, and whether these are hexadecimal digits: all of
    them, unless each is UTF-8 without control characters.
    """
    values = list(values)
    try:
        found = [v.decode() if isinstance(v, bytes) else v for v in values]
    except UnicodeDecodeError:
        found = None
    if found is None or any(
        isinstance(v, bytes) and re.search(CONTROL, text)
        for v, text in zip(values, found, strict=True)
    ):
        return [v.hex() if isinstance(v, bytes) else v for v in values], True
    return found, False


def clean_one(text: str) -> str | None:
    """Return one id's text after the rule (floats aside, which a whole column decides); None where
    there is no id in it.
    """
    if text[:1].isalnum() and text[-1:].isalnum() and "\x00" not in text:  # most ids
        return None if text in MISSING_WORDS else text
    text = text.strip(_EDGES)
    kept = re.fullmatch(_KEPT_TEXT, text)
    text = (kept[1] or kept[2] or "").strip(_EDGES) if kept else text
    if text in MISSING_WORDS:
        return None
    if "\x00" in text:
        return None
    held = text[:1] in "{[" and text[-1:] in "}]"
    return _inner(text) if held or _CALL.match(text) else text


def has_half(text: str) -> bool:
    """Return whether a text holds half a character (a lone surrogate), which isn't Unicode."""
    return not text.isascii() and bool(_HALF.search(text))


def unwrapped(value: Mapping[str, Any]) -> str | None:
    """Return the id in the wrapping of a document store; None for any other object."""
    name, held = next(iter(value.items()), (None, None))
    if len(value) != 1 or name not in _WRAPPED:
        return None
    return str(held) if isinstance(held, (str, int)) and not isinstance(held, bool) else None


def is_id(text: str) -> bool:
    """Return whether a text is an id by the rule: no word for none, no object, no list."""
    return clean_one(text) is not None


def _unwrapped(words: pa.Array, notes: list[str]) -> tuple[pa.Array, np.ndarray]:
    """Texts without the wrapping of document stores, and which of them are nested otherwise."""
    suspect = pc.match_substring_regex(words, rf"^(?:[{{\[].*[}}\]]|{_OBJECT}\(.*\))$")
    suspect = suspect.fill_null(False)
    nested = np.zeros(len(words), bool)
    rows = np.flatnonzero(np.asarray(suspect))
    if not rows.size:
        return words, nested
    texts = words.to_pylist()
    count = 0
    for row in rows.tolist():
        inner = _inner(texts[row])
        nested[row] = inner is None
        count += inner is not None and inner != texts[row]
        texts[row] = inner
    if count:
        notes.append(f"{counted(count, 'id')} unwrapped ($oid and the like)")
    return pa.array(texts, pa.string()), nested


def _inner(text: str) -> str | None:
    """What a wrapping holds; the text itself if it only looks like one, None for an object or a
    list.
    """
    found = _CALL.match(text)
    if found:
        return str(found[found.lastindex or 0])
    if text == _JS_OBJECT:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text if len(text) < 4096 and not _PY_MAPPING.match(text) else None
    if isinstance(value, dict):
        inner = (unwrapped(value) or "").strip(_EDGES)
        return None if inner in MISSING_WORDS else inner
    return None if isinstance(value, list) else text


def _folded(words: pa.Array, notes: list[str]) -> pa.Array:
    """Whole numbers written as floats as integers, unless the column has fractions too (versions,
    sections), where ``1.0`` and ``1`` are two ids.
    """
    some = (words[:20], words)  # mostly the first already aren't
    if all(_all_match(part, _WHOLE) for part in some):
        written = words.filter(pc.match_substring_regex(words, _EXPONENT).fill_null(False))
        numbers = written.cast(pa.float64())
        exact = pc.and_(pc.equal(numbers, pc.floor(numbers)), pc.less(pc.abs(numbers), 2.0**53))
        if len(written) and not exact.false_count:
            notes.append(_whole(written[0]))
            return words.cast(pa.float64()).cast(pa.int64()).cast(pa.string())
    floats = pc.match_substring_regex(words, _FLOAT).fill_null(False)
    count = floats.true_count
    lossy = words.filter(pc.match_substring_regex(words, _SPREADSHEET).fill_null(False))
    if len(lossy):
        notes.append(
            f"ids such as {lossy[0].as_py()!r} have lost digits in a spreadsheet or as floats;"
            " export them as text"
        )
    if not count or pc.match_substring_regex(words, FRACTION).true_count:
        return words
    notes.append(_whole(words.filter(floats)[0]))
    return pc.if_else(floats, pc.replace_substring_regex(words, r"\.0+$", ""), words)


def _whole(example: pa.Scalar) -> Note:
    said = f"ids such as {example.as_py()!r} are read as whole numbers"
    return Note(said, Fact.WHOLE_NUMBERS)


def lengths_and_texts(ids: pa.Array) -> bytes:
    """Return the bytes of texts, before each of them their number in four bytes."""
    _, offsets, texts = ids.buffers()
    width = 8 if pa.types.is_large_string(ids.type) else 4
    begins = np.frombuffer(offsets, f"<i{width}", len(ids) + 1, ids.offset * width).astype(np.int64)
    first, last = int(begins[0]), int(begins[-1])
    whole = np.zeros(0, np.uint8) if texts is None else np.frombuffer(texts, np.uint8)
    made = np.empty(4 * len(ids) + last - first, np.uint8)
    is_text = np.ones(len(made), bool)
    heads = (begins[:-1] - first + 4 * np.arange(len(ids)))[:, None] + np.arange(4)
    made[heads] = np.diff(begins).astype("<u4").view(np.uint8).reshape(-1, 4)
    is_text[heads] = False
    made[is_text] = whole[first:last]
    return made.tobytes()
