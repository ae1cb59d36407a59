"""New items, descriptions and catalogues as callers write them; ids and folds by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cofactor
from cofactor.base.errors import ArgumentError, CofactorError, UnknownNameError
from cofactor.base.run import Run
from cofactor.data.ids import IdMap
from cofactor.data.readers import read_table
from cofactor.data.synthetic import shop
from cofactor.models.recommender import Recommender

_NEW: dict[str, Any] = {
    "item_id": "n1",
    "title": "New",
    "description": "a story",
    "genres": ["Fantasy"],
    "author": "Ann",
    "year": 2020,
    "price": 5.0,
}


@pytest.fixture(scope="module")
def model() -> Recommender:
    return cofactor.ContentKNN().fit(shop(n_users=30, n_items=20), run=Run(threads=1))


@pytest.mark.parametrize(
    "items",
    [
        _NEW,  # one record, which holds a list
        [_NEW, {**_NEW, "item_id": "n2", "year": float("nan")}],
    ],
    ids=["one record", "a missing number"],
)
def test_new_items_are_read(model: Recommender, items: Any) -> None:
    grown = model.with_items(items)
    assert grown.data.items.ids()[20] == "n1"
    row = grown.data.catalogue.row(20)
    assert {name: row[name] for name in ("title", "genres", "year")} == {
        "title": "New",
        "genres": ["Fantasy"],
        "year": 2020,
    }


def test_columns_of_a_catalogue_are_all_lists() -> None:
    with pytest.raises(CofactorError, match="'title' must be a list"):
        read_table({"item_id": ["a", "b"], "title": "A"})
    columns = {"item_id": pd.Series(["a", "b"]), "title": pd.Series(["A", "B"])}
    assert read_table(columns).to_pydict() == {"item_id": ["a", "b"], "title": ["A", "B"]}


def test_another_column_may_give_the_ids() -> None:
    table = read_table({"item_id": [1, 2], "sku": ["a", "b"]}, id_column="sku")
    assert table.to_pydict() == {"item_id (2)": [1, 2], "item_id": ["a", "b"]}


def test_new_items_of_which_nothing_is_said_are_refused(model: Recommender) -> None:
    with pytest.raises(UnknownNameError, match="did you mean title"):
        model.with_items([{"item_id": "n1", "titel": "New"}])
    for nothing in ("", "  ", {"description": " "}):
        with pytest.raises(ArgumentError, match="says nothing"):
            model.similar_to(nothing)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: IdMap(["a", "a"]), "one occurs twice"),
        (lambda: IdMap(["a", "b"]).ids([2]), r"in 0\.\.1, not 2"),
        (lambda: IdMap(["a", "b"]).ids([0, -1]), r"in 0\.\.1, not -1"),
        (lambda: IdMap(np.array([3, 3])), "one occurs twice"),
        (lambda: cofactor.cross_validate("ease", shop(), folds=2.5), "folds must be a number"),
        (lambda: cofactor.cross_validate(cofactor.EASE, shop(), folds=2), "model must be a model"),
    ],
)
def test_what_cannot_be_is_refused(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(CofactorError, match=said):
        call()
