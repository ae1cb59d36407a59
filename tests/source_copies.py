"""Copies of the source for tests that follow the pages on extending Cofactor."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]


def copy_folder(name: str, into: Path) -> Path:
    """Copy ``src`` or ``tests`` into a folder.

    What Python has compiled goes along and stays valid, since a copy keeps the times of its files:
    compiling everything again would take most of a test's time. Compiled kernels are shared, those
    of the future too: in a fresh clone there are none yet, and each copy would compile its own.
    Files that another process is just writing are left out.
    """
    left_out = shutil.ignore_patterns("static", "*.pyc.*", "*.tmp.*", "*.nb[ci]", "*.lock")
    copy = Path(shutil.copytree(ROOT / name, into / name, ignore=left_out))
    if name == "src":
        _share_kernels(copy)
    return copy


def _share_kernels(copy: Path) -> None:
    """Let a copy of the source keep its compiled kernels where the source has them."""
    kept = Path("cofactor", "kernels", "cpu", "__pycache__")
    (ROOT / "src" / kept).mkdir(exist_ok=True)
    shutil.rmtree(copy / kept, ignore_errors=True)
    with suppress(OSError):  # where links need a right of their own, a copy compiles its kernels
        (copy / kept).symlink_to(ROOT / "src" / kept, target_is_directory=True)


def assert_runs(source: Path, *command: str, cwd: Path = ROOT) -> None:
    """Run Python on a copy of ``src``; what it printed is the message of a failure."""
    env = {**os.environ, "PYTHONPATH": str(source), "MYPYPATH": str(source)}
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, cwd=cwd, env=env
    )
    assert done.returncode == 0, done.stdout + done.stderr
