"""The forge's workflows, which can't run here: they are read, and what they call exists.

`actionlint` checks the same files by the forge's own rules; it isn't needed for this test.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TARGETS = set(re.findall(r"(?m)^([a-z-]+):", MAKEFILE))


def read(file: Path) -> dict[Any, Any]:
    made = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert isinstance(made, dict)
    return made


def steps(file: Path) -> Iterator[dict[str, Any]]:
    for job in read(file)["jobs"].values():
        yield from job["steps"]


def commands() -> list[str]:
    return [step["run"] for file in WORKFLOWS for step in steps(file) if "run" in step]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_has_what_it_needs_and_no_more_rights(file: Path) -> None:
    workflow = read(file)
    # YAML 1.1 reads the key `on` as true.
    assert workflow["name"] == file.stem
    assert workflow[True]
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["runs-on"]
        assert set(job.get("permissions", {})) <= {"id-token"}
        needed = job.get("needs", [])
        assert set([needed] if isinstance(needed, str) else needed) <= set(workflow["jobs"])
    for step in steps(file):
        assert ("run" in step) != ("uses" in step)
        assert "uses" not in step or re.fullmatch(
            r"[\w-]+/[\w-]+@(v\d+|release/v\d+)", step["uses"]
        )


def test_what_the_workflows_call_exists() -> None:
    called = "\n".join(commands())
    made = {
        target for line in re.findall(r"\bmake ([a-z][a-z -]*)", called) for target in line.split()
    }
    assert {"lint", "lowest", "newest", "site"} <= made <= TARGETS
    files = re.findall(r"\b((?:tools|tests|benchmarks)/[\w/.]+)", called)
    assert files
    assert [name for name in files if not (ROOT / name).exists()] == []
    extras = {name for group in re.findall(r"\[([a-z,]+)\]", called) for name in group.split(",")}
    assert extras <= set(PROJECT["optional-dependencies"])


def test_the_workflow_and_make_run_the_same_tests() -> None:
    (ours,) = re.findall(r'(?m)^\t.*pytest.*--dist loadfile -m ("[^"]+checkers")', MAKEFILE)
    assert any(f"-m {ours}" in command for command in commands())


def test_every_python_that_is_promised_is_tried() -> None:
    matrix = read(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]["test"]["strategy"]["matrix"]
    promised = {one.split(" :: ")[-1] for one in PROJECT["classifiers"] if ":: 3." in one}
    assert set(matrix["python"]) == promised
    assert min(promised) == PROJECT["requires-python"].removeprefix(">=")


@pytest.mark.parametrize("form", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")))
def test_the_forms_are_whole(form: Path) -> None:
    made = read(form)
    if form.name == "config.yml":
        assert isinstance(made["blank_issues_enabled"], bool)
        return
    assert made["name"]
    assert made["description"]
    asked = [field for field in made["body"] if field["type"] != "markdown"]
    assert asked
    assert len({field["id"] for field in asked}) == len(asked)
    assert all(field["attributes"]["label"] for field in asked)
