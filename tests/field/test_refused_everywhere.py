"""What any door refuses: values that float32 can't square, lists for nobody, histories by rows that
are none, curves of models without epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cofactor
from cofactor.base.errors import ArgumentError, CofactorError, NotFittedError, TraitError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.recommender import Recommender

_ROWS = [(user, item) for user in range(1, 9) for item in range(1, 7) if (user * item) % 3]


@pytest.fixture(scope="module")
def by_number() -> Recommender:
    return cofactor.ItemKNN().fit(cofactor.read(_ROWS), run=Run(threads=1))


def test_lists_for_nobody_are_refused_whatever_is_asked(by_number: Recommender) -> None:
    for ask in (by_number.recommend, by_number.similar_items):
        for unknown in ({}, {"unknown": "fallback"} if ask == by_number.recommend else {}):
            with pytest.raises(ArgumentError, match="list of (users|items) is empty"):
                ask([], **unknown)


@pytest.mark.parametrize("value", [3e38, -2e19, float("inf"), float("nan"), 10**400], ids="abcde")
def test_a_value_whose_square_is_beyond_float32_is_refused_everywhere(
    value: float, by_number: Recommender
) -> None:
    rows = [(*row, value) for row in _ROWS]
    flat = np.array([0.0 if value > 1e300 else value] * 2 + [float(value > 1e300)])
    flat = np.where(flat == 0, np.inf, flat)
    for ask in (
        lambda: cofactor.read(rows),
        lambda: cofactor.read(pd.DataFrame(rows, columns=["user", "item", "rating"], dtype=object)),
        lambda: Interactions.from_rows([0] * 3, [0, 1, 2], flat, users=1, items=3),
        lambda: by_number.recommend(history={1: value, 2: 1.0}),
        lambda: cofactor.Histories.of([[0, 1, 2]], 3, [flat]),
    ):
        with pytest.raises(CofactorError, match=r"beyond 1\.8e\+19|up to 1\.8e\+19|number|3.4e38"):
            ask()


@pytest.mark.parametrize(
    ("lists", "values"),
    [
        ([[1.5]], None),
        (["12"], None),
        ([1, 2], None),
        ([[2**33]], None),
        ([[-1]], None),
        ([[1, 2], [0]], [[1.0], [2.0, 3.0]]),
        ([[1], [0]], [[1.0, 2.0]]),
        ([[1]], [["x"]]),
    ],
    ids=str,
)
def test_histories_by_rows_are_lists_of_rows_with_as_many_values(lists: Any, values: Any) -> None:
    with pytest.raises(ArgumentError, match="histor"):
        cofactor.Histories.of(lists, 3, values)


def test_models_without_epochs_say_that_there_is_no_curve(
    by_number: Recommender, tmp_path: Path
) -> None:
    with pytest.raises(TraitError, match="item_knn isn't trained in epochs"):
        by_number.plot(tmp_path / "a.html")
    with pytest.raises(NotFittedError, match="isn't fitted"):
        cofactor.BPR().plot(tmp_path / "a.html")
