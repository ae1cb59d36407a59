"""What several workers carry: requests a second at a p99 of at most 10 ms, for 1, 2 and 4 of them.

    python -m benchmarks.workers_load [--items 20000] [--workers 1,2,4] [--rates 250,500,...]

Each number of workers serves the model of `benchmarks.service_load`; rates rise until one isn't
carried: its p99 is above the figure, or a request isn't answered. Twice as many durable events a
second as requests are sent beside them. Afterwards two versions are promoted in turn while lists
are asked for (that a list is its version's is what `tests/service/http/test_http_workers.py`
checks), and what is written over one connection must be in the next answer over others, which other
workers take. Nothing but the loopback is called."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.open_loop import OpenLoop, Stream
from benchmarks.service_load import make, request, requests, served

_CONNECTIONS = 16  # over which what was written is looked for


class Carried(NamedTuple):
    """What a number of workers carried: the last rate, and its figures."""

    workers: int
    rate: float
    p50: float
    p99: float
    cores: float
    memory: float
    answers: int
    versions: int
    late_reads: int


def measure(options: argparse.Namespace, workers: int, model: Path, room: Path) -> Carried:
    """Return what a number of workers carries."""
    folder = room / f"models-{workers}"
    for version in ("v1", "v2"):
        shutil.copytree(model, folder / version)
    (folder / "current").write_text('{"version": "v1"}')
    store = f"sqlite:///{room}/load-{workers}.db"
    with served(folder, store, None, ["--workers", str(workers)]) as (port, process, _):
        load, best, answers = OpenLoop(port), (0.0, 0.0, 0.0, 0.0), 0
        _phase(load, options, options.rates[0], 3.0)
        for rate in options.rates:
            before = _cpu(process.pid)
            asked = _phase(load, options, rate, options.seconds)
            cores = (_cpu(process.pid) - before) / options.seconds
            found = asked.told()
            answers += found["sent"]
            if set(found["statuses"]) != {"200"} or found["ms"]["p99"] > options.p99:
                break
            best = (rate, found["ms"]["p50"], found["ms"]["p99"], cores)
        seen = _versions_under_promotion(port, folder, options)
        late = sum(_late_read(port, n) for n in range(options.reads))
        memory = _memory(process.pid)
        return Carried(workers, *best, memory, answers, seen, late)


def _phase(load: OpenLoop, options: argparse.Namespace, rate: float, seconds: float) -> Stream:
    asked, stored = requests(options)
    streams = Stream(rate, asked), Stream(2 * rate / options.per_request, stored)
    load.run(streams, seconds)
    return streams[0]


def _versions_under_promotion(port: int, folder: Path, options: argparse.Namespace) -> int:
    """Return how many versions answer while they are promoted in turn; none may fail."""
    from cofactor.service.versions.versions import Folder

    done = threading.Event()

    def promote() -> None:
        for n in range(10):
            Folder(folder).promote(("v2", "v1")[n % 2])
            time.sleep(0.4)
        done.set()

    turning = threading.Thread(target=promote)
    turning.start()
    found: set[str] = set()
    while not done.is_set():
        answer = _asked(port, request("GET", "/v1/users/7/recommendations?k=10"))
        assert answer["model"]["version"] in ("v1", "v2"), answer
        assert len(answer["items"]) == 10
        found.add(answer["model"]["version"])
    turning.join()
    return len(found)


def _late_read(port: int, n: int) -> bool:
    """Write an event of a new user over one connection; return whether another one doesn't know."""
    user = f"reader-{n}"
    event = {"user_id": user, "item_id": n % 100}
    _asked(port, request("POST", "/v1/events", json.dumps({"events": [event]}).encode()))
    ask = request("GET", f"/v1/users/{user}/recommendations?k=10")
    return any(_asked(port, ask)["history_used"] != 1 for _ in range(_CONNECTIONS))


def _asked(port: int, raw: bytes) -> dict[str, Any]:
    """The answer to a request over a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        line.sendall(raw)
        got = b""
        while True:
            got += line.recv(1 << 16)
            head, found, body = got.partition(b"\r\n\r\n")
            if found:
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                if len(body) >= length:
                    answer: dict[str, Any] = json.loads(body)
                    return answer


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in _family(int(child)))]


def _cpu(pid: int) -> float:
    """Processor seconds of a process and its children."""
    total = 0
    for one in _family(pid):
        words = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += int(words[11]) + int(words[12])
    return total / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> float:
    """MB of a process and its children, what they share counted once (PSS)."""
    kilobytes = 0
    for one in _family(pid):
        for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                kilobytes += int(line.split()[1])
    return kilobytes / 1024


def main() -> None:
    """Measure, and print the table."""
    options = _options()
    print(f"load average {os.getloadavg()[0]:.1f}, {len(os.sched_getaffinity(0))} cores")
    print(
        "| workers | requests/s | p50 ms | p99 ms | cores used | MB | answers | versions seen under"
        " promotion | late reads |"
    )
    print("|" + " ---: |" * 9)
    with tempfile.TemporaryDirectory(prefix="cofactor-load-") as room:
        model = Path(room) / "model"
        make(options.items, model)
        for workers in options.workers:
            one = measure(options, workers, model, Path(room))
            print(
                f"| {one.workers} | {one.rate:,.0f} | {one.p50} | {one.p99} | {one.cores:.2f} |"
                f" {one.memory:,.0f} | {one.answers:,} | {one.versions} |"
                f" {one.late_reads} of {options.reads} |",
                flush=True,
            )


def _options() -> argparse.Namespace:
    def numbers(text: str) -> list[int]:
        return [int(one) for one in text.split(",")]

    parse = argparse.ArgumentParser(description="What several workers carry, on the loopback.")
    parse.add_argument("--items", type=int, default=20_000)
    parse.add_argument("--workers", type=numbers, default=[1, 2, 4])
    parse.add_argument(
        "--rates", type=numbers, default=[250, 350, 500, 700, 1000, 1400, 2000, 2800]
    )
    parse.add_argument("--per-request", type=int, default=10, help="events a request")
    parse.add_argument("--seconds", type=float, default=5)
    parse.add_argument("--p99", type=float, default=10, help="ms")
    parse.add_argument("--reads", type=int, default=200, help="writes that are read back")
    parse.add_argument("--reasons", type=int, default=None)
    return parse.parse_args()


if __name__ == "__main__":
    main()
