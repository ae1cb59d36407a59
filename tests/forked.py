"""Processes that are forked from one that has imported Cofactor and what a service needs, but not
PyTorch: starting Python and importing is most of what a short one costs. A test of the start itself
makes its own process.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing import reduction
from typing import IO, Any

# Elsewhere a process can't be forked safely, and a new one is started; Windows can't be handed the
# ends of a pipe.
HOW = "forkserver" if sys.platform == "linux" else "spawn"
POSSIBLE = os.name == "posix"
IMPORTED = [
    "cofactor.artifact.load",
    "cofactor.artifact.tables",
    "cofactor.base.arrow",
    "cofactor.cli.app",
    "cofactor.cli.main",
    "cofactor.cli.serve_command",
    "cofactor.kernels.cpu.topk",
    "cofactor.models.implicit.ials",
    "cofactor.kernels.cpu.ials",
    "cofactor.service.http.app",
    "cofactor.service.http.server",
    "cofactor.service.workers",
    "cofactor.store.shared",
    "cofactor.store.sqlite",
    "psycopg",
    "safetensors.numpy",
    "typer._adapters",  # Typer's own, and Pydantic where it is installed, as a command begins
]


class Forked:
    """A process that calls ``program(*arguments)``, with the methods of `subprocess.Popen`; what
    it prints comes to ``stdout``, and to `communicate`.
    """

    def __init__(self, program: Callable[..., None], *arguments: Any) -> None:
        read, write = os.pipe()
        # Both are closed by `communicate`.
        self.stdout = open(read, encoding="utf-8")  # noqa: SIM115
        self._errors: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        streams = _Streams([write, self._errors.fileno()])
        forking = multiprocessing.get_context(HOW)
        multiprocessing.set_forkserver_preload(IMPORTED)
        self._process = forking.Process(
            target=_call, args=(program, arguments, streams, dict(os.environ))
        )
        self._process.start()
        os.close(write)
        self.pid = self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        """How it ended: below 0 by a signal; None as long as it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return how it ended, or None."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait until it ends."""
        self._process.join(timeout)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to it, if it still runs."""
        if self.returncode is None:
            # It may have ended, and what forked it not yet have said so.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Return the rest of what it prints, on stdout and on stderr, when it has ended; nothing
        when called again.
        """
        if self.stdout.closed:
            return "", ""
        printed = self.stdout.read()
        self.wait(timeout)
        self._errors.seek(0)
        errors = self._errors.read()
        self.stdout.close()
        self._errors.close()
        return printed, errors


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, on any system."""
    if not POSSIBLE:
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    process = Forked(execute, code)
    out, err = process.communicate()
    return subprocess.CompletedProcess(code, process.wait() or 0, out, err)


def execute(code: str) -> None:
    """Run a program as ``python -c`` does."""
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})


def command(*words: str) -> None:
    """Run ``cofactor WORD ...``."""
    from cofactor.cli.main import run as run_command

    sys.argv = ["cofactor", *words]
    run_command()


class _Streams:
    """File descriptors that a process is given."""

    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers

    def __getstate__(self) -> list[Any]:
        return [reduction.DupFd(number) for number in self.numbers]

    def __setstate__(self, held: list[Any]) -> None:
        self.numbers = [one.detach() for one in held]


def _call(
    program: Callable[..., None], arguments: tuple[Any, ...], streams: _Streams, env: dict[str, str]
) -> None:
    for number, given in zip((1, 2), streams.numbers, strict=True):
        os.dup2(given, number)
        os.close(given)
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), "utf-8")
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", write_through=True)
    os.environ.clear()
    os.environ.update(env)
    program(*arguments)
