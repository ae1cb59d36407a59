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
