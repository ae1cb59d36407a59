"""Running a coroutine without a task: whatever nothing holds up is done in one go.

A task begins its coroutine in a later turn of the event loop, and costs as much as reading a short
request does. The requests that come by the hundred a second mostly wait for nothing, or for one
future."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Eager:
    """A coroutine on its way, in the event loop's thread.

    Parameters
    ----------
    loop
        The loop.
    coroutine
        It may await futures of the loop, and coroutines that do; not what asks for the current task
        (`asyncio.timeout`).
    done
        Called with what it returned; not called if it was cancelled.
    timeout
        Seconds after which TimeoutError is raised where it waits.
    """

    __slots__ = ("_awaited", "_coroutine", "_done", "_loop", "_timeout", "_timer")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, Any],
        done: Callable[[Any], None],
        timeout: float,
    ) -> None:
        self._loop, self._coroutine, self._done, self._timeout = loop, coroutine, done, timeout
        self._awaited: asyncio.Future[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Run it as far as it goes."""
        self._step(None)

    def cancel(self) -> None:
        """Give up, and what is waited for with it."""
        if self._awaited is not None:
            self._awaited.cancel()

    def _step(self, _: Any, error: BaseException | None = None) -> None:
        try:
            awaited = self._coroutine.send(None) if error is None else self._coroutine.throw(error)
        except StopIteration as end:
            self._end()
            self._done(end.value)
            return
        except asyncio.CancelledError:
            self._end()
            return
        except BaseException:
            self._end()
            raise
        if awaited is None:  # it only lets others go first
            self._awaited = None
            self._loop.call_soon(self._step, None)
            return
        awaited._asyncio_future_blocking = False
        self._awaited = awaited
        awaited.add_done_callback(self._step)
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout, self._expire)

    def _expire(self) -> None:
        awaited, self._awaited = self._awaited, None
        if awaited is not None:
            awaited.remove_done_callback(self._step)
            awaited.cancel()
            self._step(None, TimeoutError())

    def _end(self) -> None:
        self._awaited = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
