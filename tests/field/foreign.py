"""What is no table but looks like one, and what stands around a table."""

from __future__ import annotations

import csv
import io
from collections import Counter

import numpy as np
import pandas as pd

from field.case import Case

_ROWS = [("u1", "a", 4.0), ("u2", "b", 3.0)]
_PAIRS = [("u1", "a"), ("u2", "b")]
_TEXT = "user,item,rating\nu1,a,4\nu2,b,3\n"
_GRID = "+------+------+--------+\n"

FOREIGN = (
    *(
        Case(
            name=f"drawn for the eye: {origin}", origin=origin, files={"a.txt": text}, error="drawn"
        )
        for origin, text in (
            ("psql", " user | item | n \n------+------+---\n u1   | a    | 4 \n(1 row)\n"),
            ("mysql", _GRID + "| user | item | rating |\n" + _GRID + "| u1   | a    |      4 |\n"),
            ("a README", "| user | item | n |\n|------|:----:|--:|\n| u1 | a | 4 |\n"),
            ("polars", "shape: (1, 2)\n┌──────┬──────┐\n│ user ┆ item │\n╞══════╪══════╡\n"),
            ("reStructuredText", "====  ====\nuser  item\n====  ====\nu1    a\n====  ====\n"),
            ("sqlcmd", "user,item,rating\n----,----,------\nu1,a,4\n"),
            ("SQL*Plus", "USER_ID    ITEM\n---------- ------\nu1         a\nu2         b\n"),
        )
    ),
    *(
        Case(name=f"no table: {origin}", origin=origin, files={"a.txt": text}, error=error)
        for origin, text, error in (
            ("mysql's \\G", f"{'*' * 27} 1. row {'*' * 27}\nuser: u1\nitem: a\n", "--batch"),
            ("IIS", "#Version: 1.0\n#Fields: user item n\nu1 a 4\nu2 b 3\n", "web server"),
            ("Apache", '1.1.1.1 - u1 [05/Jan/2019:01:00:00 +0100] "GET /a" 200 5\n', "web server"),
            ("Heroku", "user=u1 item=a n=4\nuser=u2 item=b n=3\n", "name=value"),
            ("print(row)", "('u1', 'a', 4)\n('u2', 'b', 3)\n", "tuples"),
            ("print(row) of lists", "['u1', 'a', 4]\n['u2', 'b', 3]\n", "lists"),
            ("print(rows)", "[('u1', 'a', 4), ('u2', 'b', 3)]\n", "Python"),
            ("a graph's edges", "u1 -> a\nu2 -> b\n", "delimiter='->'"),
            ("RDF", "<http://x/u1> <http://x/likes> <http://x/a> .\n", "RDF"),
            ("fastText", "__label__a u1 good\n__label__b u2 bad thing\n", "fastText"),
            ("Prolog", "likes(u1,a).\nlikes(u2,b).\n", "logic"),
            ("RFC 7464", '\x1e{"user":"u1","item":"a"}\n\x1e{"user":"u2","item":"b"}\n', "036"),
            ("a page's data", 'const data = [{"user":"u1","item":"a"}];', "JSON"),
        )
    ),
    Case(
        name="arrows are a delimiter once said",
        origin="a graph's edges",
        files={"a.txt": "u1 -> a\nu2 -> b\n"},
        options={"delimiter": "->"},
        rows=_PAIRS,
    ),
    Case(
        name="comments with spaces above rows of numbers",
        origin="KONECT",
        files={"out.x": "% bip weighted\n% 4 3 2\n1 1 5 1095027200\n1 2 3 1095027300\n"},
        rows=[(1, 1, 5.0, 1095027200), (1, 2, 3.0, 1095027300)],
        notes=("bip weighted",),
    ),
    Case(
        name="comments above edges",
        origin="SNAP",
        files={"a.txt": "# Nodes: 4 Edges: 2\n# FromNodeId\tToNodeId\n0\t1\n3\t2\n"},
        rows=[(0, 1), (3, 2)],
        notes=("Nodes: 4",),
    ),
    Case(
        name="the last comment is the header",
        origin="NumPy's savetxt",
        files={"a.tsv": "# made in May\n# user\titem\trating\nu1\ta\t4\nu2\tb\t3\n"},
        rows=_ROWS,
    ),
    Case(
        name="a title with a rule below it is no drawn table",
        origin="reports",
        files={"a.csv": "Orders 2024\n===========\nuser,item,rating\nu1,a,4\nu2,b,3\n"},
        rows=_ROWS,
        notes=("Orders 2024",),
    ),
    Case(
        name="comments above lists",
        origin="adjacency lists of networkx",
        files={"a.adjlist": "# GMT Mon\n#\n1 2 3\n2 5\n3 4 5 6\n"},
        rows=[(1, 2), (1, 3), (2, 5), (3, 4), (3, 5), (3, 6)],
    ),
    Case(
        name="Ctrl-Z at the end",
        origin="DOS",
        files={"a.csv": _TEXT.replace("\n", "\r\n") + "\x1a"},
        rows=_ROWS,
    ),
    Case(
        name="the mark of UTF-8 in the middle",
        origin="copy a.csv+b.csv c.csv",
        files={"a.csv": "\ufeffuser,item,rating\nu1,a,4\n\ufeffuser,item,rating\nu2,b,3\n"},
        rows=_ROWS,
        notes=("repeats? of the header",),
    ),
    *(
        Case(
            name=f"a count {place} is no item",
            origin="hand-written baskets",
            files={"a.txt": text},
            rows=[("u1", "a"), ("u1", "b"), ("u2", "c"), ("u3", "d"), ("u3", "e"), ("u3", "f")],
            notes=("counts its items",),
        )
        for place, text in (
            ("behind the user", "u1 2 a b\nu2 1 c\nu3 3 d e f\n"),
            ("at the end", "u1 a b 2\nu2 c 1\nu3 d e f 3\n"),
            ("behind the user's comma", "u1,2,a,b\nu2,1,c\nu3,3,d,e,f\n"),
        )
    ),
    Case(
        name="values behind items are noted",
        origin="sparse rows of a matrix",
        files={"a.txt": "1 a:4 b:3\n2 c:5\n3 a:1 b:2 c:3\n"},
        rows=[
            (int(u), f"{i}:{v}") for u, i, v in zip(*("112333", "abcabc", "435123"), strict=True)
        ],
        notes=("if it is a value",),
    ),
    Case(
        name="a value in the dictionary of rows left out",
        origin="found by mutations",
        files={
            "a.csv": "user,item,rating,time\nu1,7,1/5,1546646400\nu2,8,2.5,1546646401\nu3,9,,9\n"
        },
        options={"on_bad": "skip"},
        rows=[("u1", 7, 1.0), ("u2", 8, 2.5)],
    ),
    Case(
        name="rows of a csv.reader with their header",
        origin="a notebook",
        source=lambda: csv.reader(io.StringIO(_TEXT)),
        rows=_ROWS,
    ),
    Case(
        name="an array of texts with its header",
        origin="np.loadtxt(dtype=str)",
        source=lambda: np.array([["item", "user"], ["a", "u1"], ["b", "u2"]]),
        rows=_PAIRS,
    ),
    Case(
        name="periods of pandas are their texts",
        origin="cohorts by month",
        source=lambda: pd.DataFrame(
            {"user": pd.PeriodIndex(["2019-01", "2019-02"], freq="M"), "item": ["a", "b"]}
        ),
        rows=[("2019-01", "a"), ("2019-02", "b")],
    ),
    Case(
        name="complex values in tuples",
        origin="an FFT gone astray",
        source=lambda: [("u1", "a", 1j), ("u2", "b", 2 + 1j)],
        error="complex",
    ),
    Case(
        name="NA of pandas in tuples",
        origin="itertuples of nullable columns",
        source=lambda: [(pd.NA, "a"), ("u2", "b")],
        options={"on_bad": "skip"},
        rows=[("u2", "b")],
    ),
    Case(
        name="a mapping from user to a set",
        origin="favourites gathered in a loop",
        source=lambda: {"u1": {"b", "a"}, "u2": frozenset("b")},
        rows=[("u1", "a"), ("u1", "b"), ("u2", "b")],
    ),
    Case(
        name="a mapping from user to items and values, of numbers",
        origin="ratings gathered in a loop",
        source=lambda: {1: {10: 5.0, 11: 3.0}, 2: {10: 4.0}},
        rows=[(1, 10, 5.0), (1, 11, 3.0), (2, 10, 4.0)],
    ),
    Case(
        name="a mapping of series",
        origin="columns by name",
        source=lambda: {"user": pd.Series(["u1", "u2"]), "item": pd.Series(["a", "b"], [7, 8])},
        rows=_PAIRS,
    ),
    Case(
        name="a Counter of pairs",
        origin="counts of plays",
        source=lambda: Counter([("u1", "a"), ("u2", "b"), ("u1", "a")]),
        rows=[("u1", "a", 2.0), ("u2", "b", 1.0)],
    ),
)
