"""What callers ask a fitted model for: ids, histories, descriptions and filters in any container,
and what of it is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import cofactor
from cofactor.base.errors import (
    ArgumentError,
    CofactorError,
    DataError,
    UnknownNameError,
)
from cofactor.base.run import Run
from cofactor.data import moments
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions
from cofactor.data.readers import read_table
from cofactor.models.recommender import Recommender

_ROWS = [(user, item) for user in range(1, 9) for item in range(1, 7) if (user * item) % 3]
_TITLES = {item: f"word{item} word{item % 2}" for item in range(1, 8)}
_TABLE = pa.table(
    {
        "item_id": list(_TITLES)[:6],
        "title": list(_TITLES.values())[:6],
        "year": [1990, 1991, None, 2000, 2001, 2005],
    }
)


@pytest.fixture(scope="module")
def by_number() -> Recommender:
    return cofactor.ItemKNN().fit(cofactor.read(_ROWS), run=Run(threads=1))


@pytest.fixture(scope="module")
def by_text() -> Recommender:
    rows = [(f"u{user}", f"i{item}") for user, item in _ROWS]
    return cofactor.ItemKNN().fit(cofactor.read(rows), run=Run(threads=1))


@pytest.fixture(scope="module")
def by_content() -> Recommender:
    data = Interactions.build(cofactor.read(_ROWS, items=_TABLE))
    return cofactor.ContentKNN().fit(data, run=Run(threads=1))


@pytest.mark.parametrize("many", [1, 600])
@pytest.mark.parametrize(
    "given",
    [
        ["u3"],
        [" u3"],
        ["u3\u200b"],
        [b"u3"],
        np.array(["u3"], object),
        pa.array(["u3"], pa.string_view()),
        pa.array([b"u3"]),
        pd.Series(["u3"], dtype="string"),
    ],
    ids=str,
)
def test_texts_are_found_however_many_are_asked_for(given: Any, many: int) -> None:
    known = IdMap.of([f"u{n}" for n in range(9)])
    whole = type(given)([given[0]] * many) if many > 1 and isinstance(given, list) else given
    assert set(known.find(whole).tolist()) == {3}


def test_whole_numbers_are_found_among_texts() -> None:
    known = IdMap.of(["7", "x"])
    assert known.find([7, 7.0, np.float32(7), "7"]).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "given",
    [np.float32(2**24), np.array([2**24], np.float32), float(2**53), [np.float16(2**11)]],
    ids=str,
)
def test_floats_that_hold_several_ids_are_none(given: Any) -> None:
    known = IdMap(np.array([2**11, 2**24, 2**53]))
    with pytest.raises(ArgumentError, match="an id must be an integer or a text"):
        known.find(given)


_NO_IDS: list[Any] = [
    [None],
    [float("nan")],
    [True],
    [[3, 4]],
    [pd.NA],
    [pd.NaT],
    np.array([np.nan]),
    np.ma.array([3, 4], mask=[False, True]),
    pd.DataFrame({"item": [3]}),
    {"item": 3},
]


@pytest.mark.parametrize("given", _NO_IDS, ids=str)
def test_what_can_be_no_id_is_refused_wherever_unknown_ids_are_passed_over(
    given: Any, by_number: Recommender
) -> None:
    ratings = cofactor.Bias().fit(cofactor.read([(*row, 1.0 + row[1] % 2) for row in _ROWS]))
    for ask in (
        lambda: by_number.recommend(given, unknown="fallback"),
        lambda: by_number.recommend(4, filters=cofactor.Filters(block=given)),
        lambda: ratings.predict(given, [1] * len(given)),
    ):
        with pytest.raises(ArgumentError, match=r"\bids?\b"):
            ask()


def test_users_of_a_fallback_have_the_ids_of_the_data(by_number: Recommender) -> None:
    for users, shown in (([4.0], [4]), ([3.0], [3]), ([4, "x"], ["4", "x"]), (["4"], [4])):
        lists = by_number.recommend(users, k=1, unknown="fallback", exclude_seen=False)
        assert lists.to_arrow()[0].to_pylist() == shown


@pytest.mark.parametrize(
    "history",
    [
        pa.array([[2, 5]]),
        pl.Series([[2, 5]]),
        pd.Series([[2, 5]]),
        pd.Series([2, 5], index=[7, 9]),
        np.array([2.0, 5.0]),
        [np.int8(2), "5"],
    ],
    ids=lambda history: f"{type(history).__module__} {history!r}"[:40],
)
def test_a_history_is_the_same_in_any_container(history: Any, by_number: Recommender) -> None:
    right = by_number.recommend(history=[2, 5], k=3).ids
    assert by_number.recommend(history=history, k=3).ids == right


@pytest.mark.parametrize(
    ("history", "said"),
    [
        ([(2, 5.0), (5, 1.0)], r"pairs such as \(2, 5.0\); with values it is a mapping"),
        (pd.Series([5.0, 1.0], index=[2, 5]), r"history.to_dict\(\)"),
        (pd.DataFrame({"item": [2]}), "its column of items"),
        ([{"item_id": 2, "rating": 5}], r"\{item: value\}"),
    ],
)
def test_values_are_not_taken_for_items(history: Any, said: str, by_number: Recommender) -> None:
    with pytest.raises(ArgumentError, match=said):
        by_number.recommend(history=history, unknown="fallback")


@pytest.mark.parametrize("filters", [[3], {"block": [3]}, "year > 3"])
def test_filters_are_filters(filters: Any, by_number: Recommender) -> None:
    with pytest.raises(ArgumentError, match=r"filters must be Filters \(cofactor.Filters"):
        by_number.recommend(4, filters=filters)


_CATALOGUES: Mapping[str, Callable[[], Any]] = {
    "records one by one": lambda: ({"item_id": i, "title": t} for i, t in _TITLES.items()),
    "columns": lambda: {"item_id": list(_TITLES), "title": list(_TITLES.values())},
    "arrays": lambda: {k: np.array(v) for k, v in _CATALOGUES["columns"]().items()},
    "records by id": lambda: {i: {"title": t} for i, t in _TITLES.items()},
    "titles by id": lambda: dict(_TITLES),
    "a structured array": lambda: np.array(
        list(_TITLES.items()), [("item_id", "i4"), ("title", "U20")]
    ),
    "texts in bytes": lambda: pa.table(
        {"item_id": list(_TITLES), "title": [t.encode() for t in _TITLES.values()]}
    ),
    "objects in records": lambda: [
        {"item_id": i, "meta": {"title": t}} for i, t in _TITLES.items()
    ],
    "objects in pandas": lambda: pd.DataFrame(_CATALOGUES["objects in records"]()),
    "objects in polars": lambda: pl.DataFrame(_CATALOGUES["objects in records"]()),
}


@pytest.mark.parametrize("name", _CATALOGUES)
def test_a_catalogue_is_read_from_whatever_interactions_are(name: str) -> None:
    data = Interactions.build(cofactor.read(_ROWS, items=_CATALOGUES[name]()))
    assert data.catalogue.titles(data.items.rows([1, 2])) == [_TITLES[1], _TITLES[2]]


def test_a_catalogue_is_read_from_several_files_and_from_a_database(tmp_path: Any) -> None:
    import sqlite3
    from contextlib import closing

    for n, items in enumerate([(1, 2), ("3", "x4")]):
        lines = "".join(f"{item},t{item}\n" for item in items)
        (tmp_path / f"{n}.csv").write_text(f"item_id,title\n{lines}")
    paths = [tmp_path / "0.csv", tmp_path / "1.csv"]
    for source in (paths, str(tmp_path / "*.csv")):
        table = read_table(source)
        assert table["item_id"].to_pylist() == ["1", "2", "3", "x4"]
    with closing(sqlite3.connect(tmp_path / "a.db")) as base:
        base.executescript(
            "CREATE TABLE other (x); CREATE TABLE items (item_id, title);"
            "INSERT INTO items VALUES (1, 'A')"
        )
    url = f"sqlite:///{tmp_path}/a.db"
    assert read_table(url)["title"].to_pylist() == ["A"]
    with pytest.raises(DataError, match="readonly"):
        read_table(f"{url}?query=DROP TABLE other")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "no lines"),
        ([(1, "A")], "data frame, records"),
        (5, "data frame, records"),
        ({"item_id": [1, 2], "title": ["A"]}, "one length"),
        ({"x": 5}, "has the keys x"),
    ],
)
def test_what_is_no_catalogue_is_refused(given: Any, said: str) -> None:
    with pytest.raises(CofactorError, match=said):
        read_table(given)


def test_new_items_come_as_columns_or_one_by_one(by_content: Recommender) -> None:
    for items in (
        {"item_id": [7], "title": ["word7"]},
        {"item_id": 7, "title": "word7"},
        (row for row in [{"item_id": 7, "title": "word7"}]),
    ):
        grown = by_content.with_items(items).data
        assert grown.catalogue.row(grown.n_items - 1) == {"title": "word7"}


@pytest.mark.parametrize(
    ("description", "error", "said"),
    [
        ({"titel": "word1"}, UnknownNameError, "did you mean title"),
        ({"title": "word1", "colour": "red"}, UnknownNameError, "'colour'"),
        ({"title": None}, ArgumentError, "says nothing"),
        ({"year": float("nan")}, ArgumentError, "says nothing"),
        ({"year": "old"}, ArgumentError, "'year' in the description .* not 'old'"),
        ([["word1"]], ArgumentError, "sentence or a mapping"),
        (None, ArgumentError, "sentence or a mapping"),
    ],
)
def test_descriptions_that_say_nothing_are_refused(
    description: Any, error: type[Exception], said: str, by_content: Recommender
) -> None:
    with pytest.raises(error, match=said):
        by_content.similar_to(description)


@pytest.mark.parametrize(
    "description",
    [
        [{"title": "word1", "year": 1990}],
        pd.DataFrame({"title": ["word1"], "year": [1990]}),
        pd.Series({"title": "word1", "year": 1990}),
        pa.table({"title": ["word1"], "year": [1990]}),
        {"title": "word1", "year": "1990", "item_id": 99},
    ],
    ids=lambda given: type(given).__name__,
)
def test_a_description_is_the_same_in_any_container(
    description: Any, by_content: Recommender
) -> None:
    right = by_content.similar_to({"title": "word1", "year": 1990}, k=3)
    assert by_content.similar_to(description, k=3).to_arrow() == right.to_arrow()


def test_texts_of_an_array_are_descriptions(by_content: Recommender) -> None:
    right = by_content.similar_to(["word1", "word2"], k=2).to_arrow()
    for given in (np.array(["word1", "word2"]), pd.Series(["word1", "word2"])):
        assert by_content.similar_to(given, k=2).to_arrow() == right


def test_profiles_that_say_nothing_are_refused() -> None:
    from dataclasses import replace

    table = pa.table({"user_id": list(range(1, 9)), "age": [20, 30, 40, 50, 60, 25, 35, 45]})
    data = Interactions.build(replace(cofactor.read(_ROWS, items=_TABLE), user_table=table))
    model = cofactor.FeatureIALS(factors=2, epochs=1, user_features=("age",)).fit(data)
    right = model.recommend(features={"age": 31}, k=3).ids
    for given in (pd.DataFrame({"age": [31]}), pd.Series({"age": 31}), {"age": "31"}):
        assert model.recommend(features=given, k=3).ids == right
    for given, said in (
        ({"aeg": 31}, "did you mean age"),
        ({"age": "old"}, "not 'old'"),
        ({}, "says nothing"),
        (5, "must be a mapping"),
    ):
        with pytest.raises(CofactorError, match=said):
            model.recommend(features=given)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Interactions.from_rows([], [], users=-1, items=2), "users must be an integer in"),
        (
            lambda: Interactions.from_rows([0], [0], users=IdMap(pa.array(["a", "a"])), items=1),
            "users must hold each id once",
        ),
        (
            lambda: Interactions.build(cofactor.read(_ROWS), users=[1]),  # type: ignore[arg-type]
            "users must be an IdMap",
        ),
        (
            lambda: Interactions.from_rows(
                [0, 1], [0, 0], np.ma.array([1.0, 2.0], mask=[0, 1]), users=2, items=1
            ),
            "values are masked",
        ),
        (
            lambda: Interactions.from_rows(
                np.ma.array([0, 1], mask=[0, 1]), [0, 0], users=2, items=1
            ),
            "user_rows are masked",
        ),
        (
            lambda: Interactions.build(
                cofactor.read([("u", "a", 1.5e19), ("u", "a", 1.5e19)]), repeats="sum"
            ),
            "more than 1.8e.19, whose square float32 can't hold",
        ),
    ],
)
def test_constructors_refuse_what_can_be_no_data(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(CofactorError, match=said):
        make()


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (1_546_646_400_000, "divide milliseconds"),
        (20190105, "write '2019-01-05'"),
        (pd.NaT, "must be seconds since 1970"),
        (float("nan"), "must be seconds since 1970"),
    ],
)
def test_moments_that_can_hardly_be_are_refused(moment: Any, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        moments.seconds(moment, "at")
    assert moments.seconds(1_546_646_400.0, "at") == 1_546_646_400


def test_a_run_that_is_none_is_refused() -> None:
    data = Interactions.build(cofactor.read([(u, i) for u in range(4) for i in range(4) if u != i]))
    parts = cofactor.split(data, "per-user", test=0.4)
    model = cofactor.EASE().fit(parts.train)
    for call in (
        lambda: cofactor.EASE().fit(data, run=4),
        lambda: model.recommend(0, run=4),
        lambda: model.similar_items(0, run={"threads": 2}),
        lambda: cofactor.evaluate(model, parts, run=4),
    ):
        with pytest.raises(ArgumentError, match="run must be a Run"):
            call()
