"""Messages between processes of one machine: each is its length, and then its bytes.

A process that is stopped takes nothing, and what is sent to it waits without end. So nobody sends
but a thread that has nothing else to do, and it gives such a process up."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable

_LENGTH = struct.Struct("<I")
_MOST = 256 << 20  # bytes of a message
_PATIENCE = 10  # seconds in which the other process must take something
_UNSENT = 64 << 20  # bytes that may wait to be sent; one message may have more


class Outbox:
    """What is on its way to another process, in order; no call waits for that process.

    Parameters
    ----------
    to
        The connection; it is shut down once the other process has taken nothing for ten seconds.
    """

    def __init__(self, to: socket.socket) -> None:
        self._to = to
        self._waiting: deque[tuple[bytes, Callable[[], bool] | None]] = deque()
        self._size = 0  # bytes that wait
        self._sending = self._closed = False
        self._changed = threading.Condition()
        # Of the system: a time limit of Python's would hold for the thread that reads, too.
        limit = struct.pack("@ll", _PATIENCE, 0)
        to.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        threading.Thread(target=self._run, name="cofactor-sending", daemon=True).start()

    def put(self, raw: bytes, begins: Callable[[], bool] | None = None) -> bool:
        """Queue a message; return False if too much waits already, or all is over.

        Parameters
        ----------
        raw
            Its bytes.
        begins
            Called just before it is sent, and never after `close`; it isn't sent if that returns
            False.
        """
        with self._changed:
            if self._closed or (self._size and self._size + len(raw) > _UNSENT):
                return False
            self._waiting.append((raw, begins))
            self._size += len(raw)
            self._changed.notify_all()
        return True

    def close(self, seconds: float = 0.0) -> None:
        """Shut the connection down; what waits is sent before if that takes no longer than some
        seconds, and not at all otherwise.
        """
        until = time.monotonic() + seconds
        with self._changed:
            while (self._waiting or self._sending) and not self._closed:
                left = until - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        with contextlib.suppress(OSError):
            self._to.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        try:
            while (raw := self._next()) is not None:
                send(self._to, raw)
        except OSError:
            pass
        finally:
            with self._changed:
                self._sending = False
            self.close()

    def _next(self) -> bytes | None:
        """The next message that is to be sent; None at the end."""
        with self._changed:
            self._sending = False
            while True:
                self._changed.notify_all()
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return None
                raw, begins = self._waiting.popleft()
                self._size -= len(raw)
                if begins is None or begins():
                    self._sending = True
                    return raw


def send(to: socket.socket, raw: bytes) -> None:
    """Send a message.

    Raises
    ------
    OSError
        If the other process is gone, or takes nothing.
    """
    to.sendall(_LENGTH.pack(len(raw)) + raw)


def receive(taken: socket.socket) -> bytes:
    """Wait for the next message and return it.

    Raises
    ------
    EOFError
        If there is none any more, or it is longer than any is.
    OSError
        If the connection is lost.
    """
    (length,) = _LENGTH.unpack(_exactly(taken, _LENGTH.size))
    if length > _MOST:
        raise EOFError
    return _exactly(taken, length)


def _exactly(taken: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        part = taken.recv(min(count, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
