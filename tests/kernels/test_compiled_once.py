"""Nothing compiles a kernel for two types of argument where one would do."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numba import typeof

from cofactor.kernels.cpu import csr
from cofactor.kernels.cpu.topk import largest_first

CPU = Path(csr.__file__).parent


def _kernels(module: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and any(
            ast.unparse(d).startswith("kernel") for d in node.decorator_list
        ):
            yield node


def _constant(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


def _constant_names(function: ast.FunctionDef) -> set[str]:
    """The variables that begin as an integer or a truth value written into the source."""
    names = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                pairs = [(target, node.value)]
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = list(zip(target.elts, node.value.elts, strict=True))
                names |= {n.id for n, v in pairs if isinstance(n, ast.Name) and _constant(v)}
    return names


def test_kernels_pass_each_other_no_constants_without_a_type() -> None:
    # Numba gives a constant a type of its own, also one that a variable begins with, and compiles
    # what is called for it, and once more for int64 or bool. np.int64(0) is of the plain type.
    modules = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(CPU.glob("*.py"))]
    names = {function.name for module in modules for function in _kernels(module)}
    assert {"offer", "sink", "note_failure"} <= names
    wrong = []
    for module in modules:
        for function in _kernels(module):
            constants = _constant_names(function)
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and getattr(call.func, "id", None) in names:
                    wrong += [
                        f"{function.name} calls {ast.unparse(call)}: {ast.unparse(argument)}"
                        for argument in call.args
                        if _constant(argument)
                        or (isinstance(argument, ast.Name) and argument.id in constants)
                    ]
    assert not wrong, "\n".join(wrong)


def test_kernels_sort_integers_by_a_kernel() -> None:
    # Numba compiles its own sort anew with each kernel that calls it, and keeps none of it.
    modules = [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in CPU.glob("*.py")]
    found = [
        f"{path.name}: {ast.unparse(call)}"
        for path, module in modules
        for function in _kernels(module)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and getattr(call.func, "attr", None) == "sort"
    ]
    assert not found


def test_bounds_of_any_number_of_items_are_of_one_layout() -> None:
    # Of a few items a slice with a stride is contiguous, of more it isn't.
    for n in (3, 3000):
        ones = np.ones(n)
        _, reach, rest = largest_first(ones, ones, ones, 512)
        assert typeof(reach).layout == typeof(rest).layout == "C"


def _read_only(array: np.ndarray, dtype: type) -> np.ndarray:
    """The same numbers as of a mapped file, and of another type."""
    made = array.astype(dtype)
    made.flags.writeable = False
    return made


def test_draws_and_levels_of_ratings_are_compiled_once() -> None:
    # Arrays come from a fit, from an open file, or of ids that are int32 here and int64 there.
    from cofactor.kernels.cpu import gibbs, probit

    vectors, offsets = np.ones((3, 2, 2), np.float32), np.zeros((3, 2), np.float32)
    cuts = np.array([[-np.inf, 0.0, np.inf]] * 2)
    prior, drawn = np.ones((2, 2), np.float32), np.zeros((1, 2, 2), np.float32)
    for items in (np.array([0, 2], np.int32), _read_only(np.array([0, 2]), np.int64)):
        kept = _read_only(vectors, np.float32) if items.dtype == np.int64 else vectors
        which = items.astype(items.dtype) * 0
        found = probit.level_probabilities(kept[:1], which, kept, offsets, items, cuts)
        assert np.allclose(found.sum(axis=1), 1)
        values = np.ones(2, items.dtype)
        rated = (np.array([0, 2], items.dtype), items, values)
        gibbs.draw_rows(*rated, kept, offsets, kept[:1], prior, np.ones(2), cuts, prior, 2, drawn)
        assert np.isfinite(drawn).all()
    for kernel in (probit._level_probabilities, gibbs._draw_row):
        assert len(kernel.signatures) == 1
