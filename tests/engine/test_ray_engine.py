"""Ray: the same bits on any number of workers, after deaths too; and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cofactor.artifact.load import load
from cofactor.artifact.save import save
from cofactor.base.engine import EngineError, Local
from cofactor.base.errors import DataError
from cofactor.base.run import Run
from cofactor.cli.main import main
from cofactor.data.interactions import Interactions
from cofactor.data.synthetic.shapes import power_law
from cofactor.evaluation.evaluate import evaluate
from cofactor.models import registry
from cofactor.models.implicit import ials_sums
from cofactor.models.implicit.ials import IALS
from cofactor.runs.cross_validate import cross_validate
from cofactor.runs.recommend import recommend_all
from engine import pieces
from engine.conftest import Connection, add_host, wait_for_hosts
from engine.pieces import factors_hash

pytestmark = pytest.mark.cluster

RUN = Run(seed=4, threads=1)
MODEL = {"factors": 16, "epochs": 4}


@pytest.fixture(scope="module")
def data() -> Interactions:
    return power_law(2_000, 400, 30_000, rated=True, seed=1)


@pytest.fixture(scope="module")
def reference(data: Interactions) -> str:
    return factors_hash(IALS(**MODEL).fit(data, run=RUN))


def test_values_errors_and_shared_memory(engine: Any) -> None:
    assert engine.workers == 2
    array = np.arange(300_000, dtype=np.float32)
    doubled = engine.call(pieces.whole, engine.share(array))
    np.testing.assert_array_equal(engine.get(doubled), array * 2)
    first, total = engine.call(pieces.two, doubled, returns=2)
    assert engine.get([first, total])[1] == float((array * 2).sum())
    shared = engine.share({"array": array})
    assert engine.get(engine.call(pieces.facts_of, shared)) == (True, 0, float(array.sum()))
    with pytest.raises(DataError, match=r"log\.csv: it is empty\.") as raised:
        engine.get(engine.call(pieces.refuse, 1))
    assert raised.value.source == "log.csv"
    assert set(engine.each_host(pieces.whole, 3).values()) == {6}
    assert len(engine.each_host(pieces.whole, 3)) == 3


def test_sums_exchanged_have_the_bits_of_this_process_after_a_death_too(
    engine: Any, data: Interactions, tmp_path: Path
) -> None:
    local = IALS(**MODEL).fit(data, run=replace(RUN, engine=Local("reduce")))
    assert len(set(engine.places())) == engine.workers == 2

    class Deadly:
        """The engine, one of whose workers dies."""

        exchange = "reduce"

        def __getattr__(self, name: str) -> Any:
            return getattr(engine, name)

        def call(self, function: Callable[..., Any], *arguments: Any, **how: Any) -> Any:
            if function is ials_sums.summed:
                return engine.call(pieces.dying_once, str(tmp_path), *arguments, **how)
            return engine.call(function, *arguments, **how)

    found = IALS(**MODEL).fit(data, run=replace(RUN, engine=Deadly()))
    assert list(tmp_path.iterdir())
    assert factors_hash(found) == factors_hash(local)


def test_walks_ease_and_neighbours_equal_those_of_local_pieces(
    engine: Any, data: Interactions
) -> None:
    walk = {"factors": 16, "epochs": 2}
    alone = {"item_knn": {}, "graph_filter": {"factors": 8}, "ease": {"keep": 9}}
    for name, settings in ({"bpr": walk, "warp": walk} | alone).items():
        local, ray = (
            registry.create(name, **settings).fit(data, run=replace(RUN, engine=one)).state()
            for one in (Local(), engine)
        )
        for array in set(local) - {"history_seconds"}:
            np.testing.assert_array_equal(ray[array], local[array])


def test_a_module_trained_by_two_workers_is_that_of_one_process_but_for_rounding(
    engine: Any, data: Interactions
) -> None:
    settings = {"loss": "squared", "factors": 8, "epochs": 2, "batch_size": 501, "sparse": "yes"}
    whole, cut = (
        registry.create("latent_factor", **settings).fit(data, run=run)
        for run in (RUN, replace(RUN, engine=engine))
    )
    assert cut.curve.loss == pytest.approx(whole.curve.loss, rel=1e-4)
    np.testing.assert_allclose(cut.user_factors, whole.user_factors, atol=2e-3)
    assert not np.array_equal(cut.user_factors, whole.user_factors)


def test_a_sequence_model_trained_by_two_workers_is_that_of_one_process_but_for_rounding(
    engine: Any, data: Interactions
) -> None:
    settings = {"factors": 8, "blocks": 1, "epochs": 2, "max_length": 20, "history_length": 20}
    whole, cut = (
        registry.create("transformer", **settings, dropout=0.0, precision="float32").fit(
            data, run=run
        )
        for run in (RUN, replace(RUN, engine=engine))
    )
    assert cut.curve.loss == pytest.approx(whole.curve.loss, rel=1e-4)
    np.testing.assert_allclose(cut.item_factors, whole.item_factors, atol=2e-3)


def test_one_of_several_that_fails_or_dies_ends_the_others(engine: Any) -> None:
    assert engine.together(pieces.seat_of) == (0, 2)
    with pytest.raises(EngineError, match="trained with others died; .* train again"):
        engine.together(pieces.end_second, True)
    with pytest.raises(DataError, match="it is empty"):
        engine.together(pieces.end_second, False)


def test_workers_killed_in_an_epoch_change_no_bit(
    engine: Any,
    data: Interactions,
    reference: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from cofactor.models.implicit import ials_sharded

    class Deadly:
        """The engine, some of whose workers die."""

        def __getattr__(self, name: str) -> Any:
            return getattr(engine, name)

        def call(self, function: Callable[..., Any], *arguments: Any, **how: Any) -> Any:
            if function is ials_sharded.solved:
                return engine.call(pieces.dying, str(tmp_path), *arguments, **how)
            return engine.call(function, *arguments, **how)

    found = IALS(**MODEL).fit(data, run=replace(RUN, engine=Deadly()))
    assert {path.name for path in tmp_path.iterdir()} == {"400", "2000"}
    assert factors_hash(found) == reference


def test_evaluation_folds_and_lists_equal_those_of_one_process(
    engine: Any, data: Interactions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cofactor.data.splits import split

    monkeypatch.setattr("cofactor.runs.recommend._BLOCK", 700)
    parts, run = split(data, "per-user", test=0.2, seed=1), replace(RUN, engine=engine)
    model = IALS(**MODEL).fit(parts.train, run=RUN)
    whole, cut = (evaluate(model, parts, "ndcg@10,auc,coverage@5", run=one) for one in (RUN, run))
    assert whole.summary == cut.summary
    folds, pieces_of_folds = (
        cross_validate("bias", data, folds=2, run=one).to_dict() for one in (RUN, run)
    )
    assert pieces_of_folds == folds
    recommend_all(model, tmp_path / "whole.parquet", 5, run=RUN)
    recommend_all(model, tmp_path / "cut.parquet", 5, run=run)
    recommend_all(model, f"{tmp_path}/parts/", 5, run=run)
    assert (tmp_path / "whole.parquet").read_bytes() == (tmp_path / "cut.parquet").read_bytes()
    assert pq.read_table(tmp_path / "parts").equals(pq.read_table(tmp_path / "whole.parquet"))
    # As the commands have it: saved, and mapped again.
    save(model, tmp_path / "model")
    mapped = load(tmp_path / "model", mapped=True)
    recommend_all(mapped, tmp_path / "mapped.parquet", 5, run=run)
    assert (tmp_path / "whole.parquet").read_bytes() == (tmp_path / "mapped.parquet").read_bytes()
    assert evaluate(mapped, parts, "ndcg@10,auc,coverage@5", run=run).summary == whole.summary


def test_hosts_that_differ_are_refused(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from cofactor.engines import hosts

    with pytest.raises(EngineError, match=r"doesn't see /nowhere/shards; put it in a folder"):
        hosts.check_hosts(engine, ["/nowhere/shards"])
    assert hosts.check_hosts(engine, [str(Path(__file__).parent)]) == []
    monkeypatch.setattr("cofactor.__version__", "9.9")
    with pytest.raises(EngineError, match=r"has cofactor .*, and this host 9\.9; install the same"):
        hosts.check_hosts(engine)


def test_ials_has_the_bits_of_one_process_on_two_workers_and_three(
    ray_cluster: Any, engine: Any, data: Interactions, reference: str
) -> None:
    run = replace(RUN, engine=engine)
    assert factors_hash(IALS(**MODEL).fit(data, run=run)) == reference
    weighted = {"confidence": "log", "item_weight_power": 0.3, "solver": "subspace", **MODEL}
    whole, cut = (IALS(**weighted).fit(data, run=one) for one in (RUN, run))
    assert factors_hash(cut) == factors_hash(whole)
    host = add_host(ray_cluster)
    try:
        wait_for_hosts(engine, ray_cluster)
        assert len(engine.places()) == 3
        assert factors_hash(IALS(**MODEL).fit(data, run=run)) == reference
    finally:
        ray_cluster.remove_node(host)


def test_a_host_that_is_lost_in_an_epoch_changes_no_bit(
    ray_cluster: Any,
    engine: Any,
    data: Interactions,
    reference: str,
    capsys: pytest.CaptureFixture,
) -> None:
    host = add_host(ray_cluster)
    wait_for_hosts(engine, ray_cluster)
    capsys.readouterr()
    model = IALS(**MODEL).on_epoch_end(
        lambda epoch, *_: (
            ray_cluster.remove_node(host, allow_graceful=False) if epoch == 1 else None
        )
    )
    began = time.monotonic()
    found = model.fit(data, run=replace(RUN, engine=engine))
    assert factors_hash(found) == reference
    assert time.monotonic() - began < 60
    said = capsys.readouterr()
    assert said.out == ""  # where a command's results are
    assert "marked dead" in said.err


def test_the_only_hosts_lost_and_replaced_change_no_bit(
    ray_cluster: Any, engine: Any, data: Interactions, reference: str
) -> None:
    def replaced(epoch: int, *_: Any) -> None:
        if epoch == 1:
            for host in list(ray_cluster.worker_nodes):
                ray_cluster.remove_node(host, allow_graceful=False)
            add_host(ray_cluster)

    model = IALS(**MODEL).on_epoch_end(replaced)
    try:
        found = model.fit(data, run=replace(RUN, engine=engine))
    finally:
        add_host(ray_cluster)
    assert factors_hash(found) == reference


def cofactor(*words: str, **env: str) -> tuple[int, str]:
    """The exit code of a command, and what it wrote to stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "cofactor", *words],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **env},
    )
    return done.returncode, done.stderr


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    draw = np.random.default_rng(3)
    file = tmp_path_factory.mktemp("log") / "log.parquet"
    columns = {"user": draw.integers(0, 300, 5000), "item": draw.integers(0, 90, 5000)}
    pq.write_table(pa.table(columns), file)
    return file


def test_the_command_trains_from_shards_and_doctor_finds_nothing_wrong(
    ray_cluster: Any,
    connection: Connection,
    log: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    connection.close()
    cluster = ("--engine", "ray", "--address", ray_cluster.address)
    assert main(["shard", str(log), "--out", str(tmp_path / "shards")]) == 0
    train = ("train", str(tmp_path / "shards"), "--model", "ials", "--set", "factors=8")
    assert main([*train, "--out", str(tmp_path / "cut"), *cluster]) == 0
    assert main([*train, "--out", str(tmp_path / "whole")]) == 0
    assert factors_hash(load(tmp_path / "cut")) == factors_hash(load(tmp_path / "whole"))
    capsys.readouterr()
    assert main(["doctor", *cluster, "--folder", str(tmp_path)]) == 0
    assert "3 hosts can work together" in capsys.readouterr().out


def test_a_killed_driver_costs_one_epoch(
    ray_cluster: Any,
    connection: Connection,
    log: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    connection.close()
    words = ("train", str(log), "--model", "ials", "--set", "factors=8", "--set", "epochs=15")
    words = (*words, "--test", "0", "--out")
    cluster = ("--engine", "ray", "--address", ray_cluster.address)
    process = subprocess.Popen(
        [sys.executable, "-m", "cofactor", *words, str(tmp_path / "cut"), *cluster],
        stderr=subprocess.DEVNULL,
    )
    checkpoint = tmp_path / ".cut.checkpoints" / "first.safetensors"
    deadline = time.monotonic() + 100
    while not checkpoint.is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert checkpoint.is_file()
    assert not (tmp_path / "cut").exists()
    capsys.readouterr()
    assert main([*words, str(tmp_path / "cut"), *cluster, "--resume"]) == 0
    assert f"going on from {checkpoint.parent}" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "whole")]) == 0
    cut, whole = load(tmp_path / "cut"), load(tmp_path / "whole")
    assert factors_hash(cut) == factors_hash(whole)
    assert cut.curve.loss == whole.curve.loss
    assert not checkpoint.parent.exists()


def test_a_wrong_token_and_no_cluster_are_one_sentence_each(
    ray_cluster: Any, log: Path, capsys: pytest.CaptureFixture
) -> None:
    train = ("train", str(log), "--model", "ials", "--out", "never", "--engine", "ray")
    code, said = cofactor(
        *train,
        "--address",
        ray_cluster.address,
        RAY_AUTH_TOKEN="beef" * 9,
        RAY_AUTH_TOKEN_PATH="",
    )
    assert (code, said.count("\n")) == (1, 1), said
    assert "refused this token; set RAY_AUTH_MODE=token" in said
    capsys.readouterr()
    assert main([*train, "--address", "127.0.0.1:9"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    assert "no Ray cluster at 127.0.0.1:9" in said


def test_pieces_with_more_threads_than_a_host_has_cores_are_refused(
    ray_cluster: Any, connection: Connection
) -> None:
    from cofactor.engines.ray import RayEngine

    connection.close()
    with pytest.raises(
        EngineError, match=r"takes 2 of a host's cores, and no host .* fewer --threads"
    ):
        RayEngine(ray_cluster.address, threads=2)
