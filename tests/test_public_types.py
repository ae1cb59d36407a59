"""What editors, type checkers and ``help()`` see of the public names."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cofactor
from cofactor.models import registry

pytest.importorskip("torch", reason="the stub names models that need torch")

from tools import public_stub

ROOT = Path(__file__).parents[1]
USES = ROOT / "tests" / "typed_uses.py"
WRONG = {n for n, line in enumerate(USES.read_text().splitlines(), 1) if line.endswith("# wrong")}


def test_the_stub_says_what_the_source_says() -> None:
    written = public_stub.STUB.read_text(encoding="utf-8")
    assert written == public_stub.render(), "run: python -m tools.public_stub"


def test_the_stub_has_every_public_name() -> None:
    found = re.findall(r"(?: as |^class )([A-Za-z0-9_]+)", public_stub.render(), re.MULTILINE)
    assert set(cofactor.__all__) - {"__version__"} <= set(found)


@pytest.mark.checkers
def test_mypy_refuses_wrong_uses_and_no_others() -> None:
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--hide-error-context"]
    options = ["--config-file", str(ROOT / "pyproject.toml"), "--follow-imports", "silent"]
    cache = ["--cache-dir", str(ROOT / ".mypy_cache"), str(USES)]
    done = subprocess.run([*command, *options, *cache], capture_output=True, text=True, cwd=ROOT)
    lines = re.findall(r"typed_uses\.py:(\d+): error", done.stdout)
    assert {int(n) for n in lines} == WRONG, done.stdout + done.stderr


@pytest.mark.checkers
def test_pyright_refuses_wrong_uses_and_no_others(tmp_path: Path) -> None:
    pytest.importorskip("pyright")
    settings = {"extraPaths": [str(ROOT / "src")], "pythonVersion": "3.11"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    (tmp_path / USES.name).write_text(USES.read_text())
    command = [sys.executable, "-m", "pyright", "--outputjson", "-p", str(tmp_path)]
    command += ["--pythonpath", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True)
    if not done.stdout.startswith("{"):
        pytest.skip(f"pyright can't run here (it fetches itself at first): {done.stderr[-200:]}")
    found = json.loads(done.stdout)["generalDiagnostics"]
    errors = {d["range"]["start"]["line"] + 1 for d in found if d["severity"] == "error"}
    assert errors == WRONG, json.dumps(found, indent=1)


def test_jedi_completes_settings() -> None:
    jedi = pytest.importorskip("jedi")
    project = jedi.Project(ROOT, added_sys_path=[str(ROOT / "src")])
    script = jedi.Script("import cofactor\ncofactor.IALS(fac", project=project)
    assert "factors=" in [c.name_with_symbols for c in script.complete(2, 17)]
    (signature,) = jedi.Script("import cofactor\ncofactor.IALS(", project=project).get_signatures()
    assert "cg_steps: int=3" in [p.to_string() for p in signature.params]


@pytest.mark.parametrize("name", registry.names())
def test_signature_and_help_have_all_settings(name: str) -> None:
    kind = registry.get(name)
    parameters = inspect.signature(kind).parameters
    for setting, spec in kind.Config.settings().items():
        assert parameters[setting].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[setting].default == kind.Config.defaults()[setting]
        assert spec.doc in (kind.__doc__ or "")
    assert inspect.signature(kind.Config).parameters.keys() == kind.Config.settings().keys()
    assert sum(len(names) for names in kind.Config.groups().values()) == len(kind.Config.settings())
