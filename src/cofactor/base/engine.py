"""Engines: what runs the pieces of a computation, in this process or on a cluster.

A computation is cut into functions of arrays without side effects, so an engine may run a piece
anywhere, or again after a worker's death. What is cut where never depends on the engine or on the
number of its workers, so the result doesn't either."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

from cofactor.base.checks import choice
from cofactor.base.errors import CofactorError

# What moves between hosts in a half-epoch of least squares: all vectors of one side, or sums over
# those that a host has. auto: as the shape of the data wants it.
EXCHANGES = ("auto", "gather", "reduce")


class EngineError(CofactorError, RuntimeError):
    """A cluster can't be reached, its hosts differ, or it lost too much to go on."""


class Seat(NamedTuple):
    """One of several processes that work at the same time."""

    rank: int  # which one it is, from 0
    size: int  # how many there are
    address: str | None  # HOST:PORT, free on the first one's host, where they can meet


class Engine(Protocol):
    """What runs pieces of a computation.

    A result is whatever the engine stands in for a value that may not be computed yet, or not be in
    this process: it can be passed on as an argument of another call, and `get` brings its value."""

    @property
    def name(self) -> str:
        """What `--engine` calls it."""

    @property
    def workers(self) -> int:
        """How many pieces run at the same time; never a part of the result."""

    @property
    def exchange(self) -> str:
        """What moves between hosts where there is a choice, one of `EXCHANGES`."""

    def places(self) -> list[str]:
        """Return the hosts that run pieces now, each as often as it runs some at the same time."""

    def call(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        returns: int = 1,
        spread: bool = False,
        at: str | None = None,
        private: bool = False,
    ) -> Any:
        """Run a function of a module, somewhere.

        Parameters
        ----------
        function
            Takes the values that results stand for. It must neither change its arguments nor have
            side effects, since it may be run twice.
        arguments
            Values, and results of other calls and of `share`.
        returns
            How many values it returns as a tuple; above 1 a list of so many results comes back.
        spread
            Whether such calls are long ones, which are to run on as many hosts as there are.
        at
            One of `places`, where it runs unless that host is lost; None: anywhere.
        private
            Whether the value is of a worker alone: each that runs a call with this result computes
            it, and keeps it until the next such value. Rows that kernels gather from memory that
            processes share cost more, since its pages are small. `get` doesn't bring it.
        """

    def get(self, results: Any) -> Any:
        """Return the value of a result, or the values of a list of them; arrays may be read-only,
        and hold until `close`.
        """

    def share(self, value: Any) -> Any:
        """Return a result that stands for a value of this process, sent once to each host."""

    def together(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run ``function(seat, *arguments)`` in as many processes as there are workers, all at the
        same time; return the first one's value. Nothing is run again if one of them dies.
        """

    def each_host(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """Run a function once on each host; return its value, or the exception, by host."""

    def close(self) -> None:
        """Let go of workers and results."""


class Local:
    """Runs everything at once, in this process: pieces as on a cluster, without one.

    Parameters
    ----------
    exchange
        What would move between hosts, one of `EXCHANGES`.
    """

    name = "local"
    workers = 1

    def __init__(self, exchange: str = "auto") -> None:
        self.exchange = choice(exchange, "exchange", EXCHANGES)

    def places(self) -> list[str]:
        """Return one for each worker."""
        return [f"worker {number}" for number in range(self.workers)]

    def call(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        returns: int = 1,
        spread: bool = False,
        at: str | None = None,
        private: bool = False,
    ) -> Any:
        """Call the function."""
        found = function(*arguments)
        return list(found) if returns > 1 else found

    def get(self, results: Any) -> Any:
        """Return what is there already."""
        return results

    def share(self, value: Any) -> Any:
        """Return the value."""
        return value

    def together(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call the function, in a process that is alone."""
        return function(Seat(0, 1, None), *arguments)

    def each_host(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """Call the function once."""
        return {"this host": function(*arguments)}

    def close(self) -> None:
        """There is nothing to release."""


def dealt(places: list[str], count: int) -> list[str]:
    """Return the place of each of so many parts: those that follow each other are together."""
    return [places[part * len(places) // count] for part in range(count)]


PIECES = 4  # of work for each worker, so that one that finishes early finds more to do
_AHEAD = 2  # pieces for each worker that may run or wait to be fetched


def in_turn(
    engine: Engine, function: Callable[..., Any], pieces: Iterable[tuple[Any, ...]]
) -> Iterator[Any]:
    """Yield ``function(*piece)`` for each piece, in their order; only some of them are computed
    ahead, so that their values needn't all be held.
    """
    ahead: deque[Any] = deque()
    for piece in pieces:
        ahead.append(engine.call(function, *piece, spread=True))
        if len(ahead) >= _AHEAD * engine.workers:
            yield engine.get(ahead.popleft())
    while ahead:
        yield engine.get(ahead.popleft())
