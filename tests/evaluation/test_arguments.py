"""What both evaluators refuse before they measure anything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cofactor
from cofactor.base.errors import ArgumentError
from cofactor.data.interactions import Interactions
from cofactor.evaluation.evaluate import evaluate
from cofactor.evaluation.next_item import evaluate_next
from cofactor.models import registry

rows = np.arange(12)
DATA = Interactions.from_rows(rows % 3, rows // 3, users=3, items=4)


@pytest.mark.parametrize("measure", [evaluate, evaluate_next])
@pytest.mark.parametrize(
    ("split", "settings", "message"),
    [
        ("test", {}, "split must be a Split or a Part, not str"),
        (None, {"resamples": -1}, "resamples"),
        (None, {"resamples": "many"}, "resamples"),
        (None, {"resamples": 10**9}, "resamples must be an integer in 0..1000000"),
    ],
)
def test_wrong_arguments_are_named(
    measure: Any, split: Any, settings: dict[str, Any], message: str
) -> None:
    whole = cofactor.split(DATA, "per-user", test=0.25, seed=1)
    model = registry.create("popularity").fit(whole.train)
    with pytest.raises(ArgumentError, match=message):
        measure(model, whole if split is None else split, **settings)


_WHOLE = cofactor.split(DATA, "per-user", test=0.25, seed=1)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: evaluate("popularity", _WHOLE), "model must be a fitted model, not 'popularity'"),  # type: ignore[arg-type]
        (lambda: evaluate(cofactor.Popularity, _WHOLE), "model must be a fitted model"),  # type: ignore[arg-type]
        (lambda: evaluate(_fitted(), _WHOLE, 10), "metrics must be names such as 'ndcg@10'"),  # type: ignore[arg-type]
        (lambda: evaluate(_fitted(), _WHOLE, {"ndcg": 10}), "metrics must be names"),
        (lambda: evaluate(_fitted(), _WHOLE, groups=[1]), "groups must be 'warm'"),  # type: ignore[arg-type]
        (lambda: evaluate(_fitted(), _WHOLE, rerank=5), "rerank must be rules such as"),  # type: ignore[arg-type]
        (
            lambda: cofactor.compare(DATA, [None]),
            "models must be models or names of them, not None",
        ),  # type: ignore[list-item]
        (lambda: cofactor.save("m", "x"), "model must be a fitted model"),  # type: ignore[arg-type]
        (
            lambda: cofactor.ItemKNN().fit(DATA, validation=DATA),  # type: ignore[arg-type]
            "validation must be a Part",
        ),
        (lambda: cofactor.ItemKNN().fit(DATA, run={"threads": 1}), "run must be a Run"),  # type: ignore[arg-type]
    ],
)
def test_arguments_of_another_kind_are_named(ask: Any, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        ask()


def _fitted() -> Any:
    return registry.create("popularity").fit(_WHOLE.train)


def test_given_parts_are_read_as_fit_reads_them() -> None:
    from cofactor.data.splits.predefined import predefined

    split = predefined([("u", "a"), ("v", "b")], [("u", "b")], negatives=[["a"]])  # type: ignore[arg-type]
    assert (len(split.train), len(split.test.truth)) == (2, 1)
