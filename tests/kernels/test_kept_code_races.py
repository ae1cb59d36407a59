"""Processes that compile the same kernel at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import forked
from cofactor.kernels.cpu import _kept_code, csr
from cofactor.kernels.cpu._kept_code import CodeFiles

SLOW_TO_COMPILE = """
from cofactor.kernels.cpu.jit import kernel

@kernel
def summed(values):
    total = 0.0
    for value in values:
        total += value
    return total

def compiled():
    import numpy as np
    summed(np.ones(3))
    return sum(summed.stats.cache_misses.values())
"""


def _files(folder: Path, stamp: int = 1) -> CodeFiles:
    return CodeFiles(cache_path=str(folder), filename_base="kernel", source_stamp=(stamp, 9))


def test_two_signatures_saved_at_once_never_share_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = _files(tmp_path), _files(tmp_path)
    # Both have read the index before either has written it, and one writes its code last.
    write = one._save_data

    def late(name: str, data: str) -> None:
        two.save("int32", "code for int32")
        write(name, data)

    monkeypatch.setattr(one, "_load_index", dict)
    monkeypatch.setattr(two, "_load_index", dict)
    monkeypatch.setattr(one, "_save_data", late)
    one.save("float64", "code for float64")
    for key in ("float64", "int32"):
        assert _files(tmp_path).load(key) in (None, f"code for {key}")


def test_code_of_an_older_source_is_never_found_under_a_new_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _files(tmp_path, stamp=1).save("int32", "old code")
    new = _files(tmp_path, stamp=2)
    seen = []
    write = new._save_index
    monkeypatch.setattr(
        new,
        "_save_index",
        lambda known: (write(known), seen.append(_files(tmp_path, 2).load("int32"))),
    )
    new.save("int32", "new code")
    assert seen == ["new code"]
    assert len(list(tmp_path.glob("*.nbc"))) == 1


def test_process_waits_for_the_code_that_another_one_is_compiling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = _files(tmp_path), _files(tmp_path)
    assert one.load("float64") is None

    def others_turn(seconds: float) -> None:
        one.save("float64", "code")
        one.release()

    monkeypatch.setattr(_kept_code.time, "sleep", others_turn)
    assert two.load("float64") == "code"
    assert one.load("int32") is None  # nobody has the kernel any more
    one.release()
    assert not list(tmp_path.glob("*.lock"))


def test_process_compiles_itself_what_another_one_gave_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    one, two, three = _files(tmp_path), _files(tmp_path), _files(tmp_path)
    assert one.load("float64") is None
    monkeypatch.setattr(_kept_code.time, "sleep", lambda s: [waits.append(s), one.release()])
    assert two.load("float64") is None
    assert len(waits) == 1
    # One that has the kernel and keeps nothing holds others up for a while only.
    monkeypatch.setattr(_kept_code.time, "sleep", waits.append)
    monkeypatch.setattr(_kept_code, "LONGEST_WAIT", 0.0)
    assert three.load("float64") is None
    two.release()
    assert two.load("float64") is None


def test_several_processes_compile_a_kernel_once(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW_TO_COMPILE)
    program = f"""
import sys, numba
numba.config.CACHE_DIR = {str(tmp_path / "kept")!r}
sys.path.append({str(tmp_path)!r})
import slow
print(slow.compiled())
"""
    with ThreadPoolExecutor(3) as pool:
        compiled = [int(done.stdout) for done in pool.map(forked.run, [program] * 3)]
    assert sorted(compiled) == [0, 0, 1]


def test_no_kernel_uses_argsort_by_quicksort() -> None:
    # Numba names the parts of sort and argsort alike, but for a number that each process counts
    # anew: kept code of both, from two processes, in a third may be one and the same symbol.
    kernels = Path(csr.__file__).parent
    used = [
        (path.name, line.strip())
        for path in sorted(kernels.rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if "argsort(" in line
    ]
    assert used
    assert [one for one in used if "kind=" not in one[1] or "quicksort" in one[1]] == []
