"""Kept code of a kernel is for all of the source that is compiled into it."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

from cofactor.kernels.cpu import _source_stamp
from cofactor.kernels.cpu._source_stamp import stamp_of


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of kernels: `warp` is compiled with `rows`, and that with `build`."""
    (tmp_path / "cpu" / "llvm").mkdir(parents=True)
    monkeypatch.setattr(_source_stamp, "_FOLDER", tmp_path)
    for name, text in {
        "warp": "from cofactor.kernels.cpu.llvm.rows import (\n    dot_rows,\n)\n",
        "llvm/rows": "from cofactor.kernels.cpu.llvm.build import LANES\n",
        "llvm/build": "LANES = 8\n",
        "bpr": "import numpy as np\n",
    }.items():
        (tmp_path / "cpu" / f"{name}.py").write_text(text)
    return tmp_path / "cpu"


def _stamp(path: Path) -> str:
    stamp_of.cache_clear()
    _source_stamp._read.cache_clear()
    return stamp_of(path)


@pytest.mark.parametrize(
    ("changed", "other"),
    [("warp", True), ("llvm/rows", True), ("llvm/build", True), ("bpr", False)],
)
def test_code_is_for_the_files_that_its_kernel_imports(
    package: Path, changed: str, other: bool
) -> None:
    before = _stamp(package / "warp.py")
    with (package / f"{changed}.py").open("a") as file:
        file.write("# changed\n")
    assert (_stamp(package / "warp.py") != before) == other


def test_files_that_import_each_other_have_a_stamp(package: Path) -> None:
    (package / "llvm" / "build.py").write_text("from cofactor.kernels.cpu.warp import walked\n")
    assert _stamp(package / "warp.py") == _stamp(package / "llvm" / "build.py")


@pytest.mark.parametrize("name", ["warp", "ials_cg", "neighbours", "topk"])
def test_every_module_of_which_a_kernel_has_code_counts(name: str) -> None:
    module = importlib.import_module(f"cofactor.kernels.cpu.{name}")
    assert module.__file__ is not None
    compiled_in = _source_stamp._compiled_in(Path(module.__file__))
    for value in vars(module).values():
        home = inspect.getmodule(getattr(value, "py_func", value))
        if home is not None and home.__name__.startswith("cofactor.kernels."):
            assert Path(str(home.__file__)) in compiled_in, f"{home.__name__} in {name}"
