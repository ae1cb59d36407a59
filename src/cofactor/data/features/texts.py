"""Text as it comes (HTML, any script, any length) to hashed tokens."""

from __future__ import annotations

import hashlib
import html
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.offsets import offsets, ranges
from cofactor.data.arrow import coded, is_list_type, one_array

# Of a longer text only so many characters are read: a whole book says no more of what it is about.
LONGEST = 100_000
# Accents and letters beyond ASCII need Unicode's own rules; plain text is spared them.
_TAG = r"(?s)<(?:!--.*?--|/?[A-Za-z][^<>]{0,1000})>"
_CODE = r"(?is)<(?:script|style)\b.*?</(?:script|style)\s*>"


@dataclass(frozen=True)
class Tokens:
    """The tokens of some texts.

    Parameters
    ----------
    indptr
        int64 [n_texts + 1].
    hashes
        int64 [n_tokens], ascending and distinct within a text.
    counts
        float32 [n_tokens]: how often each stands in its text.
    """

    indptr: np.ndarray
    hashes: np.ndarray
    counts: np.ndarray


def joined_text(table: pa.Table, names: tuple[str, ...]) -> pa.Array:
    """Return some columns of a table as one text for each line; lists are joined, missing ones
    are empty.
    """
    columns = [as_text(table.column(name)) for name in names]
    if not columns:
        return pa.array([""] * table.num_rows, pa.string())
    return columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, " ")


def as_text(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column as text, one string a line, empty where nothing is known; cut at `LONGEST`
    characters.
    """
    array = one_array(column)
    if is_list_type(array.type):
        inner = pa.ListArray.from_arrays(
            _offsets(array), array.flatten().cast(pa.string()).fill_null("")
        )
        array = pc.binary_join(inner, " ")
    text = array.cast(pa.string()).fill_null("")
    if int(pc.max(pc.binary_length(text)).as_py() or 0) > LONGEST:
        text = pc.utf8_slice_codeunits(text, 0, LONGEST)
    return text


def cleaned(text: pa.Array) -> pa.Array:
    """Return text in lower case and composed form, without HTML (tags, comments, scripts,
    entities).
    """
    if len(text) == 0:
        return text
    if pc.any(pc.match_substring(text, "<")).as_py():
        text = pc.replace_substring_regex(text, _CODE, " ")
        text = pc.replace_substring_regex(text, _TAG, " ")
    if pc.any(pc.match_substring_regex(text, "&[#A-Za-z]")).as_py():
        text = pa.array(
            [html.unescape(t) if "&" in t else t for t in text.to_pylist()], pa.string()
        )
    if not pc.all(pc.string_is_ascii(text)).as_py():
        # Decomposed, so that an accent is a mark of its own, which the tokens pass over: "café" is
        # "cafe".
        text = pc.utf8_normalize(pc.utf8_lower(text), form="NFKD")
        if pc.any(pc.match_substring_regex(text, r"[\x{1100}-\x{11FF}]")).as_py():
            text = pc.utf8_normalize(text, form="NFKC")
    return text


def tokens_of(text: pa.Array, *, characters: bool = False) -> Tokens:
    """Return the distinct tokens of cleaned texts with their counts.

    Parameters
    ----------
    text
        Arrow strings, from `cleaned`.
    characters
        Whether the 4- and 5-grams of each word's letters count too (they have negative hashes).
    """
    from cofactor.kernels.cpu.word_hashes import count_words, counted_tokens, hash_words

    raw, ends = _bytes(text)
    shortest, longest = (4, 5) if characters else (1, 0)
    indptr = offsets(count_words(raw, ends, shortest, longest))
    hashes, spans = np.empty(indptr[-1], np.int64), np.empty((indptr[-1], 2), np.int64)
    hash_words(
        raw,
        ends,
        shortest=shortest,
        longest=longest,
        indptr=indptr,
        hashes=hashes,
        spans=spans,
    )
    counts = np.empty(indptr[-1], np.float32)
    distinct = counted_tokens(indptr, hashes, counts)
    packed, kept = ranges(indptr[:-1], distinct)
    return Tokens(packed, hashes[kept], counts[kept])


def words_by_hash(text: str) -> dict[int, str]:
    """Return the words of one text as they stand in it (cleaned), by their hash; of a repeated
    one the first.
    """
    from cofactor.kernels.cpu.word_hashes import count_words, hash_words

    raw, ends = _bytes(cleaned(pa.array([text[:LONGEST]], pa.string())))
    count = count_words(raw, ends, 1, 0)[0]
    hashes, spans = np.empty(count, np.int64), np.empty((count, 2), np.int64)
    hash_words(
        raw,
        ends,
        shortest=1,
        longest=0,
        indptr=np.array([0, count], np.int64),
        hashes=hashes,
        spans=spans,
    )
    found: dict[int, str] = {}
    for token, (low, high) in zip(hashes.tolist(), spans.tolist(), strict=True):
        found.setdefault(token, raw[low:high].tobytes().decode("utf-8", "replace"))
    return found


def value_hashes(values: pa.Array, name: str) -> np.ndarray:
    """Return a hash for each value of a category or list column, int64 from 0; -1 where it is
    missing or empty.
    """
    plain = pc.utf8_trim_whitespace(pc.utf8_lower(values.cast(pa.string())))
    words, codes = coded(plain)
    known = [-1 if not value else _value_hash(value, name) for value in words.to_pylist()]
    return np.array([*known, -1], np.int64)[codes]


def _value_hash(value: str, name: str) -> int:
    digest = hashlib.blake2b(
        f"{name}\x1f{value}".encode("utf-8", "surrogatepass"), digest_size=8
    ).digest()
    return int.from_bytes(digest, "little") & 0x7FFFFFFFFFFFFFFF


def _bytes(text: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The UTF-8 bytes of all texts, uint8, and where each begins, int64 [n_texts + 1]."""
    if isinstance(text, pa.ChunkedArray):
        text = text.combine_chunks()
    large = text.cast(pa.large_string())
    _, where, data = large.buffers()
    ends = (
        np.frombuffer(where, np.int64)[large.offset : large.offset + len(large) + 1]
        if len(large)
        else np.zeros(1, np.int64)
    )
    raw = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
    return raw, ends


def _offsets(array: pa.Array) -> pa.Array:
    return pa.array(offsets(pc.list_value_length(array).fill_null(0)).astype(np.int32))
