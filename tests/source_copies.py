"""Copies of the source for tests that follow the pages on extending Cofactor."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def copy_folder(name: str, into: Path) -> Path:
    """Copy ``src`` or ``tests`` into a folder.

    What Python and Numba have compiled goes along and stays valid, since a copy keeps the times of
    its files: compiling everything again would take most of a test's time. Files that another
    process is just writing are left out.
    """
    left_out = shutil.ignore_patterns("static", "*.pyc.*", "*.tmp.*")
    return Path(shutil.copytree(ROOT / name, into / name, ignore=left_out))


def assert_runs(source: Path, *command: str, cwd: Path = ROOT) -> None:
    """Run Python on a copy of ``src``; what it printed is the message of a failure."""
    env = {**os.environ, "PYTHONPATH": str(source), "MYPYPATH": str(source)}
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, cwd=cwd, env=env
    )
    assert done.returncode == 0, done.stdout + done.stderr
