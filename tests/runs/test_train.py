"""The train verb: what early stopping chose is what the saved model is fitted with."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.base.errors import ArgumentError, MemoryLimitError
from cofactor.base.run import Run
from cofactor.cli.options import n_bytes, seconds
from cofactor.data.interactions import Interactions
from cofactor.runs.source import Cutting
from cofactor.runs.train import Limits, train

RUN = Run(seed=2, threads=1)


def interactions() -> Interactions:
    draw = np.random.default_rng(5)
    users, items = np.nonzero(draw.random((60, 31)) < 0.25)
    return Interactions.from_rows(
        users, items, draw.integers(1, 6, len(users)).astype(np.float32), users=60, items=31
    )


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        (
            "bpr",
            (
                "factors=4",
                "learning_rate=0.5",
                "regularization=0",
                "validate_every=1",
                "patience=2",
            ),
        ),
        (
            "latent_factor",
            ("factors=4", "learning_rate=0.5", "batch_size=16", "regularization=0", "patience=2"),
        ),
    ],
)
def test_refit_takes_the_epochs_that_were_best_on_validation(model, settings, tmp_path):
    cutting = Cutting(how="random", test=0.2, validation=0.2, seed=1)
    measured = train(
        interactions(),
        model,
        tmp_path / "measured",
        settings=(*settings, "epochs=40"),
        cutting=cutting,
        refit=False,
        run=RUN,
    ).model
    best = measured.refit_config.epochs
    assert best < measured.config.epochs == 40
    saved = train(
        interactions(),
        model,
        tmp_path / "saved",
        settings=(*settings, "epochs=40"),
        cutting=cutting,
        run=RUN,
    )
    assert saved.refitted
    assert saved.model.config.epochs == best


def test_refit_without_a_validation_part_keeps_the_settings(tmp_path):
    cutting = Cutting(how="random", test=0.2, seed=1)
    saved = train(
        interactions(),
        "bpr",
        tmp_path / "m",
        settings=("factors=4", "epochs=3"),
        cutting=cutting,
        run=RUN,
    )
    assert saved.refitted
    assert saved.model.config.epochs == 3


@pytest.mark.parametrize("model", ["ials", "ease", "biased_mf"])
def test_work_that_is_known_to_need_too_much_memory_is_refused_with_the_number(model, tmp_path):
    users, items = np.nonzero(np.random.default_rng(0).random((3000, 1500)) < 0.01)
    values = np.ones(len(users), np.float32)
    data = Interactions.from_rows(users, items, values, users=3000, items=1500)
    with pytest.raises(MemoryLimitError, match=r"needs [0-9.]+ MiB of memory, and 1.0 MiB are"):
        train(data, model, tmp_path / "m", limits=Limits(max_memory=2**20), run=RUN)
    assert not (tmp_path / "m").exists()


def test_a_time_limit_ends_each_fit_and_the_saved_one_has_as_many_epochs(tmp_path):
    settings = ("factors=4", "epochs=100000")
    done = train(
        interactions(),
        "bpr",
        tmp_path / "m",
        settings=settings,
        limits=Limits(max_time=0.05),
        run=RUN,
    )
    assert 1 <= len(done.model.curve) < 100_000
    assert done.refitted


def test_a_time_limit_of_a_model_without_epochs_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match="ease isn't trained in epochs"):
        train(interactions(), "ease", tmp_path / "m", limits=Limits(max_time=5), run=RUN)


@pytest.mark.parametrize(
    ("text", "wanted"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), (None, None)]
)
def test_times_are_read_with_their_units(text, wanted):
    assert seconds(text) == wanted


@pytest.mark.parametrize(("text", "wanted"), [("2GB", 2**31), ("500 mb", 500 * 2**20), ("7b", 7)])
def test_sizes_are_read_with_their_units(text, wanted):
    assert n_bytes(text) == wanted


@pytest.mark.parametrize("text", ["2", "0.5", "2 GiB?", "0MB"])
def test_a_size_without_a_unit_is_refused(text):
    """2 meant as gigabytes was two bytes."""
    with pytest.raises(ArgumentError, match="--max-memory must be .* as 500MB or 2GB"):
        n_bytes(text)


@pytest.mark.parametrize("text", ["", "s", "-5s", "0", "5 weeks"])
def test_a_time_that_is_none_is_refused_with_an_example(text):
    with pytest.raises(ArgumentError, match="--max-time must be .* as 90s, 5m or 2h"):
        seconds(text)


def test_a_blend_keeps_the_weights_that_were_chosen_when_it_is_fitted_again(tmp_path):
    settings = ("models=ease,item_knn",)
    done = train(interactions(), "blend", tmp_path / "m", settings=settings, run=RUN)
    assert done.refitted
    assert len(done.model.config.weights) == 2
    assert len(done.model.data) == len(interactions())
