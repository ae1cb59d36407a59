"""A value far beyond all others, by which everything that is fitted to values is ruled, is said."""

from __future__ import annotations

import numpy as np
import pytest

import cofactor
from cofactor.data.guards import ruling
from cofactor.data.interactions import Interactions

STARS = np.random.default_rng(0).integers(1, 6, 2_000).astype(np.float32)
COUNTS = np.exp(np.random.default_rng(1).normal(2, 2, 2_000)).round().astype(np.float32)
TENTHS = np.linspace(0.1, 1, 10)


def beside(values: np.ndarray, *others: float) -> np.ndarray:
    return np.concatenate((values, np.array(others, np.float32)))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (beside(STARS, 1e18), "one of 2,001 values is 1e+18"),
        (beside(STARS, 50_000), "one of 2,001 values is 50000"),
        (beside(STARS, *[9999] * 12), "12 values are 9999"),
        (beside(STARS, -99_999), "one of 2,001 values is -99999"),
        (beside(STARS * 1e-30, 1), "one of 2,001 values is 1,"),
        (beside(COUNTS, 4e9), "one of 2,001 values is 4e+09"),
        (STARS, None),
        (COUNTS, None),
        (beside(STARS, 0, 10, 100), None),
        (beside(np.full(2_000, 5.0), 1), None),
        (beside(np.full(2_000, 5.0), 4, 1), None),
        (STARS + 10_000_000, None),
        (STARS * 1e18, None),
        (beside(TENTHS, 1000), None),
        (STARS[:0], None),
        (None, None),
    ],
)
def test_what_rules_the_others_is_named(values: np.ndarray | None, said: str | None) -> None:
    found = ruling(values)
    assert len(found) == (said is not None)
    assert said is None or found[0].startswith(said)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (cofactor.Bias(), True),
        (cofactor.BiasedMF(factors=1, epochs=1), True),
        (cofactor.IALS(factors=2, epochs=1, confidence="linear"), True),
        (cofactor.IALS(factors=2, epochs=1), False),
        (cofactor.IALS(factors=2, epochs=1, confidence="log"), False),
        (cofactor.ItemKNN(), False),
    ],
    ids=repr,
)
def test_models_that_are_ruled_by_it_say_so(model: cofactor.Recommender, said: bool) -> None:
    rows, columns = np.nonzero(np.random.default_rng(0).random((30, 20)) < 0.5)
    values = beside(STARS[: len(rows) - 1], 1e9)
    data = Interactions.from_rows(rows, columns, values, users=30, items=20)
    model.fit(data, run=cofactor.Run(threads=1))
    assert any("far beyond all others" in note for note in model.notes) == said
