"""Work in pieces gives what uncut work gives, bit for bit."""

from __future__ import annotations

import errno
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import forked
from cofactor.base import unfinished
from cofactor.base.engine import Local, in_turn
from cofactor.base.errors import ArgumentError, CofactorError
from cofactor.base.run import Run
from cofactor.cli.main import main
from cofactor.data.catalogue import Catalogue
from cofactor.data.interactions import Interactions
from cofactor.data.synthetic.shapes import power_law
from cofactor.evaluation.evaluate import evaluate
from cofactor.kernels.cpu import ials as kernels
from cofactor.models import registry
from cofactor.models.implicit.ials import IALS
from cofactor.runs.compare import compare
from cofactor.runs.cross_validate import cross_validate
from cofactor.runs.recommend import Listing, recommend_all
from cofactor.runs.train import train
from engine.pieces import factors_hash

RUN = Run(seed=4, threads=1)
CUT = Run(seed=4, threads=1, engine=Local())


@pytest.fixture(scope="module")
def data() -> Interactions:
    return power_law(600, 250, 9_000, rated=True, seed=1)


@pytest.fixture(scope="module")
def small() -> Interactions:
    return power_law(200, 80, 3_000, rated=True, seed=1)


# Choosing a regularization takes several fits, so it is given where it isn't what is looked at.
GIVEN: dict[str, Any] = {"regularization": 0.037}
SETTINGS: list[dict[str, Any]] = [
    {},
    {**GIVEN, "factors": 20, "warmup_epochs": 1},
    {**GIVEN, "solver": "cholesky"},
    {**GIVEN, "solver": "subspace", "block_size": 8},
    {**GIVEN, "confidence": "log", "item_weight_power": 0.3},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_ials_in_shards_has_the_bits_of_one_process(
    data: Interactions, settings: dict[str, Any]
) -> None:
    whole, cut = (
        IALS(**{"factors": 16, "epochs": 3, **settings}).fit(data, run=run) for run in (RUN, CUT)
    )
    assert factors_hash(whole) == factors_hash(cut)
    assert whole.curve.loss == cut.curve.loss


def test_rows_that_are_solved_alone_have_the_same_bits(
    data: Interactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = factors_hash(IALS(factors=8, epochs=2, **GIVEN).fit(data, run=RUN))
    monkeypatch.setattr(kernels, "GIANT_ROW", 100)
    monkeypatch.setattr(kernels, "GIANT_SHARE", 0.0)
    assert len(kernels.giant_rows(data.by_item[0])) > 5
    whole, cut, threads = (
        factors_hash(IALS(factors=8, epochs=2, **GIVEN).fit(data, run=run))
        for run in (RUN, CUT, Run(seed=4, threads=2, engine=Local()))
    )
    assert whole == cut == threads != plain


def test_fewer_rows_than_shards() -> None:
    few = power_law(5, 6, 14, rated=False, seed=2)
    whole, cut = (IALS(factors=4, epochs=2).fit(few, run=run) for run in (RUN, CUT))
    assert factors_hash(whole) == factors_hash(cut)


def test_early_stopping_in_shards_ends_where_it_does_in_one_process(data: Interactions) -> None:
    from cofactor.data.splits import split

    parts = split(data, "per-user", test=0.2, validation=0.2, seed=1)
    whole, cut = (
        IALS(factors=8, epochs=12, patience=1, validate_every=1, **GIVEN).fit(
            parts.train, validation=parts.validation, run=run
        )
        for run in (RUN, CUT)
    )
    assert whole.curve.best_epoch == cut.curve.best_epoch < 11
    assert factors_hash(whole) == factors_hash(cut)


def test_a_row_that_cannot_be_solved_is_named_by_its_place_in_the_side(data: Interactions) -> None:
    from cofactor.base.errors import TrainingError

    said = []
    for run in (RUN, CUT):
        model = IALS(factors=8, epochs=2, unobserved_weight=0, regularization=0, solver="cholesky")
        with pytest.raises(TrainingError) as raised:
            model.fit(data, run=run)
        said.append(str(raised.value))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    "metrics", ["ndcg@10,recall@20,coverage@10,novelty@5", "auc,auc_sampled@50,coverage@5", "rmse"]
)
def test_evaluation_in_pieces_is_equal(data: Interactions, metrics: str) -> None:
    from cofactor.data.splits import split

    parts = split(data, "per-user", test=0.2, seed=1)
    name = "bias" if metrics == "rmse" else "ials"
    model = registry.create(name).fit(parts.train, run=RUN)
    whole, cut = (
        evaluate(model, parts, metrics, run=run, memory_limit=20 * 250 * 8) for run in (RUN, CUT)
    )
    assert whole.summary == cut.summary
    for metric in whole.values:
        np.testing.assert_array_equal(whole.values[metric], cut.values[metric])


def test_recommendations_in_pieces_are_the_same_lines(
    data: Interactions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cofactor.runs.recommend._BLOCK", 130)
    model = IALS(factors=8, epochs=1, **GIVEN).fit(data, run=RUN)
    recommend_all(model, tmp_path / "one.parquet", 5, run=RUN)
    recommend_all(model, tmp_path / "cut.parquet", 5, run=CUT)
    folder, count = recommend_all(model, f"{tmp_path}/parts/", 5, run=CUT)
    assert len(list(folder.iterdir())) == 5
    one, cut, parts = (
        pq.read_table(tmp_path / name) for name in ("one.parquet", "cut.parquet", "parts")
    )
    assert one.equals(cut)
    assert one.equals(parts)
    assert count == len(one)
    with pytest.raises(ArgumentError, match="exists already"):
        recommend_all(model, f"{tmp_path}/parts/", 5, run=CUT)


def test_parts_that_were_written_stay_when_the_rest_is_interrupted(
    data: Interactions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cofactor.runs.recommend._BLOCK", 130)
    monkeypatch.setattr(unfinished, "PERIOD", 0.0)
    monkeypatch.setattr(unfinished, "sync", lambda path: None)
    model = IALS(factors=8, epochs=1, **GIVEN).fit(data, run=RUN)
    recommend_all(model, tmp_path / "one.parquet", 5, run=RUN)
    inner, made = Listing.part, []

    def part(self: Listing, start: int, end: int, path: str) -> int:
        made.append(start)
        if made.count(260) == 1 and start == 260:
            Path(f"{path}.abc").write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        return inner(self, start, end, path)

    monkeypatch.setattr(Listing, "part", part)
    with pytest.raises(CofactorError, match="continues from what was written"):
        recommend_all(model, f"{tmp_path}/parts/", 5, run=RUN)
    recommend_all(model, f"{tmp_path}/parts/", 5, run=RUN)
    # A checkpoint may be at work still when the next part ends, which it then doesn't have.
    assert made[:3] == [0, 130, 260]
    assert made[3] > 0
    assert made[-3:] == [260, 390, 520]
    one, parts = (pq.read_table(tmp_path / name) for name in ("one.parquet", "parts"))
    assert one.equals(parts)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.parquet", "parts"]
    # Other lists start over.
    made.clear()
    with pytest.raises(CofactorError, match="disk is full"):
        recommend_all(model, f"{tmp_path}/more/", 5, run=RUN)
    recommend_all(model, f"{tmp_path}/more/", 4, run=RUN)
    assert made[3:] == [0, 130, 260, 390, 520]


def test_parts_stay_only_where_the_catalogue_is_the_same(data: Interactions) -> None:
    def key_with(titles: list[str]) -> dict[str, Any]:
        titled = replace(data, catalogue=Catalogue(pa.table({"title": titles})))
        model = IALS(factors=2, epochs=1, **GIVEN).fit(titled, run=RUN)
        return Listing(model, 5, None, None, True, RUN).key()

    titles = [f"title {n}" for n in range(data.n_items)]
    assert key_with(titles) == key_with(list(titles))
    assert key_with(titles) != key_with([*titles[:-1], "another"])


def test_comparison_in_pieces_is_equal_but_for_seconds(small: Interactions) -> None:
    whole, cut = (
        compare(small, ["ials", "svdpp", "ease", "content_knn"], run=run) for run in (RUN, CUT)
    )
    for label, result in whole.results.items():
        assert cut.results[label].summary == result.summary
    assert cut.tests == whole.tests
    assert cut.failures == whole.failures
    assert list(cut.failures) == ["content_knn"]
    assert (
        cut.models["ials"].recommend(small.users.ids([0])[0], 3).ids
        == whole.models["ials"].recommend(small.users.ids([0])[0], 3).ids
    )


def test_folds_in_pieces_are_equal(small: Interactions) -> None:
    whole, cut = (cross_validate("svdpp", small, folds=3, run=run) for run in (RUN, CUT))
    assert cut.to_dict() == whole.to_dict()
    assert cut.shares == whole.shares
    with pytest.raises(ArgumentError, match="at least one split"):
        cross_validate("ease", small, folds=[], run=CUT)


def test_training_resumes_after_the_process_died(data: Interactions, tmp_path: Path) -> None:
    settings = ("factors=8", "epochs=4", "regularization=0.037")
    train(data, "ials", tmp_path / "whole", settings=settings, run=RUN)
    died = []

    class Dying(Local):
        def get(self, results: Any) -> Any:
            died.append(1)
            if len(died) == 30:
                raise KeyboardInterrupt
            return results

    dying = Run(seed=4, threads=1, engine=Dying())
    with pytest.raises(KeyboardInterrupt):
        train(data, "ials", tmp_path / "cut", settings=settings, run=dying)
    assert (tmp_path / ".cut.checkpoints" / "first.safetensors").is_file()
    before = len(died)
    train(data, "ials", tmp_path / "cut", settings=settings, resume=True, run=dying)
    resumed = len(died) - before
    died.clear()
    died.extend([1] * 100)
    train(data, "ials", tmp_path / "again", settings=settings, run=dying)
    assert resumed < len(died) - 100
    assert not list(tmp_path.glob(".*.checkpoints"))
    from cofactor.artifact.load import load

    whole, cut = load(tmp_path / "whole"), load(tmp_path / "cut")
    assert factors_hash(whole) == factors_hash(cut)


def test_resume_needs_a_model_with_epochs(data: Interactions, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="ease isn't trained in epochs"):
        train(data, "ease", tmp_path / "m", resume=True, run=RUN)


def test_only_some_pieces_are_computed_ahead() -> None:
    begun: list[int] = []
    found = in_turn(Local(), begun.append, ((n,) for n in range(9)))
    next(found)
    assert begun == [0, 1]
    assert len(list(found)) == 8
    assert begun == list(range(9))


def test_a_worker_computes_a_private_value_once_until_the_next_one() -> None:
    from cofactor.engines import ray

    seen: list[tuple[int, ...]] = []

    def added(*numbers: int) -> int:
        seen.append(numbers)
        return sum(numbers)

    first, second = ray.Private("a", added, (2, 3)), ray.Private("b", added, (4,))
    for private, found in ((first, 5), (first, 5), (second, 4), (first, 5)):
        assert ray._computed((1, private.head, *private.arguments, 9)) == [1, found, 9]
    assert seen == [(2, 3), (4,), (2, 3)]


def test_shards_on_an_engine_keep_no_transposed_copy_in_this_process() -> None:
    data = power_law(200, 60, 2_000, rated=True, seed=1)
    settings = {"factors": 4, "epochs": 1, "regularization": 0.01}
    IALS(**settings).fit(data, run=CUT)
    assert "by_item" not in vars(data)
    kept = data.by_item
    IALS(**settings).fit(data, run=CUT)
    assert data.by_item is kept


def test_the_command_line_names_the_engine(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    log = tmp_path / "log.csv"
    log.write_text(
        "user,item\n" + "".join(f"u{u},i{u * k % 7}\n" for u in range(9) for k in (1, 2))
    )
    words = ["train", str(log), "--model", "ials", "--set", "factors=4", "--test", "0"]
    words += ["--seed", "3"]
    assert main([*words, "--out", str(tmp_path / "whole")]) == 0
    assert main([*words, "--out", str(tmp_path / "cut"), "--engine", "local"]) == 0
    from cofactor.artifact.load import load

    assert factors_hash(load(tmp_path / "whole")) == factors_hash(load(tmp_path / "cut"))
    capsys.readouterr()
    assert main([*words, "--out", str(tmp_path / "no"), "--engine", "dask"]) == 1
    assert "unknown --engine 'dask'" in capsys.readouterr().err
    assert main([*words, "--out", str(tmp_path / "no"), "--address", "a:1"]) == 1
    assert "give --engine ray" in capsys.readouterr().err
    lists = ("recommend", str(tmp_path / "whole"), "--all-users", "--out")
    assert main([*lists, str(tmp_path / "one.csv")]) == 0
    assert main([*lists, str(tmp_path / "pieces.csv"), "--engine", "local"]) == 0
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "pieces.csv").read_bytes()
    capsys.readouterr()
    later = tmp_path / "later.csv"
    later.write_text("user,item\nu0,i3\nu1,i5\n")
    values = []
    for more in ((), ("--engine", "local")):
        assert main(["evaluate", str(tmp_path / "whole"), str(later), "--json", *more]) == 0
        said = json.loads(capsys.readouterr().out)
        others = said["baselines"]["results"]
        values.append([said["metrics"], {name: one["metrics"] for name, one in others.items()}])
        assert list(others) == ["popularity"]
    assert values[0] == values[1]


def test_without_ray_the_engine_is_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log.csv"
    log.write_text("user,item\nu,i\nv,i\n")
    monkeypatch.setitem(sys.modules, "ray", None)
    words = ["train", str(log), "--model", "ials", "--out", str(tmp_path / "m")]
    assert main([*words, "--engine", "ray"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    assert "run: pip install 'cofactor[cluster]'" in said


def test_without_an_engine_neither_ray_nor_duckdb_is_imported(tmp_path: Path) -> None:
    log, model = tmp_path / "log.csv", tmp_path / "m"
    lines = (f"u{u},i{u * k % 11}\n" for u in range(20) for k in range(1, 7))
    log.write_text("user,item\n" + "".join(lines))
    code = f"""
import sys
from cofactor.cli.main import main
train = ["train", {str(log)!r}, "--model", "ials", "--set", "regularization=0.04"]
assert main([*train, "--out", {str(model)!r}, "--no-refit"]) == 0
assert main(["evaluate", {str(model)!r}, {str(log)!r}]) == 0
assert main(["compare", {str(log)!r}, "--models", "ease,ials"]) == 0
assert main(["recommend", {str(model)!r}, "--all-users", "--out", {str(tmp_path / "l.csv")!r}]) == 0
print("loaded:", sorted({{"ray", "duckdb"}} & set(sys.modules)))
"""
    done = forked.run(code)
    assert done.stdout.splitlines()[-1:] == ["loaded: []"], done.stderr


class Slow(Local):
    """A host of which the answer takes its time, and whose clock may be off."""

    def __init__(self, off: float) -> None:
        super().__init__()
        self.off = off

    def each_host(self, function: Any, *arguments: Any) -> dict[str, Any]:
        facts = function(*arguments)
        return {"slow": {**facts, "clock": facts["clock"] + self.off}}


@pytest.mark.parametrize(("off", "wrong"), [(0.0, False), (-60.0, True), (60.0, True)])
def test_a_late_answer_is_no_wrong_clock(
    monkeypatch: pytest.MonkeyPatch, off: float, wrong: bool
) -> None:
    from cofactor.engines import hosts

    now = iter(1e9 + 30 * n for n in range(9))  # half a minute between any two looks at a clock
    monkeypatch.setattr(hosts.time, "time", lambda: next(now))
    found, here = hosts.asked(Slow(off))
    said = hosts.complaints(found, here)
    assert [f"the clock of slow is {off / 2:+.0f} s off" in text for text in said] == [True] * wrong
