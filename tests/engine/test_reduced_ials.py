"""Implicit ALS whose users stay where they are: sums over users are exchanged instead."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cofactor.artifact.load import load
from cofactor.base.engine import Local
from cofactor.base.errors import ArgumentError, TrainingError
from cofactor.base.run import Run
from cofactor.cli.main import main
from cofactor.data.interactions import Interactions
from cofactor.data.synthetic.shapes import power_law
from cofactor.kernels.cpu import ials as kernels
from cofactor.models.implicit.ials import IALS
from cofactor.models.implicit.ials_reduced import ReducedIALSLearner
from cofactor.models.implicit.ials_sums import whole_spans
from cofactor.runs.train import train
from engine.pieces import factors_hash

RUN = Run(seed=4, threads=1)
REDUCED = Run(seed=4, threads=1, engine=Local("reduce"))
# Given, since choosing a regularization takes several fits.
SMALL: dict[str, Any] = {"factors": 8, "regularization": 0.035}


class Workers(Local):
    """Several places in this process, and how many bytes would reach each from the others."""

    def __init__(self, workers: int, exchange: str = "reduce") -> None:
        super().__init__(exchange)
        self.workers = workers
        self.held: dict[int, tuple[Any, set[str]]] = {}  # by id: an array, and who has it
        self.received = dict.fromkeys(self.places(), 0)

    def call(self, function: Any, *arguments: Any, at: str | None = None, **how: Any) -> Any:
        assert at is not None or function.__name__ == "gram"
        for argument in arguments:
            holders = self.held.get(id(argument), (None, {at}))[1]
            if at is not None and at not in holders:
                self.received[at] += argument.nbytes
                holders.add(at)
        found = super().call(function, *arguments, **how)
        for value in found if how.get("returns", 1) > 1 else [found]:
            if at is not None and isinstance(value, np.ndarray):
                self.held[id(value)] = (value, {at})
        return found


def scores(model: Any) -> np.ndarray:
    found: np.ndarray = model.user_factors @ model.item_factors.T
    return found


@pytest.fixture(scope="module")
def data() -> Interactions:
    return power_law(800, 80, 9_000, rated=True, seed=1)


@pytest.mark.parametrize(
    "settings",
    [
        {},  # the default regularization is tried out by fits of its own
        {"regularization": 0.035, "factors": 20, "warmup_epochs": 1, "cg_steps": 5},
        {"regularization": 0.035, "confidence": "log", "item_weight_power": 0.3},
    ],
)
def test_scores_are_those_of_one_process_and_do_not_depend_on_workers(
    data: Interactions, settings: dict[str, Any]
) -> None:
    settings = {"factors": 16, "epochs": 4, **settings}
    whole = IALS(**settings).fit(data, run=RUN)
    cut = [
        IALS(**settings).fit(data, run=replace(RUN, engine=Workers(n))) for n in (1, 2, 3, 8, 11)
    ]
    assert len({factors_hash(model) for model in cut}) == 1
    assert factors_hash(cut[0]) != factors_hash(whole)
    np.testing.assert_allclose(scores(cut[0]), scores(whole), atol=1e-5)
    np.testing.assert_allclose(cut[0].curve.loss, whole.curve.loss, rtol=1e-5)


def test_items_that_are_solved_alone_are_those_of_one_process(
    data: Interactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**SMALL, "epochs": 2, "cg_steps": 1}  # far from exact, unlike the giants
    plain = scores(IALS(**settings).fit(data, run=RUN))
    monkeypatch.setattr(kernels, "GIANT_ROW", 100)
    monkeypatch.setattr(kernels, "GIANT_SHARE", 0.02)
    assert 3 < len(kernels.giant_rows(data.by_item[0])) < 40
    whole, one, three = (
        IALS(**settings).fit(data, run=run)
        for run in (RUN, REDUCED, replace(RUN, engine=Workers(3)))
    )
    np.testing.assert_allclose(scores(one), scores(whole), atol=1e-5)
    assert np.abs(scores(whole) - plain).max() > 1e-4
    assert factors_hash(one) == factors_hash(three)


@cache
def bytes_of_an_epoch(users: int, exchange: str, workers: int = 2) -> float:
    """How many bytes reach a worker in an epoch, from the others."""
    data, received = power_law(users, 160, users * 8, rated=False, seed=2), []
    for epochs in (1, 3):
        engine = Workers(workers, exchange)
        model = IALS(factors=16, epochs=epochs, regularization=0.035)
        model.fit(data, run=replace(RUN, engine=engine))
        received.append(max(engine.received.values()))
    return (received[1] - received[0]) / 2


def test_bytes_into_a_worker_grow_with_items_alone() -> None:
    few, twice = bytes_of_an_epoch(1_200, "reduce"), bytes_of_an_epoch(2_400, "reduce")
    assert abs(twice / few - 1) < 0.02
    for workers in (2, 4):
        bound = 8 * 160 * 16 * 4 * (workers - 1) / workers
        assert 0.7 * bound < bytes_of_an_epoch(1_200, "reduce", workers) < 1.1 * bound
    assert bytes_of_an_epoch(2_400, "gather") > 1.5 * bytes_of_an_epoch(1_200, "gather")
    # The least that vectors cost: what the others have of both sides.
    least = (1_200 + 160) * 16 * 4 / 2
    assert bytes_of_an_epoch(1_200, "gather") < 1.1 * least


def test_the_shape_of_the_data_chooses(data: Interactions) -> None:
    square = power_law(300, 200, 4_000, rated=False, seed=1)
    settings = {**SMALL, "epochs": 2}
    for some, reduced in ((data, True), (square, False)):
        found = {
            exchange: factors_hash(
                IALS(**settings).fit(some, run=replace(RUN, engine=Local(exchange)))
            )
            for exchange in ("auto", "gather", "reduce")
        }
        assert (found["auto"] == found["reduce"]) == reduced
        assert (found["auto"] == found["gather"]) != reduced
    other = IALS(**settings, solver="cholesky")
    assert factors_hash(other.fit(data, run=replace(RUN, engine=Local()))) == factors_hash(
        IALS(**settings, solver="cholesky").fit(data, run=RUN)
    )
    with pytest.raises(ArgumentError, match=r"not cholesky; set solver=cg"):
        IALS(**settings, solver="cholesky").fit(data, run=REDUCED)


def test_an_item_that_cannot_be_solved_is_named(data: Interactions) -> None:
    model = IALS(factors=8, epochs=2, unobserved_weight=0, regularization=0)
    with pytest.raises(TrainingError, match=r"the system of row \d+ \(\d+ interactions\)"):
        model.fit(data, run=REDUCED)


def test_training_resumes_with_the_same_bits(data: Interactions, tmp_path: Path) -> None:
    settings = ("factors=8", "epochs=4", "regularization=0.035")
    train(data, "ials", tmp_path / "whole", settings=settings, run=REDUCED)
    calls = []

    class Dying(Local):
        def get(self, results: Any) -> Any:
            calls.append(1)
            if len(calls) == 30:
                raise KeyboardInterrupt
            return results

    dying = replace(RUN, engine=Dying("reduce"))
    with pytest.raises(KeyboardInterrupt):
        train(data, "ials", tmp_path / "cut", settings=settings, run=dying)
    assert (tmp_path / ".cut.checkpoints" / "first.safetensors").is_file()
    train(data, "ials", tmp_path / "cut", settings=settings, resume=True, run=dying)
    assert factors_hash(load(tmp_path / "whole")) == factors_hash(load(tmp_path / "cut"))


def test_the_command_line_forces_an_exchange(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    log = tmp_path / "log.csv"
    lines = (f"u{u},i{u * k % 7}\n" for u in range(90) for k in (1, 2))
    log.write_text("user,item\n" + "".join(lines))
    words = ["train", str(log), "--model", "ials", "--set", "factors=4", "--test", "0"]
    words += ["--seed", "3", "--out"]
    assert main([*words, str(tmp_path / "a"), "--engine", "local"]) == 0
    assert "users stay where they are (exchange reduce)" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "b"), "--engine", "local", "--exchange", "gather"]) == 0
    assert main([*words, str(tmp_path / "c")]) == 0
    a, b, c = (factors_hash(load(tmp_path / name)) for name in "abc")
    assert b == c != a
    capsys.readouterr()
    assert main([*words, str(tmp_path / "d"), "--exchange", "gather"]) == 1
    assert "exchange must go with an engine; give --engine too" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "d"), "--engine", "local", "--exchange", "x"]) == 1
    assert "unknown --exchange 'x'" in capsys.readouterr().err


def test_branches_of_the_tree_of_sums() -> None:
    assert whole_spans(0, 8) == [(0, 8)]
    assert whole_spans(3, 6) == [(3, 4), (4, 6)]
    assert whole_spans(1, 8) == [(1, 2), (2, 4), (4, 8)]
    for start in range(8):
        for end in range(start + 1, 9):
            spans = whole_spans(start, end)
            assert [spans[0][0], spans[-1][1]] == [start, end]
            assert all(a % (b - a) == 0 for a, b in spans)


def test_users_are_brought_to_this_process_at_the_end_alone(
    data: Interactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought: list[str] = []
    whole = ReducedIALSLearner._whole
    monkeypatch.setattr(
        ReducedIALSLearner, "_whole", lambda self, side: brought.append(side) or whole(self, side)
    )
    counts, losses = [], []
    for epochs in (2, 5):
        brought.clear()
        losses.append(IALS(**SMALL, epochs=epochs).fit(data, run=REDUCED).curve.loss)
        counts.append(brought.count("users"))
    assert counts[0] == counts[1] > 0
    one = IALS(**SMALL, epochs=5).fit(data, run=RUN).curve.loss
    assert losses[1] == pytest.approx(one, rel=1e-5)
