"""What a terminal shows: tables and help that fit 80 columns, colours, completion, what is said."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import pytest
from rich.console import Console

import cofactor as package
from cofactor.base.errors import ArgumentError
from cofactor.base.progress import SilentProgress
from cofactor.base.run import Run
from cofactor.cli import output as output_module
from cofactor.cli.main import COMMANDS, EXAMPLES, main
from cofactor.cli.output import Output, wrapped
from cofactor.cli.tables import print_table
from cofactor.data.synthetic import shop
from cofactor.kernels.cpu import jit
from cofactor.metrics.formulas import FORMULAS
from cofactor.metrics.table import METRICS
from log_records import LogRecords

ROOT = Path(__file__).parents[2]
COMPARED = [
    {
        "model": name,
        "ndcg@10": "0.4227 ± 0.0064",
        "recall@20": "0.2698 ± 0.0042",
        "auc": "0.8967 ± 0.0019",
        "coverage@10": 0.3265,
        "fit s": 21.85,
        "p vs best": "< 1e-16",
    }
    for name in ("popularity", "logistic_mf", "big=ials:factors=256;epochs=4")
]


def printed(rows: Any, width: int, **how: Any) -> str:
    text = io.StringIO()
    console = Console(file=text, width=width, highlight=False, **how)
    print_table(rows, best=how.pop("best", 1), console=console)
    return text.getvalue()


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_comparison_fits_and_no_word_is_cut(width: int) -> None:
    text = printed(COMPARED, width)
    assert max(map(len, text.splitlines())) <= width
    for row in COMPARED:
        for name, value in row.items():
            shown = f"{value:.4f}" if name == "coverage@10" else str(value)
            assert re.search(rf"(^|\s){re.escape(name)}(\s|$)", text, re.MULTILINE), name
            assert shown in text or f"{value:,.1f}" in text
    # Each part begins with the models again.
    parts = text.count("popularity")
    assert parts == 1 if width == 200 else parts > 1


def test_prose_wraps_between_words() -> None:
    rows = [{"setting": "a" * 20, "meaning": "some rather long words " * 6, "range": ">= 0"}]
    text = printed(rows, 70)
    assert max(map(len, text.splitlines())) <= 70
    words = re.findall(r"[a-z]+", text)
    assert words.count("rather") == 6
    assert words.count("words") == 6


def test_a_column_in_which_nothing_stands_is_left_out() -> None:
    text = printed([{"model": "ease", "note": "", "seconds": 0.1}], 80)
    assert "note" not in text
    assert "0.10" in text
    assert "0.1000" not in text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("indent", ["", "  ", "  - "])
def test_indented_notes_and_errors_fit_a_terminal(
    indent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    text = f"first\n{indent}" + "a note that is longer than a line of the terminal; " * 2 + "end"
    lines = wrapped(text, Terminal()).splitlines()
    assert max(map(len, lines)) <= 40
    assert lines[0] == "first"
    assert lines[1].startswith(indent + "a note")
    assert all(line.startswith(" " * len(indent)) for line in lines[2:])
    assert wrapped(text, io.StringIO()) == text


def test_the_best_line_is_coloured_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    how: dict[str, Any] = {"force_terminal": True, "color_system": "standard"}
    (line,) = (row for row in printed(COMPARED, 200, **how).splitlines() if "logistic_mf" in row)
    assert "\x1b[1;32m" in line
    assert "\x1b[" not in printed(COMPARED, 200)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "32m" not in printed(COMPARED, 200, **how)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_help_fits_eighty_columns_and_has_an_example(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert f"Example: {EXAMPLES[name]}" in " ".join(text.split())
    assert not re.search("<[a-z]", text)  # Python's types
    assert "[[" not in text


def test_options_come_in_the_order_of_need(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--help"]) == 0
    text = capsys.readouterr().out
    wanted = ["--model ", "--set ", "--out ", "--budget ", "--overwrite ", "--split ", "--json "]
    places = [text.index(name) for name in [*wanted, "--help "]]
    assert places == sorted(places)


def test_the_metrics_are_listed_with_their_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    assert FORMULAS.keys() == METRICS.keys()
    assert main(["metrics", "--json"]) == 0
    rows = {row["metric"]: row for row in json.loads(capsys.readouterr().out)["metrics"]}
    assert rows["recall@k"]["better"] == "higher"
    assert rows["rmse"]["better"] == "lower"
    assert "ndcg, ndcg@k" in rows
    assert main(["metrics"]) == 0
    assert "hits@k / n" in capsys.readouterr().out


def completed(line: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What bash offers behind a line."""
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    words = line.split(" ")
    listed = " ".join(f"'{word}'" for word in words)
    asked = (
        f"{script}\nCOMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}; _cofactor;"
        ' printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", asked], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_completes_commands_options_and_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert completed("cofactor tr", capsys) == ["train"]
    assert set(completed("cofactor ", capsys)) >= set(COMMANDS)
    assert completed("cofactor train a.csv --max-m", capsys) == ["--max-memory"]
    assert completed("cofactor train a.csv --model item", capsys) == ["item_knn"]
    assert completed("cofactor compare a.csv --models ease,ia", capsys) == ["ease,ials"]
    assert completed("cofactor evaluate m --metrics rec", capsys) == ["recall@10"]
    assert completed("cofactor train a.csv --device cu", capsys) == ["cuda"]
    assert completed("cofactor events im", capsys) == ["import"]
    assert completed("cofactor events import u f --k", capsys) == ["--kind"]
    assert completed("cofactor events prune u --k", capsys) == ["--keep-impressions"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for word in ("train", "max-memory", "item_knn", "ndcg@10"):
        assert word in script
    if shutil.which(shell):
        done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_an_unknown_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 1
    assert "bash" in capsys.readouterr().err


class Said(SilentProgress):
    """A progress that keeps what is said."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def say(self, text: str) -> None:
        self.sentences.append(text)


def test_a_device_that_a_model_cannot_use_is_said(caplog: LogRecords) -> None:
    data, said = shop(n_users=20, n_items=20, seed=0), Said()
    package.EASE().fit(data, run=Run(device="cuda", threads=1, progress=said))  # type: ignore[arg-type]
    assert any("ease is computed on the CPU" in one for one in said.sentences)
    package.EASE().fit(data, run=Run(device="cuda", threads=1))
    package.EASE().fit(data, run=Run(device="cpu", threads=1))
    assert len(caplog.records) == 1
    with pytest.raises(ArgumentError, match="device must be auto, cpu"):
        Run(device="tpu")


def test_models_that_compute_in_pytorch_take_the_device() -> None:
    pytest.importorskip("torch")
    from cofactor.models import registry

    cpu = {n for n, e in registry.MODELS.items() if not registry.get(n).uses_device}
    used = {n for n, e in registry.MODELS.items() if registry.get(n).uses_device}
    assert {"ease", "bpr", "feature_ials", "transitions", "bayesian_mf"} <= cpu
    assert {n for n, e in registry.MODELS.items() if e.family == "neural"} <= used
    assert {"ials", "two_tower", "transformer", "gru4rec", "lstm_rating", "bridge", "blend"} <= used


def test_compilation_is_said_once_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit, "_announced", [])
    said: list[str] = []
    for _ in range(2):  # fitting and measuring, say
        with jit.compilation_shown(said.append):
            numba.njit(lambda x: x + 1.0)(1.0)
    assert said == ["compiling kernels (once on this machine; kept on disk)"]


def test_compilation_is_said_by_a_command(tmp_path: Path) -> None:
    lines = [f"u{u},i{u * k % 7}" for u in range(9) for k in range(1, 5)]
    (tmp_path / "buys.csv").write_text("\n".join(["user,item", *lines]))
    command = ["train", "buys.csv", "--model", "ease", "--test", "0", "--threads", "1"]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    # A home of its own: nothing compiled is found.
    env |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "cofactor", *command],
        capture_output=True,
        text=True,
        env=env,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("compiling kernels") == 1
    assert "compiled" not in done.stderr


def test_long_sentences_break_between_words_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    sentence = "Held out: twenty per cent of each user's interactions for the test, by chance."
    command = "cofactor train somewhere/with/a/long/path.csv --model ials --out model"
    Output().line(sentence)
    assert capsys.readouterr().out == sentence + "\n"
    monkeypatch.setattr(output_module.sys.stdout, "isatty", lambda: True)
    Output().line(sentence)
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= 40
    assert " ".join(told.split()) == sentence
    Output().command(command)
    assert capsys.readouterr().out == f"  {command}\n"


def test_a_bar_without_a_known_end_shows_how_much_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("FORCE_COLOR", "1")
    for total, shown in ((None, "1,200"), (2400, "1200/2400")):
        with output_module._Terminal(bars=True).task("reading a.csv", total) as task:
            task.advance(1200)
        assert shown in screen.getvalue()
    assert "?" not in re.sub(r"\x1b\[\S*?[A-Za-z]", "", screen.getvalue())


def test_waiting_is_a_line_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Output().waiting("loading model ..."):
        pass
    assert capsys.readouterr().err == "· loading model ...\n"
    with Output(quiet=True).waiting("loading model ..."):
        pass
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("action", "own", "others"),
    [
        ("events import", "--kind", "--user --keep-impressions --overwrite"),
        ("events export", "--user", "--kind --rejects --keep-impressions"),
        ("events prune", "--keep-impressions", "--items --kind --overwrite"),
        ("experiment start", "--arms", "--store --force"),
        ("experiment roll-out", "--force", "--arms --window"),
    ],
)
def test_an_action_shows_its_own_options_and_an_example(
    action: str, own: str, others: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*action.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert own in text
    assert not [other for other in others.split() if other in text]
    assert f"Example: cofactor {action} " in text


def test_the_list_of_commands_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_a_remark_names_options_and_comes_once(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    for _ in range(3):
        output.progress.say("3 of 9 are 0: leave them out with min_value=1")
    said = capsys.readouterr().err.splitlines()
    assert said == ["· 3 of 9 are 0: leave them out with --min-value 1"]
