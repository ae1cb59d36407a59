"""Lines and documents that hold several items: lists of any writing, and documents in parts."""

from __future__ import annotations

import json
from typing import Any

from field.case import Case, Row

_AB: list[Row] = [("u1", "a", 3.0), ("u2", "b", 4.0)]
_LISTS: list[Row] = [("u1", "a"), ("u1", "b"), ("u1", "c"), ("u2", "b"), ("u3", "a"), ("u3", "c")]
_ONE: list[Any] = [{"user": "u1", "item": "a", "rating": 3}]
_TWO: list[Any] = [{"user": "u2", "item": "b", "rating": 4}]


def _text(name: str, origin: str, text: str, rows: list[Row] | None = None, **more: Any) -> Case:
    return Case(name=name, origin=origin, files={"a.txt": text}, rows=rows, **more)


def _document(name: str, origin: str, content: Any, rows: list[Row], **more: Any) -> Case:
    return Case(name=name, origin=origin, files={"a.json": json.dumps(content)}, rows=rows, **more)


LINES = (
    *(
        _text(
            f"items between commas behind {sign!r}",
            "baskets",
            f"u1{sign}a,b,c\nu2{sign}b\nu3{sign}a,c\n",
            _LISTS,
        )
        for sign in ";|\t"
    ),
    _text(
        "numbers between blanks behind a tab",
        "sequences",
        "1\t10 11 12\n2\t11\n",
        [(1, 10), (1, 11), (1, 12), (2, 11)],
    ),
    _text(
        "numbers with commas behind a user are values",
        "two columns of a table",
        "u1;4,5\nu2;3,0\n",
        [("u1", "4,5"), ("u2", "3,0")],
    ),
    _text(
        "the count of items before them, in fields",
        "a warehouse's list",
        "u1\t3\ta,b,c\nu2\t1\tb\nu3\t2\ta,c\n",
        _LISTS,
        notes=("counts its items",),
    ),
    *(
        _text(
            f"items in {a}{b} behind a colon",
            "a configuration",
            f"u1: {a}a, b, c{b}\nu2: {a}b{b}\nu3: {a}a, c{b}\n",
            _LISTS,
        )
        for a, b in ("[]", "{}")
    ),
    _text(
        "lists of one length of words that return",
        "favourites",
        "u1 a b c\nu2 b c d\nu3 a c d\n",
        [(f"u{n}", x) for n, line in enumerate(("abc", "bcd", "acd"), 1) for x in line],
    ),
    _text(
        "a category is no item",
        "favourites",
        "u1 a red\nu2 b red\nu3 a blue\n",
        [("u1", "a"), ("u2", "b"), ("u3", "a")],
    ),
    _text(
        "items with arrows between them",
        "paths of sessions",
        "s1: a > b > c\ns2: b > d\n",
        error="a text or a program",
    ),
    _text(
        "items and ratings in turn",
        "a script",
        "u1 a 4 b 3\nu2 b 3\n",
        error="every second item is a number",
    ),
    *(
        _text(f"rows in brackets: {line}", "print", f"{line}\n{other}\n", error="brackets off")
        for line, other in (
            ("(u1,a),4", "(u2,b),3"),
            ("[u1,a];4", "[u2,b];3"),
            ("u1 (a,4)", "u2 (b,3)"),
            ("(u1 a 4)", "(u2 b 3)"),
            ("user,item,rating\n(u1,a,4)", "(u2,b,3)"),
        )
    ),
    _document(
        "lists of records by day",
        "an API's answer",
        {"2021-03-05": _ONE, "2021-03-06": _TWO},
        [(*row, 1614902400 + 86400 * n) for n, row in enumerate(_AB)],
    ),
    _document("lists of records by page", "an API's answer", {"p1": _ONE, "p2": _TWO}, _AB),
    _document(
        "ratings by item within users",
        "a web app's store",
        {"u1": {"ratings": {"a": 3}}, "u2": {"ratings": {"b": 4}}},
        _AB,
    ),
    _document(
        "lists of ratings within users that have names",
        "a web app's store",
        {n: {"name": "x", "ratings": [{"item": i, "rating": v}]} for n, i, v in _AB},
        _AB,
    ),
    _document(
        "rows below their names beside other fields",
        "a spreadsheet's API",
        {"range": "A1:C3", "values": [["item", "user", "rating"], ["a", "u1", 3], ["b", "u2", 4]]},
        _AB,
    ),
)
