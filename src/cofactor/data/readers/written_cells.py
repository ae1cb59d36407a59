"""Cells of a catalogue that say in a text what other formats have types for: lists as JSON, Python
and databases write them, and amounts with their unit."""

from __future__ import annotations

import ast
import json
import re
import unicodedata
import warnings
from collections.abc import Collection, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cofactor.data.arrow import coded, is_text_type
from cofactor.data.catalogue import UNIT, title_column
from cofactor.data.readers.list_cells import of_brackets
from cofactor.data.readers.name_words import words
from cofactor.data.readers.table_texts import as_numbers

# Cells that are looked at before all of them are.
_SOME = 1000
_IN_BRACKETS, _MAPPING = (
    r"(?s)^\s*(\[.*\]|\{.*\})\s*$",
    r"""^\s*\{\s*("[^"]*"|'[^']*'|[-\w.]+)\s*:""",
)
_UNPARTED = re.compile(r"""(['"])\s+(['"])""")
# What names an object of a list: {"id": 28, "name": "Action"}.
_NAMING = ("name", "title", "label", "value", "text", "id")
_BLANK = r"[\s\x{a0}\x{202f}]?"
_AMOUNT = (
    rf"^\s*(?P<before>[^\d\s.,+()\[\]-]{{0,4}}){_BLANK}"
    r"(?P<number>[-+]?\d(?:[\d.,]|[ '\x{2019}\x{a0}\x{202f}]\d\d\d)*)"
    rf"{_BLANK}(?P<after>[^\d+.,()\[\]-]{{0,12}})\s*$"
)
_WITHIN = r"[ '\x{2019}\x{a0}\x{202f}]"
_CODES = """EUR USD GBP CHF JPY INR CAD AUD NZD SEK NOK DKK PLN CZK HUF RON BRL MXN ARS CLP COP CNY
    RMB HKD SGD KRW THB IDR MYR PHP VND TRY RUB UAH ZAR NGN KES EGP ILS AED SAR Rs Rs. kr kr. zł Kč
    Ft"""
_MEASURES = """% g kg mg lb oz l ml cl cm mm m km inch min mins minute hour sec second day week
    month year page stück stk pc piece item star kb mb gb tb w kw wh kwh mah v hz khz mhz ghz px
    dpi kcal cal calorie mpa bar nm rpm hp ps °c °f seite minuten stunde tage jahre"""
_SAME = {"€": "eur", "£": "gbp", "₹": "inr", "rs": "inr", "us$": "usd", "zł": "pln", "kč": "czk"}
_PRICED = """price cost amount msrp rrp preis kosten betrag prix precio prezzo preco prijs cena
    fiyat цена 価格 价格 가격"""
_CURRENCIES, _UNITS, _PRICES = (frozenset(w.split()) for w in (_CODES, _MEASURES, _PRICED))
_DECIMAL = r"^\s*[-+]?\d+(\.\d+)?\s*$"


def with_types(
    table: pa.Table, ids: str, texts: Collection[str] = ()
) -> tuple[pa.Table, list[str]]:
    """Return a table whose columns of lists in brackets are lists, and whose amounts are numbers
    (their fields' metadata say in what `UNIT`), with notes on the latter; ids, titles and
    ``texts`` stay as they are.

    Columns of which one cell is written otherwise, or in another unit, stay texts."""
    kept, notes = {ids, title_column(table), *texts}, []
    for place, field in enumerate(table.schema):
        if field.name in kept or not is_text_type(field.type):
            continue
        column = table.column(place)
        lists = _lists(column)
        found, unit = (lists, "") if lists is not None else _amounts(column, field.name)
        if found is None:
            continue
        if lists is None:
            shown = column.drop_null()[0].as_py().strip()
            notes.append(f"column {field.name!r}: the number in cells such as {shown!r} read")
        made = pa.field(field.name, found.type, metadata={UNIT: unit.encode()} if unit else None)
        table = table.set_column(place, made, found)
    return table, notes


def _are(column: pa.ChunkedArray, form: str) -> bool:
    """Whether all cells that hold anything are of a form, and some do."""
    for part in (column.slice(0, _SOME), column) if len(column) > _SOME else (column,):
        held = part.filter(pc.not_equal(pc.utf8_trim_whitespace(part), ""))
        if not len(held) or not pc.all(pc.match_substring_regex(held, form)).as_py():
            return False
    return True


def _lists(column: pa.ChunkedArray) -> pa.Array | None:
    """Lists in brackets; None if some cell is no list, or nothing shows that they are lists."""
    if not _are(column, _IN_BRACKETS):
        return None
    texts, codes = coded(column)
    found, sure = [], False
    for text in texts.to_pylist():
        cells, clear = _list(text)
        if cells is None:
            return None
        found.append(cells)
        sure |= clear
    if not sure:
        return None
    flat = [cell for cells in found for cell in cells]
    if not all(isinstance(cell, (int, float)) for cell in flat):
        found = [[str(cell) for cell in cells] for cells in found]
    elif any(isinstance(cell, float) for cell in flat):
        found = [[float(cell) for cell in cells] for cells in found]
    try:
        return pa.array([*found, None]).take(pa.array(codes))
    except (pa.ArrowException, OverflowError):
        return None


def _list(text: str) -> tuple[list[Any] | None, bool]:
    """The cells of one list, None if they aren't clear; and whether it is one without a doubt."""
    text = text.strip()
    if re.match(_MAPPING, text):
        return None, False
    # NumPy puts no commas between texts, which Python would read as one.
    value = None if text[0] == "{" or _UNPARTED.search(text) else _literal(text)
    if isinstance(value, (list, tuple)):
        return _plain(value), True
    inner = text[1:-1]
    if value is not None or "[" in inner or "{" in inner or (text[0] == "[" and '"' in inner):
        return None, False
    return [*of_brackets(text)], "," in text or "'" in text


def _literal(text: str) -> Any:
    """What JSON or Python mean by a text; None if they don't know it."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        # Literals only: nothing of the text is ever run.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _plain(cells: Sequence[Any]) -> list[Any] | None:
    """Texts and numbers of a list, which may hold lists and objects with a name."""
    found: list[Any] = []
    for cell in cells:
        if isinstance(cell, (list, tuple)):
            inner = _plain(cell)
            if inner is None:
                return None
            found += inner
        elif isinstance(cell, dict):
            name = next((cell[key] for key in _NAMING if key in cell), None)
            if not isinstance(name, (str, int, float)):
                return None
            found.append(str(name))
        elif isinstance(cell, bool) or not isinstance(cell, (str, int, float, type(None))):
            return None
        elif cell is not None:
            found.append(cell)
    return found


def _amounts(column: pa.ChunkedArray, name: str) -> tuple[pa.ChunkedArray | None, str]:
    """Numbers behind a currency or before a unit, the same in all cells, as numbers, and the unit;
    also plain ones of prices, which some formats keep as texts.
    """
    if _are(column, _DECIMAL):
        return as_numbers(column) if {*words(name)} & _PRICES else None, ""
    if not _are(column, _AMOUNT):
        return None, ""
    parts = pc.extract_regex(column, _AMOUNT)
    around = [pc.unique(pc.struct_field(parts, side)) for side in ("before", "after")]
    before, after = ({text.strip() for text in side.drop_null().to_pylist()} for side in around)
    units = {text.lower().rstrip(".").removesuffix("s") or text for text in after}
    if len(before) != 1 or len(units) != 1:
        return None, ""
    sign, unit = before.pop(), units.pop()
    known = unit in _UNITS or f"{unit}s" in _UNITS or all(map(_is_currency, after))
    if sign == unit == "" or (sign and not _is_currency(sign)) or (unit and not known):
        return None, ""
    numbers = pc.replace_substring_regex(pc.struct_field(parts, "number"), _WITHIN, "")
    unit = sign.strip(".").lower() or unit
    return as_numbers(numbers), _SAME.get(unit, unit)


def _is_currency(sign: str) -> bool:
    return sign in _CURRENCIES or any(unicodedata.category(letter) == "Sc" for letter in sign)
