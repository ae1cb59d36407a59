"""Options that say nothing, or not what they are meant to: named in a sentence, before any work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import cofactor
from cofactor.cli.main import main
from cofactor.data.interactions import Interactions


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "a.csv"
    path.write_text("user,item\n" + "".join(f"u{n % 7},i{n % 5}\n" for n in range(35)))
    return str(path)


@pytest.fixture
def model(source: str, tmp_path: Path) -> str:
    fitted = cofactor.Popularity().fit(Interactions.build(cofactor.read(source)))
    return str(cofactor.save(fitted, tmp_path / "model"))


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(list(words)) == 1
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("more", "right"),
    [
        (["--set", "factors"], "--set must be written NAME=VALUE, not 'factors'"),
        (["--track", "x"], "--track must be written mlflow:EXPERIMENT"),
        (["--member", "b.csv"], "--member b.csv chooses a file of a folder or an archive"),
    ],
)
def test_options_of_train_are_named(
    source: str, tmp_path: Path, more: list[str], right: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", source, "--model", "ials", "--out", str(tmp_path / "m"), *more]
    assert right in said(capsys, *words)


@pytest.mark.parametrize("other", ["{source} {source}", "{folder}/*.csv"])
def test_a_member_of_several_files_is_refused(
    source: str, tmp_path: Path, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = other.format(source=source, folder=tmp_path).split()
    assert "there is none in" in said(capsys, "describe", *words, "--member", "b.csv")


def test_groups_are_checked_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", str(tmp_path / "none"), str(tmp_path / "no.csv"), "--groups", "cold"]
    assert "unknown --groups 'cold'; it must be one of" in said(capsys, *words)


def test_a_url_of_a_file_says_the_cure(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "give its path alone" in said(capsys, "describe", f"file://{source}")


@pytest.mark.parametrize("name", ["ndcg", "ndcg@10"])
def test_one_metric_is_shown_alone(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", name, "--json"]) == 0
    assert [one["metric"] for one in json.loads(capsys.readouterr().out)["metrics"]] == [
        "ndcg, ndcg@k"
    ]
    assert "did you mean ndcg" in said(capsys, "metrics", "ndgc")
    for written, meant in (("ndcg10", "ndcg@10"), ("HR_5", "hr@5"), ("recall20", "recall@20")):
        assert f"did you mean {meant}?" in said(capsys, "metrics", written)


def test_inspect_takes_quiet(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", model, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_blocked_ids_that_nobody_knows_stand_in_the_object_too(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["recommend", model, "--user", "u1", "--keep-seen", "--json", "--block", "i1,x9"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["unknown_blocked"] == ["x9"]


@pytest.mark.parametrize(
    ("words", "right"),
    [
        ("describe TIMED --time-format %Y%Y", "--time-format must be written as for strptime"),
        (
            "describe TIMED --time-format %d.%m.%Y",
            "no time in column 'time' can be read (written as --time-format %d.%m.%Y says;",
        ),
        ("describe SOURCE --item-id id", "--item-id must go with the catalogue whose column it"),
        ("describe SOURCE --item-id id", "give --items too."),
        ("describe SOURCE --format excel", "isn't a whole Excel file"),
        ("describe SOURCE --format feather", "isn't a whole Feather file"),
        ("describe SOURCE --kinds view=nan", "the weight of view in --kinds must be a finite"),
        ("describe SOURCE --decimal ;", "it must be one of ',', '.'."),
        ("describe SOURCE --core 99", "until stable (1 round); ask for less"),
        ("train SOURCE --model ease --text title", "--text names columns of the catalogue, which"),
        ("train SOURCE --model ease --budget 5m", "--budget limits the search of auto, and ease"),
        (
            "train SOURCE --budget 0s",
            "--budget must be a number with a unit, as 90s, 5m or 2h, above",
        ),
        (
            "train SOURCE --max-time 5m",
            "--max-time limits the epochs of one model; the search of auto is limited by --budget",
        ),
        ("train SOURCE --resume", "leave --resume out"),
        (
            "train SOURCE --model feature_ials",
            "models with content need a catalogue (give --items).",
        ),
    ],
)
def test_each_message_says_what_came_and_a_cure_that_exists(
    words: str, right: str, source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "timed.csv").write_text("user,item,time\nu,i,2019-05-01\nv,i,2019-05-02\n")
    places = {"SOURCE": source, "TIMED": str(tmp_path / "timed.csv")}
    more = ["--out", str(tmp_path / "m")] if words.startswith("train") else []
    assert right in said(capsys, *[places.get(word, word) for word in words.split()], *more)
