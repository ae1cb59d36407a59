"""PostgreSQL for the tests, where its server is installed (`make postgres`): a server of our
own, on a socket of its own.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The folder with the socket of a server of our own; skips where PostgreSQL or psycopg is
    missing.
    """
    pytest.importorskip("psycopg", reason="psycopg is not installed (extra postgres)")
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL's server is not installed; `make postgres` installs it")
    if os.geteuid() == 0 and _unprivileged() is None:
        pytest.skip("PostgreSQL doesn't run as root, and there is no user postgres or nobody")
    _remove_old()
    home = Path(tempfile.mkdtemp(prefix="cofactor-pg-"))
    process = None
    try:
        process = _start(binaries, home)
        yield str(home)
    finally:
        if process is not None:
            process.send_signal(signal.SIGQUIT)  # at once: nothing of it is needed any more
            process.wait(20)
        shutil.rmtree(home, ignore_errors=True)


def _remove_old() -> None:
    """Remove what tests that were killed left: a server's folder whose server has ended."""
    for home in Path(tempfile.gettempdir()).glob("cofactor-pg-*"):
        # The file of its number is empty for a moment while a server starts.
        with contextlib.suppress(OSError, ValueError, LookupError):
            runs = home / "data" / "postmaster.pid"
            # While a folder is made, its number is negative: that of a server for one user.
            server = abs(int((runs.read_text().split() or "0")[0])) if runs.exists() else 0
            starts = not server and time.time() - home.stat().st_mtime < 3600
            if not starts and not Path(f"/proc/{server}").exists():
                shutil.rmtree(home, ignore_errors=True)


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next(
        (one for one in folders if (one / "initdb").exists() and (one / "postgres").exists()), None
    )


def _unprivileged() -> pwd.struct_passwd | None:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _start(binaries: Path, home: Path) -> subprocess.Popen[bytes]:
    someone: dict[str, Any] = {}
    user = _unprivileged()
    if os.geteuid() == 0 and user is not None:
        os.chown(home, user.pw_uid, user.pw_gid)
        someone = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data = str(home / "data")
    quiet: dict[str, Any] = {
        "cwd": home,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        **someone,
    }
    options = ["-U", "cofactor", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"]
    subprocess.run([binaries / "initdb", "-D", data, *options], check=True, **quiet)
    settings = [
        "listen_addresses=",
        f"unix_socket_directories={home}",
        "max_connections=40",
        "shared_buffers=16MB",
        # What only takes time from tests on the same cores: whole pages in the log against a
        # crash of the machine, upkeep of tables that live for seconds, and plans compiled by LLVM.
        "full_page_writes=off",
        "autovacuum=off",
        "jit=off",
        "max_wal_senders=0",
        "wal_level=minimal",
    ]
    flags = [word for one in settings for word in ("-c", one)]
    process = subprocess.Popen([binaries / "postgres", "-D", data, *flags], **quiet)
    deadline = time.monotonic() + 300
    while not _answers(home):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError("PostgreSQL's server doesn't start")
        time.sleep(0.05)
    return process


def _answers(home: Path) -> bool:
    import psycopg

    try:
        psycopg.connect(f"postgresql:///postgres?host={home}&user=cofactor").close()
    except psycopg.OperationalError:
        return False
    return True
