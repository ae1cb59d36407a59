"""The same meaning or the same refusal by every way in: texts and objects as ids."""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import pathlib
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from cofactor.data.ids import IdMap
from field.ways_in import (
    COLUMN_WAYS,
    ID_WAYS,
    PYTHON_WAYS,
    REFUSED,
    STORED,
    TEXT_WAYS,
    outcome,
)

# Text -> the id that it is; a column with fractions among its ids.
KEPT = {
    **dict.fromkeys((" a", "a ", "\u00a0a\u3000", "a\u200b", "\u200ea", "a\u202c", "\ufeffa"), "a"),
    **dict.fromkeys(("\ta\r\n", "a\x00", "\u00ada", "\x1fa", "a\x85", '="a"', ' ="a" '), "a"),
    **dict.fromkeys(("'00123", '="00123"', "00123", "\u2067'00123\u2069"), "00123"),
    **dict.fromkeys(('{"$oid":"ab"}', '{"$uuid": "ab"}', "ObjectId('ab')", 'UUID("ab")'), "ab"),
    **dict.fromkeys(("np.int64(5)", "Decimal('5')", "NumberLong(5)", '{"$numberLong":"5"}'), "5"),
    **{
        text: text
        for text in (
            *("a b", "a  b", "a\u200bb", "e\u0301", "\u00e9", "\u0130", "\u00df", "\U0001f600"),
            *("1.5", "1.0", "5.00", "-7.0", "1e3", "1E3", "1e+05", "1e400", ".5", "1.", "+7"),
            *("007", "-0", "-1", "0", "0x10", "1_000", "1,000", "1 000", "\u0661\u0662", "\uff17"),
            *("9007199254740991", "9007199254740993", "9223372036854775807"),
            *("9223372036854775808", "-9223372036854775808", "12345678901234567890123"),
            *("True", "true", "FALSE", "inf", "Infinity", "nil", "-", "?", "guest", "unknown"),
            *("a,b", "a;b", "a|b", "a:b", "1:", "a/b", "a%2Fb", "%20a", "//a", "#a", "@a", "-a"),
            *("--a", "=1+1", "'90s", "'abc'", '"abc"', "b'abc'", "''", "'", "\u00e9'", "()", "[a]"),
            *(
                "{a}",
                "tensor([5])",
                "$oid",
                "\ufffd",
                "20190105",
                "2019-01-05",
                "12:30",
                "a\u2028b",
            ),
            *("a'b", 'a"b', "a\\b", "\\", "a\\nb", "`a`", "a\u00adb", "\u00b2", "NULLs", "nano"),
        )
    },
}
# Also ids, but not where they are stored and logged.
UNSTORED = ("a\x01b", "\x01a", "a\nb", "a\tb", "a\rb", "\x7fa", "x" * 10_240)
NO_IDS = (
    *("", " ", "\u2028", "\u200b\u00a0", "\x00", "a\x00b", "NULL", "null", " NULL ", "nan", "NaN"),
    *("None", "none", "NA", "N/A", "n/a", "<NA>", "#N/A", "#REF!", "NaT", "\\N", "undefined"),
    *("(null)", "[NULL]", '{"a":1}', "{}", "[]", "[1]", '["a"]', '=""', '="NULL"', "{'a': 1}"),
    *('{"$oid":"NULL"}', '{"$oid":{"a":1}}', '{"$date":"2020-01-01"}'),
)


@pytest.mark.parametrize("way", COLUMN_WAYS)
def test_a_column_of_texts_has_the_same_ids_by_every_way_in(way: str, tmp_path: Path) -> None:
    texts = [*KEPT, *UNSTORED]
    # Of lines that repeat an id a catalogue keeps all until it is joined.
    assert COLUMN_WAYS[way](texts, tmp_path) == [*KEPT.values(), *UNSTORED]


@pytest.mark.parametrize("way", COLUMN_WAYS)
def test_what_is_no_id_is_left_out_of_a_column_by_every_way_in(way: str, tmp_path: Path) -> None:
    assert COLUMN_WAYS[way]([*NO_IDS, "zz"], tmp_path) == ["zz"]


@pytest.mark.parametrize("way", TEXT_WAYS)
def test_one_text_is_the_same_id_by_every_way_in(way: str) -> None:
    known = IdMap.of([*{*KEPT.values()}, *UNSTORED, "zz"])
    for text, right in KEPT.items():
        assert outcome(lambda text=text: TEXT_WAYS[way](text, known)) == right, ascii(text)
    for text in UNSTORED:
        right = REFUSED if way in STORED else text
        assert outcome(lambda text=text: TEXT_WAYS[way](text, known)) == right, ascii(text)


@pytest.mark.parametrize("way", TEXT_WAYS)
def test_one_text_that_is_no_id_is_none_by_every_way_in(way: str) -> None:
    known = IdMap.of([*{*KEPT.values()}, "zz"])
    for text in NO_IDS:
        found = outcome(lambda text=text: TEXT_WAYS[way](text, known))
        assert found in (REFUSED, "unknown"), ascii(text)
        assert found == REFUSED or way not in STORED, ascii(text)


class _Number(enum.IntEnum):
    SEVEN = 7


class _Word(enum.StrEnum):
    A = "a"


class _OldWord(str, enum.Enum):  # noqa: UP042 (as older code has them)
    A = "a"


class _Plain(enum.Enum):
    SEVEN = 7


class _Text(str):
    pass


_UUID = uuid.UUID(int=5)
_MOMENT = datetime.datetime(2020, 1, 1)
# What Python has -> the id that it is.
OBJECTS: tuple[tuple[Any, str], ...] = (
    *((7, "7"), (np.int8(7), "7"), (np.uint64(2**63), str(2**63)), (2**63, str(2**63))),
    *((-(2**63) - 1, str(-(2**63) - 1)), (2**53 + 1, str(2**53 + 1)), (2**100, str(2**100))),
    *((7.0, "7"), (-0.0, "0"), (1e15, "1" + 15 * "0"), (np.float32(7), "7"), (np.float16(7), "7")),
    *((decimal.Decimal(7), "7"), (decimal.Decimal("7.0"), "7"), (decimal.Decimal("-0"), "0")),
    *((decimal.Decimal("1E2"), "100"), (decimal.Decimal("1e30"), "1" + 30 * "0")),
    *((_UUID, str(_UUID)), (b"ab", "ab"), (bytearray(b"ab"), "ab"), (memoryview(b"ab"), "ab")),
    *((np.bytes_(b"ab"), "ab"), (b"\xff\x00", "ff00"), (b"a\x01", "6101"), (np.str_("a"), "a")),
    *((_Text(" a"), "a"), (_Number.SEVEN, "7"), (_Word.A, "a"), (_OldWord.A, "a")),
    *((pa.scalar(7), "7"), (pa.scalar("a"), "a")),
)
NO_OBJECTS: tuple[Any, ...] = (
    *(True, np.True_, None, pd.NA, pd.NaT, np.datetime64("NaT"), float("nan"), np.float32("nan")),
    *(decimal.Decimal("NaN"), float("inf"), decimal.Decimal("Infinity"), 2.0**53, 1e16),
    *(np.float32(2**24), np.float16(2**11), _MOMENT, _MOMENT.date(), _MOMENT.time()),
    *(pd.Timestamp(_MOMENT), np.datetime64("2020-01-01"), datetime.timedelta(1), (1, 2), [1, 2]),
    *({"a": 1}, {1}, frozenset([1]), _Plain.SEVEN, 1j, np.complex64(1), fractions.Fraction(7)),
    *(pathlib.PurePosixPath("a"), np.array([7]), object(), range(2), pd.Interval(0, 1), int),
    *(pd.Period("2020-01"), "a\ud800", "\ud800"),
)
# Alone they are refused; among texts they may be versions or sections.
FRACTIONS: tuple[Any, ...] = (7.5, np.float32(7.5), decimal.Decimal("7.5"))
_KNOWN = IdMap.of([*{right for _, right in OBJECTS}, "zz"])


def _name(value: Any) -> str:
    text = ascii(value).partition(" at 0x")[0]  # an address differs from process to process
    return f"{type(value).__name__} {text}"[:40]


@pytest.mark.parametrize(("value", "right"), OBJECTS, ids=_name)
def test_an_object_is_the_same_id_by_every_way_in(value: Any, right: str, tmp_path: Path) -> None:
    found = {name: outcome(lambda w=way: w(value, _KNOWN)) for name, way in ID_WAYS.items()}
    for name, way in PYTHON_WAYS.items():
        found[name] = outcome(lambda w=way: w([value] * 3, tmp_path))[0]
        found[f"{name}, among texts"] = outcome(lambda w=way: w([value, "zz", "1.5"], tmp_path))[0]
    is_float = isinstance(value, (float, np.floating))
    written = f"{float(value)}" if is_float else f"{value:f}" if value == 7 else right
    # Beside fractions a float may be a version; what is an integer elsewhere is one there too.
    assert {name: one for name, one in found.items() if one != right} in (
        {},
        {name: "0.0" if value == 0 else written for name in found if name.endswith("texts")},
    )


def _nests(value: Any) -> bool:
    """Whether it is a history of its own within a list of them."""
    return isinstance(value, (dict, list, tuple, set, frozenset, np.ndarray))


@pytest.mark.parametrize("value", NO_OBJECTS, ids=_name)
def test_what_is_no_id_is_refused_by_every_way_in(value: Any, tmp_path: Path) -> None:
    ways = {name: way for name, way in ID_WAYS.items() if name != "history" or not _nests(value)}
    found = {name: outcome(lambda w=way: w(value, _KNOWN)) for name, way in ways.items()}
    for name, way in PYTHON_WAYS.items():
        alone = outcome(lambda w=way: w([value] * 3, tmp_path))
        among = outcome(lambda w=way: w([value, "zz", "yy"], tmp_path))
        found[name] = REFUSED if alone == [] else alone
        found[f"{name}, among texts"] = REFUSED if among == ["zz", "yy"] else among
    assert {name: one for name, one in found.items() if one != REFUSED} == {}


@pytest.mark.parametrize("value", FRACTIONS, ids=_name)
def test_a_fraction_is_an_id_among_texts_alone(value: Any, tmp_path: Path) -> None:
    for name, way in ID_WAYS.items():
        assert outcome(lambda w=way: w(value, _KNOWN)) == REFUSED, name
    for name, way in PYTHON_WAYS.items():
        assert outcome(lambda w=way: w([value] * 3, tmp_path)) == REFUSED, name
        assert way([value, "zz", "yy"], tmp_path) == ["7.5", "zz", "yy"], name
