"""A store that several processes of one machine share: one writes, the others have it written.

SQLite has one writer, and group commits want one too. `WriteServer` takes the writes of other
processes over a Unix socket in a folder of their own, and `SharedStore` is a store whose writes go
there; it reads the database itself, so that it sees whatever was acknowledged to anybody."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec

from cofactor.base.errors import ArgumentError, CofactorError
from cofactor.store.database import Database
from cofactor.store.exceptions import (
    ConflictError,
    OverloadError,
    ReadOnlyError,
    StoreBusyError,
    StoreClosedError,
    StoreError,
    StoreFormatError,
    StoreUnavailableError,
    UnknownEventError,
)
from cofactor.store.messages import Outbox, receive
from cofactor.store.records import Ack, Health, StoreSettings
from cofactor.store.store import Store

_HEALTH = 0.25  # seconds between two looks at the writer
_HEALTHY = 5.0  # seconds in which it says how it is
_SILENT = 30.0  # seconds without a word of it after which nobody waits for it any more
_LAST = 2.0  # seconds for the last answers to be sent
_OF_ITEMS = ("put", "state")  # writes
_KINDS: dict[str, type[CofactorError]] = {
    kind.__name__: kind
    for kind in (
        ArgumentError,
        ConflictError,
        OverloadError,
        ReadOnlyError,
        StoreBusyError,
        StoreClosedError,
        StoreFormatError,
        StoreUnavailableError,
        UnknownEventError,
    )
}


Followed = Callable[[Future[Ack], list[str]], Future[Ack]]


class SharedWrite(msgspec.Struct, array_like=True):
    """A write on its way: its number, its name (``health`` asks for that), what it is of."""

    number: int
    name: str
    arguments: tuple[Any, ...] = ()
    size: int = 0


class Written(msgspec.Struct, array_like=True):
    """What became of a write: an acknowledgement, or an error by the name of its class."""

    number: int
    ack: Ack | None = None
    health: Health | None = None
    error: str = ""
    message: str = ""
    event_ids: tuple[str, ...] = ()
    unknown: bool = False


class WriteServer:
    """Takes writes of other processes of this user.

    Parameters
    ----------
    store
        The store that writes.
    path
        The socket to make; only its owner can connect to it.
    followed
        Makes of a write of items, and their ids, one that is done once copies in memory follow it.
    """

    def __init__(self, store: Store, path: Path, followed: Followed | None = None) -> None:
        self._store = store
        self._path = path
        self._followed = followed
        if path.is_socket():  # of a process that was killed; anything else is somebody's
            path.unlink()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            self._socket.bind(str(path))
        except OSError:
            self._socket.close()
            raise
        finally:
            os.umask(before)
        self._made = path.stat().st_ino
        self._answers: set[Outbox] = set()
        self._socket.listen(64)
        self._thread = threading.Thread(target=self._accept, name="cofactor-writes", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more writes; those that were taken are answered if they can be."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with contextlib.suppress(OSError):
            if self._path.stat().st_ino == self._made:  # and not that of who came after
                self._path.unlink()
        self._thread.join(5)
        for answers in list(self._answers):
            answers.close(_LAST)

    def _accept(self) -> None:
        while True:
            try:
                taken, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(taken,), daemon=True).start()

    def _serve(self, taken: socket.socket) -> None:
        decoder = msgspec.msgpack.Decoder(SharedWrite)
        answers = Outbox(taken)
        self._answers.add(answers)

        def answer(written: Written) -> None:
            # Called by the thread that commits, which waits for nobody: whoever is gone, or takes
            # no answers, learns the outcome by sending the same again.
            if not answers.put(msgspec.msgpack.encode(written)):
                answers.close()

        with taken, contextlib.suppress(OSError, EOFError, msgspec.MsgspecError):
            while True:
                write = decoder.decode(receive(taken))
                if write.name == "health":
                    answer(Written(write.number, health=self._store.health()))
                    continue
                self._queue(write, answer)
        answers.close()
        self._answers.discard(answers)

    def _queue(self, write: SharedWrite, answer: Any) -> None:
        try:
            arguments = tuple(_as_rows(one) for one in write.arguments)
            future = self._store._write(write.name, arguments, write.size)
            if self._followed is not None and write.name in _OF_ITEMS:
                ids = [one if isinstance(one, str) else one[0] for one in arguments[0]]
                future = self._followed(future, ids)
        except Exception as error:  # also of another version's writes, which have other names
            answer(_failed(write.number, error))
            return

        def done(future: Future[Ack]) -> None:
            error = future.exception()
            if error is None:
                answer(Written(write.number, ack=future.result()))
            else:
                answer(_failed(write.number, error))

        future.add_done_callback(done)


class SharedStore(Store):
    """A store that another process of this machine writes.

    Parameters
    ----------
    database
        Where the store lives; it is read here.
    path
        The socket of the process that writes.
    settings
        Limits.
    """

    def __init__(
        self, database: Database, path: Path, settings: StoreSettings | None = None
    ) -> None:
        super().__init__(database, read_only=True, settings=settings)
        self._link = _Link(path)

    def close(self) -> None:
        """Close all connections; what wasn't answered has an unknown outcome."""
        self._link.close()
        super().close()

    def health(self) -> Health:
        """Return how the writer was a quarter of a second ago."""
        return self._link.health

    def _write(self, name: str, arguments: tuple[Any, ...], size: int) -> Future[Ack]:
        return self._link.write(name, arguments, size)


class _Link:
    """The way to the process that writes; found again when that process is started again. No call
    waits for it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._outbox: Outbox | None = None
        self._waiting: dict[int, Future[Any]] = {}
        self._closing = threading.Event()
        self.health = _away("the process that writes hasn't answered yet")
        self._watch = threading.Thread(target=self._look, name="cofactor-writer", daemon=True)
        self._watch.start()

    def write(self, name: str, arguments: tuple[Any, ...], size: int) -> Future[Any]:
        """Queue a write; its future is resolved with what became of it, and can be cancelled until
        it is sent.
        """
        future: Future[Any] = Future()
        number = next(self._numbers)
        raw = msgspec.msgpack.encode(SharedWrite(number, name, arguments, size))

        def begins() -> bool:
            # What is sent can't be taken back.
            sent = future.set_running_or_notify_cancel()
            if not sent:
                self._waiting.pop(number, None)
            return sent

        with self._lock:
            if self._closing.is_set():
                raise StoreClosedError("the store was closed.")
            outbox = self._connected()
            self._waiting[number] = future
            if not outbox.put(raw, begins):
                del self._waiting[number]
                raise OverloadError("the process that writes takes nothing; try again in 2 s.", 2.0)
        return future

    def close(self) -> None:
        """Give up."""
        self._closing.set()
        with self._lock:
            self._drop(self._socket, "the store was closed")
        self._watch.join(5)

    def _connected(self) -> Outbox:
        """The way to the other process; the lock is held."""
        if self._outbox is not None:
            return self._outbox
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.setblocking(False)
        try:
            made.connect(str(self._path))
        except OSError as error:  # also where too many wait to be let in
            made.close()
            raise StoreUnavailableError(
                f"the process that writes isn't there ({error.strerror}); it is started again.",
                retry_after=1.0,
            ) from None
        made.setblocking(True)
        self._socket, self._outbox = made, Outbox(made)
        threading.Thread(target=self._read, args=(made,), daemon=True).start()
        return self._outbox

    def _read(self, made: socket.socket) -> None:
        decoder = msgspec.msgpack.Decoder(Written)
        with made, contextlib.suppress(OSError, EOFError, msgspec.MsgspecError):
            while True:
                self._resolve(decoder.decode(receive(made)))
        with self._lock:
            self._drop(made, "the process that writes has ended, or takes nothing")

    def _resolve(self, written: Written) -> None:
        future = self._waiting.pop(written.number, None)
        if future is None:
            return
        if written.error:
            future.set_exception(_error_of(written))
        else:
            future.set_result(written.ack if written.health is None else written.health)

    def _drop(self, made: socket.socket | None, why: str) -> None:
        """Forget a connection: what was sent over it has an unknown outcome, and the rest is
        refused. The lock is held.
        """
        if made is None or self._socket is not made or self._outbox is None:
            return
        self._outbox.close()
        self._socket = self._outbox = None
        self.health = _away(f"{why}; another connection is made")
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            sent = future.running()
            if sent or future.set_running_or_notify_cancel():
                future.set_exception(StoreUnavailableError(f"{why}.", unknown=sent))

    def _look(self) -> None:
        """Ask for its health, and give it up when it says nothing for long: it was stopped."""
        heard = time.monotonic()
        while not self._closing.wait(_HEALTH):
            try:
                self.health = self.write("health", (), 0).result(_HEALTHY)
                heard = time.monotonic()
                continue
            except TimeoutError:
                self.health = _away("the process that writes doesn't answer")
            except StoreError as error:
                self.health = _away(str(error).rstrip("."))
            if time.monotonic() - heard > _SILENT:
                with self._lock:
                    self._drop(self._socket, "the process that writes doesn't answer")
                heard = time.monotonic()


def wait_for_writer(path: Path, seconds: float) -> bool:
    """Wait until the process that writes takes writes; return whether it does."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as tried:
            tried.settimeout(_HEALTHY)
            tried.connect(str(path))
            return True
        time.sleep(0.05)
    return False


def _away(reason: str) -> Health:
    return Health(writable=False, reason=reason)


def _as_rows(argument: Any) -> Any:
    """An argument with its rows as tuples again, as the operations compare them."""
    if isinstance(argument, (list, tuple)) and argument and isinstance(argument[0], (list, tuple)):
        return [tuple(row) for row in argument]
    return argument


def _failed(number: int, error: BaseException) -> Written:
    return Written(
        number,
        error=type(error).__name__,
        message=str(error),
        event_ids=tuple(getattr(error, "event_ids", ())),
        unknown=bool(getattr(error, "unknown", False)),
    )


def _error_of(written: Written) -> CofactorError:
    kind = _KINDS.get(written.error)
    if kind is ConflictError:
        return ConflictError(written.event_ids, written.message)
    if kind is UnknownEventError:
        return UnknownEventError(written.event_ids)
    if kind is None or kind is StoreUnavailableError:
        return StoreUnavailableError(written.message, unknown=kind is None or written.unknown)
    return kind(written.message)
