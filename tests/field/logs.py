"""Logs of programs and services, tables with a column for each item, and baskets."""

from __future__ import annotations

from typing import Any

from field.case import Case, Row

_SECOND = 1_614_939_072


def _text(name: str, origin: str, text: str, rows: list[Row] | None = None, **more: Any) -> Case:
    return Case(name=name, origin=origin, files={"a.txt": text}, rows=rows, **more)


def _at(n: int) -> int:
    return 1_600_000_000 + n * 7_919_317 % 10_000_019


_MELT = "If the table has a column for each item"
_TEA = "whole milk,brown bread,tea\nwhite wine,whole milk\nwhole milk\n"
_GAMES = '1,"Sky V",purchase,1.0,0\n1,"Sky V",play,273.0,0\n2,"Sky V",play,3.0,0\n'
_BULK = '{"index":{"_index":"e","_id":"%d"}}\n{"user_id":"u%d","item_id":"a","rating":%d}\n'
_ORDER = '{"userId":"u1","properties":{"products":[{"product_id":"p1"},{"product_id":"p2"}]}}\n'
LOGS = (
    *(
        _text(f"a column for each item: {name}", "a matrix", text, error=_MELT)
        for name, text in (
            ("dense ratings", "ann,5,4,3,1\nbob,3,4,2,5\ncat,1,2,5,4\n"),
            ("crosses", "customer,milk,bread,eggs\nann,x,,\nbob,,x,x\n"),
            ("names of people", "Name,Heat,Alien,Emma\nAnn,5,4,\nBob,,2,3\n"),
        )
    ),
    _text(
        "three columns of ratings are no times",
        "a matrix, perhaps",
        "1,5,4,3\n2,3,4,2\n3,1,2,5\n4,4,4,4\n",
        [(1, 5, 4.0, None), (2, 3, 4.0, None), (3, 1, 2.0, None), (4, 4, 4.0, None)],
        notes=("not read: column 3",),
    ),
    _text(
        "small numbers that count what each user did are times",
        "a simulation",
        "1,5,4,1\n1,3,4,2\n2,1,2,1\n2,4,4,2\n",
        [(1, 5, 4.0, 1), (1, 3, 4.0, 2), (2, 1, 2.0, 1), (2, 4, 4.0, 2)],
    ),
    _text("baskets of names of two words", "a till", 4 * _TEA, error="baskets without a user"),
    _text(
        "names of two words behind users",
        "a till",
        "u1,whole milk,brown bread\nu2,white wine\nu3,tea,whole milk,rice\n",
        [
            *(("u1", "whole milk"), ("u1", "brown bread"), ("u2", "white wine")),
            *(("u3", "tea"), ("u3", "whole milk"), ("u3", "rice")),
        ],
    ),
    *(
        _text(f"baskets by {name}", "a till", f"{name},{item}\n1,tea\n2,milk\n", error=error)
        for name, item, error in (
            ("Transaction", "Item", "user='Transaction' makes each of these a user"),
            ("order_id", "product", "user='order_id' makes each of these a user"),
            ("time", "product", "one person's own list"),
        )
    ),
    *(
        _text(
            f"without a header: {name}",
            "a log",
            "".join(",".join(map(str, row(n))) + "\n" for n in range(30)),
            [right(n) for n in range(30)],
        )
        for name, row, right in (
            (
                "seconds in any order before users and items",
                lambda n: (_at(n), n % 5, 100 + n % 7),
                lambda n: (n % 5, 100 + n % 7, None, _at(n)),
            ),
            (
                "seconds between users and items, counts behind",
                lambda n: (f"u{n % 5}", _at(n), f"i{n % 7}", n + 1),
                lambda n: (f"u{n % 5}", f"i{n % 7}", n + 1.0, _at(n)),
            ),
            (
                "numbers of the lines before users and items",
                lambda n: (n, 500 + n % 5, 1000 + n * 37 % 90),
                lambda n: (500 + n % 5, 1000 + n * 37 % 90, None, None),
            ),
            (
                "users who are numbered as they come, before items, counts and seconds",
                lambda n: (n, 500 + n % 5, 7 + n * 37 % 900, _at(n)),
                lambda n: (n, 500 + n % 5, 7.0 + n * 37 % 900, _at(n)),
            ),
            (
                "users who come once, in order, before items and seconds",
                lambda n: (n, 500 + n % 5, _at(n)),
                lambda n: (n, 500 + n % 5, None, _at(n)),
            ),
        )
    ),
    _text(
        "kinds of events without a header, beside values",
        "Steam",
        _GAMES,
        [(1, "Sky V", 1.0), (1, "Sky V", 273.0), (2, "Sky V", 3.0)],
        notes=(r"column 2 holds kinds of events, which kinds=\{'view': 1\} would weigh",),
    ),
    _text(
        "what all users did, as triples",
        "a graph of knowledge",
        "u1\tlikes\ta\nu2\tlikes\tb\nu3\tlikes\ta\n",
        [("u1", "a"), ("u2", "b"), ("u3", "a")],
        notes=("user = column 0, item = column 2",),
    ),
    _text(
        "a header of triples",
        "a graph of knowledge",
        "subject,predicate,object\nu1,likes,a\nu2,likes,b\n",
        error="no column is named like a user's",
    ),
    _text(
        "times of day without their days",
        "Dunnhumby",
        "household_key,PRODUCT_ID,DAY,TRANS_TIME\n1,11,5,1631\n2,12,6,905\n",
        [(1, 11, None, None), (2, 12, None, None)],
        notes=("not read: DAY, TRANS_TIME",),
    ),
    _text(
        "kinds of events without a header, weighed",
        "Taobao",
        "1,11,7,pv,1511544070\n1,12,7,buy,1511544071\n2,11,7,pv,1511544072\n",
        [(1, 11, 1.0), (1, 12, 5.0), (2, 11, 1.0)],
        options={"kinds": {"pv": 1, "buy": 5}},
    ),
    _text(
        "actions of a bulk request",
        "Elasticsearch",
        _BULK % (1, 1, 4) + _BULK % (2, 2, 5),
        [("u1", "a", 4.0), ("u2", "a", 5.0)],
        notes=("left out 2 lines of actions",),
    ),
    _text(
        "orders beside views, which hold no list",
        "Segment",
        _ORDER + '{"userId":"u2","properties":{"product_id":"p2"}}\n',
        [("u1", "p1"), ("u1", "p2")],
        notes=("left out 1 line without any",),
    ),
    _text(
        "a column of users without any",
        "Snowplow",
        "user_id,item_id,domain_userid\n,a,d1\n,b,d2\n",
        error="no row has an id in column 'user_id', which was taken for the users",
    ),
    _text(
        "quantities of purchases alone",
        "GA4",
        "user_pseudo_id,item_id,quantity,event_name\n1,a,,view\n2,b,2,buy\n",
        error=r"\(value=False leaves values out\)",
    ),
    _text(
        "activities of a course",
        "Moodle",
        "Time,User full name,Event context\n2021-03-05 10:11:12,Ann,File: A\n",
        [("Ann", "File: A", None, _SECOND)],
    ),
    _text(
        "times of a database without words between",
        "Moodle",
        f"userid,courseid,timecreated\n5,11,{_SECOND}\n",
        [(5, 11, None, _SECOND)],
    ),
    _text(
        "the day of an application",
        "CareerBuilder",
        "UserID\tApplicationDate\tJobID\n47\t2021-03-05 10:11:12\t16\n",
        [(47, 16, None, _SECOND)],
    ),
    _text(
        "items below one name in each user's object",
        "Firebase",
        '{"users":{"u1":{"favorites":{"a":true,"b":true}},"u2":{"favorites":{"c":true}}}}',
        [("u1", "a", 1.0), ("u1", "b", 1.0), ("u2", "c", 1.0)],
    ),
    _text(
        "games and their hours by user",
        "Steam",
        '{"steamid": 7, "games": {"10": 5.5, "20": 1}}\n{"steamid": 8, "games": {"10": 2}}\n',
        [(7, 10, 5.5), (7, 20, 1.0), (8, 10, 2.0)],
    ),
    _text(
        "lists of likes",
        "a document store",
        '{"user_id": "u1", "likes": ["a", "b"]}\n{"user_id": "u2", "likes": ["c"]}\n',
        error="perhaps item='likes'",
    ),
    _text(
        "names of a well-known set of reviews",
        "BeerAdvocate",
        f"review_profilename,beer_beerid,review_time,review_overall\nu1,5,{_SECOND},4.5\n",
        [("u1", 5, 4.5, _SECOND)],
    ),
    _text(
        "an article that was clicked, beside a session's start",
        "Globo",
        f"user_id,session_start,click_article_id,click_timestamp\n1,5,7,{_SECOND}\n",
        [(1, 7, None, _SECOND)],
    ),
    _text(
        "a quantity of an order is no basket",
        "SAP",
        "Sold-to pt;Material;Order Quantity\nK1;M-1;10\n",
        error=r"user=NAME\. If it is one person's own list",
    ),
    _text(
        "a dump in XML",
        "Stack Exchange",
        '<?xml version="1.0" encoding="utf-8"?>\n<votes>\n  <row Id="1" UserId="3" />\n</votes>\n',
        error="this is XML, not a table",
    ),
    _text(
        "words above addresses",
        "a mail server",
        "from,to,subject\na@x.org,b@x.org,Hi\nb@x.org,c@x.org,Yo\n",
        error="no column is named like a user's; the columns are 'from', 'to', 'subject'",
    ),
    *(
        _text(f"what may be the item: {name}", "a log", f"user,{name}\nu1,a\n", error=f"={name!r}")
        for name in ("url", "page", "objectid")
    ),
)
