"""Streams that take any text, and the report of an unexpected failure."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import Any

# Control characters but line ends and tabs: in a terminal they move, hide and colour, and what is
# shown may come from anybody's file.
_CONTROL = {
    code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)] if chr(code) not in "\n\t"
}


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _Sink(io.FileIO):
    """A stream's file, on which work doesn't depend: what nobody reads (``cofactor ... | head``)
    is thrown away, and so is a remark that can't be written.
    """

    def __init__(self, handle: int, *, remarks: bool) -> None:
        super().__init__(handle, "wb", closefd=False)
        self._remarks = remarks
        self._cut = False

    def write(self, data: Any, /) -> int:
        """Write, or throw away."""
        try:
            if self._cut:  # what was cut off is a line of its own
                super().write(b"\n")
                self._cut = False
            return super().write(data)
        except OSError as error:
            if self._remarks and error.errno in _FULL:  # a service's log goes on when there is room
                self._cut = True
                return memoryview(data).nbytes
            # A terminal that was closed is an error of the device (EIO).
            if not self._remarks and error.errno not in (errno.EPIPE, errno.EIO):
                raise
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return memoryview(data).nbytes


def prepare(*, json: bool) -> None:
    """Make stdout and stderr take any text: a character that an encoding lacks is written as its
    escape, a stream that was closed, or whose reader has gone, takes everything, and JSON is UTF-8
    whatever the terminal is.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by who called us
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (until the end)
        else:
            stream = _lasting(stream, remarks=name == "stderr")
        setattr(sys, name, stream)
        if hasattr(stream, "reconfigure"):
            encoding = "utf-8" if json and name == "stdout" else None
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def _lasting(stream: Any, *, remarks: bool) -> Any:
    """The same stream on a `_Sink`, where it is on a file of the system's."""
    try:
        handle = stream.fileno()
    except (AttributeError, OSError):
        return stream
    if os.name == "nt" and stream.isatty():  # Python writes to it by other means
        return stream
    stream.flush()
    sink = _Sink(handle, remarks=remarks)
    return io.TextIOWrapper(
        sink if isinstance(stream.buffer, io.RawIOBase) else io.BufferedWriter(sink),
        encoding=stream.encoding,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def reread_arguments() -> None:
    """Start this command again in Python's UTF-8 mode if its arguments hold bytes that the locale
    (``C``, say) has no characters for: an id or a path is what was typed, wherever it is typed.
    """
    words = sys.argv[1:]
    broken = any("\udc80" <= character <= "\udcff" for word in words for character in word)
    typed = words == sys.orig_argv[len(sys.orig_argv) - len(words) :]
    if broken and typed and not sys.flags.utf8_mode:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def printable(text: str) -> str:
    """Return a text with its control characters written as escapes."""
    return text.translate(_CONTROL)


def report(error: BaseException, command: str) -> str:
    """Write what is known of an unexpected failure into a file of its own, and return the sentence
    that names it.

    Arguments of the command aren't in it: they may hold passwords.
    """
    import traceback

    what = printable(" ".join(f"{type(error).__name__}: {error}".split()))[:300]
    path = _written("".join([_facts(command), *traceback.format_exception(error)]))
    where = "run it again with --debug" if path is None else f"the report is in {path}"
    return f"an unexpected error ({what}); this is a fault of Cofactor's: {where}."


def _facts(command: str) -> str:
    from datetime import UTC, datetime
    from importlib import metadata
    from platform import platform, python_version

    lines = [f"cofactor {command}, {datetime.now(UTC).isoformat(timespec='seconds')}"]
    lines.append(f"Python {python_version()} on {platform()}")
    for name in ("cofactor", "numpy", "pyarrow", "numba", "torch", "starlette", "uvicorn"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            lines.append(f"{name} {metadata.version(name)}")
    return "\n".join([*lines, "", ""])


def _written(text: str) -> str | None:
    import tempfile

    try:
        handle, path = tempfile.mkstemp(prefix="cofactor-report-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
    except OSError:
        return None
    return path


class Interrupted(Exception):
    """Ctrl-C in a command; says what became of its work."""
