"""Every Python example of the docs and the README runs, file by file, in order, in an empty
folder, and prints what the page shows; every command exists and takes the options shown; every link
leads somewhere.
"""

from __future__ import annotations

import argparse
import posixpath
import re
import runpy
import shlex
import sys
import types
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
import typer
from tools import mkdocs_hooks

from cofactor import BPR, SVDpp
from cofactor.cli.app import app_of
from cofactor.models import registry
from cofactor.training.losses import LOSSES

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


_BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```\n(.*?)^```)?", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.(\d+))?")


@pytest.mark.parametrize(
    "page", [p for p in PAGES if _BLOCK.search(p.read_text(encoding="utf-8"))], ids=page_name
)
def test_examples_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    module = types.ModuleType("docs_example")
    monkeypatch.setitem(sys.modules, "docs_example", module)
    with patch.dict(LOSSES):  # an example registers one, which later tests shouldn't find
        for match in _BLOCK.finditer(text):
            line = text[: match.start(1)].count("\n")
            code = "\n" * line + match.group(1)
            exec(compile(code, str(page), "exec"), module.__dict__)
            printed = capsys.readouterr()
            # What fails in a thread of its own is only printed.
            assert "Traceback" not in printed.err
            if match.group(2) is not None:
                assert_as_shown(printed.out, match.group(2))


def assert_as_shown(printed: str, shown: str) -> None:
    """Words are those of the page; fractions nearly, since processors round training differently,
    which whole numbers (ids, epochs) may show too.
    """
    assert _NUMBER.sub("#", printed).split() == _NUMBER.sub("#", shown).split()
    pairs = zip(_NUMBER.finditer(printed), _NUMBER.finditer(shown), strict=True)
    for ours, theirs in pairs:
        if theirs.group(1):
            assert float(ours.group()) == pytest.approx(float(theirs.group()), rel=0.05, abs=0.02)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as the site's generator makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    found: set[str] = set()
    for title in re.findall(r"^#+ (.*)", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        found.add(re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower()))
    return found


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", text):
        if not target.startswith(("http:", "https:", "mailto:")):
            file = page.parent / target if target else page
            assert file.exists(), f"{page.name} links to {target}, which doesn't exist"
            assert not anchor or anchor in anchors(file), f"{target} has no heading #{anchor}"


@pytest.mark.parametrize("page", PAGES[1:], ids=page_name)
def test_links_of_the_site_stay_in_the_site(page: Path) -> None:
    """The site's generator knows the files of docs, and those that its hooks add."""
    docs = ROOT / "docs"
    name = page.relative_to(docs).as_posix()
    known = {p.relative_to(docs).as_posix() for p in docs.rglob("*")} | set(mkdocs_hooks.added())
    text = mkdocs_hooks.on_page_markdown(
        page.read_text(encoding="utf-8"), SimpleNamespace(file=SimpleNamespace(src_uri=name))
    )
    targets = set(re.findall(r"\]\(([^)#\s]+)", text))
    inside = {t for t in targets if not t.startswith(("http:", "https:", "mailto:"))}
    folder = posixpath.dirname(name)
    assert {posixpath.normpath(posixpath.join(folder, target)) for target in inside} <= known


def test_every_picture_is_on_a_page() -> None:
    shown = set(re.findall(r"images/([\w.]+)\)", "".join(p.read_text("utf-8") for p in PAGES)))
    assert shown == {path.name for path in (ROOT / "docs" / "images").iterdir()}


def test_the_page_of_the_service_names_every_view() -> None:
    page = ROOT / "src" / "cofactor" / "service" / "page" / "main.js"
    views = re.findall(r'\["([A-Z][a-z ]+)", \w+\]', page.read_text(encoding="utf-8"))
    table = (ROOT / "docs" / "service.md").read_text(encoding="utf-8").partition("| View |")[2]
    assert len(views) > 6
    assert re.findall(r"^\| ([A-Z][a-z ]+) \|", table.partition("\n\n")[0], re.M) == views


def test_the_models_that_the_page_says_to_be_searched_have_a_search_space() -> None:
    text = (ROOT / "docs" / "guides" / "tune.md").read_text(encoding="utf-8")
    named = re.findall(r"`(\w+)`", text.partition("## What is searched")[2].split("declare")[0])
    assert set(named) == {name for name in registry.names() if registry.get(name).Config.search}


def commands_of(text: str) -> list[list[str]]:
    """Return the words of every command that a page shows, in its blocks and in its sentences."""
    blocks = "".join(re.findall(r"^ *```\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL))
    sentences = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = blocks.replace("\\\n", " ").splitlines()
    lines += [code.replace("\n", " ") for code in re.findall(r"`([^`]+)`", sentences)]
    found = []
    for line in lines:
        first = _COMMAND.match(line.strip())
        if first:
            words = shlex.split(line.strip()[first.start(1) :], comments=True)
            ends = (n for n, word in enumerate(words) if word in ("|", ">", ">>", "&&", "..."))
            found.append(words[: next(ends, None)])
    return found


_COMMAND = re.compile(r"(?:[A-Z_]+=\S+ |taskset -c \S+ |\$ )*((?:cofactor|python|make) [a-z-])")
COMMANDS_SHOWN = sorted(
    {tuple(w) for p in PAGES for w in commands_of(p.read_text(encoding="utf-8"))}
)


@pytest.mark.parametrize(
    "words", [w[1:] for w in COMMANDS_SHOWN if w[0] == "cofactor"], ids=" ".join
)
def test_a_command_that_the_pages_show_takes_these_options(words: tuple[str, ...]) -> None:
    from cofactor.cli.main import COMMANDS

    if words[0] in ("--help", "--version"):
        return
    assert words[0] in COMMANDS
    command: Any = typer.main.get_command(app_of(words[0]))
    rest = list(words[1:])
    if rest[:1] and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]
    # Words are parsed as they are typed; a mention may leave out a source, or an option's value.
    typed = [*(word for word in rest if word != "--debug"), "1"]
    command.make_parser(typer.Context(command)).parse_args(typed)


def options_of(command: Any) -> set[str]:
    """Return the options of a command and of its actions."""
    own = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    return own.union(*map(options_of, getattr(command, "commands", {}).values()))


def test_an_option_that_the_pages_name_exists() -> None:
    """Those within a longer piece of code belong to a command, which is tested above."""
    from cofactor.cli.main import COMMANDS

    known = {"--help", "--version", "--debug"}
    known.update(*(options_of(typer.main.get_command(app_of(name))) for name in COMMANDS))
    scripts = [ROOT / w[0] for w in SCRIPTS if (ROOT / w[0]).is_file()]
    scripts += (ROOT / "benchmarks").glob("*.py")
    known.update(*(re.findall(r'"(--[a-z-]+)"', s.read_text(encoding="utf-8")) for s in scripts))
    named = {
        (page_name(page), option)
        for page in PAGES
        for option in re.findall(r"`(--[a-z][a-z-]*)", page.read_text(encoding="utf-8"))
    }
    assert len(named) > 100
    assert not {one for one in named if one[1] not in known | {"--torch-backend"}}


SCRIPTS = [
    w[2:] if w[1] == "-m" else w[1:]
    for w in COMMANDS_SHOWN
    if w[0] == "python" and w[1:3] not in (("-m", "venv"), ("-m", "pip"))
]


@pytest.mark.parametrize("words", SCRIPTS, ids=" ".join)
def test_a_script_that_the_pages_show_takes_these_options(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its words are parsed, and then it ends."""
    name, *rest = words
    script = ROOT / (name if name.endswith(".py") else f"{name.replace('.', '/')}.py")
    script = script if script.is_file() else script.with_suffix("") / "__main__.py"
    assert script.is_file()
    if "ArgumentParser" not in script.read_text(encoding="utf-8"):
        return
    parse = argparse.ArgumentParser.parse_args

    def parsed(self: argparse.ArgumentParser) -> None:
        parse(self, ["1" if re.fullmatch("[A-Z]", word) else word for word in rest])
        raise InterruptedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parsed)
    monkeypatch.syspath_prepend(str(script.parent))
    with pytest.raises(InterruptedError):
        runpy.run_path(str(script), run_name="__main__")


def test_the_targets_of_make_that_the_pages_show_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    shown = {word for w in COMMANDS_SHOWN if w[0] == "make" for word in w[1:] if "=" not in word}
    assert len(shown) > 8
    assert not {word for word in shown if f"\n{word}:" not in makefile}


def test_the_commands_of_the_published_tables_exist() -> None:
    from benchmarks.cases import CASES

    from cofactor.cli.main import COMMANDS

    text = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    commands = [one for cell in re.findall(r"`([^`]+)`", text) for one in [cell.split()]]
    assert len(commands) > 20
    scripts = [words[1] for words in commands if words[:1] == ["python"] and words[1] != "-m"]
    modules = [words[2] for words in commands if words[:2] == ["python", "-m"]]
    assert all((ROOT / script).is_file() for script in scripts)
    assert all((ROOT / f"{name.replace('.', '/')}.py").is_file() for name in modules if "." in name)
    named = {word for words in commands if words[1:3] == ["-m", "benchmarks"] for word in words[3:]}
    assert named <= {"bounds", "startup", "scale", *(c.name.split("-")[0] for c in CASES)}
    assert {words[1] for words in commands if words[0] == "cofactor"} <= set(COMMANDS)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(f"\n{words[1]}:" in makefile for words in commands if words[0] == "make")


def test_the_page_of_a_model_has_its_formula_and_sources_and_no_parameters() -> None:
    text = mkdocs_hooks.documentation(SVDpp)
    assert "`mu + b_u + b_i + q_i · (p_u + |N(u)|^-1/2 sum_{j in N(u)} y_j)`" in text
    assert "**References.** Y. Koren" in text
    assert "factors :" not in text
    example = mkdocs_hooks.documentation(BPR).rpartition("```python\n")[2]
    assert example.startswith(">>> ")
    assert example.endswith("\n```")


@pytest.mark.parametrize(
    "markup",
    [
        '<script src="https://unpkg.com/x"></script>',
        '<link rel="stylesheet" href="//fonts.example/a.css">',
        "<img alt=x src=http://images.example/a.png>",
    ],
)
def test_the_site_loads_nothing_of_a_foreign_host(markup: str) -> None:
    exceptions = pytest.importorskip("mkdocs.exceptions")
    page = SimpleNamespace(file=SimpleNamespace(src_uri="index.md"))
    ours = '<script src="javascripts/iframe-worker.js"></script><a href="https://x.example">x</a>'
    assert mkdocs_hooks.on_post_page(ours, page, None) == ours
    with pytest.raises(exceptions.PluginError, match=r"index\.md loads"):
        mkdocs_hooks.on_post_page(ours + markup, page, None)
