"""A thread of Arrow's may end a task when the interpreter is about to end: no abort then."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import cofactor

SOURCE = Path(cofactor.__file__).parent

# Arrow's threads only get the processor that is left over, until Python's last moment before it
# ends: then the main thread leaves that processor to them, and keeps the interpreter's lock.
LATE = """
import atexit, os, sys, threading
import cofactor

one, other = sorted(os.sched_getaffinity(0))[:2]
os.sched_setaffinity(0, {one})
cofactor.read(sys.argv[1], on_bad="skip")
for thread in os.listdir("/proc/self/task"):
    if int(thread) != threading.get_native_id():
        os.sched_setscheduler(int(thread), os.SCHED_IDLE, os.sched_param(0))
atexit.register(pow, 3, 2_000_000)
atexit.register(os.sched_setaffinity, 0, {other})
cofactor.read(sys.argv[1], on_bad="skip")
"""


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two processors that a process can choose",
)
@pytest.mark.parametrize("last", ["u,i,3\n", "u,i\n"], ids=["well-formed", "malformed"])
def test_a_process_that_read_a_file_ends_well(last: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item,rating\n" + "u,i,3\n" * 2000 + last)
    command = [sys.executable, "-X", "faulthandler", "-c", LATE, str(tmp_path / "a.csv")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, (done.returncode, done.stderr)


def test_only_memory_of_arrow_s_own_is_read_by_its_threads() -> None:
    """Nor does a table of NumPy's arrays go to them, nor a function of Python's."""
    for path in SOURCE.rglob("*.py"):
        text = path.read_text()
        assert "BufferReader(" not in text or path.stem == "arrow_memory", path
        assert text.count(".group_by(") == text.count("use_threads=False).aggregate") + text.count(
            "use_threads=False)\n        .aggregate"
        ), path
