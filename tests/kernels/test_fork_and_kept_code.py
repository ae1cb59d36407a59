"""Kernels in a forked process, from two Python threads on any threading layer, and where compiled
code can't be kept; each in a process of its own, started anew where the start matters.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import forked
from cofactor.base.errors import CofactorError
from cofactor.base.run import available_cores
from cofactor.base.threads import check_numba_environment, most_threads
from source_copies import copy_folder

SOURCE = Path(__file__).parents[2] / "src"

# A kernel of one line on numbers, so that compiling costs little.
TINY_KERNEL = """
from cofactor.kernels.cpu.jit import kernel

@kernel
def doubled(x):
    return 2.0 * x
"""
TINY = """
import sys
sys.path.insert(0, {folder!r})
import tiny
print(tiny.doubled(1.5))
"""
DOUBLED = "3.0\n"


def run(
    program: str, *, seconds: float = 300.0, **more: object
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), **more.pop("env", {})}  # type: ignore[dict-item]
    return subprocess.run(
        [sys.executable, "-W", "always::RuntimeWarning", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=seconds,
        env=environment,
        **more,  # type: ignore[call-overload]
    )


FIT = """
import __main__, multiprocessing, threading, warnings
import numpy as np
import cofactor
from cofactor.models import registry
from cofactor.data.synthetic import shop
warnings.filterwarnings("ignore", category=DeprecationWarning)  # of fork beside threads
data = shop(n_users=60, n_items=30)
models = [registry.get(name) for name in {names}]
def fit(number):
    model = models[number](epochs=2).fit(data, run=cofactor.Run(threads=2))
    return bool(np.isfinite(model.score_rows(np.arange(5))).all())
__main__.fit = fit  # where a pool's processes look for it
"""
NAMES = ["bpr", "biased_mf", "warp", "svdpp"]  # of models without a network


def test_two_python_threads_fit_at_once_on_the_workqueue_layer() -> None:
    program = FIT.format(names=["bpr", "svdpp"]) + textwrap.dedent("""
        assert all(fit(n) for n in range(2))
        done = []
        threads = [threading.Thread(target=lambda n=n: done.append(fit(n % 2))) for n in range(6)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(len(done), all(done))
    """)
    layer = "import numba; numba.config.THREADING_LAYER = 'workqueue'"
    done = forked.run(layer + program)
    assert done.stdout.strip() == "6 True", done.stderr[-2000:]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forked_processes_fit_and_score_after_the_parent_did() -> None:
    pytest.importorskip("torch")
    # In one process, since importing everything takes most of the time.
    program = FIT.format(names=[*NAMES, "mlp"]) + textwrap.dedent("""
        assert all(fit(n) for n in range(len(models) - 1))
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert all(pool.map_async(fit, range(len(models) - 1)).get(timeout=60))
        import torch
        torch.set_num_threads(2)
        big = torch.randn(600, 600)
        big @ big; big.exp().sum()
        assert fit(len(models) - 1)
        trained = models[-1](epochs=1).fit(data)
        models[-1].from_state(trained.config, trained.state(), data)
        # Neither compiles anything, so what compiles, a second's import, isn't loaded.
        import sys
        assert "torch._dynamo" not in sys.modules, "torch.compile's machinery is imported"
        with multiprocessing.get_context("fork").Pool(1) as pool:
            print(pool.map_async(fit, [len(models) - 1]).get(timeout=600))
    """)
    done = forked.run(program)
    assert done.stdout.strip() == "[True]", done.stderr[-2000:]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "tiny.py").write_text(TINY_KERNEL)
    return tmp_path


def run_keeping(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Run a program that keeps compiled code in a folder."""
    start = f"""
import numba, tempfile, warnings
numba.config.CACHE_DIR = {str(folder)!r}
tempfile.tempdir = {str(folder.parent)!r}
warnings.simplefilter("always", RuntimeWarning)
"""
    return forked.run(start + textwrap.dedent(program))


def test_damaged_files_of_compiled_code_are_made_again_and_said(tmp_path: Path) -> None:
    """Each damage to a kernel of its own, in a folder of its own, since a folder is named once."""
    damages = list(itertools.product(["*.nbi", "*.nbc"], [b"", b"\x80\x05garbage"]))
    folders = [tmp_path / f"code-{n}" for n in range(len(damages))]
    for n, folder in enumerate(folders):
        folder.mkdir()
        (folder / f"tiny_{n}.py").write_text(TINY_KERNEL)
    kept = tmp_path / "kept"
    kept.mkdir()
    program = f"""
    import importlib, sys
    sys.path += {[str(folder) for folder in folders]}
    for n in range({len(folders)}):
        print(importlib.import_module(f"tiny_{{n}}").doubled(1.5))
    """
    right = DOUBLED * len(damages)
    assert run_keeping(kept, program).stdout == right
    sound = {}
    for n, (pattern, content) in enumerate(damages):
        (file,) = kept.rglob(f"tiny_{n}.doubled{pattern}")
        sound[file] = file.stat().st_size
        file.write_bytes(content)
    again = run_keeping(kept, program)
    assert again.stdout == right, again.stderr
    for file, size in sound.items():
        assert f"{file.parent} can't be read" in again.stderr
        assert file.stat().st_size >= size // 2
    third = run_keeping(kept, program)
    assert third.stdout == right
    assert "can't be read" not in third.stderr


def test_full_disk_is_said_once_and_stops_nothing(tiny: Path) -> None:
    kept = tiny / "kept"
    kept.mkdir()
    # No disk is filled: writing fails as it does on a full one.
    full = """
    import numba.core.caching as caching, errno
    def refuse(self, name, data):
        raise OSError(errno.ENOSPC, "No space left on device")
    caching.IndexDataCacheFile._save_data = refuse
    """
    program = textwrap.dedent(full) + TINY.format(folder=str(tiny / "code"))
    done = run_keeping(kept, program + "tiny.doubled(3)\n")
    assert done.stdout == DOUBLED, done.stderr
    assert done.stderr.count("No space left") == 1


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="only root can become another user"
)
@pytest.mark.parametrize("temporary", [True, False])
def test_user_without_a_home_or_a_package_to_write_to(
    tiny: Path, tmp_path: Path, temporary: bool
) -> None:
    room = tmp_path / "tmp"
    room.mkdir()
    room.chmod(0o777 if temporary else 0o755)
    code = tiny / "code"
    copy_folder("src", tmp_path)
    (tmp_path / "src" / "cofactor").rename(code / "cofactor")
    subprocess.run(["chmod", "-R", "a+rX", str(code)], check=True)
    for parent in (code, *code.parents):
        if parent.stat().st_uid == os.geteuid() and len(parent.parts) > 2:
            parent.chmod(parent.stat().st_mode | 0o055)
    # Python itself and Numba may lie where the other user can't read, so they are loaded before.
    become = f"""
    import os, tempfile, concurrent.futures.thread, numba
    numba.njit(lambda x: 2.0 * x)(1.5)
    tempfile.tempdir = {str(room)!r}
    os.environ["HOME"] = "/nonexistent"
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    """
    program = textwrap.dedent(become) + TINY.format(folder=str(code))
    done = run(program, env={"PYTHONPATH": "", "NUMBA_CACHE_DIR": ""})
    assert done.stdout == DOUBLED, done.stderr
    assert done.stderr.count("Compiled kernels") == 1
    assert ("are kept in" in done.stderr) == temporary
    assert bool(list(room.rglob("*.nbi"))) == temporary


def test_another_users_folder_among_the_temporary_files_is_not_used(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cofactor.kernels.cpu import _kept_code

    monkeypatch.setattr(_kept_code.tempfile, "gettempdir", lambda: str(tiny))
    mine = _kept_code._temporary_folder()
    assert mine is not None
    assert mine.stat().st_mode & 0o777 == 0o700
    mine.chmod(0o777)  # where others may write, code may be another's
    assert _kept_code._temporary_folder() is None
    mine.chmod(0o700)
    mine.rename(tiny / "elsewhere")
    mine.symlink_to(tiny / "elsewhere")
    assert _kept_code._temporary_folder() is None


def test_a_machine_without_any_temporary_folder_keeps_no_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from cofactor.kernels.cpu import _kept_code

    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(_kept_code.tempfile, "gettempdir", none)
    assert _kept_code._temporary_folder() is None


@pytest.mark.parametrize("count", ["0", "-2", "many", ""])
def test_a_number_of_threads_that_is_none_is_no_fault(
    count: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", count)
    check_numba_environment()
    assert "NUMBA_NUM_THREADS" not in os.environ
    assert most_threads() == available_cores()


def test_kernels_that_can_not_be_compiled_are_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    with pytest.raises(CofactorError, match="NUMBA_DISABLE_JIT"):
        check_numba_environment()
