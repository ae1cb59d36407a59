"""Times: dates of any writing, units, and what can't be."""

from __future__ import annotations

from functools import partial

from field.case import Case, column

_MIDNIGHT = 1546646400  # 5 January 2019


_times = partial(column, "time")


def _rows(*seconds: int) -> list[tuple[str, str, None, int]]:
    return [(f"u{n}", "a", None, second) for n, second in enumerate(seconds)]


TIMES = (
    Case(
        name="a date written as a number",
        origin="warehouses (yyyymmdd)",
        files=_times("20190105", "20190106"),
        rows=_rows(_MIDNIGHT, _MIDNIGHT + 86400),
        notes=("yyyymmdd|dates",),
    ),
    Case(
        name="a date and time written as a number",
        origin="warehouses (yyyymmddHHMMSS)",
        files=_times("20190105013000", "20190106000000"),
        rows=_rows(_MIDNIGHT + 5400, _MIDNIGHT + 86400),
        notes=("dates",),
    ),
    Case(
        name="seconds are no dates",
        origin="event logs",
        files=_times("1546646400", "1546732800"),
        rows=_rows(_MIDNIGHT, _MIDNIGHT + 86400),
    ),
    Case(
        name="milliseconds are noted",
        origin="JavaScript",
        files=_times("1546646400000", "1546732800000"),
        rows=_rows(_MIDNIGHT, _MIDNIGHT + 86400),
        notes=("milliseconds",),
    ),
    Case(
        name="microseconds",
        origin="BigQuery",
        files=_times("1546646400000000"),
        rows=_rows(_MIDNIGHT),
        notes=("microseconds",),
    ),
    Case(
        name="nanoseconds",
        origin="pandas' timestamps as integers",
        files=_times("1546646400000000000"),
        rows=_rows(_MIDNIGHT),
        notes=("nanoseconds",),
    ),
    Case(
        name="a past that can hardly be",
        origin="days since 1970, or steps of a simulation",
        files=_times("17901", "17902"),
        rows=_rows(17901, 17902),
        notes=("1970.*time_unit",),
    ),
    Case(
        name="scientific seconds",
        origin="a float column printed short",
        files=_times("1.5466464e9", "1.5467328e+09"),
        rows=_rows(_MIDNIGHT, _MIDNIGHT + 86400),
    ),
    Case(
        name="dotted dates",
        origin="German and Russian exports",
        files=_times("05.01.2019", "06.01.2019 01:30"),
        rows=_rows(_MIDNIGHT, _MIDNIGHT + 91800),
    ),
    Case(
        name="month before day, found by the column",
        origin="American shops",
        files=_times("1/5/2019 8:26", "1/25/2019 8:26"),
        rows=_rows(_MIDNIGHT + 30360, _MIDNIGHT + 20 * 86400 + 30360),
        notes=("month first",),
    ),
    Case(
        name="day before month, found by the column",
        origin="British shops",
        files=_times("5/1/2019", "25/1/2019"),
        rows=_rows(_MIDNIGHT, _MIDNIGHT + 20 * 86400),
        notes=("day first",),
    ),
    Case(
        name="day or month is not guessed",
        origin="a small export",
        files=_times("5/1/2019", "6/1/2019"),
        error="time_format",
    ),
    Case(
        name="the format says which is the day",
        origin="a small export",
        files=_times("5/1/2019", "6/1/2019"),
        options={"time_format": "%d/%m/%Y"},
        rows=_rows(_MIDNIGHT, _MIDNIGHT + 86400),
    ),
    Case(
        name="no-break spaces before AM and PM",
        origin="toLocaleString of a browser",
        files=_times("1/5/2019, 1:05:00\u202fPM", "1/25/2019, 1:05\xa0PM"),
        rows=_rows(_MIDNIGHT + 47100, _MIDNIGHT + 20 * 86400 + 47100),
    ),
    Case(
        name="AM and PM",
        origin="American logs",
        files=_times("2019-01-05 01:30 PM", "2019-01-06 12:00 AM"),
        rows=_rows(_MIDNIGHT + 13 * 3600 + 1800, _MIDNIGHT + 86400),
    ),
    Case(
        name="years of two digits by a format",
        origin="old invoices",
        files=_times("05.01.19", "06.01.19"),
        options={"time_format": "%d.%m.%y"},
        rows=_rows(_MIDNIGHT, _MIDNIGHT + 86400),
    ),
    Case(
        name="dates of MongoDB",
        origin="mongoexport",
        files={"a.jsonl": '{"user":"u0","item":"a","time":{"$date":"2019-01-05T00:00:00Z"}}\n'},
        rows=_rows(_MIDNIGHT),
    ),
    Case(
        name="a wrong format names a row",
        origin="a misspelt option",
        files=_times("2019-01-05"),
        options={"time_format": "%d/%m/%Y"},
        error="2019-01-05",
    ),
    Case(
        name="years",
        origin="books by year",
        files={"a.csv": "user,item,year\n1,2,2019\n2,3,2020\n"},
        options={"time": "year"},
        rows=[(1, 2, None, 1546300800), (2, 3, None, 1577836800)],
    ),
    Case(
        name="months written as numbers",
        origin="monthly reports",
        files={"a.csv": "user,item,month\n1,2,201901\n2,3,201902\n"},
        options={"time": "month"},
        rows=[(1, 2, None, 1546300800), (2, 3, None, 1548979200)],
    ),
    Case(
        name="a date that is none among dates",
        origin="warehouses",
        files={"a.csv": "user,item,date\n1,2,20190105\n2,3,20190106\n3,4,00000000\n"},
        error="1 row has a time that isn't a date",
    ),
    Case(
        name="a single time before there was anything to log",
        origin="missing times written as 0",
        files={"a.csv": "user,item,timestamp\n1,2,0\n2,3,1546646400\n"},
        rows=[(1, 2, None, 0), (2, 3, None, 1546646400)],
        notes=("1 of 2 times",),
    ),
    Case(
        name="all writings that are clear by themselves",
        origin="merged sources",
        files={
            "a.csv": "user,item,date\n1,2,2019-01-05\n2,3,05.01.2019\n3,4,1546646400\n"
            "4,5,2019-01-05T01:00:00+0100\n"
        },
        rows=[
            (1, 2, None, 1546646400),
            (2, 3, None, 1546646400),
            (3, 4, None, 1546646400),
            (4, 5, None, 1546646400),
        ],
    ),
    Case(
        name="dates of Git's log",
        origin="git log --date=default",
        files=_times("Fri Mar 1 09:00:00 2024 +0100", "Fri Mar 15 09:01:00 2024 +0000"),
        rows=_rows(1709280000, 1710493260),
    ),
    Case(
        name="generalised time",
        origin="LDAP",
        files=_times("20240315090000Z", "20240315090000.0Z"),
        rows=_rows(1710493200, 1710493200),
    ),
    Case(
        name="a. m. and p. m. in Spanish",
        origin="spreadsheets in Mexico",
        files=_times("15/03/2024 9:00 a. m.", "15/03/2024 1:00 p. m."),
        rows=_rows(1710493200, 1710507600),
    ),
)
