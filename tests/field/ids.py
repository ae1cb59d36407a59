"""Ids: what is stripped, folded, unwrapped and refused."""

from __future__ import annotations

import re
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa

from field.case import Case

_BIG = 2**100 + 7
_UUID = uuid.UUID("12345678123456781234567812345678")

IDS = (
    *(
        Case(
            name=f"ids that a program has changed: {odd}",
            origin=origin,
            files={"a.csv": f"user,item\nu1,{odd}\nu2,{other}\n"},
            rows=[("u1", odd), ("u2", other)],
            notes=(said,),
        )
        for origin, odd, other, said in (
            (
                "a web page",
                "Tom &amp; Jerry",
                "Tom & Jerry",
                "'Tom &amp; Jerry' are written as in HTML",
            ),
            ("Excel", "CafÃ©", "ÂCOR", "'CafÃ©' hold UTF-8 that was read as Latin-1"),
            ("Excel", "ÐŸÑ€Ð¾", "Ðan", "'ÐŸÑ€Ð¾' hold UTF-8 that was read as Latin-1"),
        )
    ),
    Case(
        name="a user 0 with far more rows than others",
        origin="WooCommerce's guests",
        files={"a.csv": "user,item\n" + "".join(f"0,i{n}\n" for n in range(12)) + "5,i1\n6,i2\n"},
        rows=[*((0, f"i{n}") for n in range(12)), (5, "i1"), (6, "i2")],
        notes=("users: '0' is kept as an id, though it may stand for many",),
    ),
    *(
        Case(
            name=f"a header in {encoding}",
            origin="Excel",
            files={"a.csv": f"{head}\n{user},{item},4\n".encode(encoding)},
            rows=[(user, item, 4.0)],
            notes=(f"read as {encoding}",),
        )
        for encoding, head, user, item in (
            ("cp1255", "משתמש,מוצר,דירוג", "דנה", "תה"),
            ("cp1256", "المستخدم,المنتج,التقييم", "سارة", "شاي"),
        )
    ),
    Case(
        name="spaces around ids",
        origin="fixed-width exports, ', ' as separator",
        files={"a.csv": "user,item\n2,a\n 2,b\n3 , a\n"},
        rows=[(2, "a"), (2, "b"), (3, "a")],
        notes=("whitespace",),
    ),
    Case(
        name="integers that were floats",
        origin="a column with gaps, written by pandas",
        files={"a.csv": "user,item\n17850.0,a\n17850,b\n13047.0,a\n"},
        rows=[(17850, "a"), (17850, "b"), (13047, "a")],
        notes=("17850.0",),
    ),
    Case(
        name="versions are no floats",
        origin="packages by version",
        files={"a.csv": "user,item\nu1,1.0\nu1,1.1\nu2,2.0\n"},
        rows=[("u1", "1.0"), ("u1", "1.1"), ("u2", "2.0")],
    ),
    Case(
        name="versions of which one month has whole ones only",
        origin="a folder of monthly logs",
        files={"01.csv": "user,item\nu1,1.0\nu2,2.0\n", "02.csv": "user,item\nu1,1.1\n"},
        source=".",
        error="whole numbers",
    ),
    Case(
        name="leading zeros stay",
        origin="EAN and postal numbers",
        files={"a.csv": "user,item\n007,a\n7,b\n"},
        rows=[("007", "a"), ("7", "b")],
    ),
    *(
        Case(
            name=f"no id: {word!r}",
            origin="exports of databases and data frames",
            files={"a.csv": f"user,item\nu1,a\n{word},b\n"},
            error="1 row has no user id",
        )
        for word in ("NULL", "NaN", "nan", "None", "\\N", "<NA>", "N/A", "null")
    ),
    Case(
        name="no id in JSON",
        origin="document stores",
        files={"a.jsonl": '{"user":"u1","item":"a"}\n{"user":null,"item":"b"}\n'},
        error="1 row has no user id",
    ),
    Case(
        name="object ids of MongoDB",
        origin="mongoexport",
        files={
            "a.jsonl": '{"user":{"$oid":"5f1d7a3e2b4c5d6e7f8a9b0c"},"item":"a"}\n'
            '{"user":{"$oid":"5f1d7a3e2b4c5d6e7f8a9b0d"},"item":{"$numberLong":"12"}}\n'
        },
        rows=[("5f1d7a3e2b4c5d6e7f8a9b0c", "a"), ("5f1d7a3e2b4c5d6e7f8a9b0d", "12")],
    ),
    Case(
        name="object ids in a csv",
        origin="str() of a MongoDB document",
        files={"a.csv": "user,item\nObjectId('5f1d7a3e2b4c5d6e7f8a9b0c'),a\n"},
        rows=[("5f1d7a3e2b4c5d6e7f8a9b0c", "a")],
    ),
    Case(
        name="an object is no id",
        origin="a nested document",
        files={"a.jsonl": '{"user":"u0","item":"b"}\n{"user":{"name":"x","age":3},"item":"a"}\n'},
        error="object, a list",
    ),
    Case(
        name="an object is no id, and skipping works",
        origin="a nested document",
        files={"a.jsonl": '{"user":"u0","item":"b"}\n{"user":{"name":"x","age":3},"item":"a"}\n'},
        options={"on_bad": "skip"},
        rows=[("u0", "b")],
    ),
    Case(
        name="ids of 128 bits in JSON",
        origin="snowflakes and hashes",
        files={"a.jsonl": f'{{"user":{_BIG},"item":1}}\n{{"user":5,"item":2}}\n'},
        rows=[(str(_BIG), 1), ("5", 2)],
    ),
    Case(
        name="Decimal, UUID and big integers in tuples",
        origin="rows of a database driver",
        source=lambda: [(Decimal(7), _UUID, 1.0), (Decimal("8.0"), _UUID, 2.0)],
        rows=[(7, str(_UUID), 1.0), (8, str(_UUID), 2.0)],
    ),
    Case(
        name="integers beyond 64 bits in tuples",
        origin="hashes as numbers",
        source=lambda: [(_BIG, "a"), (1, "b")],
        rows=[(str(_BIG), "a"), ("1", "b")],
    ),
    Case(
        name="whole decimals in Arrow",
        origin="NUMERIC columns of a warehouse",
        source=lambda: pa.table(
            {"user": pa.array([Decimal("1.00"), Decimal("2.00")]), "item": ["a", "b"]}
        ),
        rows=[(1, "a"), (2, "b")],
    ),
    *(
        Case(
            name=f"ids that look alike are noted: {first} beside {second}",
            origin="merged exports, forms that people fill in",
            files={"a.csv": f"user,item\n{first},a\n{second},b\nu3,c\n"},
            rows=[(first, "a"), (second, "b"), ("u3", "c")],
            notes=(f"users: 1 id like '{second}' beside '{re.escape(first)}'.*kept apart",),
        )
        for first, second in (
            *(
                ("007", "7"),
                ("Anna", "anna"),
                ("caf\u00e9", "cafe\u0301"),
                ("７", "7"),
                ("+7", "7"),
            ),
        )
    ),
    *(
        Case(
            name=f"a word for somebody unknown is noted: {word}",
            origin="web analytics, forums",
            files={"a.csv": f"user,item\nu1,a\n{word},b\n{word},c\n"},
            rows=[("u1", "a"), (word, "b"), (word, "c")],
            notes=("may stand for many",),
        )
        for word in ("(not set)", "Guest", "-", "-1", "unknown")
    ),
    Case(
        name="a matrix of ids and ratings in narrow floats",
        origin="np.loadtxt(dtype=np.float32)",
        source=lambda: np.array([[16777217, 1, 5], [16777216, 2, 4]], np.float32),
        error="ids must be",
    ),
    Case(
        name="narrow floats beside a column of objects",
        origin="a frame of pandas after a merge",
        source=lambda: pd.DataFrame(
            {"user": np.array([16777217, 16777216], np.float32), "item": ["a", 1]}
        ),
        error="ids must be",
    ),
    *(
        Case(
            name=f"ids in {kind.__name__} beyond its whole numbers",
            origin="a matrix of ratings with its ids in one array of floats",
            source=lambda kind=kind, low=low: pa.table(
                {"user": pa.array(np.array([low, low + 1], kind)), "item": ["a", "b"]}
            ),
            error="ids must be",
        )
        for kind, low in ((np.float32, 2**24), (np.float16, 2**11), (np.float64, 2**53))
    ),
    Case(
        name="NaN among float ids",
        origin="a left join in pandas",
        source=lambda: pa.table({"user": [1.0, float("nan"), 2.0], "item": ["a", "b", "c"]}),
        options={"on_bad": "skip"},
        rows=[(1, "a"), (2, "c")],
    ),
    Case(
        name="a missing id in a frame is skipped",
        origin="a left join",
        source=lambda: pa.table({"user": ["u1", None, "u2"], "item": ["a", "b", "c"]}),
        options={"on_bad": "skip"},
        rows=[("u1", "a"), ("u2", "c")],
    ),
    Case(
        name="missing ids in JSON lines are skipped",
        origin="document stores",
        files={"a.jsonl": '{"user":"u1","item":"a"}\n{"user":null,"item":"b"}\n'},
        options={"on_bad": "skip"},
        rows=[("u1", "a")],
    ),
    Case(
        name="a lone surrogate is refused",
        origin="text cut in the middle of a character",
        source=lambda: [("u\ud800", "a"), ("u2", "b")],
        error="Unicode",
    ),
    Case(
        name="keys that the first record lacks",
        origin="records of a log that grew a field",
        source=lambda: [
            {"user": "u1", "item": "a", "rating": 2},
            {"item": "b", "user": "u2", "rating": 3, "time": 978300760},
        ],
        options={"time": False},
        rows=[("u1", "a", 2.0), ("u2", "b", 3.0)],
    ),
    Case(
        name="a rating that the first record lacks",
        origin="records of a log that grew a field",
        source=lambda: [{"user": "u1", "item": "a"}, {"user": "u2", "item": "b", "rating": 3}],
        options={"on_bad": "skip"},
        rows=[("u2", "b", 3.0)],
    ),
    Case(
        name="no-break spaces",
        origin="copied from a page",
        files={"a.csv": "user,item\n\xa02,a\n2,b\n"},
        rows=[(2, "a"), (2, "b")],
    ),
    Case(
        name="invisible characters",
        origin="copied from a page",
        files={"a.csv": "user,item\n\u200b2,a\n\ufeff2,b\n"},
        rows=[(2, "a"), (2, "b")],
    ),
    Case(
        name="texts kept by a formula",
        origin="spreadsheets",
        files={"a.csv": 'user,item\n="007",a\n="008",b\n'},
        rows=[("007", "a"), ("008", "b")],
        notes=("2 ids.* cleared of a leading apostrophe",),
    ),
    Case(
        name="numbers kept as texts by an apostrophe, of which some are not",
        origin="spreadsheets, and scripts that write for them",
        files={"a.csv": "user,item\n'00123,'90s\n00123,b\n' 7,c\n'08 ,'08'\n"},
        rows=[("00123", "'90s"), ("00123", "b"), ("' 7", "c"), ("08", "'08'")],
        notes=("2 ids.* cleared of a leading apostrophe",),
    ),
    Case(
        name="digits lost by a spreadsheet are noted",
        origin="spreadsheets",
        files={"a.csv": "user,item\n9.14896E+18,a\n5,b\n"},
        rows=[("9.14896E+18", "a"), ("5", "b")],
        notes=("lost digits",),
    ),
    Case(
        name="marks of direction around ids",
        origin="copied from a page in Hebrew, or from a Windows dialog",
        files={"a.csv": "user,item\n\u200e50,a\n\u202a50\u202c,b\n50\u00ad,c\n"},
        rows=[(50, "a"), (50, "b"), (50, "c")],
        notes=("whitespace",),
    ),
    *(
        Case(
            name=f"a wrapped nothing is no id: {cell}",
            origin="spreadsheets and document stores",
            files={"a.tsv": f"user\titem\nu1\ta\n{cell}\tb\n"},
            options={"quote": False},
            error=error,
        )
        for cell, error in (
            ('=""', "no user id"),
            ('="NULL"', "no user id"),
            ('{"$oid":""}', "object"),
        )
    ),
    *(
        Case(
            name=f"a failed formula: {cell}",
            origin="spreadsheets in their languages",
            files={"a.tsv": f"user\titem\nu1\ta\n{cell}\tb\n"},
            error="no user id",
        )
        for cell in ("#NV", "#WERT!", "#VALEUR!", "#¡VALOR!", "#N/D", "#ЗНАЧ!", "#N/B", "#SPILL!")
    ),
    Case(
        name="an object that JavaScript wrote as a text",
        origin="a web page's log",
        files={"a.csv": "user,item\nu1,a\n[object Object],b\n"},
        error="object",
    ),
)
