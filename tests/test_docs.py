"""Every Python example of the docs and the README runs, file by file, in order, in an empty
folder.
"""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from tools import mkdocs_hooks

from cofactor import BPR, SVDpp
from cofactor.training.losses import LOSSES

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


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
    # What fails in a thread of its own is only printed.
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), (
                f"{page.name} links to {target}, which doesn't exist"
            )


def test_every_command_that_the_pages_show_exists() -> None:
    from cofactor.cli.main import COMMANDS

    shown = {
        word
        for page in PAGES
        for word in re.findall(
            r"^(?:\$ )?cofactor ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    assert shown <= set(COMMANDS)


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
