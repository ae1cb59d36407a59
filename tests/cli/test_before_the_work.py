"""What can't succeed is refused before anything is fitted, made or replaced; a forgotten value, or
a word that names nothing, isn't passed over.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from cofactor.base.disk import replace_file
from cofactor.base.errors import CofactorError

Run = Callable[..., "Ran"]  # noqa: F821  (a fixture's class)


@pytest.fixture
def here(shop_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, with the shop's events in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "events.csv").write_text((shop_files / "events.csv").read_text().replace('"', ""))
    return tmp_path


TRAIN = "train events.csv --model ease --out x"
TUNE = "tune events.csv --model ease --trials 2"
COMPARE = "compare events.csv --models"


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (f"{TRAIN} --metrics rmse", 1, "ease doesn't predict ratings, so rmse can't be measured"),
        (f"{TUNE} --metric rmse", 1, "ease doesn't predict ratings"),
        ("curve events.csv --model ease --metrics rmse", 1, "ease doesn't predict ratings"),
        (f"{TUNE} --out .", 1, ". is a folder; name a file for the study."),
        (f"{TUNE} --out events.csv", 1, "isn't a study of cofactor tune"),
        (f"{TUNE} --test 0", 1, "--test must be above 0, not 0: tune searches"),
        (f"{TUNE} --search keep=1..2 --search keep=1..3", 1, "--search gives keep twice"),
        (f"{TUNE} --search keep=2..1", 1, "--search keep=2..1: a range must go upwards"),
        (f"{COMPARE} =ease", 1, "must be written NAME or LABEL=NAME"),
        (f"{COMPARE} mine=", 1, "must be written NAME or LABEL=NAME"),
        (f"{COMPARE} ,", 1, "--models must name at least one model"),
        (f"{COMPARE} ease --rerank ;", 1, "--rerank holds no rule"),
        ("train events.csv --out --overwrite", 2, "--out has no value: what follows it is the"),
        (f"{COMPARE} ease --report --json", 2, "--report has no value"),
        (f"{TRAIN} --regularization 5", 2, "it is a setting of ease: --set regularization=VALUE"),
        (f"{TRAIN} --factors 5", 2, "no such option: --factors"),
        (f"{TRAIN} --refit --no-refit", 2, "--refit and --no-refit contradict each other"),
        (f"{TRAIN} --no-header -q --header", 2, "--header and --no-header contradict"),
        ("train events.csv --engine ray --address --json", 2, "--address has no value"),
        (f"{TRAIN} --address a:1", 1, "--address must go with an engine; give --engine ray too"),
        (f"{TRAIN} --exchange reduce", 1, "--exchange must go with an engine"),
        ("curve events.csv --model ease --counts 9999", 1, "--counts must be below"),
        ("retrain MODEL events.csv --out MODEL/new", 1, "lies in the saved model"),
        ("train events.csv --model ease --out MODEL/a/b", 1, "lies in the saved model"),
        ("retrain MODEL events.csv --out x --forget ,", 1, "--forget holds no user id"),
        ("retrain MODEL MODEL --out x", 1, "it is a saved model, not data"),
        ("shard MODEL --out x", 1, "it is a saved model, not data"),
        ("recommend MODEL --user USER,USER2 --explain", 2, "--explain is for one user"),
        ("events import sqlite:///x events.csv --kind Buy!", 1, "--kind must be 1 to 32 lower"),
        ("events import sqlite:///x nothing.csv", 1, "there is no such file"),
    ],
)
def test_it_is_refused_before_the_work(
    cofactor: Run, trained: Path, here: Path, words: str, code: int, sentence: str
) -> None:
    users = (here / "events.csv").read_text().split()[1:]
    one, other = sorted({line.split(",")[0] for line in users})[:2]
    places = {"MODEL": str(trained), "USER2": other, "USER": one}
    for name, place in places.items():
        words = words.replace(name, place)
    ran = cofactor(*words.split())
    assert (ran.code, sentence in ran.sentence) == (code, True), ran.err
    assert "fitting" not in ran.err
    assert [path.name for path in here.iterdir()] == ["events.csv"]


def test_lists_are_computed_once_their_file_was_found_good(
    cofactor: Run, trained: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cofactor.models.recommender import Recommender

    user = (here / "events.csv").read_text().split()[1].split(",")[0]
    assert cofactor("recommend", trained, "--user", user, "--out", "LISTS.CSV").code == 0
    monkeypatch.setattr(Recommender, "recommend", None)
    for place, sentence in (("x.xlsx", "--out must end in"), ("no/x.csv", "No such file")):
        ran = cofactor("recommend", trained, "--user", user, "--out", place)
        assert (ran.code, sentence in ran.sentence) == (1, True), ran.err


def test_one_count_of_a_curve_needs_no_comparison(cofactor: Run, here: Path) -> None:
    ran = cofactor("curve", "events.csv", "--model", "popularity", "--counts", "1", "--json")
    assert (ran.code, list(ran.json["points"])) == (0, ["1"])


def test_users_to_forget_that_nobody_is_are_said(cofactor: Run, trained: Path, here: Path) -> None:
    lines = (here / "events.csv").read_text().splitlines()
    users = sorted({line.split(",")[0] for line in lines[1:]})
    header, last = lines[0].split(","), lines[-1].split(",")
    assert header[-1] == "timestamp"
    news = ",".join([*last[:-1], str(int(last[-1]) + 9999)])
    (here / "new.csv").write_text(f"{lines[0]}\n{news}\n")
    again = ("retrain", trained, "new.csv", "--forget", f"{users[0]},nobody", "--overwrite")
    ran = cofactor(*again, "--out", "x", "--test", "0")
    assert ran.code == 0, ran.err
    assert "--forget: 1 of 2 ids forget nobody: unknown user 'nobody'" in ran.out
    ran = cofactor(*again, "--out", "x", "--test", "0", "--json")
    assert ran.json["unknown_forgotten"] == ["nobody"]
    assert cofactor("recommend", "x", "--user", users[0]).code == 1
    assert cofactor("recommend", "x", "--user", users[1]).code == 0


def test_a_backup_replaces_no_file_that_is_none(cofactor: Run, here: Path) -> None:
    assert cofactor("events", "import", "sqlite:///e.db", "events.csv").code == 0
    for place, code in (("b.db", 0), ("b.db", 0), ("events.csv", 1)):
        ran = cofactor("events", "backup", "sqlite:///e.db", place, "--overwrite")
        assert ran.code == code, ran.err
    assert "holds something other than a backup" in ran.sentence


def test_a_small_file_that_has_no_room_is_named(tmp_path: Path) -> None:
    target, before = tmp_path / "current", resource.getrlimit(resource.RLIMIT_FSIZE)
    target.write_text("v1")
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(CofactorError, match=r"current can't be written: .*was there stays"):
            replace_file(target, b"v2")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert target.read_text() == "v1"


def test_a_path_at_home_is_found_wherever_it_is_given(
    cofactor: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(here))
    (here / "away").mkdir()
    monkeypatch.chdir(here / "away")
    (here / "items.csv").write_text("item_id,title\nbook-01,One\n")
    (here / "users.txt").write_text("reader-001\n")
    source = ("~/events.csv", "--model", "popularity")
    for words in (
        ("train", *source, "--items", "~/items.csv", "--out=~/m", "--runs=~/r"),
        ("compare", "~/events.csv", "--models", "popularity,bias", "--report=~/r.html"),
        ("recommend", "~/m", "--users=~/users.txt", "--out", "~/lists.csv"),
        ("events", "import", "sqlite:///~/e.db", "~/items.csv", "--items"),
        ("events", "export", "sqlite:///~/e.db", "~/e.jsonl"),
    ):
        ran = cofactor(*words)
        assert ran.code == 0, ran.err
    assert list(Path().iterdir()) == []
    assert {"m", "r", "r.html", "lists.csv", "e.jsonl"} <= {path.name for path in here.iterdir()}


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b'"reader-001"\n"reader-002"\n', 0, "reader-002"),
        (b"user_id\nreader-001\n", 1, "unknown user 'user_id'; "),
        (b"user_id\nreader-001\n", 1, "If that is a heading, leave it out."),
        (b"reader-001\nnobody\n", 1, "--history ID,ID,... takes"),
        (b"\x1f\x8b\x08\x00rest", 1, "users.txt: the packed stream ends before its end marker"),
    ],
)
def test_a_file_of_users_as_tools_write_it(
    cofactor: Run, trained: Path, here: Path, content: bytes, code: int, said: str
) -> None:
    (here / "users.txt").write_bytes(content)
    ran = cofactor("recommend", trained, "--users", "users.txt", "-k", "1")
    assert (ran.code, said in ran.out + ran.err) == (code, True), ran.err


def test_ctrl_c_says_that_a_training_can_be_resumed(
    cofactor: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cofactor.cli import train_command

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train_command, "train", interrupted)
    words = ("train", "events.csv", "--model", "bpr", "--out", "x")
    for more, said in (((), "nothing was saved."), (("--resume",), "goes on from the last epoch")):
        ran = cofactor(*words, *more)
        assert (ran.code, said in ran.sentence) == (130, True), ran.err
