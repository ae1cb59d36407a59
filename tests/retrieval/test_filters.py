from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest

from cofactor.base.errors import ArgumentError, UnknownIdError, UnknownNameError
from cofactor.data.catalogue import Catalogue
from cofactor.data.ids import IdMap
from cofactor.retrieval.expression import AllOf, AnyOf, ColumnComparison, Not, parse
from cofactor.retrieval.filters import Filters, matches

CATALOGUE = Catalogue(
    pa.table(
        {
            "title": [
                "Star Fleet",
                "stardust",
                "Comedy of O'Brien",
                None,
                "The (odd) one+",
                "Ça ira",
            ],
            "genres": ["Comedy|Sci-Fi", "Drama", "comedy | Romance", None, "Tragicomedy", ""],
            "year": pa.array([1977, 1995, 2003, None, 1990, 1990], pa.int16()),
            "price": [9.5, float("nan"), None, 3.0, 0.0, -1.0],
            "tags": [["a", "b|c"], [], None, ["B"], [None, "a"], ["long tail"]],
            "codes": pa.array([[1, 2], [3], None, [], [2], [9]], pa.list_(pa.int32())),
            "on sale": [True, False, None, True, False, True],
            "language": pa.array(["en", "en", "de", None, "fr", "de"]).dictionary_encode(),
            "added": pa.array([datetime.date(2020, 1, n + 1) for n in range(6)]),
            "empty": pa.nulls(6),
        }
    )
)


def rows(where: str) -> list[int]:
    return np.flatnonzero(matches(where, CATALOGUE)).tolist()


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("year = 1990", [4, 5]),
        ("year == 1990", [4, 5]),
        ("year != 1990", [0, 1, 2]),
        ("year <> 1990", [0, 1, 2]),
        ("year < 1990", [0]),
        ("year <= 1990", [0, 4, 5]),
        ("year > 1990.5", [1, 2]),
        ("YEAR >= 1995", [1, 2]),
        ("year in (1977, 2003, 7)", [0, 2]),
        ("year not in (1977, 2003)", [1, 3, 4, 5]),
        ("year is missing", [3]),
        ("year is not missing", [0, 1, 2, 4, 5]),
        ("not year > 1990", [0, 3, 4, 5]),
        ("price is missing", [1, 2]),
        ("price >= 0", [0, 3, 4]),
        ("price = -1", [5]),
        ("year < 99999999999999999999999", [0, 1, 2, 4, 5]),
        ("genres has 'Comedy'", [0, 2]),
        ("genres has 'romance'", [2]),
        ("genres has 'sci-fi'", [0]),
        ("genres has 'Sci'", []),
        ("tags has 'b'", [3]),
        ("tags has 'a'", [0, 4]),
        ("tags has 'b|c'", [0]),
        ("tags ~ 'TAIL'", [5]),
        ("codes has 2", [0, 4]),
        ("title ~ 'star'", [0, 1]),
        ("title ~ '(odd) one+'", [4]),
        ("title ~ 'ça'", [5]),
        ("title = 'stardust'", [1]),
        ("title = 'Stardust'", []),
        ("title ~ 'o''brien'", [2]),
        ('title ~ "O\'Brien"', [2]),
        ("title < 'T' and title > 'D'", [0]),
        ("`on sale` = true", [0, 3, 5]),
        ("`on sale` = FALSE", [1, 4]),
        ("language = 'de'", [2, 5]),
        ("language in ('fr', 'en')", [0, 1, 4]),
        ("added >= '2020-01-05'", [4, 5]),
        ("empty is missing", [0, 1, 2, 3, 4, 5]),
        ("empty = 3", []),
        ("year = 1990 or year = 1977 and price > 5", [0, 4, 5]),
        ("(year = 1990 or year = 1977) and price > 5", [0]),
        ("not (genres has 'comedy') and not title ~ 'star'", [3, 4, 5]),
        ("not not year=1990", [4, 5]),
    ],
)
def test_conditions_hold_for_the_right_rows(where, expected):
    assert rows(where) == expected


def test_precedence_is_not_then_and_then_or():
    a, b, c = (
        ColumnComparison(name, "=", (1,), place) for name, place in (("a", 0), ("b", 13), ("c", 22))
    )
    assert parse("a=1 or  not  b=1 and  c=1") == AnyOf((a, AllOf((Not(b), c))))


@pytest.mark.parametrize(
    ("where", "position", "message"),
    [
        ("", 1, "it is empty"),
        ("   ", 1, "it is empty"),
        ("year >=", 8, "expected a value, not the end"),
        ("year >= and x = 1", 9, "expected a value, not 'and'"),
        ("title = star", 9, "write texts in quotes: 'star'"),
        ("title = 'star", 9, "the quote ' is never closed"),
        ("year 1990", 6, "expected a comparison"),
        ("1990 = year", 1, "expected the name of a column, not 1990"),
        ("(year = 1", 10, "expected '\\)' for the '\\(' at character 1"),
        ("year = 1)", 9, "expected 'and', 'or' or the end"),
        ("year = 1 price = 2", 10, "expected 'and', 'or' or the end"),
        ("year in 3", 9, "expected '\\(' and values after 'in'"),
        ("year in (3; 4)", 11, "';' means nothing here"),
        ("year in ()", 10, "expected a value"),
        ("year is 3", 9, "expected 'missing' after 'is'"),
        ("year not 3", 10, "expected 'in' after 'not'"),
        ("and = 3", 1, "expected the name of a column"),
        ("yaer > 3", 1, "unknown column 'yaer'; did you mean year"),
        ("year > 1 and year = '1990'", 14, "column 'year' holds numbers"),
        (
            "title = 3",
            1,
            "column 'title' holds texts, not values like 3; did you mean '3' in quotes",
        ),
        ("year = true", 1, "column 'year' holds numbers"),
        ("tags = 'a'", 1, "holds lists; ask it with 'has'"),
        ("tags has 3", 1, "holds texts"),
        ("year has 3", 1, "'has' asks lists"),
        ("year ~ '19'", 1, "'~' looks in texts"),
        ("title ~ 3", 1, "looks for a text in quotes"),
        ("added > 'soon'", 1, "can't be compared with"),
    ],
)
def test_mistakes_are_marked_at_their_place(where, position, message):
    with pytest.raises(ArgumentError, match=message) as caught:
        rows(where)
    _, shown, caret = str(caught.value).split("\n")[-3:]
    assert f"at character {position}:" in str(caught.value)
    assert shown[2:] == where
    assert caret.index("^") == 2 + position - 1


def test_deep_and_long_conditions_are_refused():
    with pytest.raises(ArgumentError, match="levels of parentheses"):
        parse("(" * 5000 + "year = 1" + ")" * 4000)
    with pytest.raises(ArgumentError, match="at most 10,000 characters"):
        parse("year = 1" + " " * 10_000)
    assert parse("(" * 59 + "year = 1" + ")" * 59) == ColumnComparison("year", "=", (1,), 59)


def test_no_catalogue_says_so():
    with pytest.raises(UnknownNameError, match="no catalogue"):
        matches("year = 1", Catalogue.nothing(3))


def test_allow_block_and_where_all_have_to_pass():
    items = IdMap.of(["a", "b", "c", "d", "e", "f"])
    assert Filters().mask(items, CATALOGUE).all()
    assert not Filters()
    assert np.flatnonzero(
        Filters(allow=["f", "a", "b"], block=["b", "zz"]).mask(items, CATALOGUE)
    ).tolist() == [0, 5]
    assert np.flatnonzero(
        Filters(block=["f"], where="year = 1990").mask(items, CATALOGUE)
    ).tolist() == [4]
    assert not Filters(allow=[]).mask(items, CATALOGUE).any()
    assert Filters(allow=[])


def test_filters_refuse_unknown_allowed_ids_bad_lists_and_bad_conditions():
    items = IdMap.of(["a", "b", "c", "d", "e", "f"])
    with pytest.raises(UnknownIdError, match="unknown item 'zz'"):
        Filters(allow=["a", "zz"]).mask(items, CATALOGUE)
    with pytest.raises(ArgumentError, match="allow must be a list of item ids, not 'a'"):
        Filters(allow="a")
    with pytest.raises(ArgumentError, match="can't read the filter"):
        Filters(where="year >")


def test_filters_take_arrays_of_ids():
    items = IdMap.of(np.arange(6))
    assert Filters(allow=np.array([1, 3]), block=pa.array([3])).mask(items, CATALOGUE).tolist() == [
        0,
        1,
        0,
        0,
        0,
        0,
    ]
