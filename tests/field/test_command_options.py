"""Options that say nothing, or not what they are meant to: named in a sentence, before any work."""

from __future__ import annotations

import io
import json
import sys
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


@pytest.mark.parametrize(
    ("words", "right"),
    [
        ("recommend MODEL --user u1 --explain --out a.csv", "--explain shows reasons here"),
        ("recommend MODEL --all-users --explain --out a.csv", "--explain shows reasons here"),
        ("recommend NONE --all-users", "--all-users needs --out FILE, or DIR/ for parts"),
        ("events import STORE SOURCE --items --kind buy", "--kind is for events"),
        ("events import STORE SOURCE --items --delimiter ;", "--delimiter is for events"),
        ("events import STORE SOURCE --item-id sku", "--item-id names a column of a catalogue"),
        ("ope SOURCE --policy MODEL --window 2d", "--window is for an event store"),
        ("serve MODEL --webhook http://localhost", "--webhook needs --retrain WHEN"),
        ("serve MODEL --keep-versions 2", "--keep-versions needs --retrain WHEN"),
        ("demo --fetch --synthetic", "give --fetch or --synthetic, not both"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused_before_any_work(
    words: str,
    right: str,
    source: str,
    model: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    places = {"SOURCE": source, "MODEL": model, "STORE": "sqlite:///e.db", "NONE": "none"}
    assert main([places.get(word, word) for word in words.split()]) == 2
    assert right in " ".join(capsys.readouterr().err.split())
    assert sorted(tmp_path.iterdir()) == before


def test_lists_of_ids_without_an_id_are_refused(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["recommend", model, "--user", "u1"]
    assert "--block holds no item id" in said(capsys, *words, "--block", ",")
    assert "--rerank holds no rule" in said(capsys, *words, "--rerank", ";")


def test_a_page_that_cannot_be_written_is_refused_before_a_training(
    source: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = ["--out", str(tmp_path / "m"), "--plot", str(tmp_path / "none" / "p.html")]
    train = ["train", source, "--model", "bpr", "--set", "epochs=1", *page]
    assert "make it first" in said(capsys, *train)
    assert "make it first" in said(capsys, "retrain", model, source, *page)


def test_a_retraining_takes_terms_and_checkpoints(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both options were taken, and did nothing."""
    old, new = str(tmp_path / "old"), str(tmp_path / "new")
    assert main(["train", source, "--model", "popularity", "--out", old, "-q"]) == 0
    (tmp_path / "new.csv").write_text("user,item\nu9,i1\nu9,i2\nu8,i1\n")
    words = ["retrain", old, str(tmp_path / "new.csv"), "--out", new]
    assert "no checkpoints to go on from" in said(capsys, *words, "--resume")
    assert main([*words, "--licence", "ours alone"]) == 0
    capsys.readouterr()
    assert main(["inspect", new]) == 0
    assert "licence: ours alone" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, b"u1\r\nu2\n", "u1\nu2\n".encode("utf-16")])
def test_users_on_standard_input_are_read_as_those_of_a_file(
    content: bytes | None,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["recommend", model, "--users", "-", "-k", "1", "--json", "--keep-seen"]
    if content is None:
        monkeypatch.setattr(sys, "stdin", None)
        assert "standard input, and it is closed" in said(capsys, *words)
        return
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), "ascii"))
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)["recommendations"]
    assert {one["user_id"] for one in found} == {"u1", "u2"}
