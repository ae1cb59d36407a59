"""Engines run the pieces of a computation, in this process or on a cluster.

A computation is cut into functions of arrays without side effects, so an engine may run a piece
anywhere, or again after a worker's death. What is cut where never depends on the engine or on the
number of its workers, so the result doesn't either."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

from cofactor.base.checks import choice
from cofactor.base.errors import CofactorError

# What hosts exchange in a half-epoch of least squares: all vectors of one side, or sums over the
# vectors of each host; auto chooses by the shape of the data.
EXCHANGES = ("auto", "gather", "reduce")


class EngineError(CofactorError, RuntimeError):
    """A cluster can't be reached, its hosts differ, or it lost too much to go on."""


class Seat(NamedTuple):
    """One of several processes that work at the same time."""

    rank: int  # which one it is, from 0
    size: int  # how many there are
    address: str | None  # HOST:PORT, free on the first one's host, where they can meet


class Engine(Protocol):
    """Runs pieces of a computation.

    A result is the engine's reference to a value, which may not be computed yet or may be
    elsewhere: it can be passed as an argument of another call, and `get` returns its value."""

    @property
    def workers(self) -> int:
        """How many pieces run at the same time; the result never depends on it."""

    @property
    def exchange(self) -> str:
        """What hosts exchange where there is a choice, one of `EXCHANGES`."""

    def places(self) -> list[str]:
        """Return the hosts that run pieces now, each once per piece that it runs at a time."""

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
            Called with the values of results. It must neither change its arguments nor have side
            effects, since it may be run twice.
        arguments
            Values, and results of other calls and of `share`.
        returns
            How many values it returns as a tuple; above 1, `call` returns a list of that many
            results.
        spread
            Whether such calls are long, so that they should be spread over all hosts.
        at
            One of `places`, where it runs unless that host is lost; None: anywhere.
        private
            Whether the value is of a worker alone: each that runs a call with this result computes
            it, and keeps it until the next such value. Rows that kernels gather from memory that
            processes share cost more, since its pages are small. `get` doesn't bring it.
        """

    def get(self, results: Any) -> Any:
        """Return the value of a result, or the values of a list of results; arrays may be
        read-only, and are valid until `close`.
        """

    def share(self, value: Any) -> Any:
        """Return a result for a value of this process, which is sent once to each host."""

    def together(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run ``function(seat, *arguments)`` in as many processes as there are workers, all at the
        same time; return the first one's value. Nothing is run again if one of them dies.
        """

    def each_host(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """Run a function once on each host; return its value, or the exception, by host."""

    def close(self) -> None:
        """Release workers and results."""


class Local:
    """Runs each piece immediately, in this process: the pieces of a cluster, without one.

    Parameters
    ----------
    exchange
        What hosts would exchange, one of `EXCHANGES`.
    """

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
        """Return the value."""
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
    """Return the place of each of a number of parts; consecutive parts are together."""
    return [places[part * len(places) // count] for part in range(count)]


PIECES = 4  # parts per worker, so that one that finishes early finds more to do
_AHEAD = 2  # pieces per worker that may run or wait to be fetched


def in_turn(
    engine: Engine, function: Callable[..., Any], pieces: Iterable[tuple[Any, ...]]
) -> Iterator[Any]:
    """Yield ``function(*piece)`` for each piece, in order; only some are computed ahead, so that
    not all values are held in memory.
    """
    ahead: deque[Any] = deque()
    for piece in pieces:
        ahead.append(engine.call(function, *piece, spread=True))
        if len(ahead) >= _AHEAD * engine.workers:
            yield engine.get(ahead.popleft())
    while ahead:
        yield engine.get(ahead.popleft())
