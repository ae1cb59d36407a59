"""Options in groups stand one by one on the command line, under the group's heading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from cofactor.cli.groups import expanded, option

SEEN: list[tuple[str, Compute, Show, bool]] = []


@dataclass(frozen=True)
class Threads:
    """Threads."""

    threads: int = option(0, "Native threads.")


@dataclass(frozen=True)
class Compute:
    """Computation."""

    more: Threads
    seed: Annotated[int, typer.Option(help="The seed.")] = 7


@dataclass(frozen=True)
class Show:
    """Output."""

    plot: str = option(..., "A file. Required.", metavar="FILE")
    plain_text: bool = option(False, "No colours.")
    titles: bool = option(True, "Titles too.")
    set_: str | None = option(None, "A setting.", "--set")


def command(
    source: Annotated[str, typer.Argument(metavar="SOURCE")],
    compute: Compute,
    show: Show,
    quiet: Annotated[bool, typer.Option("--quiet", "-q")] = False,
) -> None:
    """Do it."""
    SEEN.append((source, compute, show, quiet))


def run(*words: str) -> tuple[int, str]:
    app = typer.Typer(add_completion=False)
    app.command()(expanded(command))
    done = CliRunner().invoke(app, words)
    return done.exit_code, done.output


def test_options_of_groups_are_passed_as_groups() -> None:
    assert run("a.csv", "--plot", "p.html", "--threads", "2", "-q")[0] == 0
    assert SEEN[-1] == ("a.csv", Compute(Threads(threads=2), 7), Show(plot="p.html"), True)
    assert run("b.csv", "--plot", "p.html", "--seed", "3")[0] == 0
    assert SEEN[-1] == ("b.csv", Compute(Threads(), 3), Show(plot="p.html"), False)


def test_a_required_option_of_a_group_is_required() -> None:
    code, said = run("a.csv")
    assert code == 2
    assert "--plot" in said


def test_the_help_has_a_heading_for_each_group() -> None:
    code, said = run("--help")
    assert code == 0
    for words in ("Computation", "Threads", "Output", "--seed", "The seed.", "--plot", "SOURCE"):
        assert words in said


def test_a_flag_that_is_off_has_no_opposite() -> None:
    assert run("a.csv", "--plot", "p", "--plain-text", "--no-titles", "--set", "x")[0] == 0
    assert SEEN[-1][2] == Show(plot="p", plain_text=True, titles=False, set_="x")
    assert run("a.csv", "--plot", "p", "--no-plain-text")[0] == 2


def test_one_option_in_two_groups_is_refused() -> None:
    def twice(one: Compute, other: Threads) -> None:
        """Declare --threads twice."""

    twice.__annotations__ = {"one": Compute, "other": Threads}
    with pytest.raises(TypeError, match=r"the options \['threads'\] twice"):
        expanded(twice)
