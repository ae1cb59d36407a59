"""Counts and labels by their names, ids as programs write them, ratings within records."""

from __future__ import annotations

import json
from typing import Any

from field.case import Case, Row

_AB: list[Row] = [("u1", "a", 3.0), ("u2", "b", 4.0)]
_NONE: list[Row] = [("u1", "a", None), ("u2", "b", None)]


def _text(name: str, origin: str, text: str, rows: list[Row] | None = None, **more: Any) -> Case:
    return Case(name=name, origin=origin, files={"a.csv": text}, rows=rows, **more)


def _lines(name: str, origin: str, *records: Any, rows: list[Row], **more: Any) -> Case:
    text = "".join(json.dumps(record) + "\n" for record in records)
    return Case(name=name, origin=origin, files={"a.jsonl": text}, rows=rows, **more)


def _value(column: str, first: str, second: str, rows: list[Row], **more: Any) -> Case:
    return _text(
        f"a column {column} with {first}",
        "logs of shops and players",
        f"user_id,item_id,{column}\nu1,a,{first}\nu2,b,{second}\n",
        rows,
        **more,
    )


def _ids(name: str, origin: str, first: str, second: str, *ids: Any) -> Case:
    rows: list[Row] = [(ids[0], "a"), (ids[1], "b")]
    return _text(name, origin, f'user,item\n"{first}",a\n"{second}",b\n', rows)


_LABELS: list[Row] = [("u1", "a", 1.0), ("u2", "b", 0.0)]
COUNTS = (
    *(
        _value(column, "3", "4", _AB)
        for column in (
            *("num_plays", "total_plays", "purchase_count", "number of orders", "rating_10"),
            *("nb_ecoutes", "note", "playtime_forever", "net_quantity"),
        )
    ),
    *(
        _value(column, first, second, _LABELS, notes=("min_value",))
        for column, first, second in (
            *(("is_click", "1", "0"), ("clicked", "yes", "no"), ("recommended", "True", "False")),
        )
    ),
    *(
        _value(column, first, second, _NONE, notes=(f"not read: {column}",))
        for column, first, second in (
            *(("order_number", "7", "8"), ("rating_count", "99", "7"), ("avg_rating", "3", "4")),
            *(("note", "3 of them broken", "nice"), ("purchased", "2021-03-05", "2021-03-06")),
        )
    ),
    _text(
        "two counts are not guessed",
        "a funnel's report",
        "user_id,item_id,view_count,purchase_count\nu1,a,9,1\nu2,b,9,2\n",
        _NONE,
        notes=("not read: view_count, purchase_count",),
    ),
    _text(
        "half a star",
        "a club of film lovers",
        "user,item,rating\nu1,a,★★★½\nu2,b,★★\n",
        [("u1", "a", 3.5), ("u2", "b", 2.0)],
    ),
    _text(
        "round integers in short",
        "R's write.csv",
        "user,item\n99999,a\n1e+05,b\n100001,c\n",
        [(99999, "a"), (100000, "b"), (100001, "c")],
        notes=("read as whole numbers",),
    ),
    _ids("zeros in front beside short integers", "two programs", "007", "1e+05", "007", "1e+05"),
    _ids("integers that were doubles", "Java", "1.2345678E7", "1.2345679E7", 12345678, 12345679),
    _ids("hashes that look like numbers", "a shortener", "5e10", "12e3", "5e10", "12e3"),
    _ids("NumPy's integers", "print", "np.int64(5)", "np.int64(6)", 5, 6),
    _ids("decimals", "Python's repr", "Decimal('5')", "Decimal('6')", 5, 6),
    _ids("long integers", "a shell of MongoDB", "NumberLong(5)", "NumberLong(6)", 5, 6),
    _ids(
        "UUIDs",
        "Python's repr",
        "UUID('12345678-1234-5678-1234-567812345678')",
        "UUID('12345678-1234-5678-1234-567812345679')",
        "12345678-1234-5678-1234-567812345678",
        "12345678-1234-5678-1234-567812345679",
    ),
    _ids("all ids in single quotes", "a list of strings", "'u1'", "'u2'", "u1", "u2"),
    _ids("a title in quotes", "a shop of records", '""Heroes""', "Low", '"Heroes"', "Low"),
    *(
        _ids(
            f"all ids in {first}...{last}",
            "a word processor",
            f"{first}u1{last}",
            f"{first}u2{last}",
            "u1",
            "u2",
        )
        for first, last in ("``", "“”", "«»")
    ),
    *(
        _text(
            f"how many of each there are: {first}",
            "a plug-in shop",
            f'customer,products\nu1,"{first}"\nu2,{second}\n',
            [("u1", "Hose", 2.0), ("u1", "Pan", 1.0), ("u2", "Pan", 3.0)],
        )
        for first, second in (("Hose x2, Pan x1", "Pan x3"), ("2 x Hose, 1 x Pan", "3 x Pan"))
    ),
    *(
        _text(
            f"columns {user}, {item} and {time}",
            "a library, a survey, a shop",
            f"{user},{item},{time}\nu1,a,2021-03-05\nu2,b,2021-03-06\n",
            [("u1", "a", None, 1614902400), ("u2", "b", None, 1614988800)],
        )
        for user, item, time in (
            ("borrowernumber", "biblionumber", "issuedate"),
            ("Respondent ID", "Item ID", "_submission_time"),
            ("id_customer", "product_id", "date_add"),
            ("Reader", "Book Id", "Date Read"),
            ("patron_record_id", "bib_record_id", "checkout_gmt"),
        )
    ),
    _text(
        "crowns behind thousands with blanks",
        "a Swedish till",
        "user;item;rating\nu1;a;1 234,50 kr\nu2;b;3,00 kr\n",
        [("u1", "a", 1234.5), ("u2", "b", 3.0)],
    ),
    _text(
        "accounts that are gone",
        "a forum",
        "user,item\n[deleted],a\n[deleted],b\nu3,c\n",
        [("[deleted]", "a"), ("[deleted]", "b"), ("u3", "c")],
        notes=("may stand for many",),
    ),
    _lines(
        "ratings by item in each record",
        "a survey's store",
        {"user_id": "u1", "ratings": {"a": 3}},
        {"user_id": "u2", "ratings": {"b": 4}},
        rows=_AB,
    ),
    _lines(
        "ratings of users in each item",
        "a shop's catalogue",
        {"item": "a", "ratings": [{"user": "u1", "rating": 3}]},
        {"item": "b", "ratings": [{"user": "u2", "rating": 4}]},
        rows=_AB,
    ),
    _lines(
        "pairs of items and ratings in each record",
        "a script",
        {"user": "u1", "items": [["a", 3]]},
        {"user": "u2", "items": [["b", 4]]},
        rows=_AB,
    ),
    _lines(
        "items between commas in each record",
        "a form",
        {"user": "u1", "items": "a,b"},
        {"user": "u2", "items": "c"},
        rows=[("u1", "a"), ("u1", "b"), ("u2", "c")],
    ),
    _lines(
        "one record whose values have their types' letters",
        "DynamoDB",
        {"Item": {"user_id": {"S": "u1"}, "item_id": {"N": "7"}, "rating": {"N": "3"}}},
        rows=[("u1", 7, 3.0)],
    ),
    _lines(
        "titles of tracks in their metadata",
        "ListenBrainz",
        {"user_name": "u1", "track_metadata": {"track_name": "a"}},
        {"user_name": "u2", "track_metadata": {"track_name": "b"}},
        rows=[("u1", "a"), ("u2", "b")],
    ),
    Case(
        name="documents beside their keys",
        origin="CouchDB",
        files={
            "a.json": json.dumps(
                {"rows": [{"id": "x", "doc": {"user": "u1", "item": "a", "rating": 3}}]}
            )
        },
        rows=_AB[:1],
    ),
    Case(
        name="an object of items may be by user or by item",
        origin="a hand-made file",
        files={"a.json": '{"items": {"a": ["u1", "u2"], "b": ["u2"]}}'},
        error="may be items or users",
    ),
    _text(
        "pairs of items and ratings in cells",
        "a frame written as csv",
        "user,items\nu1,\"[('a', 3)]\"\nu2,\"[('b', 4), ('c', 1)]\"\n",
        [*_AB, ("u2", "c", 1.0)],
    ),
    _text(
        "objects of items in cells",
        "a frame written as csv",
        "user,items\nu1,\"[{'id': 4, 'n': 1}]\"\nu2,\"[{'id': 3, 'n': 2}]\"\n",
        error="lists within lists",
    ),
    *(
        Case(
            name=f"a line of sizes above lists: {what}",
            origin="one-class data of the 2000s",
            files={"a.txt": text.replace(" ", sign)},
            rows=[(0, 17), (0, 29), (0, 41), (1, 17), (2, 29), (2, 30), (3, 1), (3, 2)],
            notes=("left out the first line",),
        )
        for what, sign, text in (
            ("counts", " ", "4 50\n3 17 29 41\n1 17\n2 29 30\n2 1 2\n"),
            ("counts between tabs", "\t", "4 50\n3 17 29 41\n1 17\n2 29 30\n2 1 2\n"),
            ("numbered users", " ", "4 50\n0 17 29 41\n1 17\n2 29 30\n3 1 2\n"),
        )
    ),
    Case(
        name="a line whose count is wrong",
        origin="one-class data, cut off by hand",
        files={
            "a.txt": "".join(f"{n} {' '.join(map(str, range(90, 90 + n)))}\n" for n in range(1, 13))
            + "3 91 92\n"
        },
        error="12 of 13 lines begin with the count .* the 13th has 2 behind 3",
    ),
    Case(
        name="a line of a list with commas among others with blanks",
        origin="two programs' output, one below the other",
        files={"a.txt": "0 17 29 41\n1 17 29\n2 29 30\n7,17,29\n"},
        error="'7,17,29' is a line without any",
    ),
    _lines(
        "an order of one item, which is no list",
        "a converter of XML",
        {"user": "u1", "items": [{"id": "a", "qty": 3}, {"id": "c", "qty": 1}]},
        {"user": "u2", "items": {"id": "b", "qty": 4}},
        {"user": "u3", "items": []},
        rows=[("u1", "a", 3.0), ("u1", "c", 1.0), ("u2", "b", 4.0)],
    ),
    *(
        Case(
            name=f"an order whose items are no objects: {held}",
            origin="two versions of a shop",
            files={
                "a.jsonl": '{"user":"u1","items":[{"id":"a","qty":3}]}\n'
                f'{{"user":"u2","items":{held}}}\n'
            },
            error="no item id",
        )
        for held in ('["b"]', '[{"id":"b","qty":1},null]', '"b"', "7")
    ),
)
