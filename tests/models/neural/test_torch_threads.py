"""How many threads PyTorch has while a model answers: one where there is little to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from cofactor.base.run import Run
from cofactor.base.threads import current_threads, kernel_threads, native_threads
from cofactor.data.synthetic import shop
from cofactor.models import registry
from cofactor.models.neural.module_fold_in import FoldIn
from cofactor.models.recommender import Recommender

MANY = 1 << 14


@pytest.fixture(scope="module")
def model() -> Recommender:
    data = shop(n_users=60, n_items=40, seed=1)
    return registry.create("mlp", epochs=1).fit(data, run=Run(threads=1))


@pytest.fixture
def seen(model: Recommender, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The threads of PyTorch in each call of what a model implements."""
    found: list[int] = []

    def noted(kind: Any, name: str) -> None:
        original = getattr(kind, name)

        def call(*arguments: Any) -> Any:
            found.append(torch.get_num_threads())
            return original(*arguments)

        monkeypatch.setattr(kind, name, call)

    for name in ("_score", "_predict", "_states"):
        noted(type(model), name)
    noted(FoldIn, "_descended")
    return found


def test_an_answer_for_one_user_has_one_thread(model: Recommender, seen: list[int]) -> None:
    row, before = np.array([3]), torch.get_num_threads()
    with native_threads(2):
        model.score_batch(model.user_batch(row))
        model.score_batch(model.fold_in(model.data.histories(row)))
        model.predict_rows(row, row)
        assert torch.get_num_threads() == 2
    assert seen
    assert set(seen) == {1}
    assert torch.get_num_threads() == before


def test_answers_for_many_have_as_many_as_kernels(model: Recommender, seen: list[int]) -> None:
    rows = np.zeros(-(-MANY // model.data.n_items), np.int64)
    with native_threads(2), kernel_threads(2):
        batch = model.user_batch(rows)
        del seen[:]
        model.score_batch(batch)
        model.predict_batch(batch, np.zeros(MANY, np.int64), np.zeros(MANY, np.int64))
        assert seen == [current_threads()] * 2
        with kernel_threads(1):
            model.score_batch(batch)
        assert seen[2:] == [1]


def test_histories_are_folded_in_by_one_thread_however_many(
    model: Recommender, seen: list[int]
) -> None:
    histories = model.data.histories(np.arange(60))
    with native_threads(2):
        model.fold_in(histories)
    assert set(seen) == {1}
