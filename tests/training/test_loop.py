"""The training loop with a learner of one number: what the loop itself promises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cofactor.base.errors import ArgumentError, TrainingError
from cofactor.base.run import Run
from cofactor.training.checkpoint import Checkpoint
from cofactor.training.learner import Epoch, Facts, Learner, StopTraining
from cofactor.training.loop import Control, fit
from cofactor.training.monitor import Monitor
from cofactor.training.schedule import SCHEDULES, Schedule


class Toy(Learner):
    """Descends ``(x - 3)^2 / 2`` with momentum, which an exact resume has to remember."""

    def __init__(self, start: float = 0.0) -> None:
        self.x, self.speed = np.array([start]), np.zeros(1)
        self.rates: list[float] = []

    def run_epoch(self, epoch: Epoch) -> Facts:
        self.rates.append(epoch.rate())
        self.speed[:] = 0.5 * self.speed - epoch.rate() * (self.x - 3)
        self.x += self.speed
        return {"loss": float((self.x[0] - 3) ** 2 / 2)}

    def arrays(self) -> dict[str, np.ndarray]:
        return {"x": self.x}

    def memory(self) -> dict[str, np.ndarray]:
        return {"speed": self.speed}


class Interrupted(Exception):
    pass


def trained(learner: Learner, epochs: int = 8, rate: float = 0.3, **control: Any) -> Any:
    """Train by the loop with a constant rate."""
    return fit(
        learner,
        epochs=epochs,
        schedule=Schedule(rate),
        run=Run(seed=0, threads=1),
        control=Control(**control),
        name="toy",
    )


def test_the_curve_has_a_line_for_each_epoch() -> None:
    toy = Toy()
    curve = trained(toy, epochs=5)
    assert len(curve) == 5
    assert curve.loss[-1] == (toy.x[0] - 3) ** 2 / 2
    assert curve.learning_rate == [0.3] * 5
    assert curve.best_epoch == -1


def test_the_best_epochs_arrays_are_kept_and_patience_ends_training() -> None:
    toy, seen = Toy(), []
    values = iter([3.0, 1.0, 2.0, 2.5, 0.5])

    def measure() -> float:
        seen.append(float(toy.x[0]))
        return next(values)

    curve = trained(toy, monitors=(Monitor("error", measure, False),), patience=2)
    assert (len(curve), curve.best_epoch) == (4, 1)
    assert toy.x[0] == seen[1] != seen[-1]
    assert curve.metrics["error"] == [3.0, 1.0, 2.0, 2.5]


def test_metrics_are_taken_each_few_epochs_and_at_the_last() -> None:
    toy = Toy()
    monitor = Monitor("x", lambda: float(toy.x[0]), True)
    curve = trained(toy, epochs=5, monitors=(monitor,), every=2)
    assert np.isfinite(curve.metrics["x"]).tolist() == [False, True, False, True, True]


@pytest.mark.parametrize("monitored", [False, True])
def test_an_interrupted_run_goes_on_bit_for_bit(monitored: bool, tmp_path: Path) -> None:
    def run(path: Path | None, fail_at: int = -1) -> tuple[float, Any]:
        toy = Toy()

        def fail(epoch: int, facts: Facts, learner: Learner) -> None:
            if epoch == fail_at:
                raise Interrupted

        monitors = (Monitor("near", lambda: -abs(float(toy.x[0]) - 2.5), True),)
        checkpoint = None if path is None else Checkpoint(path, fingerprint="f")
        curve = trained(
            toy,
            monitors=monitors if monitored else (),
            checkpoint=checkpoint,
            callbacks=(fail,),
        )
        return float(toy.x[0]), curve

    whole, curve = run(None)
    with pytest.raises(Interrupted):
        run(tmp_path / "run", fail_at=4)
    resumed, again = run(tmp_path / "run")
    assert resumed == whole
    assert (again.loss, again.metrics, again.best_epoch) == (
        curve.loss,
        curve.metrics,
        curve.best_epoch,
    )


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    trained(Toy(), checkpoint=Checkpoint(tmp_path / "run", fingerprint="one"))
    with pytest.raises(TrainingError, match="to a run with other data, settings or seed"):
        trained(Toy(), checkpoint=Checkpoint(tmp_path / "run", fingerprint="two"))


def test_callbacks_hear_every_epoch_and_end_training_cleanly() -> None:
    heard: list[tuple[int, float]] = []

    def listen(epoch: int, facts: Facts, learner: Learner) -> None:
        heard.append((epoch, facts["loss"]))

    def stop(epoch: int, facts: Facts, learner: Learner) -> bool:
        return epoch < 2

    def raise_stop(epoch: int, facts: Facts, learner: Learner) -> None:
        if epoch == 1:
            raise StopTraining

    curve = trained(Toy(), callbacks=(stop, listen))
    assert len(curve) == 3
    assert heard == list(enumerate(curve.loss))
    assert len(trained(Toy(), callbacks=(raise_stop,))) == 2


@pytest.mark.parametrize(
    ("answer", "epochs"),
    [(False, 1), (np.bool_(False), 1), (0, 8), (0.0, 8), (np.zeros(2), 8)],
)
def test_false_alone_ends_training(answer: Any, epochs: int) -> None:
    assert len(trained(Toy(), callbacks=(lambda *_: answer,))) == epochs


@pytest.mark.parametrize("value", [None, "much", [1.0, 2.0]])
def test_a_metric_that_is_no_number_is_named(value: Any) -> None:
    with pytest.raises(ArgumentError, match="the metric 'mine' must be a number, not"):
        trained(Toy(), monitors=(Monitor("mine", lambda: value, False),))


def test_no_epoch_begins_that_would_end_after_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("cofactor.training.loop.time.perf_counter", lambda: clock[0])

    class Slow(Toy):
        def run_epoch(self, epoch: Epoch) -> Facts:
            clock[0] += 10.0
            return super().run_epoch(epoch)

    assert len(trained(Slow(), max_time=35.0)) == 3
    assert len(trained(Slow(), max_time=0.1)) == 1
    assert len(trained(Slow(), max_time=1e6)) == 8


@pytest.mark.parametrize(
    ("losses", "said"),
    [([1.0, float("nan")], "became nan"), ([float("inf")], "became inf"), ([1.0, 101.0], "grew")],
)
def test_a_run_that_diverges_says_so_with_a_cure(losses: list[float], said: str) -> None:
    class Diverging(Toy):
        def run_epoch(self, epoch: Epoch) -> Facts:
            return {"loss": losses[epoch.number]}

    epoch = len(losses)
    with pytest.raises(
        TrainingError, match=f"toy diverged in epoch {epoch}: the loss {said}.*lower learning_rate"
    ):
        trained(Diverging())


def test_a_learner_with_averages_is_measured_and_left_with_them() -> None:
    class Averaged(Toy):
        @contextmanager
        def evaluated(self) -> Iterator[None]:
            own = self.x.copy()
            self.x[:] = 100.0
            yield
            self.x[:] = own

        def finish(self) -> None:
            self.x[:] = 100.0

    toy, seen = Averaged(), []
    trained(toy, callbacks=(lambda epoch, facts, learner: seen.append(float(toy.x[0])),))
    assert set(seen) == {100.0}
    assert toy.x[0] == 100.0


def rates(kind: str, steps: int = 10, **settings: float) -> list[float]:
    """The rates of epochs, one step each."""
    schedule = Schedule(2.0, kind, **settings)
    return [schedule.rate(t, steps, t, steps) for t in range(steps)]


def test_schedules_follow_their_formulas() -> None:
    t = np.arange(10)
    np.testing.assert_allclose(rates("constant"), np.full(10, 2.0))
    np.testing.assert_allclose(rates("linear"), 2 * (1 - t / 10))
    np.testing.assert_allclose(rates("cosine"), 1 + np.cos(np.pi * t / 10))
    np.testing.assert_allclose(rates("exponential", decay=0.9), 2 * 0.9**t)
    np.testing.assert_allclose(rates("step", drop_every=4, drop_factor=0.5), 2 * 0.5 ** (t // 4))
    drop_at_70_percent = rates("step", drop_every=0.7, drop_factor=0.3)
    np.testing.assert_allclose(drop_at_70_percent, [2.0] * 7 + [0.6] * 3)


def test_warm_up_rises_linearly_to_any_schedule() -> None:
    for kind in SCHEDULES:
        plain, warm = np.array(rates(kind)), np.array(rates(kind, warmup_ratio=0.4))
        rising = np.minimum(1, np.arange(1, 11) / 4)
        np.testing.assert_allclose(warm, plain * rising)


def test_a_learner_takes_its_rates_from_the_epoch() -> None:
    toy = Toy()
    fit(toy, epochs=4, schedule=Schedule(0.8, "linear"), run=Run(threads=1), name="toy")
    np.testing.assert_allclose(toy.rates, [0.8, 0.6, 0.4, 0.2])
