"""`cofactor serve` in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from forked import POSSIBLE, Forked, command

SOURCE = Path(__file__).parents[3] / "src"


def client(**how: Any) -> httpx.Client:
    """A client that knows no certificates: reading those takes 20 ms, more than a request."""
    return httpx.Client(verify=False, **how)


@contextlib.contextmanager
def serving(
    folder: Path, store: str, *options: str, files: int | None = None, fresh: bool = False
) -> Iterator[tuple[subprocess.Popen[str] | Forked, str]]:
    """Start a service, wait until it is ready, and kill it in the end; ``files`` is how many it may
    have open. With ``fresh`` by `python -m cofactor`, as everybody starts it.
    """
    words = [
        "serve",
        str(folder),
        *(() if "--port" in options else ("--port", "0")),
        "--store",
        store,
        "--json",
        *options,
    ]
    forked = POSSIBLE and not fresh
    process = Forked(_limited, files, words) if forked else _started(words)
    try:
        assert process.stdout is not None
        told: dict[str, Any] = json.loads(process.stdout.readline())
        _wait_until_ready(told["url"])
        yield process, told["url"]
    finally:
        process.kill()
        process.communicate()


def _started(words: list[str]) -> subprocess.Popen[str]:
    # As people have it: with PYTHONUNBUFFERED every line comes at once, whether the program sees to
    # that or not.
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.Popen(
        [sys.executable, "-m", "cofactor", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**surroundings, "PYTHONPATH": str(SOURCE)},
    )


def _limited(files: int | None, words: list[str]) -> None:
    if files is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    command(*words)


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 300
    with client(base_url=url) as asking:
        while True:
            try:
                if asking.get("/ready").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline
            time.sleep(0.05)
