"""What commands do when something is wrong: one sentence, exit codes, no half results."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import forked
from cofactor.base import signals
from cofactor.base.signals import Terminated
from cofactor.cli import main as main_module
from cofactor.cli import output

Run = Callable[..., "Ran"]  # noqa: F821  (a fixture's class)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["train", "EVENTS", "--model", "eese", "--out", "OUT"],
            "unknown model 'eese'; did you mean ease?",
        ),
        (
            ["train", "EVENTS", "--model", "ease", "--out", "OUT", "--metrics", "ndgc@10"],
            "did you mean ndcg@10",
        ),
        (
            ["train", "EVENTS", "--model", "ease", "--out", "OUT", "--set", "regularisation=1"],
            "did you mean regularization?",
        ),
        (
            ["train", "EVENTS", "--model", "ease", "--out", "OUT", "--set", "regularization=-1"],
            "must be a finite number",
        ),
        (
            ["train", "EVENTS", "--model", "ease", "--out", "OUT", "--set", "regularization"],
            "must be written NAME=VALUE",
        ),
        (["train", "ml-100", "--model", "ease", "--out", "OUT"], "did you mean ml-100k"),
        (
            ["train", "EVENTS", "--model", "ease", "--out", "EVENTS"],
            "isn't a saved model; choose another place",
        ),
        (["train", "EVENTS", "--model", "ease", "--out", "EVENTS/x"], "can't write to"),
        (["train", "EVENTS", "--model", "ease", "--out", "MODEL"], "holds a model already"),
        (
            ["train", "EVENTS", "--model", "ease", "--out", "OUT", "--columns", "user=nobody"],
            "unknown column of",
        ),
        (
            ["train", "EVENTS", "--model", "ease", "--out", "OUT", "--columns", "usr=x"],
            "unknown role of a column 'usr'",
        ),
        (
            ["train", "EVENTS", "--model", "ease", "--out", "OUT", "--split", "tim"],
            "did you mean time",
        ),
        (
            ["train", "EVENTS", "--model", "ease", "--out", "OUT", "--repeats", "first"],
            "it must be one of keep, last, max, mean, sum",
        ),
        (
            ["train", "EVENTS", "--model", "ease", "--out", "OUT", "--seed", "-1"],
            "--seed must be an integer",
        ),
        (["recommend", "MODEL", "--user", "nobody"], "unknown user 'nobody'"),
        (["recommend", "MODEL", "--history", "nothing,book-01"], "unknown item 'nothing'"),
        (["recommend", "MODEL", "--history", "book-01:x"], "unknown item"),
        (
            ["recommend", "MODEL", "--history", "book-01", "-k", "0"],
            "-k must be an integer at least 1, not 0",
        ),
        (
            ["recommend", "MODEL", "--history", "book-01", "--where", "yaer > 3"],
            "did you mean year?",
        ),
        (["recommend", "MODEL", "--all-users", "--out", "x.txt"], "out must end in"),
        (["recommend", "OUT", "--user", "1"], "doesn't exist"),
        (["similar", "MODEL", "--title", "zzzz qqqq"], "no title holds all of the words"),
        (["similar", "MODEL", "--item", "nothing"], "unknown item 'nothing'"),
        (
            ["compare", "EVENTS", "--models", "ease", "--no-baselines"],
            "at least two different models",
        ),
        (["compare", "EVENTS", "--models", "ease,bprr"], "did you mean bpr"),
        (
            ["compare", "EVENTS", "--models", "ease,popularity", "--set", "factors=3"],
            "MODEL.NAME=VALUE",
        ),
        (["evaluate", "MODEL", "EVENTS", "--metrics", "ndcg@x"], "ndcg@x"),
        (["datasets", "show", "ml-100"], "did you mean ml-100k"),
        (["models", "eas"], "did you mean ease"),
        (["inspect", "EVENTS"], "is a file"),
        *(
            (["train", "EVENTS", "--model", "ease", "--out", "OUT", *words], sentence)
            for words, sentence in (
                (["--test", "nan"], "--test must be a finite number at least 0, not nan"),
                (["--test=-0.2"], "--test must be a finite number at least 0, not -0.2"),
                (["--validation=-1"], "--validation must be a finite number at least 0"),
                (["--split", "leave-last", "--test", "1.5"], "must be a whole number"),
                (["--format", "csv"], "did you mean delimited?"),
            )
        ),
    ],
)
def test_a_failure_is_one_sentence_with_the_cure_and_exit_1(
    cofactor: Run, trained: Path, shop_files: Path, tmp_path: Path, words: list[str], sentence: str
) -> None:
    places = {
        "EVENTS": str(shop_files / "events.csv"),
        "MODEL": str(trained),
        "OUT": str(tmp_path / "out"),
    }
    done = cofactor(*[places.get(w, w.replace("EVENTS/", places["EVENTS"] + "/")) for w in words])
    assert done.code == 1
    assert sentence in done.sentence
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["train"],
        ["recommend", "x"],
        ["similar", "x"],
        ["train", "x", "--nonsense"],
        ["datasets", "eat"],
        ["trian"],
        ["similar", "x", "-k", "a"],
        ["recommend", "x", "--user", "u", "--where", "year > 3", "--where", "year < 5"],
        ["train", "x", "--seed", "1", "--seed=1"],
        ["events", "count", "x"],
    ],
)
def test_wrong_usage_exits_with_2(cofactor: Run, words: list[str]) -> None:
    done = cofactor(*words)
    assert done.code == 2
    assert "Traceback" not in done.err


def test_debug_shows_the_traceback(cofactor: Run) -> None:
    from cofactor.base.errors import UnknownNameError

    with pytest.raises(UnknownNameError):
        cofactor("models", "eas", "--debug")


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Signals as the command line takes them; afterwards as they were."""
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    # Whoever started the tests may have had it ignored (a shell's `&` does).
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signals.take()
    try:
        yield
    finally:
        signals.heard()
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.usefixtures("taken")
@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("ended", [signal.SIGINT, signal.SIGTERM])
def test_signals_leave_no_half_model(
    ended: signal.Signals,
    twice: bool,
    cofactor: Run,
    shop_files: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def end_in_the_middle(written: Path) -> None:
        assert len(list(written.parent.iterdir())) > 3
        try:
            signal.raise_signal(ended)  # to this thread, and so at once
        finally:
            if twice:
                signal.raise_signal(ended)

    monkeypatch.setattr("cofactor.artifact.save.sync", end_in_the_middle)
    words = ("train", shop_files / "events.csv", "--model", "popularity", "--out", tmp_path / "m")
    if ended == signal.SIGINT:
        done = cofactor(*words)
        assert done.code == 130
        assert done.err.endswith("interrupted; nothing was saved.\n")
    else:
        with pytest.raises(Terminated):
            cofactor(*words)
        signals.heard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("taken")
@pytest.mark.parametrize("ended", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("what", [AttributeError("partly loaded"), SystemExit(130)])
def test_a_signal_of_which_a_module_made_another_failure_is_still_one(
    ended: signal.Signals,
    what: BaseException,
    cofactor: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def swallowed(*_: object) -> None:
        with contextlib.suppress(KeyboardInterrupt, Terminated):
            signal.raise_signal(ended)
        raise what

    monkeypatch.setattr("cofactor.cli.main._command", swallowed)
    if ended == signal.SIGTERM:
        with pytest.raises(Terminated):
            cofactor("models")
    else:
        done = cofactor("models")
        assert done.code == 130
        assert done.sentence == "interrupted; nothing was saved."


@pytest.mark.usefixtures("taken")
@pytest.mark.parametrize(
    ("words", "called", "said"),
    [
        (["import", "URL", "EVENTS"], "import_interactions", "what was stored by then is kept"),
        (["export", "URL", "FILE"], "export_events", "nothing was saved."),
        (["backup", "URL", "FILE"], "backup", "nothing was saved."),
        (["restore", "FILE", "URL"], "restore", "wasn't put in place"),
        (["prune", "URL", "--max-impressions", "1"], "prune_impressions", "what was deleted by"),
    ],
)
def test_an_interrupted_action_of_the_store_says_what_became_of_its_own_work(
    words: list[str],
    called: str,
    said: str,
    cofactor: Run,
    shop_files: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = {
        "URL": f"sqlite:///{tmp_path}/events.db",
        "EVENTS": str(shop_files / "events.csv"),
        "FILE": str(tmp_path / "file.jsonl"),
    }
    assert cofactor("events", "import", places["URL"], places["EVENTS"]).code == 0
    monkeypatch.setattr(f"cofactor.store.{called}", lambda *_, **__: signal.raise_signal(2))
    done = cofactor("events", *[places.get(word, word) for word in words])
    assert done.code == 130
    assert done.err.startswith("cofactor: interrupted; ")
    assert said in done.err


@pytest.mark.usefixtures("taken")
def test_an_end_is_said_once_and_nothing_changes_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(code: int) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        raise SystemExit(code)

    for before in (True, False):
        monkeypatch.setattr(main_module.os, "_exit", ended)
        monkeypatch.setattr(main_module.sys, "exit", ended)

        def command(*_: object, before: bool = before) -> int:
            if before:
                signal.raise_signal(signal.SIGINT)
            return 0

        monkeypatch.setattr(main_module, "main", command)
        monkeypatch.setattr(main_module.sys, "argv", ["cofactor", "models"])
        with pytest.raises(SystemExit) as caught:
            main_module.run()
        assert caught.value.code == (130 if before else 0)
        said = "cofactor: interrupted; nothing was saved.\n" if before else ""
        assert capsys.readouterr().err == said
        signal.signal(signal.SIGINT, signal.default_int_handler)


def saying_when_it_trains(*words: str) -> None:
    """``cofactor WORD ...``, which prints a line at each step of its training."""
    output._LineTask.advance = lambda *_, **__: print("a step", flush=True)  # type: ignore[method-assign]
    forked.command(*words)


@pytest.mark.skipif(not forked.POSSIBLE, reason="Windows can't be handed the ends of a pipe")
def test_a_killed_training_leaves_no_model_in_place(shop_files: Path, tmp_path: Path) -> None:
    words = [
        "train",
        str(shop_files / "events.csv"),
        "--model",
        "bpr",
        "--out",
        str(tmp_path / "m"),
        "--set",
        "epochs=100000",
    ]
    process = forked.Forked(saying_when_it_trains, *words)
    try:
        assert "a step\n" in process.stdout
    finally:
        process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "m").exists()


def test_a_deleted_current_folder_is_named(
    cofactor: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for words in (("events", "stats", "sqlite:///e.db"), ("inspect", "m"), ("describe", "e.csv")):
        done = cofactor(*words)
        assert done.code == 1
        assert "the current folder was deleted" in done.err


def test_a_place_in_a_filter_has_its_caret_below_it(cofactor: Run, trained: Path) -> None:
    where = "year > 1990 and yaer < 3"
    done = cofactor("recommend", trained, "--history", "book-01", "--where", where)
    sentence, text, caret = done.err.splitlines()
    assert sentence.startswith("cofactor: can't read the filter at character 17:")
    assert text.strip() == where
    assert text[caret.index("^") :] == "yaer < 3"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["similar", "x", "-k", "ten"],
            "-k must be an integer, not 'ten'; see `cofactor similar --help`.",
        ),
        (
            ["train", "x", "--test", "20%"],
            "--test must be a number, not '20%'; see `cofactor train --help`.",
        ),
        (["train", "--test", "0"], "missing argument 'SOURCE'; see `cofactor train --help`."),
        (["train", "x", "--epochs", "3"], "no such option: --epochs"),
        (["tune", "x", "--out", "s.db"], "missing option '--model'"),
        (["models", "a", "b"], "(b); see `cofactor models --help`."),
        (
            ["recommend", "x"],
            "give one of --user, --users, --history and --all-users; see"
            " `cofactor recommend --help`.",
        ),
        (["train", ""], "SOURCE is empty; give a value; see `cofactor train --help`."),
        (["events"], "missing command; see `cofactor events --help`."),
        (
            ["events", "backup", "u"],
            "missing argument 'FILE'; see `cofactor events backup --help`.",
        ),
    ],
)
def test_wrong_usage_is_one_sentence_too(cofactor: Run, words: list[str], sentence: str) -> None:
    done = cofactor(*words)
    assert done.code == 2
    assert sentence in done.sentence
    assert done.err.count("\n") == 1
