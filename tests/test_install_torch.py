"""tools/install_torch.sh says what it does, and what came of it, whatever can be reached.

A Python of straw stands in for the real one: it keeps what it was asked, refuses what can't be
reached, and says which build it has.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VERSION = re.search(r"(?m)^torch==(\S+)", (ROOT / "constraints.txt").read_text())[1]  # type: ignore[index]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the script is for a POSIX shell")

STRAW = """#!/bin/sh
echo "$*" >> asked.txt
case "$*" in
  *"+cpu"*) [ -n "$INDEX_HAS_CPU" ] || exit 1; echo "the CPU build" > build.txt ;;
  *"uv pip"*) [ -n "$UV_REACHES" ] || exit 1; echo "the CPU build" > build.txt ;;
  *"install --quiet uv") ;;
  *"install --quiet torch=="*) [ -n "$INDEX" ] || exit 1; echo "$INDEX" > build.txt ;;
  "-c import torch;"*) echo "PyTorch: $(cat build.txt)" ;;
  *) exit 2 ;;
esac
"""
CUDA = "built for CUDA 13.0"


def installed(room: Path, gpu: bool, **can: str) -> subprocess.CompletedProcess[str]:
    bin_ = room / "bin"
    bin_.mkdir()
    for name, text in (("python", STRAW), ("nvidia-smi", f"#!/bin/sh\nexit {int(not gpu)}\n")):
        (bin_ / name).write_text(text)
        (bin_ / name).chmod(0o755)
    (room / "constraints.txt").write_text(f"numpy==2.0\ntorch=={VERSION}\n")
    env = {"PATH": f"{bin_}:{os.environ['PATH']}", **can}
    script = str(ROOT / "tools" / "install_torch.sh")
    command = [shutil.which("sh") or "sh", script, "python"]
    return subprocess.run(command, cwd=room, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("gpu", "can", "build"),
    [
        pytest.param(True, {"INDEX": CUDA}, CUDA, id="a GPU"),
        pytest.param(False, {"INDEX_HAS_CPU": "1", "INDEX": CUDA}, "the CPU build", id="the index"),
        pytest.param(False, {"UV_REACHES": "1", "INDEX": CUDA}, "the CPU build", id="uv"),
        pytest.param(False, {"INDEX": CUDA}, CUDA, id="no CPU build on Linux"),
        pytest.param(False, {"INDEX": "the CPU build"}, "the CPU build", id="a Mac"),
    ],
)
def test_it_says_what_was_found_and_what_was_installed(
    tmp_path: Path, gpu: bool, can: dict[str, str], build: str
) -> None:
    done = installed(tmp_path, gpu, **can)
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.splitlines()
    assert first.startswith("An NVIDIA GPU was found" if gpu else "No NVIDIA GPU was found")
    assert last == f"PyTorch: {build}"
    if gpu:
        assert "+cpu" not in (tmp_path / "asked.txt").read_text()


def test_where_nothing_can_be_reached_it_fails_and_claims_nothing(tmp_path: Path) -> None:
    done = installed(tmp_path, gpu=False)
    assert done.returncode != 0
    assert "PyTorch:" not in done.stdout
    assert len(done.stdout.splitlines()) == 1
