"""The floors: an upper floor may import a lower one, never the reverse; and importing Cofactor
is cheap.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "cofactor"

# Which of our floors a floor may import. "models.recommender" and the like allow that module alone.
MAY_IMPORT: dict[str, set[str]] = {
    "base": set(),
    "kernels": {"base"},
    "engines": {"base"},
    "metrics": {"base", "kernels"},
    "data": {"base", "kernels"},
    "retrieval": {"base", "kernels", "data"},
    "training": {"base", "kernels", "data"},
    "models": {"base", "kernels", "metrics", "data", "retrieval", "training"},
    "evaluation": {
        "base",
        "kernels",
        "metrics",
        "data",
        "retrieval",
        "models.recommender",
        "models.shipped",
        "models.answering.reranking",
        "models.traits",
        "models.user_batch",
    },
    "artifact": {"base", "data", "models.recommender", "models.registry", "models.traits"},
    "runs": {
        "base",
        "kernels",
        "metrics",
        "data",
        "retrieval",
        "training",
        "models",
        "evaluation",
        "artifact",
        "engines",
    },
    "store": {"base", "data"},
    "service": {
        "base",
        "data",
        "store",
        "retrieval",
        "artifact",
        "models.recommender",
        "models.answering.answers",
        "models.answering.fold_in",
        "models.traits",
        "models.user_batch",
        "metrics.sequential",
    },
    "cli": {
        "base",
        "kernels",
        "metrics",
        "data",
        "retrieval",
        "training",
        "models",
        "evaluation",
        "artifact",
        "runs",
        "store",
        "service",
    },
}

# The floors within models: files of the folder itself and these folders are the contract and what
# all models share; a folder of models may import those, and these folders of models beside.
MODELS_SHARE = {"answering", "checks", "defaults"}
MODELS_MAY_IMPORT: dict[str, set[str]] = {
    "baselines": set(),
    "blends": set(),
    "explicit": set(),
    "implicit": set(),
    "neural": set(),
    "sequence": {"implicit", "neural", "content"},
    "content": {"implicit", "neural"},
}

# Heavy libraries, and the places that may import them at the top of a file.
MAY_LOAD: dict[str, tuple[str, ...]] = {
    "torch": (
        "training/torch",
        "models/neural",
        "models/sequence",
        "models/content",
        "kernels/gpu",
    ),
    "numba": ("kernels/cpu",),
    "pyarrow": ("data", "retrieval", "models", "evaluation", "artifact", "runs", "service", "cli"),
    "starlette": ("service",),
    "typer": ("cli",),
    "rich": ("cli",),
    "safetensors": ("artifact", "training/checkpoint.py"),
    "optuna": ("runs/tune.py",),
    "ray": ("engines/ray.py",),
    "duckdb": ("data/readers/numbered_ids.py",),
}


def _files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def _floor(path: Path) -> str:
    parts = path.relative_to(SOURCE).parts
    return parts[0] if len(parts) > 1 else "(root)"


class Imports(NamedTuple):
    """What a file imports: anywhere; without what stands under ``if TYPE_CHECKING``; and of this,
    at its top.
    """

    anywhere: list[str]
    runtime: list[str]
    top: list[str]


@cache
def _imports(path: Path) -> Imports:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = [name for node in tree.body for name in _imported(node)]
    return Imports(_within(tree, types=True), _within(tree, types=False), top)


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def _within(tree: ast.AST, types: bool) -> list[str]:
    found: list[str] = []
    ahead = [tree]
    while ahead:
        node = ahead.pop()
        found += _imported(node)
        for_types = isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        if for_types and not types:
            ahead += node.orelse
        elif not isinstance(node, ast.expr):  # no statement stands in an expression
            ahead += ast.iter_child_nodes(node)
    return found


def test_no_floor_imports_a_higher_one() -> None:
    wrong = []
    for path in _files():
        floor = _floor(path)
        if floor == "(root)":
            continue
        for name in _imports(path).runtime:
            if not name.startswith("cofactor."):
                continue
            target = name.removeprefix("cofactor.")
            allowed = MAY_IMPORT[floor] | {floor}
            if not any(target == a or target.startswith(a + ".") for a in allowed):
                wrong.append(f"{path.relative_to(SOURCE)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_no_family_of_models_imports_one_beside_or_above() -> None:
    families = {p.name for p in (SOURCE / "models").iterdir() if (p / "__init__.py").exists()}
    assert families == set(MODELS_MAY_IMPORT) | MODELS_SHARE
    wrong = []
    for path in (SOURCE / "models").rglob("*.py"):
        family = path.relative_to(SOURCE / "models").parts[0].removesuffix(".py")
        allowed = MODELS_MAY_IMPORT.get(family, set()) | {family}
        for name in _imports(path).anywhere:
            target = name.removeprefix("cofactor.models.").split(".")[0]
            if name.startswith("cofactor.models.") and target in set(MODELS_MAY_IMPORT) - allowed:
                wrong.append(f"{path.relative_to(SOURCE)} imports {name}")
    assert not wrong, "\n".join(wrong)


def _arrows() -> dict[str, set[str]]:
    """Which of our modules each of them imports: at its top, for types alone, or within a
    function, all count the same here.
    """
    dotted = {
        path: (
            ".".join(("cofactor", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(
                ".__init__"
            )
        )
        for path in _files()
    }
    modules, arrows = set(dotted.values()), {}
    for path, module in dotted.items():
        # "a.b.c" is the module a.b.c, or the name c in the module a.b.
        named = {
            name if name in modules else name.rpartition(".")[0] for name in _imports(path).anywhere
        }
        arrows[module] = (named & modules) - {module}
    return arrows


def _beyond(start: str, arrows: dict[str, set[str]]) -> set[str]:
    """All that a module imports, by way of others too."""
    found: set[str] = set()
    ahead = {start}
    while ahead := set().union(*(arrows[module] for module in ahead)) - found:
        found |= ahead
    return found


def _circles(arrows: dict[str, set[str]]) -> list[str]:
    """The imports that lie on a way from a module back to itself."""
    beyond = {module: _beyond(module, arrows) for module in arrows}
    return [
        f"{module} imports {other}"
        for module in sorted(arrows)
        for other in sorted(arrows[module])
        if module in beyond[other]
    ]


def test_no_module_imports_itself_by_way_of_others() -> None:
    arrows = _arrows()
    assert len(arrows) > 200
    assert sum(map(len, arrows.values())) > 500
    circles = _circles(arrows)
    assert not circles, "\n".join(circles)


def test_no_module_of_the_page_imports_itself_by_way_of_others() -> None:
    files = (SOURCE / "service" / "page").glob("*.js")
    arrows = {
        path.name: set(
            re.findall(
                r'^import .* from "\./(.+)";$', path.read_text(encoding="utf-8"), re.MULTILINE
            )
        )
        for path in files
    }
    assert sum(map(len, arrows.values())) > 10
    circles = _circles(arrows)
    assert not circles, "\n".join(circles)


def test_every_folder_has_a_floor() -> None:
    folders = {p.name for p in SOURCE.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert folders <= set(MAY_IMPORT)


def test_heavy_libraries_are_imported_only_where_they_belong() -> None:
    wrong = []
    for path in _files():
        place = path.relative_to(SOURCE).as_posix()
        for heavy in {name.split(".")[0] for name in _imports(path).top} & set(MAY_LOAD):
            if not place.startswith(MAY_LOAD[heavy]):
                wrong.append(f"{place} imports {heavy}")
    assert not wrong, "\n".join(wrong)


def test_the_reference_kernels_need_numpy_alone() -> None:
    paths = list((SOURCE / "kernels" / "reference").glob("*.py"))
    assert len(paths) > 10
    for path in paths:
        for name in _imports(path).runtime:
            top = name.split(".")[0]
            assert top in {"numpy", "cofactor"} or top in sys.stdlib_module_names, f"{path}: {name}"
            assert not name.startswith("cofactor.") or name.startswith(
                ("cofactor.base", "cofactor.kernels.reference")
            )


def _loaded_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    env = {**os.environ, "PYTHONPATH": str(SOURCE.parent)}
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env
    )
    return {name.split(".")[0] for name in result.stdout.split()}


def test_a_command_loads_no_pandas_for_arrow_and_leaves_it_to_others(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    (tmp_path / "events.csv").write_text("user,item\n" + "".join(f"u{n},i{n}\n" for n in range(9)))
    code = f"""
import contextlib
from cofactor.cli.main import run
sys.argv[1:] = ["describe", {str(tmp_path / "events.csv")!r}]
with contextlib.suppress(SystemExit):
    run()
assert "pyarrow" in sys.modules and "pandas" not in sys.modules
import pandas
"""
    assert "pandas" in _loaded_after(code)


def test_what_answers_from_a_saved_model_loads_no_readers() -> None:
    answering = ("cli.recommend_command", "cli.similar_command", "cli.serve_command")
    code = "\n".join(
        f"import cofactor.{module}" for module in (*answering, "service.http.app", "artifact.load")
    )
    code += "\nassert not [name for name in sys.modules if 'data.readers' in name]"
    assert "cofactor" in _loaded_after(code)


@pytest.mark.parametrize(
    "library",
    ["torch", "numba", "scipy", "pyarrow", "rich", "starlette", "typer", "ray", "duckdb"],
)
def test_import_cofactor_loads_nothing_heavy(library: str, loaded_by_import: set[str]) -> None:
    assert library not in loaded_by_import


def test_little_is_loaded_before_a_command_answers_ctrl_c() -> None:
    """Until then Python's own traceback ends it: for 30 ms, most of them for these."""
    loaded = _loaded_after("import cofactor.cli.main\nfrom cofactor.base import signals")
    assert not loaded & {"dataclasses", "inspect", "typing", "re", "importlib.metadata"}


@pytest.fixture(scope="module")
def loaded_by_import() -> set[str]:
    """The libraries that ``import cofactor`` loads, in a process of its own."""
    return _loaded_after("import cofactor")
