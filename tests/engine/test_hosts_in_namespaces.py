"""Three hosts with addresses, memory and processes of their own, on this machine: namespaces."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from engine.conftest import FAST_CHECKS, SOURCE
from engine.namespaced_fit import fitted

pytestmark = pytest.mark.cluster

SCRIPT = SOURCE.parent / "benchmarks" / "hosts.sh"
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    "PYTHONPATH": os.pathsep.join([str(SOURCE), str(SOURCE.parent / "tests")]),
    "RAY_worker_niceness": "0",
    **{f"RAY_{name}": str(value) for name, value in FAST_CHECKS.items()},
}

Hosts = Callable[..., "subprocess.CompletedProcess[str]"]


def why_not() -> str | None:
    """Why hosts can't be made here, or None."""
    if find_spec("ray") is None:
        return "needs Ray (extra cluster), which isn't installed"
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "network namespaces need root, on Linux"
    missing = [tool for tool in ("ip", "nsenter", "unshare", "pgrep") if shutil.which(tool) is None]
    if missing:
        return f"needs {', '.join(missing)} (packages iproute2, util-linux, procps)"
    if Path("/run/netns/cfhost1").exists():
        return (
            "hosts of benchmarks/hosts.sh are there already; `benchmarks/hosts.sh down` ends them"
        )
    tried = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    return None if tried.returncode == 0 else "this system lets nobody make namespaces"


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """A head and two worker hosts; a call runs a command of `benchmarks/hosts.sh`."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        words = ("bash", str(SCRIPT), *words)
        return subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, check=False)

    try:
        made = run("up")
        logs = (log.read_text() for log in Path("/tmp/cofactor-hosts").glob("host*.log"))
        assert made.returncode == 0, made.stderr + "".join(logs)
        yield run
    finally:
        run("down")


def test_a_host_switched_off_changes_no_bit(hosts: Hosts, tmp_path: Path) -> None:
    waiting, off = tmp_path / "waiting", tmp_path / "off"
    program = str(Path(__file__).with_name("namespaced_fit.py"))
    words = ["run", "1", sys.executable, program, "10.77.0.1:6379", str(waiting), str(off)]
    with subprocess.Popen(
        ["bash", str(SCRIPT), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as process:
        while not waiting.exists() and process.poll() is None:
            time.sleep(0.05)
        if waiting.exists():
            assert hosts("off", "2").returncode == 0
            off.touch()
        said, errors = process.communicate()
    assert process.returncode == 0, errors
    found, alone = json.loads(said.splitlines()[-1]), fitted(None)
    assert found["hosts"] == 2
    assert found["sha"] == alone["sha"]
    assert found["loss"] == pytest.approx(alone["loss"], rel=1e-4)
