"""The training loop: resume bit for bit, stopping, degenerate losses, schedules, sparse tables."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cofactor.base.errors import ArgumentError, ArtifactError, TrainingError
from cofactor.base.progress import SilentProgress
from cofactor.base.run import Run
from cofactor.training.checkpoint import Checkpoint
from cofactor.training.curve import LearningCurve
from cofactor.training.curves import draw, figures, smoothed
from cofactor.training.loop import Control
from cofactor.training.monitor import EarlyStopping, Monitor
from cofactor.training.torch.batches import Batches
from cofactor.training.torch.train import train
from cofactor.training.training_config import TrainingConfig

RUN = Run(seed=5, threads=1, device="cpu")
N_USERS, N_ITEMS, N = 17, 11, 150


class Interrupted(Exception):
    pass


class Net(nn.Module):
    def __init__(self, sparse: bool = False) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.users = nn.Embedding.from_pretrained(
            torch.randn(N_USERS, 4, generator=generator), freeze=False, sparse=sparse
        )
        self.items = nn.Embedding.from_pretrained(
            torch.randn(N_ITEMS, 4, generator=generator), freeze=False, sparse=sparse
        )
        self.dropout = nn.Dropout(0.2)
        self.scale = nn.Parameter(torch.ones(4))

    def step(self, batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
        users, items, target = batch
        noise = 0.01 * torch.randn(len(users), generator=generator)
        product = self.dropout(self.users(users) * self.items(items)) * self.scale
        return (product.sum(1) - target + noise).square().mean()


def _batches(size: int = 32) -> Batches:
    generator = torch.Generator().manual_seed(1)
    users = torch.randint(N_USERS, (N,), generator=generator)
    items = torch.randint(N_ITEMS, (N,), generator=generator)
    return Batches((users, items, torch.randn(N, generator=generator)), size, seed=3)


def _weights(module: nn.Module) -> list[np.ndarray]:
    return [w.detach().numpy().copy() for w in module.state_dict().values()]


def _trained(
    config: TrainingConfig,
    path: Path | None = None,
    *,
    sparse: bool = False,
    fail_at: int = -1,
    every_steps: int = 0,
) -> tuple[list[np.ndarray], LearningCurve]:
    """Train; with ``fail_at`` the metric of that epoch (or, every_steps, the step) is where the
    machine dies.
    """
    net, calls = Net(sparse), [0]

    def measure() -> float:
        calls[0] += 1
        if calls[0] == fail_at and not every_steps:
            raise Interrupted
        return float(net.items.weight.square().mean())

    def step(batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
        calls[0] += bool(every_steps)
        if every_steps and calls[0] == fail_at:
            raise Interrupted
        return net.step(batch, generator)

    checkpoint = None if path is None else Checkpoint(path, 1, every_steps, fingerprint="this run")
    monitors = () if every_steps else (Monitor("size", measure, False),)
    curve = train(
        net,
        step,
        _batches(),
        config,
        RUN,
        control=Control(monitors=monitors, patience=config.patience, checkpoint=checkpoint),
    )
    return _weights(net), curve


CONFIGS = {
    "adam, cosine, mean of weights": TrainingConfig(
        epochs=6, schedule="cosine", warmup_ratio=0.1, ema_decay=0.9, weight_decay=1e-3
    ),
    "adamw, step": TrainingConfig(
        epochs=6, optimizer="adamw", schedule="step", drop_every=2, weight_decay=0.1
    ),
    "sgd, momentum, clip": TrainingConfig(
        epochs=6, optimizer="sgd", momentum=0.9, max_grad_norm=0.5
    ),
    "adagrad": TrainingConfig(epochs=6, optimizer="adagrad"),
    "sparse adam": TrainingConfig(epochs=6),
}


@pytest.mark.parametrize("name", list(CONFIGS))
def test_six_epochs_equal_three_then_resumed_three_bit_for_bit(name: str, tmp_path: Path) -> None:
    sparse = name.startswith("sparse")
    whole, curve = _trained(CONFIGS[name], sparse=sparse)
    with pytest.raises(Interrupted):
        _trained(CONFIGS[name], tmp_path / "run", sparse=sparse, fail_at=4)
    resumed, again = _trained(CONFIGS[name], tmp_path / "run", sparse=sparse)
    for a, b in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.loss == curve.loss
    assert again.metrics == curve.metrics
    assert again.best_epoch == curve.best_epoch


def test_resume_from_the_middle_of_an_epoch_is_exact_too(tmp_path: Path) -> None:
    config = CONFIGS["adam, cosine, mean of weights"]
    whole, curve = _trained(config, every_steps=1)
    with pytest.raises(Interrupted):
        _trained(config, tmp_path / "run", every_steps=2, fail_at=14)
    resumed, again = _trained(config, tmp_path / "run", every_steps=2)
    for a, b in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.loss == curve.loss


def test_a_finished_run_that_is_resumed_changes_nothing(tmp_path: Path) -> None:
    first, curve = _trained(CONFIGS["adagrad"], tmp_path / "run")
    second, again = _trained(CONFIGS["adagrad"], tmp_path / "run")
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.loss == curve.loss


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run"
    _trained(CONFIGS["adagrad"], path)
    net = Net()
    with pytest.raises(TrainingError, match="to a run with other data, settings or seed"):
        train(
            net,
            net.step,
            _batches(),
            CONFIGS["adagrad"],
            RUN,
            control=Control(checkpoint=Checkpoint(path, fingerprint="another")),
        )
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(ArtifactError, match="is no checkpoint, or a damaged one"):
        train(
            net,
            net.step,
            _batches(),
            CONFIGS["adagrad"],
            RUN,
            control=Control(checkpoint=Checkpoint(path, fingerprint="this run")),
        )


def test_early_stopping_keeps_the_best_weights_and_stops() -> None:
    net, values, held = Net(), iter([3.0, 1.0, 2.0, 2.5, 0.5, 9.0]), []

    def measure() -> float:
        held.append(_weights(net))
        return next(values)

    config = TrainingConfig(epochs=6, patience=2)
    curve = train(
        net,
        net.step,
        _batches(),
        config,
        RUN,
        control=Control(monitors=(Monitor("error", measure, False),), patience=config.patience),
    )
    assert (len(curve), curve.best_epoch) == (4, 1)
    for a, b in zip(_weights(net), held[1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_stopping_knows_both_directions_and_nan() -> None:
    higher = EarlyStopping(2, True)
    assert [higher.update(e, v) for e, v in enumerate([float("nan"), 1.0, 1.0, 2.0])] == [
        False,
        True,
        False,
        True,
    ]
    assert (higher.best, higher.best_epoch, higher.stop) == (2.0, 3, False)
    lower = EarlyStopping(1, False)
    assert [lower.update(e, v) for e, v in enumerate([1.0, 1.05])] == [True, False]
    assert lower.stop


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (float("nan"), "in epoch 1: the loss became nan"),
        (float("inf"), "in epoch 1: the loss became inf"),
        (0.0, "grew to"),
    ],
)
def test_degenerate_loss_raises_training_error_with_a_cure(spoil: float, said: str) -> None:
    net, calls = Net(), [0]

    def step(batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
        calls[0] += 1
        factor = spoil if spoil != 0.0 else 10.0 ** (calls[0] // 3)
        return net.step(batch, generator) * factor

    with pytest.raises(TrainingError, match=f"{said}.*lower learning_rate"):
        train(net, step, _batches(), TrainingConfig(epochs=6, learning_rate=1e-4), RUN)


class Counted(SilentProgress):
    """Counts the steps of a task."""

    total = done = 0

    @contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Counted]:
        self.total, self.done = total or 0, 0
        yield self

    def advance(self, steps: int = 1, **facts: object) -> None:
        self.done += steps


@pytest.mark.parametrize("size", [32, N])
def test_progress_ends_at_its_total(size: int) -> None:
    net, counted = Net(), Counted()
    run = replace(RUN, progress=counted)
    train(net, net.step, _batches(size), TrainingConfig(epochs=3), run)
    assert counted.done == counted.total > 0


def test_training_leaves_torchs_global_generator_alone() -> None:
    torch.manual_seed(11)
    before = torch.get_rng_state()
    _trained(TrainingConfig(epochs=1))
    assert torch.equal(before, torch.get_rng_state())


def test_an_epoch_prepares_no_device_that_is_not_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    formatted: list[object] = []
    monkeypatch.setattr(traceback, "format_stack", lambda *_: formatted.append(1) or [])
    _trained(TrainingConfig(epochs=3))
    assert not formatted


def test_same_seed_same_weights_and_another_seed_others() -> None:
    first, second = Net(), Net()
    for net, seed in ((first, 1), (second, 2)):
        train(net, net.step, _batches(), TrainingConfig(epochs=1), Run(seed=seed, threads=1))
    again = Net()
    train(again, again.step, _batches(), TrainingConfig(epochs=1), Run(seed=1, threads=1))
    assert all((a == b).all() for a, b in zip(_weights(first), _weights(again), strict=True))
    assert not all((a == b).all() for a, b in zip(_weights(first), _weights(second), strict=True))


def test_every_example_comes_once_an_epoch_in_another_order_each_time() -> None:
    batches = _batches(32)
    batches = Batches((torch.arange(N),), 32, seed=9)
    first, second = (torch.cat([b[0] for b in batches.epoch(e)]) for e in (0, 1))
    assert sorted(first.tolist()) == list(range(N))
    assert not torch.equal(first, second)
    assert torch.equal(torch.cat([b[0] for b in batches.epoch(1, start=2)]), second[64:])
    assert len(Batches((torch.arange(N),), 0)) == 1


def test_sparse_sgd_steps_equal_dense_ones() -> None:
    config = TrainingConfig(epochs=2, optimizer="sgd", learning_rate=0.05, max_grad_norm=0.3)
    for a, b in zip(_trained(config)[0], _trained(config, sparse=True)[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_settings_that_contradict_one_another_are_refused() -> None:
    with pytest.raises(ArgumentError, match="momentum requires optimizer='sgd'"):
        TrainingConfig(momentum=0.9)
    net = Net(sparse=True)
    with pytest.raises(ArgumentError, match="weight_decay shrinks every row"):
        train(net, net.step, _batches(), TrainingConfig(weight_decay=0.1), RUN)


def test_a_step_that_cannot_be_compiled_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(step: object) -> object:
        def call(*arguments: object) -> None:
            raise RuntimeError("No working C++ compiler found")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    with pytest.raises(
        TrainingError,
        match=r"torch.compile failed here \(No working C\+\+ compiler found\); set compile=False",
    ):
        train(Net(), Net().step, _batches(), TrainingConfig(epochs=1, compile=True), RUN)


def test_bfloat16_forward_still_learns() -> None:
    net = Net()
    curve = train(
        net,
        net.step,
        _batches(),
        TrainingConfig(epochs=8, precision="bfloat16", learning_rate=0.05),
        RUN,
    )
    assert curve.loss[-1] < 0.7 * curve.loss[0]
    assert net.users.weight.dtype == torch.float32


def test_curve_survives_its_arrays() -> None:
    _, curve = _trained(TrainingConfig(epochs=3))
    curve.metrics = {"rmse": [1.0, 0.5, 0.25], "each second": [float("nan"), 2.0, float("nan")]}
    again = LearningCurve.from_arrays(curve.to_arrays())
    assert repr({**again.to_dict(), "seconds": 0}) == repr({**curve.to_dict(), "seconds": 0})
    assert np.isnan(again.metrics["each second"][0])
    assert LearningCurve.from_arrays(LearningCurve().to_arrays()) == LearningCurve()
    older = {n: a for n, a in curve.to_arrays().items() if n != "history_measured"}
    assert LearningCurve.from_arrays(older).metrics["rmse"] == [1.0, 0.5, 0.25]


def test_curves_mark_the_best_epoch_and_the_page_is_self_contained(tmp_path: Path) -> None:
    curve = LearningCurve(
        [3.0, 2.0, 1.5],
        [0.1] * 3,
        [1.0] * 3,
        {"rmse": [1.2, 0.9, 1.0], "train rmse": [1.1, 0.8, 0.7]},
        best_epoch=1,
    )
    loss, rmse = figures({"mf": curve})
    assert "mf, best epoch 2: 2.0000" in loss
    assert "mf, best epoch 2: 0.9000" in rmse
    # A line of the validation part and, dashed here and in the legend, one of the training part.
    assert rmse.count("<polyline") == 2
    assert rmse.count("stroke-dasharray") == 2
    # Of many epochs, the values as they are, faint, and smoothed.
    (many,) = figures({"mf": LearningCurve([1 / n for n in range(1, 31)], [0.1] * 30, [1.0] * 30)})
    assert many.count("<polyline") == 2
    assert many.count('opacity=".35"') == 1
    assert curve._repr_html_().count("<svg") == 2
    written = draw({"mf": curve}, tmp_path / "curves.html")
    text = written.read_text(encoding="utf-8")
    assert "mf: best epoch 2, rmse 0.9000" in text
    assert "<script" not in text
    assert "Dot: the best epoch; dashed: on training data" in text
    np.testing.assert_allclose(smoothed(np.arange(60.0))[20:40], np.arange(20.0, 40.0), atol=1e-3)
    np.testing.assert_allclose(smoothed(np.array([1.0, 1.0, np.nan, 1.0])), 1.0)
