"""The command line as a person or a machine uses it: results, JSON, exit codes, one sentence for
each failure.
"""

from __future__ import annotations

import csv
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cofactor.artifact.load import load
from cofactor.cli.main import COMMANDS
from cofactor.cli.words import in_options, quoted
from cofactor.models import registry
from cofactor.runs.auto import choose

Run = Callable[..., "Ran"]  # noqa: F821  (a fixture's class)

SOURCE = Path(__file__).parents[2] / "src"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SOURCE)}


def test_help_answers_within_200_ms_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from cofactor.cli.main import main; main(['--help']); print(*sys.modules,"
        " file=sys.stderr)"
    )
    # What it computes: beside other work it may have to wait for a core, and that isn't its fault.
    code += "; import time; assert time.process_time() < 0.2, time.process_time()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=True,
    )
    assert not {"numpy", "typer", "rich", "numba", "torch", "pyarrow"} & set(done.stderr.split())
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help_and_json(cofactor: Run, name: str) -> None:
    done = cofactor(name, "--help")
    assert done.code == 0
    assert "--json" in done.out


def test_train_measures_saves_and_says_what_it_did(
    cofactor: Run, shop_files: Path, tmp_path: Path
) -> None:
    done = cofactor(
        "train", shop_files / "events.csv", "--model", "popularity", "--out", tmp_path / "m"
    )
    assert done.code == 0
    assert "ndcg@10" in done.out
    assert "20 % of each user's interactions for test" in done.out
    assert "fitted on all of the data" in done.out
    assert (tmp_path / "m" / "manifest.json").is_file()


def test_train_says_where_figures_depend_on_threads(
    cofactor: Run, shop_files: Path, tmp_path: Path
) -> None:
    train = ("train", shop_files / "events.csv", "--model", "bpr", "--set", "epochs=1", "--out")
    said = "--threads 1 repeats them"
    assert said in cofactor(*train, tmp_path / "two", "--threads", "2").out
    assert said not in cofactor(*train, tmp_path / "one", "--threads", "1").out


def test_train_without_a_model_chooses_one_and_names_its_folder(
    cofactor: Run, shop_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # A clock that goes on whenever it is read: what a second has room for doesn't depend on other
    # work, nor on what has to be compiled.
    readings = count()
    monkeypatch.setitem(choose.__kwdefaults__, "now", lambda: next(readings) / 100)
    done = cofactor("train", shop_files / "events.csv", "--budget", "1s")
    assert done.code == 0
    assert "was chosen: ndcg@10" in done.out
    assert "better than popularity (ndcg@10" in done.out
    facts = cofactor("inspect", tmp_path / "events-model", "--json").json
    assert in_options(facts["run"]["chosen"]["sentence"]) in done.out
    again = cofactor("train", shop_files / "events.csv", "--budget", "1s")
    assert "holds a model already" in again.sentence


def test_train_says_how_the_model_stands_against_the_baselines(
    cofactor: Run, shop_files: Path, tmp_path: Path
) -> None:
    events = shop_files / "events.csv"
    facts = cofactor("train", events, "--model", "ease", "--out", tmp_path / "m", "--json").json
    (test,) = facts["baselines"]["tests"]
    assert {test["first"], test["second"]} == {"ease", "popularity"}
    assert "ease is" in facts["baselines"]["sentences"][0]
    rated = cofactor(*("train", events, "--model", "bias", "--out", tmp_path / "n", "--json")).json
    assert list(rated["baselines"]["results"]) == ["popularity"]
    (sentence,) = rated["baselines"]["sentences"]
    assert "bias is significantly worse than popularity" in sentence


def test_train_json_is_one_object_with_the_result(
    cofactor: Run, shop_files: Path, tmp_path: Path
) -> None:
    facts = cofactor(
        "train",
        shop_files / "events.csv",
        "--model",
        "popularity",
        "--out",
        tmp_path / "m",
        "--json",
    ).json
    assert facts["model"] == "popularity"
    assert facts["refitted"] is True
    assert 0 < facts["result"]["metrics"]["ndcg@10"]["value"] < 1


def test_no_refit_keeps_the_held_out_part_out_and_evaluate_measures_just_that(
    cofactor: Run, shop_files: Path, tmp_path: Path
) -> None:
    source = shop_files / "events.csv"
    trained = cofactor(
        "train", source, "--model", "ease", "--out", tmp_path / "m", "--no-refit", "--json"
    ).json
    again = cofactor("evaluate", tmp_path / "m", source, "--json").json
    for metric in ("ndcg@10", "recall@20"):
        assert again["metrics"][metric]["value"] == pytest.approx(
            trained["result"]["metrics"][metric]["value"]
        )
    assert again["baselines"]["sentences"] == trained["baselines"]["sentences"]


def test_evaluating_what_was_trained_on_is_refused(
    cofactor: Run, trained: Path, shop_files: Path
) -> None:
    done = cofactor("evaluate", trained, shop_files / "events.csv")
    assert done.code == 1
    assert "all of it was trained on" in done.sentence


def test_recommend_to_a_user_leaves_out_what_was_seen_and_shows_titles(
    cofactor: Run, trained: Path, shop_files: Path
) -> None:
    with (shop_files / "events.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    user = lines[0]["user_id"]
    seen = {line["item_id"] for line in lines if line["user_id"] == user}
    facts = cofactor("recommend", trained, "--user", user, "-k", 5, "--json").json
    found = [line["item_id"] for line in facts["recommendations"]]
    assert len(found) == 5
    assert not seen & set(found)
    assert all(line["title"] for line in facts["recommendations"])


def test_recommend_to_several_users_by_options_and_by_a_file(
    cofactor: Run, trained: Path, tmp_path: Path
) -> None:
    users = load(trained).data.users.ids([3, 5, 8])
    names = ",".join(map(str, users[:2]))
    facts = cofactor(
        "recommend", trained, "--user", names, "--user", users[2], "-k", 2, "--json"
    ).json
    assert [line["user_id"] for line in facts["recommendations"]] == [
        user for user in users for _ in range(2)
    ]
    (tmp_path / "users.txt").write_text("\n".join(map(str, users)) + "\n\n")
    listed = ("recommend", trained, "--users", tmp_path / "users.txt", "-k", 2)
    assert cofactor(*listed, "--json").json == facts
    done = cofactor(*listed, "--out", tmp_path / "lists.csv")
    assert (done.code, len((tmp_path / "lists.csv").read_text().splitlines())) == (0, 7)
    assert f"user {users[1]}:" in cofactor(*listed).out
    (tmp_path / "users.txt").write_text(f"{users[0]}\nnobody\n")
    assert "unknown user 'nobody'" in cofactor(*listed).sentence


def test_recommend_to_an_unseen_user_by_history_with_reasons(cofactor: Run, trained: Path) -> None:
    facts = cofactor(
        "recommend", trained, "--history", "book-01,book-02", "-k", 3, "--explain", "--json"
    ).json
    assert len(facts["recommendations"]) == 3
    assert {r["id"] for reason in facts["reasons"] for r in reason["reasons"]} <= {
        "book-01",
        "book-02",
    }
    told = cofactor(
        "recommend", trained, "--history", "book-01:5,book-02:1", "-k", 3, "--explain"
    ).out
    assert "because of" in told


def test_a_model_without_reasons_recommends_and_says_that_it_has_none(
    cofactor: Run, shop_files: Path, tmp_path: Path
) -> None:
    model = tmp_path / "popular"
    source = shop_files / "events.csv"
    assert cofactor("train", source, "--model", "popularity", "--out", model).code == 0
    done = cofactor("recommend", model, "--history", "book-01", "-k", 3, "--explain")
    assert done.code == 0
    assert "book-" in done.out
    assert "no reasons: popularity isn't linear in a user's history" in done.err


def test_an_unknown_user_is_refused_with_the_way_to_answer_one(
    cofactor: Run, trained: Path
) -> None:
    done = cofactor("recommend", trained, "--user", "nobody")
    assert done.code == 1
    assert "known users have ids like '" in done.sentence
    assert "--history ID,ID,... takes the items of an unseen user" in done.sentence


def test_recommend_with_a_condition_and_blocked_items(cofactor: Run, trained: Path) -> None:
    words = (
        "recommend",
        trained,
        "--history",
        "book-01",
        "--where",
        "year >= 1900",
        "--json",
        "-k",
        50,
    )
    everything = cofactor(*words).json["recommendations"]
    blocked = everything[0]["item_id"]
    assert blocked not in {
        line["item_id"] for line in cofactor(*words, "--block", blocked).json["recommendations"]
    }


def test_k_above_the_catalogue_gives_what_there_is(cofactor: Run, trained: Path) -> None:
    facts = cofactor("recommend", trained, "--history", "book-01", "-k", 10_000, "--json").json
    assert len(facts["recommendations"]) == 59


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_all_users_go_into_a_file(
    cofactor: Run, trained: Path, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"lists{suffix}"
    assert cofactor("recommend", trained, "--all-users", "--out", out, "-k", 4).code == 0
    if suffix == ".parquet":
        lines = pq.read_table(out).to_pylist()
    elif suffix == ".csv":
        lines = list(csv.DictReader(out.read_text().splitlines()))
    else:
        lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == 120 * 4
    assert [p.name for p in tmp_path.iterdir()] == [out.name]
    (tmp_path / "plain").touch()
    assert out.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_all_users_keep_what_they_have_seen_if_that_is_wished(
    cofactor: Run, trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "lists.parquet"
    done = cofactor("recommend", trained, "--all-users", "--keep-seen", "-k", 60, "--out", out)
    assert done.code == 0
    assert pq.read_table(out).num_rows == 120 * 60


def test_similar_by_title_and_by_id_agree(cofactor: Run, trained: Path) -> None:
    by_id = cofactor("similar", trained, "--item", "book-03", "-k", 4, "--json").json
    by_title = cofactor("similar", trained, "--title", by_id["title"], "-k", 4, "--json").json
    assert by_title["similar"] == by_id["similar"]
    assert len(by_id["similar"]) == 4


def test_compare_shows_intervals_and_tests(cofactor: Run, shop_files: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    words = (
        "compare",
        shop_files / "events.csv",
        "--models",
        "popularity,ease",
        "--metrics",
        "ndcg@10,coverage@10",
    )
    done = cofactor(*words, "--report", report)
    assert done.code == 0
    assert "±" in done.out
    assert "p vs best" in done.out
    assert "<html" in report.read_text()
    facts = cofactor(*words, "--json", "--set", "ease.regularization=50").json
    assert facts["best"] == "ease"
    assert facts["tests"][0]["p_adjusted"] < 0.05
    assert facts["results"]["ease"]["config"]["regularization"] == 50
    assert "| model |" in cofactor(*words, "--markdown").out


def test_describe_inspect_models_datasets_doctor(
    cofactor: Run, trained: Path, shop_files: Path
) -> None:
    assert (
        cofactor(
            "describe", shop_files / "events.csv", "--min-value", 4, "--core", 2, "--json"
        ).json["users"]
        > 0
    )
    assert "values" in cofactor("describe", shop_files / "events.csv").out
    assert cofactor("inspect", trained, "--json").json["model"] == "ease"
    assert {line["model"] for line in cofactor("models", "--json").json["models"]} == set(
        registry.names()
    )
    assert "regularization" in cofactor("models", "ease").out
    assert "ml-100k" in cofactor("datasets").out
    listed = cofactor("datasets", "--json").json["datasets"]
    assert listed == cofactor("datasets", "list", "--json").json["datasets"]
    assert "Harper" in cofactor("datasets", "show", "ml-100k").out
    assert cofactor("doctor", "--json").json["kernels"]["kernels"].startswith("work")


def test_demo_runs_on_the_synthetic_shop_and_says_so(
    cofactor: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cofactor.runs.demo.MODELS", ("popularity", "ease"))
    done = cofactor("demo", "--synthetic", "--out", tmp_path / "demo")
    assert done.code == 0
    assert "synthetic book shop made by Cofactor" in done.out
    assert "an unseen user" in done.out
    assert (tmp_path / "demo" / "manifest.json").is_file()
    # What it prints to go on with works as it is printed; the service and YOUR.csv aside.
    lines = [line.strip() for line in done.out.partition("Next:")[2].splitlines() if line]
    assert f"cofactor serve {tmp_path / 'demo'}" in lines[3]
    for line in lines[:3]:
        words = shlex.split(line[line.index("cofactor ") :])[1:]
        assert cofactor(*words).code == 0, line


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("reader-0003", "reader-0003"),
        ("Viktor's Locked Confession", '"Viktor\'s Locked Confession"'),
        ("The $9 'Oath'", "'The $9 '\"'\"'Oath'\"'\"''"),
        ("", "''"),
    ],
)
def test_words_of_a_printed_command_are_quoted_where_a_shell_needs_it(
    word: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.name", "posix")
    assert quoted(word) == shown
    assert shlex.split(shown) == [word]
