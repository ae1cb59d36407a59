"""Ray: pieces of work as tasks of a cluster. The only file that imports Ray.

Ray Core alone is used: tasks with retries, and objects in the memory that workers of a host share.
Every object but those of this process is a task's return value, so that Ray can compute it again
when a worker or a host is lost."""

from __future__ import annotations

import logging
import os
import socket
import sys
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

from cofactor.base.checks import choice
from cofactor.base.engine import EXCHANGES, EngineError, Seat
from cofactor.base.errors import ArgumentError, CofactorError
from cofactor.base.extras import require
from cofactor.base.threads import native_threads
from cofactor.engines.packing import Packed, is_plain, opened, pack, unpack

RETRIES = 5
HOST_SECONDS = 30.0  # a host that doesn't answer for so long isn't there
LOWEST, BELOW = (2, 60), (3, 0)


class Head(NamedTuple):
    """What computes a private value, before its arguments among those of a task."""

    token: str
    function: Callable[..., Any]
    n_arguments: int


class Private(NamedTuple):
    """A value that each worker computes for itself."""

    token: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    @property
    def head(self) -> Head:
        """What goes before the arguments."""
        return Head(self.token, self.function, len(self.arguments))


class RayEngine:
    """A Ray cluster, or one that is started on this machine.

    Parameters
    ----------
    address
        ``HOST:6379`` of the cluster's head; None starts Ray on this machine for as long as the
        engine is open.
    threads
        Of each piece of work; it takes so many of a host's cores.
    workers
        Cores that a Ray of this machine may use; None: all.
    exchange
        What moves between hosts where there is a choice, one of `cofactor.base.engine.EXCHANGES`.

    Raises
    ------
    MissingExtraError
        Without the extra ``cluster``.
    EngineError
        If the cluster can't be reached, refuses the token, or runs other versions.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        threads: int = 1,
        workers: int | None = None,
        exchange: str = "auto",
    ) -> None:
        self.exchange = choice(exchange, "exchange", EXCHANGES)
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        # What a piece raises is raised by `get`; Ray would print the others of its kind too.
        os.environ["RAY_IGNORE_UNHANDLED_ERRORS"] = "1"
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        logging.getLogger("ray").setLevel(logging.ERROR)
        self._ray = require("ray", purpose="--engine ray")
        _check_version(self._ray.__version__)
        _report_on_stderr()
        self.threads = max(1, threads)
        self._connect(address, workers)
        self.workers = sum(cores // self.threads for cores in self._cores().values())
        if not self.workers:
            self.close()
            raise EngineError(
                f"a piece of work takes {self.threads} of a host's cores, and no host of the"
                " cluster has so many; give fewer --threads, or add hosts."
            )

    def _connect(self, address: str | None, workers: int | None) -> None:
        own = address is None
        if own:  # else 15: what the command waits for would wait for all else on this machine
            os.environ.setdefault("RAY_worker_niceness", "0")
        if address is not None:
            _check_address(address)
        try:
            with _silent():
                self._ray.init(
                    address=address or "local",
                    num_cpus=workers if own else None,
                    include_dashboard=False if own else None,
                    log_to_driver=False,
                    configure_logging=False,
                )
        except Exception as error:
            self._ray.shutdown()
            raise _refused(error, address) from error

    def _cores(self) -> dict[str, int]:
        """How many cores each host has, by its id."""
        return {
            node["NodeID"]: int(node["Resources"].get("CPU", 0))
            for node in self._ray.nodes()
            if node["Alive"]
        }

    def places(self) -> list[str]:
        """Return the ids of hosts, sorted; see `Engine.places`."""
        hosts = sorted(self._cores().items())
        # None for a moment, where the only host with cores is lost: tasks wait for another.
        return [host for host, cores in hosts for _ in range(cores // self.threads)] or [""]

    def call(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        returns: int = 1,
        spread: bool = False,
        at: str | None = None,
        private: bool = False,
    ) -> Any:
        """Start a task, or say what workers are to compute; see `Engine.call`."""
        if private:
            return Private(uuid.uuid4().hex, function, arguments)
        flat: list[Any] = []
        for one in arguments:
            # Ray brings a task its arguments before it starts, but not what lies within them.
            flat += (one.head, *one.arguments) if isinstance(one, Private) else (one,)
        return _task(self._ray, self.threads, returns, spread, at or None).remote(
            function, self.threads, returns, *flat
        )

    def get(self, results: Any) -> Any:
        """Wait for results; see `Engine.get`."""
        values = self._fetched(results)
        return [_unpacked(v) for v in values] if isinstance(results, list) else _unpacked(values)

    def share(self, value: Any) -> Any:
        """Put a value into the cluster's memory; see `Engine.share`."""
        return self._ray.put(value if is_plain(value) else pack(value))

    def together(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function in actors, one for each worker; see `Engine.together`."""
        made = self._ray.remote(num_cpus=self.threads, max_restarts=0)(_Member)
        members = [made.remote() for _ in range(self.workers)]
        try:
            address = self._fetched(members[0].meeting_point.remote())
            running = [
                member.run.remote(
                    function, self.threads, Seat(rank, len(members), address), *arguments
                )
                for rank, member in enumerate(members)
            ]
            # The first that ends with an error ends all; they would wait for it.
            waiting = running
            while waiting:
                done, waiting = self._ray.wait(waiting)
                self._fetched(done)
            return _unpacked(self._fetched(running[0]))
        finally:
            for member in members:
                self._ray.kill(member)

    def each_host(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """Run a function once on each host; see `Engine.each_host`."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        task = self._ray.remote(num_cpus=0, max_retries=0)(_run)
        calls = {}
        for node in self._ray.nodes():
            if node["Alive"]:
                on = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                where = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
                name = where if where not in calls else f"{where} {node['NodeID'][:6]}"
                calls[name] = task.options(scheduling_strategy=on).remote(
                    function, 1, 1, *arguments
                )
        self._ray.wait(list(calls.values()), num_returns=len(calls), timeout=HOST_SECONDS)
        return {name: self._answer(result) for name, result in calls.items()}

    def _answer(self, result: Any) -> Any:
        try:
            return _unpacked(self._fetched(result, timeout=0.1))
        except Exception as error:
            return error

    def close(self) -> None:
        """Leave the cluster, or end the one of this machine."""
        self._ray.shutdown()

    def _fetched(self, results: Any, timeout: float | None = None) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(results, timeout=timeout)
        except errors.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, CofactorError):
                raise cause from error
            raise
        except errors.GetTimeoutError as error:
            raise EngineError("a host of the cluster doesn't answer.") from error
        except errors.ActorDiedError as error:
            raise EngineError(
                "a process that trained with others died; see that hosts have memory enough, and"
                " train again."
            ) from error
        except errors.RayError as error:
            raise EngineError(
                f"the cluster lost a piece of work {RETRIES + 1} times and gave up"
                f" ({type(error).__name__}); see that its hosts have memory enough, and go on with"
                " --resume."
            ) from error


class _Member:
    """A process that works together with others, as an actor."""

    def meeting_point(self) -> str:
        """Return a free address of this host."""
        from ray.util import get_node_ip_address

        with socket.socket() as free:
            free.bind(("", 0))
            return f"{get_node_ip_address()}:{free.getsockname()[1]}"

    def run(self, function: Callable[..., Any], threads: int, seat: Seat, *arguments: Any) -> Any:
        """Run the function, in its seat."""
        return _run(function, threads, 1, seat, *arguments)


def _run(function: Callable[..., Any], threads: int, returns: int, *arguments: Any) -> Any:
    """A piece of work, in a worker."""
    with native_threads(threads):
        found = function(*_computed(arguments))
    if returns == 1:
        return found if is_plain(found) else pack(found)
    return tuple(one if is_plain(one) else pack(one) for one in found)


def _computed(arguments: tuple[Any, ...]) -> list[Any]:
    """What a task's arguments stand for; those of a private value follow its head."""
    values, left = [], deque(arguments)
    while left:
        one = left.popleft()
        if isinstance(one, Head):
            one = _private(one, [left.popleft() for _ in range(one.n_arguments)])
        values.append(opened(one))
    return values


_private_value: list[tuple[str, Any]] = []  # a worker's private value, and its token


def _private(head: Head, arguments: list[Any]) -> Any:
    if not _private_value or _private_value[0][0] != head.token:
        _private_value.clear()  # before there are two
        _private_value.append((head.token, head.function(*map(opened, arguments))))
    return _private_value[0][1]


@cache
def _task(ray: Any, threads: int, returns: int, spread: bool, at: str | None) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # Spread over hosts only what is long: the rest runs best where its arguments are.
    strategy: Any = "SPREAD" if spread else "DEFAULT"
    if at is not None:
        strategy = NodeAffinitySchedulingStrategy(at, soft=True)
    return ray.remote(
        num_cpus=threads, max_retries=RETRIES, num_returns=returns, scheduling_strategy=strategy
    )(_run)


def _unpacked(value: Any) -> Any:
    """A value as a piece returned it; one that was packed is now in memory of this process."""
    return unpack(value, own=True) if isinstance(value, Packed) else value


def _check_version(version: str) -> None:
    found = tuple(int(number) for number in version.split(".")[:2])
    if not LOWEST <= found < BELOW:
        raise EngineError(
            f"--engine ray needs Ray from 2.60 and below 3, and {version} is installed; run: pip"
            " install 'cofactor[cluster]'"
        )


def _check_address(address: str) -> None:
    """Refuse an address at which nothing answers; Ray itself would try for twenty seconds."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ArgumentError(f"address must be HOST:PORT, as 10.0.0.5:6379, not {address!r}.")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        raise EngineError(
            f"there is no Ray cluster at {address} ({error.strerror or error}); run `ray start"
            " --head` on its first host, `ray start --address HOST:6379` on every other and on this"
            " one, and give the first host's address."
        ) from error


@cache
def _report_on_stderr() -> None:
    """Let a thread of Ray's, which prints on stdout what happens to hosts, print it on stderr.

    Results are on stdout, and Ray's ``log_to_driver`` is of workers' output alone."""
    worker: Any = sys.modules.get("ray._private.worker")
    shown = getattr(worker, "print_to_stdstream", None)
    if shown is not None:
        worker.print_to_stdstream = lambda data, **how: shown({**data, "is_err": True}, **how)


@contextmanager
def _silent() -> Iterator[None]:
    """While open, nothing is written to stderr: Ray's C++ writes a line for each try there."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _refused(error: Exception, address: str | None) -> EngineError:
    """The sentence for a connection that failed."""
    said, where = " ".join(str(error).split()), address or "this machine"
    whole = f"{said} {error.__cause__}"
    if "InvalidAuthToken" in whole or "AuthenticationError" in whole:
        return EngineError(
            f"the Ray cluster at {where} refused this token; set RAY_AUTH_MODE=token and the"
            " cluster's own RAY_AUTH_TOKEN (or RAY_AUTH_TOKEN_PATH) here and on every host."
        )
    if "version mismatch" in said.lower():
        return EngineError(
            f"the Ray cluster at {where} runs other versions: {said}; install the same Python and"
            " Ray on every host."
        )
    if address is None:
        return EngineError(f"Ray can't be started on this machine: {said}")
    return EngineError(
        f"this host isn't part of the Ray cluster at {address} ({said.rstrip('.')}); run `ray start"
        f" --address {address}` here first."
    )
