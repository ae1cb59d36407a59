"""Values from text: plain numbers, and the writings that a whole column makes clear."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.errors import DataError
from cofactor.data.arrow import coded, is_number_type, is_text_type, value_type
from cofactor.data.id_text import MISSING_WORDS
from cofactor.data.readers import durations
from cofactor.data.readers.truth_words import TRUTH, plain

SHARES = "shares of 100"
# How notes end that say so.
_AS_POINT = "read with a decimal point (decimal=',' reads thousands)"
_AMBIGUOUS = re.compile(r"^[-+]?[1-9]\d{0,2},\d{3}$")
_DOTTED = re.compile(r"^[-+]?\d{1,3}(\.\d{3})+$")
# 2.500 may be two and a half or thousands, unless 0.500 or 1234 stands in the column too.
_POINTED = re.compile(r"^[-+]?[1-9]\d{0,2}\.\d{3}$")
_SHORT = re.compile(r"^[-+]?\d{1,3}$")
# 1.234,5 and 2,5 and ,5.
_GROUPED = re.compile(r"^[-+]?(\d+|\d{1,3}(\.\d{3})+|(?=,))(,\d+)?([eE][-+]?\d+)?$")
_COMMA = re.compile(r"^[-+]?\d*,\d+([eE][-+]?\d+)?$")
# 1,234.5, and India's 1,23,456.5.
_THOUSANDS = re.compile(r"^[-+]?([1-9]\d{0,2}(,\d{3})+|[1-9]\d?(,\d{2})*,\d{3})(\.\d+)?$")
_OUT_OF = re.compile(
    r"^(\d+(?:[.,]\d+)?) ?(?:/|(?:out )?of|von|sur|van|su|de|av|из) ?(\d+)(?:[.,]0+)?"
    r"(?: [^\W\d_]+)?$",
    re.IGNORECASE,
)
_SHARE = re.compile(r"^([-+]?\d+(?:\.\d+)?)\s?%$")
_STARS = re.compile(r"^(?:([★⭐]\ufe0f?)+½?[☆✩]*|½|\*+)$")
_SPACED = re.compile(r"^[-+]?\d{1,3}([\s'’]\d{3})+([.,]\d+)?$")
# 1234, 1,234.5 and 1.234,5.
_WRITTEN = {
    ".": re.compile(
        r"^[-+]?(\d+|\d{1,3}(,\d{3})+|\d{1,2}(,\d{2})*,\d{3})?(\.\d*)?([eE][-+]?\d+)?$"
    ),
    ",": re.compile(r"^[-+]?(\d+|\d{1,3}(\.\d{3})+)?(,\d*)?([eE][-+]?\d+)?$"),
}
# $3.50, Rs. 350, 4 stars, 5 kr.: the same words around each number.
_UNITED = re.compile(
    r"^((?:[^\W\d_]+\.)?[^\d+.,-]*)([-+]?\d(?:[\d.,]|[\s'’](?=\d))*)"
    r"([^\d+.,-]*(?:(?<=[^\W\d_])\.)?)$"
)
# (3.50) is negative in accounts, 4² no 4, and an object's field anything.
_NO_UNIT = re.compile(r"[(){}\[\]²³¹⁰⁴-⁹₀-₉¼-¾⅐-⅞]")
# 1.2k is no 1.2.
_MULTIPLE = re.compile(
    r"\d ?(?:[kKMB]|(?i:bn|mio|mln|mrd|tsd|thousand|million|lakhs?|crores?)\.?|[万萬億亿千만천억])$"
)
# {"$numberDouble": "3.5"} of MongoDB, {"double": 3.5} of Avro, and objects as Python writes them.
_HELD = re.compile(
    r"""^(?:\{"(?:\$number\w+|int|long|float|double)": ?"?([-+\d.eE]+)"?\}"""
    r"""|(?:np\.float\d+|np\.u?int\d+|(?:Number)?Decimal|tensor)\(["']?([-+\d.eE]+)["']?\))$"""
)
# (12.50) and 12.50- are negative in accounts.
_BRACKETED, _SIGNED_LAST = re.compile(r"^\(([^()]*\d[^()]*)\)$"), re.compile(r"^([^-]*\d)\s?-$")
_HALF = re.compile(r"^(\d*)([½¼¾])$")
_QUARTERS = {"¼": 0.25, "½": 0.5, "¾": 0.75}
# Signs that other scripts have for minus, the point and between thousands.
_ASCII = str.maketrans({"\u2212": "-", "\u2013": "-", "\u066b": ".", "\uff0e": ".", "\u066c": ""})
_PARTS_OF_SECONDS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_SPACES = re.compile(r"[\s'’]")


@dataclass(frozen=True)
class Odd:
    """Cells of a value column that aren't plain numbers.

    Parameters
    ----------
    rows
        int64 [n], counted from the beginning of the column.
    texts
        A dictionary array of strings [n].
    """

    rows: np.ndarray
    texts: pa.DictionaryArray

    def without(self, left_out: np.ndarray) -> Odd | None:
        """Return the cells whose rows aren't left out (bool [n_rows]); None if there are none."""
        keep = ~left_out[self.rows]
        return Odd(self.rows[keep], self.texts.filter(pa.array(keep))) if keep.any() else None

    def counts(self) -> dict[str, int]:
        """Return the texts that occur, without blanks around them, and how often each does."""
        found: Counter[str] = Counter()
        numbers = np.bincount(np.asarray(self.texts.indices), minlength=len(self.texts.dictionary))
        for text, n in zip(self.texts.dictionary.to_pylist(), numbers.tolist(), strict=True):
            if n:
                found[text.strip()] += n
        return found


def is_duration(kind: pa.DataType) -> bool:
    """Return whether a type is one of durations: also of times of day, which spreadsheets make of
    them.
    """
    return pa.types.is_duration(kind) or pa.types.is_time(kind)


def checked_kind(column: pa.ChunkedArray, name: str, source: str) -> list[str]:
    """Return what there is to say of the type of values; raise DataError if it is none of them."""
    kind = value_type(column.type)
    kind = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    if is_duration(kind):
        return [f"durations in column {name!r} read as seconds"]
    if pa.types.is_nested(kind) or pa.types.is_temporal(kind) or pa.types.is_binary(kind):
        raise DataError(
            f"column {name!r} holds {kind}, not numbers; give another column with value=.",
            source=source,
        )
    return []


def numbers_and_odd(
    column: pa.ChunkedArray | pa.Array, decimal: str | None = None
) -> tuple[np.ndarray, Odd | None]:
    """Return a column as float32, NaN where it is missing or no plain number, and the texts of
    those that aren't plain numbers.
    """
    kind = value_type(column.type)
    if is_text_type(kind):
        return _of_text(column, decimal)
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, kind)
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    elif is_duration(kind):
        whole = column.cast(pa.int32() if pa.types.is_time32(kind) else pa.int64())
        column = pc.divide(whole.cast(pa.float64()), float(_PARTS_OF_SECONDS[kind.unit]))
    elif not is_number_type(kind):
        return np.full(len(column), np.nan, np.float32), None
    with np.errstate(over="ignore"):
        floats = column if pa.types.is_float32(kind) else column.cast(pa.float64(), safe=False)
        floats = floats.fill_null(np.nan) if floats.null_count else floats
        return np.array(floats, np.float32), None


def _of_text(
    column: pa.ChunkedArray | pa.Array, decimal: str | None
) -> tuple[np.ndarray, Odd | None]:
    distinct, codes = coded(column)
    words = [(word or "").strip() for word in distinct.to_pylist()]
    convert = _plain if decimal is None else (lambda text: _by_decimal(text, decimal))
    table = np.array([convert(text) for text in words] + [np.nan], np.float64)
    with np.errstate(over="ignore"):
        found = table.astype(np.float32)[codes]
    odd = np.array(
        [bool(np.isnan(table[n])) and w not in MISSING_WORDS for n, w in enumerate(words)] + [False]
    )
    unclear = decimal is None and are_pointed(words)
    if not (odd.any() or unclear):
        return found, None
    commas = any(odd[n] and _COMMA.match(w) for n, w in enumerate(words))
    if commas or unclear:
        # Beside decimal commas, 1.000 may be a thousand.
        dotted = [bool(_DOTTED.match(w)) for w in words]
        odd = odd | np.array([*dotted, False])
        found[odd[codes]] = np.nan
    rows = np.flatnonzero(odd[codes])
    return found, Odd(rows, pa.DictionaryArray.from_arrays(pa.array(codes[rows]), distinct))


def are_pointed(words: Iterable[str | None]) -> bool:
    """Return whether all cells with a point are like ``2.500``, which may be thousands, and none
    beside them shows that they aren't.
    """
    held = [w.strip() for w in words if w and w.strip() not in MISSING_WORDS]
    pointed = [w for w in held if "." in w]
    return (
        bool(pointed)
        and all(_POINTED.match(w) for w in pointed)
        and all(_SHORT.match(w) for w in held if "." not in w)
    )


def _plain(text: str | None) -> float:
    if not text or "_" in text:
        return float("nan")
    try:
        return float(text if text.isascii() else text.translate(_ASCII))
    except ValueError:
        held, half = _HELD.match(text.strip()), _HALF.match(text.strip())
        if held:
            return _plain(held[1] or held[2])
        return _plain(f"{half[1]}0") / 10 + _QUARTERS[half[2]] if half else float("nan")


def _by_decimal(text: str | None, decimal: str) -> float:
    """A number whose decimal sign is known; the other one of comma and point groups thousands."""
    bare = _SPACES.sub("", text or "")
    if not _WRITTEN[decimal].match(bare):
        return float("nan")
    return _plain(bare.replace("." if decimal == "," else ",", "").replace(",", "."))


class Writing(NamedTuple):
    """How all odd cells of a column are written.

    Parameters
    ----------
    kind
        In a word, and what else has to be the same in all cells; "" for plain numbers.
    convert
        Reads one of them.
    note
        What there is to say about them.
    commas
        Whether the numbers have decimal commas.
    scale
        The scale or unit that the values are of, where all say the same one; else "".
    """

    kind: str
    convert: Callable[[str], float]
    note: str
    commas: bool = False
    scale: str = ""


def settle(
    values: np.ndarray, odd: Odd | None, decimal: str | None = None
) -> tuple[Writing | None, str]:
    """Read odd cells in place whose writing the whole column makes clear; return it, None if it
    isn't clear, and one of the cells, "" if there are none.

    Nothing is guessed: ``1,234`` alone may be either, and stays NaN."""
    if odd is None:
        return None, ""
    words = list(odd.counts())
    found = _writing(words, values, decimal)
    if found is not None:
        # The dictionary also has words of rows that were left out, whatever they are.
        used, places = np.unique(np.asarray(odd.texts.indices), return_inverse=True)
        texts = odd.texts.dictionary.take(pa.array(used)).to_pylist()
        values[odd.rows] = np.array([found.convert(w.strip()) for w in texts], np.float32)[places]
    return found, words[0]


def shape_hint(odd: Odd | None) -> str:
    """Return a remark on odd cells most of which have one shape, such as ``4 stars``; else ""."""
    if odd is None:
        return ""
    shapes: Counter[str] = Counter()
    example: dict[str, str] = {}
    for word, count in odd.counts().items():
        shape = re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", word))
        shapes[shape] += count
        example.setdefault(shape, word)
    shape, count = shapes.most_common(1)[0]
    if 2 * count <= sum(shapes.values()) or "9" not in shape:
        return ""
    word = example[shape]
    cure = (
        "decimal=',' or decimal='.' says which it is"
        if re.fullmatch(r"[-+]?[\d.,]+", word) or re.search(r"\d[.,]\d{3}(?!\d)", word)
        else "they need to be numbers, and dropping them would keep a biased sample"
    )
    return f"; most of them look like {word!r}: {cure}"


def _writing(words: Sequence[str], values: np.ndarray, decimal: str | None) -> Writing | None:
    """How all odd words of a column are written, if that is clear."""
    first = words[0]
    known = values[np.isfinite(values)]
    if all(_POINTED.match(w) for w in words):
        return Writing("", _plain, f"values such as {first!r} {_AS_POINT}")
    if all(_SHARE.match(w) for w in words):
        if ((known != 0) & (np.abs(known) <= 1)).any():
            # 80 % beside 0.8.
            return None
        note = f"shares such as {first!r} read as numbers"
        return Writing(SHARES, lambda w: float(_SHARE.sub(r"\1", w)), note, scale=SHARES)
    if all(_STARS.match(w) for w in words):
        note = f"stars such as {first!r} read as their number"
        return Writing("stars", lambda w: sum(c in "★⭐*" for c in w) + 0.5 * ("½" in w), note)
    if all(plain(w) in TRUTH for w in words) and np.isin(known, (0, 1)).all():
        return Writing(
            "words", lambda w: TRUTH[plain(w)], f"words such as {first!r} read as 1 and 0"
        )
    if not known.size and durations.are_durations(words):
        note = f"durations such as {first!r} read as seconds"
        return Writing("durations", lambda w: durations.seconds(w) or 0.0, note, scale="seconds")
    ratios = [_OUT_OF.match(w) for w in words]
    most = {ratio[2] for ratio in ratios if ratio}
    if all(ratios) and len(most) == 1:
        scale = f"out of {most.pop()}"
        return Writing(
            scale,
            lambda w: float(_OUT_OF.sub(r"\1", w).replace(",", ".")),
            f"values such as {first!r} read as their first number",
            scale=scale,
        )
    found = _grouped(words, values) if decimal is None else None
    return found or _united(words, values, decimal) or _accounted(words, values, decimal)


def _accounted(words: Sequence[str], values: np.ndarray, decimal: str | None) -> Writing | None:
    """How the numbers of accounts are written, of which ``(12.50)`` and ``12.50-`` are negative;
    brackets around all of them may mean anything.
    """
    signed = {w: _with_sign(w) for w in words}
    turned = [w for w in words if signed[w] != w]
    bracketed = all(map(_BRACKETED.match, words)) and not np.isfinite(values).any()
    if not turned or bracketed:
        return None
    read = _plain if decimal is None else partial(_by_decimal, decimal=decimal)
    grouped = any(_COMMA.match(w) or "," in w for w in signed.values())
    rest = [w for w in signed.values() if np.isnan(read(w)) or (grouped and _DOTTED.match(w))]
    plain = [read(w) for w in signed.values() if w not in rest]
    known = np.append(values, np.array(plain, np.float32))
    found = _writing(rest, known, decimal) if rest else None
    if rest and found is None:
        return None
    inner = Writing("", read, "") if found is None else found
    beyond = frozenset(rest)

    def convert(word: str) -> float:
        text = _with_sign(word)
        return inner.convert(text) if text in beyond else read(text)

    note = f"numbers such as {turned[0]!r} read as negative"
    note += f", {inner.note}" if inner.note else ""
    return inner._replace(kind=f"accounts {inner.kind}".strip(), convert=convert, note=note)


def _with_sign(word: str) -> str:
    """A number of accounts with its sign before its digits: ``($12.50)`` is ``$-12.50``."""
    inner = _BRACKETED.match(word) or _SIGNED_LAST.match(word)
    return word if inner is None else re.sub(r"(?=[.,]?\d)", "-", inner[1].strip(), count=1)


def _united(words: Sequence[str], values: np.ndarray, decimal: str | None) -> Writing | None:
    """How numbers with one word around each of them are written, if that is clear."""
    # Only where all cells are so: one "x1" among numbers is a fault.
    if np.isfinite(values).any() or any(_NO_UNIT.search(w) or _MULTIPLE.search(w) for w in words):
        return None
    united = [_UNITED.match(w) for w in words]
    units = {(u[1].strip(), u[3].strip().rstrip("s")) for u in united if u}
    if not all(united) or len(units) > 1:
        return None
    inner = [u[2] for u in united if u]
    grouped = [w for w in inner if np.isnan(_plain(w)) or _DOTTED.match(w)]
    found = _grouped(grouped, values) if decimal is None else None
    convert = _plain if found is None else found.convert
    if decimal is not None:
        convert = partial(_by_decimal, decimal=decimal)
    if any(np.isnan(convert(w)) for w in inner):
        return None
    note = f"the number in cells such as {words[0]!r} read"
    if decimal is None and are_pointed(inner):
        note = f"the number in cells such as {words[0]!r} {_AS_POINT}"
    commas = found is not None and found.commas
    unit = units.pop()
    return Writing(
        f"unit {unit}",
        lambda w: convert(_UNITED.sub(r"\2", w)),
        note,
        commas,
        f"in {' '.join(filter(None, unit))!r}",
    )


def _grouped(words: Sequence[str], values: np.ndarray) -> Writing | None:
    """How numbers with decimal commas or grouped thousands are written, if that is clear."""
    known = values[np.isfinite(values)]
    spaced = next((w for w in words if _SPACED.match(w)), None)
    whole = (known == np.floor(known)).all()
    if spaced and all(_SPACED.match(w) or (_COMMA.match(w) and whole) for w in words):
        return Writing(
            "blanks",
            lambda w: _by_decimal(w, "," if "," in w else "."),
            f"thousands as in {spaced!r} read",
        )
    clear = [w for w in words if "," in w and not _AMBIGUOUS.match(w)]
    if clear and all(_GROUPED.match(w) for w in words) and whole:
        note = f"decimal commas such as {clear[0]!r} read"
        return Writing("commas", lambda w: _by_decimal(w, ","), note, commas=True)
    if clear and all(_THOUSANDS.match(w) for w in words):
        note = f"thousands with commas such as {clear[0]!r} read"
        return Writing("thousands", lambda w: _by_decimal(w, "."), note)
    return None
