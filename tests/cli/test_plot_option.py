"""`cofactor train --plot`: the learning curves of a training, or a refusal before any work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.runs.source import Cutting
from cofactor.runs.train import train


@pytest.fixture
def data() -> Interactions:
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((30, 20)) < 0.4)
    return Interactions.from_rows(
        users, items, rng.integers(1, 6, len(users)).astype(np.float32), users=30, items=20
    )


@pytest.mark.parametrize(
    ("model", "metric"), [("latent_factor", "rmse"), ("ials", "ndcg@10"), ("bpr", "ndcg@20")]
)
def test_train_plots_the_measured_and_the_saved_fit(
    data: Interactions, tmp_path: Path, model: str, metric: str
) -> None:
    if model == "latent_factor":
        pytest.importorskip("torch")
    page, cutting = (
        tmp_path / "curves.html",
        Cutting(how="random", test=0.2, validation=0.1, seed=0),
    )
    train(
        data,
        model,
        tmp_path / "model",
        settings=["epochs=3", "factors=4"],
        cutting=cutting,
        plot=page,
        run=Run(threads=1, device="cpu"),
    )
    text = page.read_text(encoding="utf-8")
    assert f'font-weight="650">{metric}</text>' in text
    assert ">measured: training part</text>" in text
    assert ">saved: all data</text>" in text


def test_plot_of_a_model_without_history_is_refused_before_any_work(
    data: Interactions, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match="popularity isn't trained in epochs"):
        train(data, "popularity", tmp_path / "model", plot=tmp_path / "curves.html")
    assert not (tmp_path / "model").exists()
