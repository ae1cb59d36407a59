"""Load on a served model, open loop: requests leave by the clock, whether or not the earlier ones came back.

    python benchmarks/service_load.py --items 20000 --rate 500 --events 1000 --seconds 20

makes a synthetic iALS artifact of 64 factors, serves it with ``cofactor serve`` in a process of its own on the loopback, sends
recommendations for random users (half of them with fresh events) and durable events (``--per-request`` of them a request), and
prints percentiles of the time from a request's due moment to its whole answer. Then it sends ten times the rate, and looks how
soon full speed is back. ``--cores 0,1`` pins the server; the generator then runs on the others.

Nothing but the loopback is called; 2,000 connections at most are opened.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

MAX_CONNECTIONS = 2_000
USERS = 20_000
FACTORS = 64


def make(n_items: int, folder: Path) -> None:
    """Save an iALS model with made-up item vectors and exactly solved users: how it was learnt doesn't matter for speed."""
    import pyarrow as pa

    from cofactor.artifact.save import save
    from cofactor.data.catalogue import Catalogue
    from cofactor.data.ids import IdMap
    from cofactor.data.interactions import Interactions
    from cofactor.models import registry

    random = np.random.default_rng(0)
    share = random.permutation((np.arange(n_items) + 10.0) ** -0.8)
    edges = np.cumsum(share / share.sum())
    lists = [np.unique(np.searchsorted(edges, random.random(n)).clip(0, n_items - 1)) for n in random.integers(5, 60, USERS)]
    indptr = np.zeros(USERS + 1, np.int64)
    np.cumsum([len(one) for one in lists], out=indptr[1:])
    rows = np.concatenate(lists).astype(np.int32)
    titles = pa.table({"title": [f"Item number {n}" for n in range(n_items)], "price": random.integers(1, 100, n_items)})
    data = Interactions(
        users=IdMap(np.arange(USERS)), items=IdMap(np.arange(n_items)), indptr=indptr, item_rows=rows, values=None, times=None,
        order=np.arange(len(rows)), catalogue=Catalogue(titles), profiles=Catalogue.nothing(USERS), source="synthetic load",
    )  # fmt: skip
    fame = np.sqrt(np.bincount(rows, minlength=n_items) / np.bincount(rows).max())
    spread = np.linspace(1, 0.2, FACTORS) * 0.3
    items = (random.standard_normal((n_items, FACTORS)) * spread * (0.3 + fame)[:, None]).astype(np.float32)
    kind = registry.get("ials")
    config = kind.Config(factors=FACTORS)
    state = {"item_factors": items, "alpha0": np.array([10 * data.density])}
    bare = kind.from_state(config, {**state, "user_factors": np.zeros((USERS, FACTORS), np.float32)}, data)
    blocks = [bare.fold_in(data.histories(np.arange(s, s + 1000))).states for s in range(0, USERS, 1000)]
    save(kind.from_state(config, {**state, "user_factors": np.concatenate(blocks)}, data), folder)


class Line:
    """One connection, kept alive, that speaks just enough HTTP."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def ask(self, raw: bytes) -> int:
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        assert self.reader is not None
        self.writer.write(raw)
        head = await self.reader.readuntil(b"\r\n\r\n")
        at = head.lower().index(b"content-length:") + 15
        await self.reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
        return int(head[9:12])

    def drop(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


class Load:
    """Sends by the clock and notes what came back.

    Parameters
    ----------
    port
        Of the service.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.free: deque[Line] = deque()
        self.lines = 0
        self.unsent = 0

    async def run(self, rate: float, seconds: float, make_request: Callable[[], bytes], notes: list[tuple[float, int, float]]) -> None:
        started, sent, tasks = time.perf_counter(), 0, set()
        total = int(rate * seconds)
        while sent < total:
            due = int((time.perf_counter() - started) * rate) + 1
            while sent < min(due, total):
                task = asyncio.ensure_future(self._one(started + sent / rate, make_request(), notes))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                sent += 1
            await asyncio.sleep(max(0.0, started + sent / rate - time.perf_counter()))
        if tasks:
            await asyncio.wait(tasks, timeout=30)

    async def _one(self, due: float, raw: bytes, notes: list[tuple[float, int, float]]) -> None:
        if not self.free and self.lines >= MAX_CONNECTIONS:
            self.unsent += 1
            return
        if self.free:
            line = self.free.pop()
        else:
            self.lines += 1
            line = Line(self.port)
        try:
            status = await line.ask(raw)
        except (OSError, asyncio.IncompleteReadError, ValueError):
            status = 0
            line.drop()
        self.free.append(line)
        notes.append((due, status, time.perf_counter() - due))


def request(method: str, path: str, body: bytes = b"") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def told(notes: list[tuple[float, int, float]]) -> dict[str, Any]:
    taken = np.array([s for _, status, s in notes if status == 200]) * 1000
    statuses = Counter(status for _, status, _ in notes)
    parts = {f"p{q}": round(float(np.percentile(taken, q)), 2) for q in (50, 90, 99, 99.9)} if len(taken) else {}
    return {"sent": len(notes), "statuses": dict(statuses), "ms": parts, "max_ms": round(float(taken.max()), 2) if len(taken) else None}


@contextlib.contextmanager
def served(folder: Path, cores: set[int] | None) -> Iterator[tuple[int, subprocess.Popen[str], float]]:
    words = [
        sys.executable,
        "-m",
        "cofactor",
        "serve",
        str(folder),
        "--port",
        "0",
        "--json",
        "--store",
        f"sqlite:///{folder.parent / 'load.db'}",
    ]
    begun = time.perf_counter()
    pin = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=pin) as process:
        try:
            assert process.stdout is not None
            port = int(json.loads(process.stdout.readline())["url"].rpartition(":")[2])
            asyncio.run(_until_ready(port))
            yield port, process, time.perf_counter() - begun
        finally:
            process.terminate()
            process.communicate(timeout=30)


async def _until_ready(port: int) -> None:
    line, deadline = Line(port), time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if await line.ask(request("GET", "/ready")) == 200:
                line.drop()
                return
        line.drop()
        await asyncio.sleep(0.02)
    raise TimeoutError("the service didn't become ready")


def rss(pid: int) -> float:
    with open(f"/proc/{pid}/statm") as facts:
        return int(facts.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def play(options: argparse.Namespace, port: int, pid: int) -> dict[str, Any]:
    random = np.random.default_rng(1)
    load = Load(port)

    def recommend() -> bytes:
        path = f"/v1/users/{int(random.integers(0, USERS))}/recommendations?k=10"
        return request("GET", path if options.reasons is None else f"{path}&reasons={options.reasons}")

    def events() -> bytes:
        # Half of the users never get events: their trained rows are used; the others are folded in.
        made = [
            {"user_id": int(random.integers(0, USERS // 2)), "item_id": int(random.integers(0, options.items))}
            for _ in range(options.per_request)
        ]
        return request("POST", "/v1/events", json.dumps({"events": made}).encode())

    async def phase(rate: float, seconds: float) -> tuple[list[Any], list[Any]]:
        asked: list[Any] = []
        stored: list[Any] = []
        sides = [load.run(rate, seconds, recommend, asked)]
        if options.events:
            sides.append(load.run(options.events / options.per_request, seconds, events, stored))
        await asyncio.gather(*sides)
        return asked, stored

    await phase(options.rate, 3)
    asked, stored = await phase(options.rate, options.seconds)
    result: dict[str, Any] = {"recommendations": told(asked), "event_requests": told(stored), "rss_mb": round(rss(pid), 1)}
    if options.overload:
        asked, _ = await phase(options.rate * options.overload, options.overload_seconds)
        result["overload"] = {**told(asked), "times": options.overload, "unsent": load.unsent, "rss_mb": round(rss(pid), 1)}
        ended = time.perf_counter()
        asked, _ = await phase(options.rate, 5)
        bad = [due for due, status, seconds in asked if status != 200 or seconds * 1000 > options.p99]
        # Full speed is back once what follows has no more than one in a hundred beyond the figure.
        back = next((due for due, _, _ in asked if sum(b >= due for b in bad) <= 0.01 * sum(d >= due for d, _, _ in asked)), None)
        result["recovery_s"] = None if back is None else round(back - ended, 2)
    return result


def lateness() -> dict[str, float]:
    """How late a sleep of a millisecond ends on this machine, in ms: what no service on it can be better than."""
    late = []
    for _ in range(1000):
        begun = time.perf_counter()
        time.sleep(0.001)
        late.append((time.perf_counter() - begun - 0.001) * 1000)
    return {f"p{q}": round(float(np.percentile(late, q)), 2) for q in (50, 99, 99.9)}


def main() -> None:
    parse = argparse.ArgumentParser(description="Load on a served model, open loop, on the loopback.")
    parse.add_argument("--items", type=int, default=20_000)
    parse.add_argument("--rate", type=float, default=500, help="recommendations a second")
    parse.add_argument("--events", type=float, default=1_000, help="events a second")
    parse.add_argument("--per-request", type=int, default=10, help="events a request")
    parse.add_argument("--seconds", type=float, default=20)
    parse.add_argument("--overload", type=float, default=10, help="times the rate; 0 leaves it out")
    parse.add_argument("--overload-seconds", type=float, default=5)
    parse.add_argument("--p99", type=float, default=10, help="the figure to meet, in ms, for the recovery")
    parse.add_argument("--reasons", type=int, default=None, help="reasons an item; as the service's default if left out")
    parse.add_argument("--cores", default="", help="pin the server to these, e.g. 0,1, and the generator to the others")
    options = parse.parse_args()
    cores = {int(c) for c in options.cores.split(",") if c}
    with tempfile.TemporaryDirectory(prefix="cofactor-load-") as room:
        folder = Path(room) / "model"
        make(options.items, folder)
        if cores and (others := os.sched_getaffinity(0) - cores):
            os.sched_setaffinity(0, others)
        with contextlib.suppress(ImportError):
            import uvloop

            asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        with served(folder, cores or None) as (port, process, ready):
            result = asyncio.run(play(options, port, process.pid))
    machine = {"load_average": os.getloadavg(), "sleep_late_ms": lateness()}
    print(json.dumps({"options": vars(options), "ready_s": round(ready, 2), **machine, **result}, indent=1))


if __name__ == "__main__":
    main()
