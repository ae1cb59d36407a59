"""What the items of the page's map are coloured by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cofactor.base.errors import UnknownNameError
from cofactor.data.catalogue import Catalogue
from cofactor.data.synthetic import shop
from cofactor.models import registry
from cofactor.service.answering import item_groups
from cofactor.service.answering.item_groups import SIMILAR, Groups

DATA = shop(n_users=60, n_items=40, seed=1)
ROWS = np.argsort(-DATA.item_counts, kind="stable")


def groups_of(wanted: str | None = None, **columns: list[object]) -> Groups:
    """Colours of a shop whose catalogue has these columns, and whose even items are alike."""
    table = pa.table({"title": [f"Item {n}" for n in range(40)], **columns})
    model = registry.create("popularity").fit(replace(DATA, catalogue=Catalogue(table)))
    vectors = np.zeros((40, 3), np.float32)
    vectors[np.arange(40), ROWS % 2] = 1.0
    return item_groups.choose(item_groups.columns(model, ROWS), vectors, wanted)


class Numbered:
    """Items that are named by their rows."""

    def ids(self, rows: np.ndarray) -> list[Any]:
        return rows.tolist()

    def titles(self, rows: np.ndarray) -> list[str | None]:
        return [f"Item {row}" if row % 3 else None for row in rows.tolist()]


def test_a_column_of_a_usual_name_is_taken_and_its_rare_values_are_others() -> None:
    genres = [["Drama", "Comedy"][n % 2] if n < 36 else f"rare {n}" for n in range(40)]
    groups = groups_of(rating=["PG"] * 20 + ["R"] * 20, genre=genres)
    assert groups.column == "genre"
    shown = [groups.names[group] for group in groups.of]
    for row, name in zip(ROWS, shown, strict=True):
        assert name == genres[row] or (row >= 30 and name in ("others", genres[row]))


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(["one"] * 39 + ["two"], id="one value holds nearly all"),
        pytest.param([f"author {n // 2}" for n in range(4)] * 2 + [None] * 32, id="few have one"),
        pytest.param([None] * 40, id="empty"),
    ],
)
def test_items_are_coloured_by_similarity_where_no_column_tells_them_apart(
    column: list[object],
) -> None:
    groups = groups_of(genre=column)
    assert groups.column == SIMILAR
    assert np.array_equal(groups.of == groups.of[0], ROWS[0] % 2 == ROWS % 2)


@pytest.mark.parametrize("shown", [slice(0, None), slice(1, None), slice(2, None, 2)])
def test_groups_by_similarity_are_named_by_the_most_popular_item_that_is_shown(
    shown: slice,
) -> None:
    groups, rows = groups_of(), ROWS[shown]
    of = groups.of[shown]
    names = item_groups.names_of(groups, of, rows, Numbered())
    assert names[-1] == "others"
    for group in range(len(names) - 1):
        first = next((row for row, at in zip(rows, of, strict=True) if at == group), None)
        title = "" if first is None else f"like {'I' if first % 3 else 'i'}tem {first}"
        assert names[group] == title


def test_a_value_that_no_item_shown_has_is_not_named() -> None:
    genres = [["Drama", "Comedy"][n % 2] for n in range(40)]
    groups = groups_of(genre=genres)
    keep = np.array([genres[row] == "Comedy" for row in ROWS])
    names = item_groups.names_of(groups, groups.of[keep], ROWS[keep], Numbered())
    assert sorted(names) == ["", "Comedy", "others"]


def test_numbers_become_ranges_in_order() -> None:
    years = [1980 + n for n in range(39)] + [None]
    groups = groups_of("year", year=years)
    assert groups.ordered
    assert groups.names[0].startswith("1980 to ")
    assert groups.names[-1] == "others"
    known = np.array([years[row] or 0 for row in ROWS])
    assert all(known[groups.of == n].max() < known[groups.of == n + 1].min() for n in range(5))
    assert set(np.bincount(groups.of)[:6]) == {6, 7}


def test_an_unknown_column_is_refused_and_the_ones_there_are_are_named() -> None:
    with pytest.raises(UnknownNameError, match="genre"):
        groups_of("gnre", genre=["a", "b"] * 20)
