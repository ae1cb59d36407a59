"""What a request costs is learned model by model."""

from __future__ import annotations

import pytest

from cofactor.service.answering import admission
from cofactor.service.answering.admission import Admission
from cofactor.service.settings import Settings


def test_models_that_take_turns_each_keep_what_was_learned() -> None:
    one = Admission(Settings())
    for _ in range(200):
        one.begin_with(0.001)
        one.learn(0.004, 16)
        one.begin_with(0.002)
        one.learn(0.016, 16)
    one.begin_with(0.001)
    assert (one.lone, one.cost) == (0.001, pytest.approx(0.00025, rel=0.01))
    one.begin_with(0.002)
    assert (one.lone, one.cost) == (0.002, pytest.approx(0.001, rel=0.01))


def test_what_was_learned_of_few_models_is_kept() -> None:
    one = Admission(Settings())
    for n in range(50):
        one.begin_with(0.001 + n / 1e6)
    assert len(one._costs) <= admission._MODELS
