"""How large files and functions may be, and how deep models derive from one another."""

from __future__ import annotations

import ast
import fnmatch
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools import code_tokens

from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.training.losses import LOSSES

ROOT = Path(__file__).parents[1]
FOLDERS = ("src", "tests", "benchmarks")
FILE_LINES = 400
FUNCTION_LINES = 40
KERNEL_LINES = 80
COMPILED = re.compile(r"(kernel|helper|intrinsic)\b")
DEPTH = 2  # of a model's class below Recommender


def _sources() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each function's name and its lines without the documentation."""
    ahead: list[ast.AST] = [ast.parse(path.read_text())]
    while ahead:
        node = ahead.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            documentation = ast.get_docstring(node)
            documented = len(documentation.splitlines()) if documentation else 0
            yield node.name, node.end_lineno - node.lineno + 1 - documented
        if not isinstance(node, ast.expr):  # no function is defined in an expression
            ahead += ast.iter_child_nodes(node)


def test_no_file_is_longer_than_400_lines() -> None:
    long = {
        path.relative_to(ROOT).as_posix()
        for path in _sources()
        if len(path.read_text().splitlines()) > FILE_LINES
    }
    assert sorted(long) == [], "split them by meaning"


def test_no_function_is_longer_than_40_lines_or_a_kernel_than_80() -> None:
    long = set()
    for path in _sources():
        name = path.relative_to(ROOT).as_posix()
        limit = KERNEL_LINES if "/kernels/" in name else FUNCTION_LINES
        long |= {f"{name}:{function}" for function, lines in _functions(path) if lines > limit}
    assert sorted(long) == [], "divide them"


def test_only_what_numba_compiles_has_no_types() -> None:
    untyped = set()
    for path in (ROOT / "src/cofactor/kernels/cpu").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef):
                continue
            plain = [a.annotation for a in node.args.args if a.arg not in ("self", "cls")]
            compiled = any(COMPILED.match(ast.unparse(d)) for d in node.decorator_list)
            if not compiled and not all([*plain, node.returns]):
                untyped.add(f"{path.name}:{node.name}")
    assert sorted(untyped) == [], "annotate them"


def test_no_source_compares_a_string_with_the_name_of_a_loss() -> None:
    """A loss is an object: an unknown one can't fall through a row of comparisons."""
    found, quoted = [], re.compile("|".join(f"[\"']{name}[\"']" for name in LOSSES))
    texts = ((path, path.read_text()) for path in (ROOT / "src").rglob("*.py"))
    for path, text in ((path, text) for path, text in texts if quoted.search(text)):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Compare | ast.match_case):
                compared = node.pattern if isinstance(node, ast.match_case) else node
                constants = {c.value for c in ast.walk(compared) if isinstance(c, ast.Constant)}
                found += [(path.name, name) for name in constants & set(LOSSES)]
    assert found == []


def test_no_file_name_occurs_three_times() -> None:
    # A kernel's two implementations count once; what belongs to one model carries its name.
    names = Counter(
        path.stem
        for path in (ROOT / "src").rglob("*.py")
        if path.stem != "__init__" and path.parent.name != "reference"
    )
    often = {name for name, count in names.items() if count > 2} - set(registry.names())
    assert sorted(often) == [], "say what each is"


def test_the_list_of_features_names_what_exists() -> None:
    """Tokens are counted by it (`tools/code_tokens.py`): a line that finds nothing counts wrong."""
    package = ROOT / "src/cofactor"
    sources = {str(f.relative_to(package)): f.read_text() for f in package.rglob("*.py")}
    for patterns in code_tokens.features(code_tokens.MAPPING.read_text()).values():
        for pattern in patterns:
            name, _, part = pattern.partition(":")
            last = part.rpartition(".")[2]
            kind = re.compile(rf"\b(def|class) {last}\b" if last.isidentifier() else "")
            found = (kind.search(sources[file]) for file in fnmatch.filter(sources, name))
            assert any(found), pattern


def _depth(kind: type) -> int:
    if kind is Recommender:
        return 0
    return 1 + max(_depth(base) for base in kind.__bases__ if issubclass(base, Recommender))


@pytest.mark.parametrize("name", registry.names())
def test_no_model_is_deeper_than_two_below_recommender(name: str) -> None:
    assert _depth(registry.get(name)) <= DEPTH, "compose, or bring the hooks of a role"
