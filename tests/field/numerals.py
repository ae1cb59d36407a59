"""Values as durations, words and numbers of other writings than plain digits."""

from __future__ import annotations

from typing import Any

from field.case import Case


def _pair(name: str, origin: str, first: str, second: str, *right: float, **more: Any) -> Case:
    """Two values in a table with semicolons."""
    text = f"user;item;value\nu1;a;{first}\nu2;b;{second}\n"
    rows = [("u1", "a", right[0]), ("u2", "b", right[1])] if right else None
    return Case(name=name, origin=origin, files={"a.csv": text}, rows=rows, **more)


_SECONDS = ("durations such as .* read as seconds",)

NUMERALS = (
    _pair("hours and minutes", "a player", "1h 20m", "35m", 4800, 2100, notes=_SECONDS),
    _pair("hours or minutes", "a player", "1h", "35m", 3600, 2100, notes=_SECONDS),
    _pair("hours and minutes in words", "a survey", "1 hour, 5 minutes", "42 min", 3900, 2520),
    _pair("hours and minutes in German", "a course", "1 Std. 20 Min.", "35 Min.", 4800, 2100),
    _pair("hours with fractions beside minutes", "a diary", "1.5 hrs", "30 mins", 5400, 1800),
    _pair("days and clocks of pandas", "to_csv", "0 days 01:20:00", "1 days 00:00:10", 4800, 86410),
    _pair("hours, minutes and seconds", "a tracker", "01:20:00", "00:35:30", 4800, 2130),
    _pair("seconds with fractions", "a tracker", "01:20:00.500", "00:35:30", 4800.5, 2130),
    _pair("minutes and seconds beside hours", "videos", "3:20", "1:03:20", 200, 3800),
    _pair("durations of ISO 8601", "a video service", "PT1H20M", "PT35M10S", 4800, 2110),
    _pair("minutes or hours alone", "a player", "3:20", "10:35", error="3:20"),
    _pair("months are no minutes", "a shop", "2d", "3m", error="2d"),
    _pair("thousands and millions are no metres", "counts", "1.2K", "3M", error="1.2K"),
    _pair("minutes beside numbers", "by hand", "1h 20m", "35", error="1h 20m"),
    _pair("one unit stays", "a player", "42 min", "7 min", 42, 7, notes=("the number in",)),
    *(
        _pair(f"{yes} and {no}", "a spreadsheet", yes, no, 1, 0, notes=("read as 1 and 0",))
        for yes, no in (
            *(("ja", "nein"), ("oui", "non"), ("sí", "no"), ("sim", "não"), ("evet", "hayır")),
            *(("да", "нет"), ("tak", "nie"), ("はい", "いいえ"), ("是", "否"), ("예", "아니오")),
            *(("WAHR", "FALSCH"), ("VRAI", "FAUX"), ("VERDADERO", "FALSO"), ("VERO", "FALSO")),
            *(("VERDADEIRO", "FALSO"), ("ИСТИНА", "ЛОЖЬ"), ("WAAR", "ONWAAR")),
        )
    ),
    _pair("Arabic digits with their own point", "an Arabic locale", "٤٫٥", "٣", 4.5, 3),
    _pair("Arabic thousands", "an Arabic locale", "١٬٢٣٤٫٥", "٣", 1234.5, 3),
    _pair("halves", "a magazine", "4½", "3", 4.5, 3),
    _pair("quarters", "a magazine", "4¼", "¾", 4.25, 0.75),
    _pair("a square is no digit", "a magazine", "4²", "3", error="4²"),
    _pair("commas without a zero before them", "SAS", ",5", ",75", 0.5, 0.75),
    _pair("a zero before a comma is no thousand", "Excel", "0,500", "1,250", 0.5, 1.25),
    _pair("NumPy's floats", "repr", "np.float64(4.5)", "np.float64(3.0)", 4.5, 3),
    _pair("decimals of Python", "repr", "Decimal('4.5')", "Decimal('3')", 4.5, 3),
    _pair("tensors", "repr", "tensor(4.)", "tensor(3.5)", 4, 3.5),
    Case(
        name="numbers of all of MongoDB's types",
        origin="mongoexport",
        files={
            "a.jsonl": '{"user":"u1","item":"a","rating":{"$numberInt":"4"}}\n'
            '{"user":"u2","item":"b","rating":{"$numberDouble":"3.5"}}\n'
            '{"user":"u3","item":"c","rating":3}\n'
        },
        rows=[("u1", "a", 4), ("u2", "b", 3.5), ("u3", "c", 3)],
    ),
    _pair("out of five, as a decimal", "R", "4.5/5.0", "3.0/5.0", 4.5, 3),
    _pair("rupees", "a shop", "Rs. 1,250.50", "Rs. 300.00", 1250.5, 300),
    _pair("crowns", "a shop", "1.250,50 kr.", "300,00 kr.", 1250.5, 300),
    _pair("francs", "a shop", "Fr. 1'250.50", "Fr. 300.00", 1250.5, 300),
)
