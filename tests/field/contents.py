"""What contents show where names, suffixes and positions don't: headers, roles, formats."""

from __future__ import annotations

import bz2
import gzip
import json
from typing import Any

import pyarrow as pa

from field.case import Case, Row

_SECOND, _DAY = 1_709_633_472, 86_400
_AB: list[Row] = [("u1", "a"), ("u2", "b")]
_ABV: list[Row] = [("u1", "a", 4), ("u2", "b", 3)]
_TIMED: list[Row] = [("u1", "a", None, _SECOND), ("u2", "b", None, _SECOND + _DAY)]
_CSV = "user,item\nu1,a\nu2,b\n"


def _text(name: str, origin: str, text: str, rows: list[Row] | None = None, **more: Any) -> Case:
    return Case(name=name, origin=origin, files={"a.csv": text}, rows=rows, **more)


def _records(name: str, origin: str, records: list[Any], rows: list[Row], **more: Any) -> Case:
    lines = "\n".join(map(json.dumps, records))
    return Case(name=name, origin=origin, files={"a.jsonl": lines}, rows=rows, **more)


def _named(names: str, cells: str, row: Row) -> Case:
    text = f"{names}\n{cells}\n"
    return Case(name=f"columns {names}", origin="headers", files={"a.csv": text}, rows=[row])


CONTENTS = (
    _text(
        "numbers for names beside the user's",
        "pivot_table",
        "user_id,1,2,3\nu1,4,0,5\nu2,0,3,0\n",
        error="a column for each item",
    ),
    _text(
        "years for names beside the user's and the item's",
        "pivot_table",
        "user,item,2024,2023\nu1,a,4,3\nu2,b,3,2\n",
        _AB,
        notes=("not read: 2024, 2023",),
    ),
    _text(
        "seconds before user and item in few lines",
        "a log",
        f"{_SECOND},u1,a\n{_SECOND + _DAY},u2,b\n",
        _TIMED,
    ),
    _text(
        "seconds before user and item, the latest first",
        "a log",
        "".join(f"{_SECOND - n},u{n},a\n" for n in range(6)),
        [(f"u{n}", "a", None, _SECOND - n) for n in range(6)],
    ),
    _text("tuples without quotes", "Pig", "(u1,a,4)\n(u2,b,3)\n", error="tuples"),
    _text("lists without quotes", "a dump", "[u1,a,4]\n[u2,b,3]\n", error="lists"),
    _text(
        "a header behind # between blanks",
        "numpy.savetxt",
        "# user item rating\n1 2 3\n4 5 4\n",
        [(1, 2, 3), (4, 5, 4)],
    ),
    _text(
        "a header behind % between tabs",
        "a network",
        "% user\titem\trating\n1\t2\t3\n4\t5\t4\n",
        [(1, 2, 3), (4, 5, 4)],
    ),
    _text(
        "baskets in few lines",
        "a till",
        "milk,bread\nmilk,eggs,butter\nbread\n",
        error="baskets without a user",
    ),
    _text(
        "followers in few lines",
        "a network",
        "ann bob carl\nbob carl\ncarl ann bob dora\n",
        [
            *(("ann", "bob"), ("ann", "carl"), ("bob", "carl")),
            *(("carl", "ann"), ("carl", "bob"), ("carl", "dora")),
        ],
    ),
    Case(
        name="a header in Turkish of Windows",
        origin="Excel in Turkish",
        files={"a.csv": "müşteri,ürün,puan\nışık,elma,5\nçağ,armut,3\n".encode("cp1254")},
        rows=[("ışık", "elma", 5), ("çağ", "armut", 3)],
    ),
    _named("사용자ID,상품ID,평점", "u1,a,4", ("u1", "a", 4)),
    _named("معرف المستخدم,معرف المنتج,التقييم", "u1,a,4", ("u1", "a", 4)),
    _named("उपयोगकर्ता,उत्पाद,रेटिंग", "u1,a,4", ("u1", "a", 4)),
    _named("uid,iid,r", "u1,a,4", ("u1", "a", 4)),
    _named("u,i,r,t", f"u1,a,4,{_SECOND}", ("u1", "a", 4, _SECOND)),
    _named("user_id,item_id,strength", "u1,a,4", ("u1", "a", 4)),
    _named("user_id,page_id,views", "u1,a,4", ("u1", "a", 4)),
    _named("candidate_id,job_id,applied_at", "u1,a,2024-03-05", ("u1", "a", None, 1_709_596_800)),
    _named("customer_user,line_item_product_id,line_item_quantity", "u1,a,4", ("u1", "a", 4)),
    Case(
        name="a table of text that is called Parquet",
        origin="a renamed file",
        files={"a.parquet": _CSV},
        rows=_AB,
    ),
    Case(
        name="a table of text that is called JSON",
        origin="a renamed file",
        files={"a.json": _CSV},
        rows=_AB,
    ),
    Case(
        name="a text that is called JSON is no table",
        origin="a renamed file",
        files={"a.json": "hello world this is the text of a file\n"},
        error="isn't JSON",
    ),
    Case(
        name="a page that is called Parquet",
        origin="a login instead of a download",
        files={"a.parquet": "<!DOCTYPE html><html><body>Log in</body></html>\n"},
        error="HTML",
    ),
    Case(
        name="compressed twice",
        origin="a server that compresses",
        files={"a.csv.gz": gzip.compress(bz2.compress(_CSV.encode()))},
        rows=_AB,
    ),
    _records(
        "dates of MongoDB of all writings",
        "mongoexport",
        [
            {"user": "u1", "item": "a", "ts": {"$date": "2024-03-05T10:11:12Z"}},
            {"user": "u2", "item": "b", "ts": {"$date": 1000 * (_SECOND + _DAY)}},
            {"user": "u3", "item": "c", "ts": {"$date": {"$numberLong": f"{_SECOND}123"}}},
            {"user": "u4", "item": "d", "ts": {"$date": -1}},
        ],
        [*_TIMED, ("u3", "c", None, _SECOND), ("u4", "d", None, -1)],
    ),
    _records(
        "whole and other numbers of Firestore",
        "Firestore",
        [
            {"fields": {"user": {"stringValue": "u1"}, "item": {"stringValue": "a"}}}
            | {"rating": {"integerValue": "4"}},
            {"fields": {"user": {"stringValue": "u2"}, "item": {"stringValue": "b"}}}
            | {"rating": {"doubleValue": 3.5}},
        ],
        [("u1", "a", 4), ("u2", "b", 3.5)],
    ),
    _records(
        "a union of Avro",
        "Kafka",
        [
            {"user": {"string": "u1"}, "item": {"string": "a"}, "rating": {"int": 4}},
            {"user": {"string": "u2"}, "item": {"string": "b"}, "rating": {"double": 3.5}},
        ],
        [("u1", "a", 4), ("u2", "b", 3.5)],
    ),
    _records(
        "a union of Avro with nothing in it",
        "Kafka",
        [
            {"user": {"string": "u1"}, "item": {"string": "a"}, "rating": None},
            {"user": {"string": "u2"}, "item": {"string": "b"}, "rating": {"double": 3.5}},
        ],
        [("u2", "b", 3.5)],
        options={"on_bad": "skip"},
    ),
    _records(
        "items of an order with ids of their own",
        "a shop's interface",
        [
            {"id": 7, "user": "u1", "items": [{"id": "a", "quantity": 4}]},
            {"id": 8, "user": "u2", "items": [{"id": "b", "quantity": 3}]},
        ],
        _ABV,
    ),
    Case(
        name="columns in a dictionary by initials",
        origin="a notebook",
        source=lambda: {"u": ["u1", "u2"], "i": ["a", "b"], "r": [4, 3]},
        rows=_ABV,
    ),
    *(
        Case(
            name=f"rows in braces: {which}",
            origin="arrays as PostgreSQL writes them",
            files={"a.csv": text},
            error="(isn't|aren't) JSON.*begin",
        )
        for which, text in (("two", "{u1,a,4}\n{u2,b,3}\n"), ("one", '{"u1","a",4}\n'))
    ),
    Case(
        name="a pivot table in a dictionary",
        origin="a notebook",
        source=lambda: {"user_id": ["u1", "u2"], "1": [4, 0], "2": [0, 3], "3": [5, 0]},
        error="a column for each item",
    ),
    Case(
        name="Arrow's lists of objects",
        origin="orders in a warehouse",
        source=lambda: pa.table(
            {
                "user": ["u1", "u2"],
                "items": [[{"id": "a", "rating": 4}], [{"id": "b", "rating": 3}]],
            }
        ),
        rows=_ABV,
    ),
    *(
        _text(
            f"ratings that stand {where} without a header",
            "a script",
            "".join(form.format(u=f"u{n}", i=f"i{n % 3}", r=n % 5 + 0.5) for n in range(6)),
            [(f"u{n}", f"i{n % 3}", n % 5 + 0.5) for n in range(6)],
        )
        for where, form in (
            ("between user and item", "{u},{r},{i}\n"),
            ("before user and item", "{r};{u};{i}\n"),
        )
    ),
    _text(
        "ratings between numbers of users and items, without a header",
        "a script",
        "".join(f"{n},{n % 5 + 0.5},{2000 + n % 3}\n" for n in range(6)),
        [(n, 2000 + n % 3, n % 5 + 0.5) for n in range(6)],
    ),
    _text(
        "versions beside ratings, without a header",
        "packages",
        "u1,1.0,5\nu2,1.1,3\nu3,1.0,4\n",
        [("u1", "1.0", 5), ("u2", "1.1", 3), ("u3", "1.0", 4)],
    ),
    *(
        _text(
            f"days as numbers {where} without a header",
            "a script",
            "".join(form.format(u=7 + n, i=90 + n % 3, t=20240305 + n) for n in range(6)),
            [(7 + n, 90 + n % 3, 4, _SECOND - _SECOND % _DAY + n * _DAY) for n in range(6)],
        )
        for where, form in (
            ("between user and item", "{u},{t},{i},4\n"),
            ("before user and item", "{t},{u},{i},4\n"),
        )
    ),
    *(
        _named(f"{user},{item},rating", "u1,a,4", ("u1", "a", 4))
        for user, item in (
            *(("user_idx", "item_idx"), ("userno", "itemno"), ("cust", "prod")),
            *(("custid", "prodid"), ("guest", "hotel"), ("reviewer", "recipe")),
            *(("用户ID", "物品ID"), ("utilizador", "produto")),
        )
    ),
    *(
        _named(f"user,item,{time}", f"u1,a,{_SECOND}", ("u1", "a", None, _SECOND))
        for time in (
            *("ts_ms", "event_time_ms", "unix_ts", "utc_time", "timestamp_utc", "log_time"),
            *("request_time", "behavior_time", "Zeitpunkt", "when", "last_played"),
        )
    ),
    *(
        _named(f"user,item,{value}", "u1,a,4", ("u1", "a", 4))
        for value in (
            *("overall_rating", "num_stars", "score_raw", "cnt", "freq", "得分", "打分"),
            *("Sterne", "étoiles", "valutazione"),
        )
    ),
)
