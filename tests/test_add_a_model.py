"""docs/add_a_model.md, followed to the letter: three files, and everything knows the model."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from source_copies import ROOT, assert_runs, copy_folder

FILE = "src/cofactor/models/implicit/together.py"
LISTS = {
    "src/cofactor/models/registry.py": "MODELS: dict[str, Entry] = {\n",
    "tests/contract/cases.py": "CASES: dict[str, dict[str, Any]] = {\n",
}
USE = """
import inspect, cofactor
from cofactor.data.synthetic import shop
model = cofactor.Together(shrinkage=3).fit(shop(n_users=60, n_items=40))
assert "shrinkage" in inspect.signature(cofactor.Together).parameters
assert model.recommend(history=model.data.items.ids([1, 2]), k=3).ids
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of source and tests with what the page says in it."""
    page = (ROOT / "docs" / "add_a_model.md").read_text(encoding="utf-8")
    assert all(name in page for name in (FILE, *LISTS))
    code = re.search(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert code is not None
    lines = re.findall(r"^```\n(    .*?\n)```", page, re.MULTILINE)
    assert len(lines) == len(LISTS)
    root = tmp_path_factory.mktemp("added")
    for folder in ("src", "tests"):
        copy_folder(folder, root)
    shutil.copy(ROOT / "pyproject.toml", root)
    (root / FILE).write_text(code[1], encoding="utf-8")
    for (name, start), line in zip(LISTS.items(), lines, strict=True):
        text = (root / name).read_text(encoding="utf-8")
        assert start in text
        (root / name).write_text(text.replace(start, start + line), encoding="utf-8")
    return root


def test_the_added_model_is_a_public_name_and_the_contract_suite_runs_over_it(copy: Path) -> None:
    """In one process, whose time goes on starting. Of the suite's files the one that knows this
    kind of model: the others' first import is PyTorch.
    """
    suite = ["-q", "-n", "0", "-k", "together", "tests/contract/test_contract.py"]
    code = f"{USE}\nimport sys, pytest\nsys.exit(pytest.main({suite}))"
    assert_runs(copy / "src", "-c", code, cwd=copy)


@pytest.mark.checkers
def test_the_added_files_pass_lint_format_and_types(copy: Path) -> None:
    assert_runs(copy / "src", "-m", "ruff", "check", "--no-cache", FILE, *LISTS, cwd=copy)
    assert_runs(
        copy / "src", "-m", "ruff", "format", "--no-cache", "--check", FILE, *LISTS, cwd=copy
    )
    assert_runs(
        copy / "src", "-m", "mypy", "--cache-dir", str(ROOT / ".mypy_cache"), FILE, cwd=copy
    )
