"""Times as further programs, languages and calendars write them, and columns that hold them."""

from __future__ import annotations

from typing import Any

from field.case import Case, Row

# 5 March 2024, and a second of that day: 10:11:12; 14 February 2024 is the Wednesday of week 7.
_DAY, _SECOND = 1_709_596_800, 1_709_633_472
_WEEK, _DAYS = 1_707_696_000, 86_400


def _times(name: str, origin: str, first: str, second: str, *right: int, **more: Any) -> Case:
    """Two times; those of the second are a day later if there is one right value."""
    column = more.pop("column", "timestamp")
    rows: list[Row] | None = None
    if right:
        later = right[1] if len(right) > 1 else right[0] + _DAYS
        rows = [("u1", "a", None, right[0]), ("u2", "b", None, later)]
    text = f'user,item,{column}\nu1,a,"{first}"\nu2,b,"{second}"\n'
    return Case(name=name, origin=origin, files={"a.csv": text}, rows=rows, **more)


def _table(name: str, origin: str, text: str, *right: int | None, **more: Any) -> Case:
    rows: list[Row] = [("u1", "a", None, right[0]), ("u2", "b", None, right[1])]
    return Case(name=name, origin=origin, files={"a.csv": text}, rows=rows, **more)


_OTHER = "Persian.*Islamic"
_WEEKS = (_WEEK, _WEEK + 7 * _DAYS)

MOMENTS = (
    _times("weeks of one digit", "an analysis", "2024-W7", "2024-W8", *_WEEKS),
    _times("weeks behind a blank", "a report", "2024 W07", "2024 W08", *_WEEKS),
    _times("clocks with dots", "Finland", "05.03.2024 10.11.12", "06.03.2024 10.11.12", _SECOND),
    _times("klo", "Finland", "5.3.2024 klo 10.11", "6.3.2024 klo 10.11", _SECOND - 12),
    _times("clocks with h", "France", "2024-03-05 10h11", "2024-03-06 10h11", _SECOND - 12),
    _times(
        "clocks with h behind slashes",
        "France",
        "05/03/2024 10h11",
        "25/03/2024 10h11",
        _SECOND - 12,
        _SECOND - 12 + 20 * _DAYS,
    ),
    _times(
        "a clock in Japanese",
        "Excel",
        "2024年03月05日 10時11分12秒",
        "2024年3月6日 10時11分",
        _SECOND,
        _SECOND - 12 + _DAYS,
    ),
    _times("a clock of digits alone", "a log", "20240305 101112", "20240306 101112", _SECOND),
    _times("a clock behind digits", "a log", "20240305 10:11:12", "20240306 10:11:12", _SECOND),
    _times("a month and a year", "a report", "03/2024", "04/2024", 1_709_251_200, 1_711_929_600),
    _times(
        "a clock of single digits in Chinese",
        "WPS",
        "2024年3月5日 9时5分1秒",
        "2024年3月5日 10时11分12秒",
        _DAY + 32_701,
        _SECOND,
    ),
    _times(
        "zones by their cities",
        "Trino",
        "2024-03-05 11:11:12.000 Europe/Berlin",
        "2024-07-05 12:11:12 [Europe/Berlin]",
        _SECOND,
        _SECOND + 122 * _DAYS,
    ),
    _times(
        "a zone of no city",
        "Trino",
        "2024-03-05 11:11:12 Europe/Nowhere",
        "2024-03-05 11:11:12 Europe/Nowhere",
        error="no time in column 'timestamp' can be read",
    ),
    _table(
        "a session's date",
        "a log",
        "user,item,session_date\nu1,a,2024-03-05\nu2,b,2024-03-06\n",
        _DAY,
        _DAY + _DAYS,
    ),
    Case(
        name="a spreadsheet's days with whole seconds, whatever the column is called",
        origin="Excel",
        files={"a.csv": "user,item,ts\nu,a,45356.42444444\nu,b,45356.5\nu,c,45356.75001157\n"},
        rows=[
            ("u", "a", None, _SECOND),
            ("u", "b", None, _DAY + 43_200),
            ("u", "c", None, _DAY + 64_801),
        ],
        notes=("a spreadsheet's days",),
    ),
    _times("a date in Korean", "Excel", "2024년 3월 5일", "2024년 3월 6일", _DAY),
    _times("dotted dates in Korean", "Excel", "2024. 3. 5.", "2024. 3. 6.", _DAY),
    _times("dates in Arabic digits", "an Arabic locale", "٢٠٢٤-٠٣-٠٥", "٢٠٢٤-٠٣-٠٦", _DAY),
    _times("dates in Persian digits", "Iran", "۲۰۲۴/۰۳/۰۵", "۲۰۲۴/۰۳/۰۶", _DAY),
    _times("dates of SAS", "SAS", "05MAR2024", "06MAR2024", _DAY),
    _times("times of SAS", "SAS", "05MAR2024:10:11:12", "06MAR2024:10:11:12", _SECOND),
    _times("times of Stata", "Stata", "05mar2024 10:11:12", "06mar2024 10:11:12", _SECOND),
    _times(
        "months by their names",
        "a report",
        "March 2024",
        "avril 2024",
        1_709_251_200,
        1_711_929_600,
    ),
    _times(
        "milliseconds behind a colon",
        "a log",
        "2024-03-05 10:11:12:123",
        "2024-03-06 10:11:12:456",
        _SECOND,
    ),
    _times("dates with a zone", "XML Schema", "2024-03-05+01:00", "2024-03-06+01:00", _DAY - 3600),
    _times("seconds with a decimal comma", "Excel", "1709633472,123", "1709719872,456", _SECOND),
    _times(
        "a spreadsheet's days with decimal commas",
        "Excel in German",
        "45356,5",
        "45357,5",
        _DAY + 43200,
        column="date",
    ),
    _times(
        "microseconds since 1601",
        "a browser's history",
        "13354107072000000",
        "13354193472000000",
        _SECOND,
        notes=("since 1601",),
    ),
    _times("years of Iran", "Iran", "1402/12/15", "1402-12-16 10:11", error=_OTHER),
    _times("years of Iran as numbers", "Iran", "14021215", "14021216", error=_OTHER),
    _times("years of Mecca", "Saudi Arabia", "1445-08-24", "1445-08-25", error=_OTHER),
    _times("years of Iran in its digits", "Iran", "۱۴۰۲/۱۲/۱۵", "۱۴۰۲/۱۲/۱۶", error=_OTHER),
    Case(
        name="a year of Iran among others is skipped",
        origin="by hand",
        files={"a.csv": "user,item,date\nu1,a,2024-03-05\nu2,b,1402-12-15\n"},
        options={"on_bad": "skip"},
        rows=[("u1", "a", None, _DAY)],
        notes=("skipped 1 row",),
    ),
    _times("a column of weeks", "a report", "2024-W07", "2024-W08", *_WEEKS, column="week"),
    _table(
        "year and week in columns",
        "a report",
        "user,item,year,week\nu1,a,2024,7\nu2,b,2024,8\n",
        *_WEEKS,
    ),
    _table(
        "year and week in German",
        "a report",
        "Kunde;Artikel;Jahr;KW\nu1;a;2024;7\nu2;b;2024;8\n",
        *_WEEKS,
    ),
    _table(
        "a week without a year is no time",
        "a panel of households",
        "user,item,week_no\nu1,a,7\nu2,b,8\n",
        None,
        None,
    ),
    *(
        _times(f"a column {name!r} of dates", origin, "2024-03-05", "2024-03-06", _DAY, column=name)
        for name, origin in (
            *(("Data", "a till in Italian"), ("data_avaliacao", "reviews in Portuguese")),
            *(("click_timestamp", "news"), ("view_date", "a log"), ("sipariş tarihi", "a shop")),
            *(("Rental Date", "films"), ("date_of_visit", "a survey")),
        )
    ),
    _table(
        "dates of birth and of release are no times",
        "people and films",
        "user,item,birth_date,release_date\nu1,a,1990-03-05,2001-01-01\n"
        "u2,b,1991-03-05,2002-01-01\n",
        None,
        None,
    ),
    _table(
        "data that are no dates",
        "a sensor",
        "user,item,data\nu1,a,x7\nu2,b,x8\n",
        None,
        None,
    ),
    _times(
        "hours as numbers in a column of times",
        "an analysis",
        "2024030510",
        "2024030610",
        _DAY + 10 * 3600,
    ),
)
