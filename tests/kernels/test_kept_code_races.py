"""Processes that compile the same kernel at the same time."""

from __future__ import annotations

from pathlib import Path

import pytest

from cofactor.kernels.cpu import csr
from cofactor.kernels.cpu._kept_code import CodeFiles


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
