"""Models other than implicit ALS in pieces, in this process."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cofactor.base.engine import Local
from cofactor.base.errors import ArgumentError, TrainingError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.synthetic.shapes import power_law
from cofactor.evaluation.evaluate import evaluate
from cofactor.models import registry
from cofactor.models.sequence.token_batches import TokenBatches
from cofactor.runs.train import train
from engine.pieces import factors_hash

RUN = Run(seed=4, threads=1)
CUT = Run(seed=4, threads=1, engine=Local())


@pytest.fixture(scope="module")
def data() -> Interactions:
    return power_law(600, 250, 9_000, rated=True, seed=1)


@pytest.mark.parametrize("name", ["latent_factor", "simplex", "neumf"])
def test_modules_trained_together_by_one_process_are_those_of_this_one(
    data: Interactions, name: str
) -> None:
    whole, cut = (
        registry.create(name, factors=4, epochs=2).fit(data, run=run) for run in (RUN, CUT)
    )
    assert cut.state().keys() == whole.state().keys()
    for array_name, array in whole.state().items():
        np.testing.assert_array_equal(cut.state()[array_name], array)
    assert min(cut.curve.seconds) > 0


def test_what_processes_that_train_together_cannot_take_is_refused(
    data: Interactions, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match="use callbacks and metrics of your own"):
        registry.create("mlp").on_epoch_end(print).fit(data, run=CUT)
    with pytest.raises(
        ArgumentError, match="trained by several processes, .* leave resume=True out"
    ):
        train(data, "mlp", tmp_path / "m", resume=True, run=CUT)


def test_sequence_models_take_their_part_of_a_batch_by_the_events_that_are_predicted(
    data: Interactions,
) -> None:
    import torch

    from cofactor.training.torch.group import WorkerGroup

    settings = {"factors": 8, "blocks": 1, "epochs": 1, "max_length": 20, "history_length": 20}
    model = registry.create("gru4rec", **settings, dropout=0.0)
    histories = data.histories()
    windows, device = model._windows(histories), torch.device("cpu")
    source = TokenBatches(histories, windows, 400, RUN, "gru4rec", device)
    step, draws = model._step(model._encoder(data.n_items)), torch.Generator()
    with torch.no_grad():
        for batch in islice(source.epoch(0), 4):
            parts = [WorkerGroup(rank, 3).part(batch, source.examples) for rank in range(3)]
            summed = sum(share * float(step(own, draws)) for own, share in parts)
            assert summed == pytest.approx(float(step(batch, draws)), rel=1e-5)
    alone = (batch[0][:1],)
    shares = [WorkerGroup(rank, 3).part(alone, source.examples)[1] for rank in range(3)]
    assert shares == [0.0, 0.0, 1.0]


def test_trials_on_an_engine_are_the_same_for_any_number_of_workers() -> None:
    pytest.importorskip("optuna")
    from cofactor.runs.tune import tune

    class Three(Local):
        workers = 3

    data, settings = power_law(300, 120, 4_000, rated=True, seed=1), ["epochs=2", "factors=4"]
    one, three = (
        tune(data, "ials", settings=settings, trials=10, run=replace(CUT, engine=engine))
        for engine in (Local(), Three())
    )
    assert one.counts == three.counts == {"finished": 10, "pruned": 0, "failed": 0}
    assert (one.value, one.settings, one.curve) == (three.value, three.settings, three.curve)
    assert one.value >= one.default_value


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("item_knn", {}),
        ("graph_filter", {}),
        ("item_knn", {"similarity": "jaccard", "neighbours": 7}),
        ("item_knn", {"values": "values", "weighting": "bm25", "similarity": "dot"}),
    ],
)
def test_neighbours_in_pieces_are_the_same(
    data: Interactions, name: str, settings: dict[str, Any]
) -> None:
    whole, cut = (
        registry.create(name, **settings).fit(data, run=run).state() for run in (RUN, CUT)
    )
    for array in whole:
        np.testing.assert_allclose(cut[array], whole[array], rtol=2e-6)
    if "values" not in settings:
        for array in whole:
            np.testing.assert_array_equal(cut[array], whole[array])


@pytest.mark.parametrize(
    "settings", [{}, {"keep": 20}, {"neighbours": 15}, {"user_exponent": 0.5, "dropout": 0.3}]
)
def test_ease_in_pieces_has_the_weights_of_one_process(
    data: Interactions, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Three(Local):
        workers = 3

    monkeypatch.setattr("cofactor.models.implicit.ease_pieces.ROWS", 64)
    whole, cut, again = (
        registry.create("ease", **settings).fit(data, run=run).state()
        for run in (RUN, CUT, replace(CUT, engine=Three()))
    )
    assert set(whole) == set(cut)
    for array in whole:
        np.testing.assert_allclose(cut[array], whole[array], rtol=2e-4, atol=2e-7)
        np.testing.assert_array_equal(again[array], cut[array])


def test_ease_in_pieces_that_does_not_fit_or_fails_is_refused(data: Interactions) -> None:
    from cofactor.base import memory
    from cofactor.base.errors import MemoryLimitError, TrainingError
    from cofactor.models.implicit.ease_pieces import factored

    with (
        memory.limited(500_000),
        pytest.raises(MemoryLimitError, match=r"250 × 250 matrix on each host .* needs 0\.7 MiB"),
    ):
        registry.create("ease").fit(data, run=CUT)
    with pytest.raises(TrainingError, match="raise the regularization"):
        factored(np.zeros(2, np.float32), np.array([[1, 0], [2, 1]], np.float32))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("bpr", {}),
        ("bpr", {"negative_sampling": "popularity"}),
        ("warp", {}),
        ("warp", {"negative_sampling": "popularity"}),
    ],
)
def test_walks_in_blocks_rank_as_well_and_do_not_depend_on_workers(
    name: str, settings: dict[str, Any]
) -> None:
    from cofactor.data.splits import split
    from cofactor.data.synthetic import shop

    class Three(Local):
        workers = 3

    parts = split(shop(n_users=400, n_items=150, seed=3), "per-user", test=0.2, seed=1)
    settings = {"factors": 16, "epochs": 24, "learning_rate": 0.05, **settings}
    whole, cut, again = (
        registry.create(name, **settings).fit(parts.train, run=run)
        for run in (RUN, CUT, replace(CUT, engine=Three()))
    )
    assert factors_hash(cut) == factors_hash(again) != factors_hash(whole)
    popular = registry.create("popularity").fit(parts.train)
    ndcg = [
        evaluate(model, parts, "ndcg@10", resamples=0)["ndcg@10"] for model in (popular, whole, cut)
    ]
    assert ndcg[2] > ndcg[0] + 0.5 * (ndcg[1] - ndcg[0]) > ndcg[0]
    assert abs(ndcg[2] - ndcg[1]) < 0.03
    assert cut.curve.loss[-1] < 0.8 * cut.curve.loss[0]


def test_warp_in_blocks_resumes_with_its_adaptive_steps(data: Interactions, tmp_path: Path) -> None:
    class Dying(Local):
        calls = 0

        def call(self, function: Any, *arguments: Any, **how: Any) -> Any:
            self.calls += 1
            if self.calls == 40:  # in the third epoch, of 16 pieces each
                raise KeyboardInterrupt
            return super().call(function, *arguments, **how)

    def fitted(engine: Local, file: str) -> Any:
        model = registry.create("warp", factors=8, epochs=4)
        return model.checkpoint_to(tmp_path / file).fit(data, run=replace(CUT, engine=engine))

    whole, dying = fitted(Local(), "whole"), Dying()
    with pytest.raises(KeyboardInterrupt):
        fitted(dying, "cut")
    assert factors_hash(fitted(dying, "cut")) == factors_hash(whole)
    assert dying.calls == 40 + 32


@pytest.mark.parametrize(
    ("name", "first", "then"),
    [("bpr", CUT, RUN), ("warp", RUN, CUT), ("ials", replace(CUT, engine=Local("reduce")), CUT)],
)
def test_epochs_that_were_divided_otherwise_are_not_continued(
    data: Interactions, tmp_path: Path, name: str, first: Run, then: Run
) -> None:
    file = tmp_path / "run.safetensors"
    registry.create(name, factors=4, epochs=2).checkpoint_to(file).fit(data, run=first)
    model = registry.create(name, factors=4, epochs=2).checkpoint_to(file)
    with pytest.raises(
        TrainingError, match=r"divided otherwise \(engine, exchange\); train as then"
    ):
        model.fit(data, run=then)
    model.fit(data, run=first)
