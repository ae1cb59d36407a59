"""What the machine is and what it can do at best: multiply-adds a second, bytes a second,
measured in the run itself.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cofactor.base.threads import native_threads
from cofactor.kernels.cpu._ials_rows import accumulate
from cofactor.kernels.cpu.jit import kernel, on_threads

_WIDTH = 16


def facts() -> dict[str, Any]:
    """The machine, its software and its load."""
    names = ("numpy", "scipy", "numba", "llvmlite", "pyarrow", "torch")
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "cores_allowed": len(_cores()),
        "memory_bytes": _memory(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in names},
        "load": [round(x, 2) for x in os.getloadavg()],
    }


def bounds(threads: int, *, quick: bool = False) -> dict[str, float]:
    """Measure the bounds of a number of threads.

    Returns
    -------
    dict
        ``flops``: float32 operations a second by fused multiply-adds in registers (two each).
        ``read``: bytes a second, a gigabyte read from end to end. ``copy``: bytes a second read and
        written (write-allocation not counted). ``gather``: bytes a second of rows of 256 bytes at
        random out of 10 MB, which is where factors of 64 stand.
    """
    times = 1 if quick else 5
    size = 1 << (22 if quick else 28)
    source, target = np.ones(size, np.float32), np.zeros(size // 2, np.float32)
    table = np.ones((40_000, 64), np.float32)
    rows = (
        np.random.default_rng(0)
        .integers(0, len(table), 1 << (18 if quick else 22))
        .astype(np.int32)
    )
    rounds = 10**5 if quick else 3 * 10**7
    with native_threads(threads):
        flops = max(
            2.0
            * _WIDTH
            * lanes
            * rounds
            * threads
            / _least(lambda run=run: run(rounds, threads), times)  # type: ignore[misc]
            for run, lanes in ((_few, 6), (_many, 12))
        )
        read = source.nbytes / _least(lambda: _sum(source, threads), times)
        copy = 2 * target.nbytes / _least(lambda: _copy(source, target, threads), times)
        gather = rows.size * 256 / _least(lambda: _gather(table, rows, threads), times)
    return {"threads": threads, "flops": flops, "read": read, "copy": copy, "gather": gather}


def _least(work: Callable[[], Any], times: int) -> float:
    work()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def _chains(count: int) -> Any:
    """An intrinsic that runs ``count`` independent chains of fused multiply-adds on vectors of
    16 floats.
    """

    @intrinsic
    def chains(typingctx: Any, rounds: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            vector = ir.VectorType(ir.FloatType(), _WIDTH)
            fma = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{_WIDTH}f32"
            )
            held = [
                cgutils.alloca_once_value(builder, ir.Constant(vector, [float(n)] * _WIDTH))
                for n in range(count)
            ]
            factor, more = (
                ir.Constant(vector, [0.999999] * _WIDTH),
                ir.Constant(vector, [1e-7] * _WIDTH),
            )
            with cgutils.for_range(builder, arguments[0]):
                for place in held:
                    builder.store(builder.call(fma, [builder.load(place), factor, more]), place)
            total = builder.load(held[0])
            for place in held[1:]:
                total = builder.fadd(total, builder.load(place))
            return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

        return types.float32(types.int64), codegen

    return chains


_six, _twelve = _chains(6), _chains(12)


@kernel
def _few_of_one(rounds: int, sums: np.ndarray) -> None:
    sums[0] = _six(rounds)


@kernel
def _many_of_one(rounds: int, sums: np.ndarray) -> None:
    sums[0] = _twelve(rounds)


@kernel
def _sum_of_one(part: np.ndarray, sums: np.ndarray) -> None:
    # A slice of its own has no negative index to allow for, so that the loop becomes vector code.
    total = np.float32(0)
    for k in range(part.shape[0]):
        total += part[k]
    sums[0] = total


@kernel
def _copy_of_one(right: np.ndarray, left: np.ndarray) -> None:
    for k in range(left.shape[0]):
        left[k] = right[k]


@kernel(allocates=True)
def _gather_of_one(table: np.ndarray, part: np.ndarray, sums: np.ndarray) -> None:
    held, ones = np.zeros(64, np.float32), np.ones(part.shape[0], np.float32)
    accumulate(table, part, part.shape[0], ones, held)
    for k in range(64):
        sums[k] = held[k]


def _few(rounds: int, threads: int) -> None:
    sums = np.zeros((threads, 16), np.float32)
    on_threads(lambda thread: _few_of_one(rounds, sums[thread]), threads, threads)


def _many(rounds: int, threads: int) -> None:
    sums = np.zeros((threads, 16), np.float32)
    on_threads(lambda thread: _many_of_one(rounds, sums[thread]), threads, threads)


def _slices(n: int, threads: int) -> list[slice]:
    return [slice(t * n // threads, (t + 1) * n // threads) for t in range(threads)]


def _sum(source: np.ndarray, threads: int) -> None:
    sums, parts = np.zeros((threads, 16), np.float32), _slices(len(source), threads)
    on_threads(lambda t: _sum_of_one(source[parts[t]], sums[t]), threads, threads)


def _copy(source: np.ndarray, target: np.ndarray, threads: int) -> None:
    parts = _slices(len(target), threads)
    on_threads(lambda t: _copy_of_one(source[parts[t]], target[parts[t]]), threads, threads)


def _gather(table: np.ndarray, rows: np.ndarray, threads: int) -> None:
    sums, parts = np.zeros((threads, 64), np.float32), _slices(len(rows), threads)
    on_threads(lambda t: _gather_of_one(table, rows[parts[t]], sums[t]), threads, threads)


def ials_work(n_users: int, n_items: int, n: int, factors: int, steps: int = 3) -> dict[str, float]:
    """Operations and gathered bytes of one epoch of our iALS: what its shape asks for, not what the
    machine does.

    Conjugate gradient: the right side, and ``steps`` times the product with the rows' factors, of
    which the last needs one pass and the others two; 2 operations for each factor of each
    interaction in a pass. Dense: Gram matrix and turning of the fixed side, 2 f^2 for each of its
    rows, twice. Bytes: a row's vectors come from outside the core's cache once."""
    passes = 1 + 2 * steps - 1
    dense = 4.0 * factors**2 * (n_users + n_items)
    return {"flops": 2 * (2.0 * n * factors * passes) + dense, "bytes": 2.0 * 4 * n * factors}


def bpr_work(n: int, factors: int) -> dict[str, float]:
    """Operations and bytes of one epoch of BPR: three vectors are read and written for each
    draw.
    """
    return {"flops": 13.0 * n * factors, "bytes": 6.0 * 4 * n * factors}


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> int:
    try:
        return int(os.sysconf("SC_PHYS_PAGES")) * int(os.sysconf("SC_PAGE_SIZE"))
    except (ValueError, OSError, AttributeError):
        return 0


def _cores() -> set[int]:
    return (
        set(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else set(range(os.cpu_count() or 1))
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "-"


if __name__ == "__main__":
    import json
    import sys

    numba.set_num_threads(int(sys.argv[1]))
    print(json.dumps(bounds(int(sys.argv[1]), quick="--quick" in sys.argv)))
