"""Runs kept in a folder: listed, loaded, compared; logged to trackers only where one is named."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import cofactor
from cofactor.base.errors import ArgumentError, DataError, MissingExtraError
from cofactor.base.run import Run
from cofactor.cli.keeping import Keeping
from cofactor.data.synthetic import power_law
from cofactor.runs.compare import compare
from cofactor.runs.kept_runs import check_folder, compare_runs, list_runs, load_run
from cofactor.runs.source import Cutting
from cofactor.runs.trackers import tracker, trackers
from cofactor.runs.train import train

DATA = power_law(120, 50, 1500, seed=3)
RUN = Run(seed=1, threads=1)


def kept(folder: Path, *models: str, seed: int = 0, command: str = "compare") -> Any:
    done = compare(DATA, models, cutting=Cutting(seed=seed), metrics=["ndcg@5", "mrr"], run=RUN)
    assert Keeping(str(folder), ()).keep_compared(command, done)
    return done


def test_a_run_is_read_as_it_was_kept(tmp_path: Path) -> None:
    done = kept(tmp_path / "runs", "ease", "small=ials:factors=2,epochs=2")
    (run,) = list_runs(tmp_path / "runs")
    assert list(run.models) == list(done.results)
    for label, result in done.results.items():
        assert run.value(label, "ndcg@5") == result["ndcg@5"]
        assert run.models[label]["config"] == result.config
    assert run.models["small"]["model"] == "ials"
    assert run.best == done.best
    assert run.fingerprint == done.split.fingerprint
    assert run.more["sentences"] == done.sentences()
    assert [row["model"] for row in run.rows()] == [row["model"] for row in done.rows()]


def test_runs_are_found_by_a_beginning_and_by_last(tmp_path: Path) -> None:
    kept(tmp_path, "ease", command="aa")
    kept(tmp_path, "ease", command="bb")
    runs = list_runs(tmp_path)
    assert load_run(tmp_path, "last") == runs[-1]
    assert load_run(tmp_path, runs[0].id) == runs[0]
    with pytest.raises(ArgumentError, match="begins the ids of 2 runs"):
        load_run(tmp_path, runs[0].id[:8])
    with pytest.raises(ArgumentError, match="holds no run nothing"):
        load_run(tmp_path, "nothing")
    with pytest.raises(ArgumentError, match="there is no folder of runs"):
        list_runs(tmp_path / "nowhere")


def test_two_runs_on_one_split_are_tested_by_user(tmp_path: Path) -> None:
    first = kept(tmp_path, "a=ials:factors=2,epochs=1")
    second = kept(tmp_path, "a=ease")
    one, other = sorted(list_runs(tmp_path), key=lambda run: run.models["a"]["model"] == "ease")
    lines = {(line["model"], line["metric"]): line for line in compare_runs(tmp_path, one, other)}
    line = lines["a", "ndcg@5"]
    assert line["difference"] == pytest.approx(
        second.results["a"]["ndcg@5"] - first.results["a"]["ndcg@5"]
    )
    pair = [first.results["a"], second.results["a"]]
    values = pair[1].values["ndcg@5"] - pair[0].values["ndcg@5"]
    expected = cofactor.evaluation.significance.p_value(values, "t")
    assert line["p"] == pytest.approx(expected)
    assert lines["popularity", "ndcg@5"]["p"] == 1.0


def test_runs_on_different_splits_are_not_tested(tmp_path: Path) -> None:
    kept(tmp_path, "ease", seed=0)
    kept(tmp_path, "ials:factors=2", seed=1)
    one, other = list_runs(tmp_path)
    lines = compare_runs(tmp_path, one, other)
    assert lines
    assert all(line["p"] is None for line in lines)


def test_a_damaged_run_is_named(tmp_path: Path) -> None:
    kept(tmp_path, "ease")
    (run,) = list_runs(tmp_path)
    (tmp_path / run.id / "run.json").write_text("{}")
    with pytest.raises(DataError, match=run.id):
        list_runs(tmp_path)


def test_a_place_that_is_no_folder_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentError, match="this is a file"):
        check_folder(str(tmp_path / "file"))
    with pytest.raises(ArgumentError, match="can't be made"):
        check_folder(str(tmp_path / "file" / "runs"))
    check_folder(str(tmp_path / "new" / "runs"))
    assert (tmp_path / "new" / "runs").is_dir()


class _Recorder:
    """A tracker's module that writes down what it is called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any, Any]] = []

    def __getattr__(self, name: str) -> Any:
        def called(*given: Any, **more: Any) -> Any:
            self.calls.append((name, given, more))
            return self

        return called

    def __enter__(self) -> _Recorder:
        return self

    def __exit__(self, *_: Any) -> None: ...


def trained(tmp_path: Path, tracked: Any) -> None:
    done = train(
        DATA,
        "bpr",
        tmp_path / "m",
        settings=["epochs=3", "factors=4"],
        cutting=Cutting(validation=0.1),
        run=RUN,
    )
    assert done.result is not None
    Keeping(None, (tracked,)).keep_trained(done)


def test_mlflow_is_given_settings_metrics_and_curves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = _Recorder()
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    trained(tmp_path, tracker("mlflow:shop"))
    by_name = {name: given for name, given, _ in fake.calls}
    assert by_name["set_experiment"] == ("shop",)
    params = next(given[0] for name, given, _ in fake.calls if name == "log_params")
    assert params["model"] == "bpr"
    assert params["epochs"] == 3
    metrics = next(given[0] for name, given, _ in fake.calls if name == "log_metrics")
    assert 0 < metrics["ndcg_at_10"] < 1
    steps = [more["step"] for name, given, more in fake.calls if given[:1] == ("epoch loss",)]
    assert steps == [1, 2, 3]


def test_tensorboard_is_given_settings_metrics_and_curves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = _Recorder()
    module = SimpleNamespace(SummaryWriter=lambda logdir: fake.logdir(logdir))
    monkeypatch.setitem(sys.modules, "tensorboardX", module)
    trained(tmp_path, tracker(f"tensorboard:{tmp_path / 'board'}"))
    scalars = {given[0] for name, given, _ in fake.calls if name == "add_scalar"}
    assert {"test/ndcg@10", "training/loss"} <= scalars
    folders = [given[0] for name, given, _ in fake.calls if name == "logdir"]
    assert [Path(folder).name for folder in folders] == ["bpr", "popularity"]
    assert fake.calls[-1][0] == "close"


def test_trackers_are_imported_only_where_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    assert trackers(None) == []
    with pytest.raises((MissingExtraError, ModuleNotFoundError), match="mlflow"):
        tracker("mlflow:shop")
    with pytest.raises(ArgumentError, match="must be written mlflow:EXPERIMENT"):
        tracker("wandb:shop")
    with pytest.raises(ArgumentError, match="must be written"):
        tracker("mlflow")


def test_a_real_mlflow_keeps_what_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    trained(tmp_path, tracker("mlflow:shop"))
    experiment = mlflow.get_experiment_by_name("shop")
    client = mlflow.MlflowClient()
    runs = client.search_runs([experiment.experiment_id])
    assert {run.data.params["model"] for run in runs} == {"bpr", "popularity"}
    bpr = next(run for run in runs if run.data.params["model"] == "bpr")
    assert 0 < bpr.data.metrics["ndcg_at_10"] < 1
    points = client.get_metric_history(bpr.info.run_id, "epoch loss")
    assert [point.step for point in points] == [1, 2, 3]


def test_a_real_tensorboard_file_holds_the_curve(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    trained(tmp_path, tracker(f"tensorboard:{tmp_path / 'board'}"))
    (folder,) = (tmp_path / "board").glob("*/bpr")
    events = reader.EventAccumulator(str(folder))
    events.Reload()
    losses = [event.value for event in events.Scalars("training/loss")]
    assert len(losses) == 3
    assert np.isfinite(losses).all()


def test_a_run_of_train_has_its_baselines_and_what_auto_said(tmp_path: Path) -> None:
    done = train(DATA, "ease", tmp_path / "m", run=RUN)
    (said,) = Keeping(str(tmp_path / "runs"), ()).keep_trained(done)
    (run,) = list_runs(tmp_path / "runs")
    assert said == f"Kept as {tmp_path / 'runs' / run.id}"
    assert list(run.models) == ["ease", "popularity"]
    assert done.baselines is not None
    assert run.more["sentences"] == done.baselines.sentences()
    whole = train(DATA, "ease", tmp_path / "n", cutting=Cutting(test=0), run=RUN)
    assert "nothing to keep" in Keeping(str(tmp_path / "runs"), ()).keep_trained(whole)[0]


def test_a_folder_that_begins_with_a_tilde_is_one_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check took it for a name, and Arrow for the home."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home" / "file").write_text("")
    with pytest.raises(ArgumentError, match="this is a file"):
        check_folder("~/file")
    kept(Path("~/runs"), "ease")
    assert len(list_runs("~/runs")) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_, **__: False)  # root may write anywhere
    with pytest.raises(ArgumentError, match="can't be written to by this user"):
        check_folder(str(tmp_path))
