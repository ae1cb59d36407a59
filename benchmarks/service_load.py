"""Load on a served model, open loop: requests leave by the clock, whether or not the earlier ones
came back.

    taskset -c 0,1 python benchmarks/service_load.py --items 20000 --rate 500 --events 1000
    --seconds 20

makes a synthetic iALS artifact of 64 factors, serves it with ``cofactor serve`` in a process of its
own on the loopback, sends recommendations for random users (half of them with fresh events) and
durable events (``--per-request`` of them a request), and prints percentiles of the time from a
request's due moment to its whole answer. Then it sends ten times the rate of both, and looks how
soon full speed is back. Server and generator lie on the same cores, unless ``--cores 0,1`` pins the
server; the generator then runs on the others. The generator's own lateness stands beside the
latencies.

``--serve '--log-impressions'`` and ``--experiment`` show what logging and an A/B test cost.

Nothing but the loopback is called; 2,000 connections at most are opened.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import platform
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from cofactor.data.interactions import Interactions

if __package__:
    from benchmarks.open_loop import OpenLoop, Stream
else:
    from open_loop import OpenLoop, Stream

USERS = 20_000
FACTORS = 64


def make(n_items: int, folder: Path) -> None:
    """Save an iALS model with made-up item vectors and exactly solved users: how it was learnt
    doesn't matter for speed.
    """
    from cofactor.artifact.save import save
    from cofactor.models import registry

    random = np.random.default_rng(0)
    data = _drawn(n_items, random)
    counts = data.item_counts
    fame = np.sqrt(counts / counts.max())
    spread = np.linspace(1, 0.2, FACTORS) * 0.3
    items = (random.standard_normal((n_items, FACTORS)) * spread * (0.3 + fame)[:, None]).astype(
        np.float32
    )
    kind = registry.get("ials")
    config = kind.Config(factors=FACTORS)
    state = {"item_factors": items, "alpha0": np.array([10 * data.density])}
    bare = kind.from_state(
        config, {**state, "user_factors": np.zeros((USERS, FACTORS), np.float32)}, data
    )
    blocks = [
        bare.fold_in(data.histories(np.arange(s, s + 1000))).states for s in range(0, USERS, 1000)
    ]
    save(kind.from_state(config, {**state, "user_factors": np.concatenate(blocks)}, data), folder)


def _drawn(n_items: int, random: np.random.Generator) -> Interactions:
    """Users with 5 to 59 items each, drawn by a power law."""
    import pyarrow as pa

    from cofactor.data.catalogue import Catalogue
    from cofactor.data.ids import IdMap
    from cofactor.data.interactions import Interactions

    share = random.permutation((np.arange(n_items) + 10.0) ** -0.8)
    edges = np.cumsum(share / share.sum())
    lists = [
        np.unique(np.searchsorted(edges, random.random(n)).clip(0, n_items - 1))
        for n in random.integers(5, 60, USERS)
    ]
    indptr = np.zeros(USERS + 1, np.int64)
    np.cumsum([len(one) for one in lists], out=indptr[1:])
    rows = np.concatenate(lists).astype(np.int32)
    titles = pa.table(
        {
            "title": [f"Item number {n}" for n in range(n_items)],
            "price": random.integers(1, 100, n_items),
        }
    )
    return Interactions(
        users=IdMap(np.arange(USERS)),
        items=IdMap(np.arange(n_items)),
        indptr=indptr,
        item_rows=rows,
        values=None,
        times=None,
        source_order=np.arange(len(rows)),
        catalogue=Catalogue(titles),
        profiles=Catalogue.nothing(USERS),
        source="synthetic load",
    )


def with_experiment(model: Path, folder: Path) -> Path:
    """Make a folder of two versions of a model with an A/B test of all users between them."""
    from cofactor.service.experiments.experiment import Arm, AttributionRules, Experiments
    from cofactor.service.versions.versions import Folder

    for version in ("v1", "v2"):
        shutil.copytree(model, folder / version)
    (folder / "current").write_text('{"version": "v1"}')
    arms = [Arm(version=version, share=0.5) for version in ("v1", "v2")]
    Experiments(Folder(folder)).start("load", "ab", arms, AttributionRules())
    return folder


def request(method: str, path: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@contextlib.contextmanager
def served(
    folder: Path, store: str, cores: set[int] | None, more: Sequence[str] = ()
) -> Iterator[tuple[int, subprocess.Popen[str], float]]:
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
        store,
        *more,
    ]
    begun = time.perf_counter()
    pin = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=pin
    ) as process:
        try:
            assert process.stdout is not None
            port = int(json.loads(process.stdout.readline())["url"].rpartition(":")[2])
            _until_ready(port)
            yield port, process, time.perf_counter() - begun
        finally:
            process.terminate()
            process.communicate(timeout=30)


def _until_ready(port: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=120) as line,
        ):
            line.sendall(request("GET", "/ready"))
            if line.recv(65_536).startswith(b"HTTP/1.1 200"):
                return
        time.sleep(0.01)
    raise TimeoutError("the service didn't become ready")


def rss(pid: int) -> float:
    with open(f"/proc/{pid}/statm") as facts:
        return int(facts.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def requests(options: argparse.Namespace) -> tuple[list[bytes], list[bytes]]:
    """Recommendations for random users, and events; made beforehand, so that making them isn't
    measured.
    """
    random = np.random.default_rng(1)
    query = "?k=10" if options.reasons is None else f"?k=10&reasons={options.reasons}"
    asked = [
        request("GET", f"/v1/users/{user}/recommendations{query}")
        for user in random.integers(0, USERS, 20_000).tolist()
    ]
    stored = []
    for _ in range(5_000):
        # Half of the users never get events: their trained rows are used; the others are folded in.
        users, items = (
            random.integers(0, USERS // 2, options.per_request),
            random.integers(0, options.items, options.per_request),
        )
        events = [
            {"user_id": user, "item_id": item}
            for user, item in zip(users.tolist(), items.tolist(), strict=True)
        ]
        stored.append(request("POST", "/v1/events", json.dumps({"events": events}).encode()))
    return asked, stored


def _phases(options: argparse.Namespace, port: int) -> Callable[..., tuple[Stream, Stream]]:
    """A function that sends both streams for some seconds, and goes on where it last stopped."""
    asked, stored = requests(options)
    load = OpenLoop(port)
    turn = itertools.count()

    def phase(seconds: float, times: float = 1.0) -> tuple[Stream, Stream]:
        # Each phase goes on where the last one stopped: the same users again would find warm
        # caches.
        n = next(turn)
        seeds = (2 * n, 2 * n + 1) if options.poisson else (None, None)
        recommendations = Stream(options.rate * times, _rotated(asked, n * 4001), seeds[0])
        events = Stream(
            options.events * times / options.per_request, _rotated(stored, n * 1009), seeds[1]
        )
        load.run([recommendations, events] if options.events else [recommendations], seconds)
        return recommendations, events

    return phase


def play(options: argparse.Namespace, port: int, pid: int) -> dict[str, Any]:
    phase = _phases(options, port)
    phase(3)
    before = cpu(pid)
    recommendations, events = phase(options.seconds)
    result: dict[str, Any] = {
        "recommendations": recommendations.told(),
        "event_requests": events.told(),
        "rss_mb": round(rss(pid), 1),
        "server_cores_used": round((cpu(pid) - before) / options.seconds, 3),
        "server_ms_a_request": round(
            (cpu(pid) - before) * 1000 / max(1, len(recommendations.notes)), 3
        ),
    }
    if options.overload:
        recommendations, events = phase(options.overload_seconds, options.overload)
        ended = time.perf_counter()
        result["overload"] = {
            "times": options.overload,
            "recommendations": recommendations.told(),
            "event_requests": events.told(),
            "rss_mb": round(rss(pid), 1),
        }
        after, _ = phase(5)
        result["recovery_s"] = recovery(after.notes, ended, options.p99)
        result["after"] = after.told()
    return result


def _rotated(made: list[bytes], by: int) -> list[bytes]:
    by %= len(made)
    return made[by:] + made[:by]


def recovery(notes: list[tuple[float, int, float]], ended: float, p99: float) -> float | None:
    """Seconds from the end of the overload until full speed is back: from when on no more than
    one in a hundred misses the figure.
    """
    notes = sorted(notes)
    missed = np.array([status != 200 or seconds * 1000 > p99 for _, status, seconds in notes])
    left = np.cumsum(missed[::-1])[::-1] / np.arange(len(missed), 0, -1)
    good = np.flatnonzero(left <= 0.01)
    return round(notes[int(good[0])][0] - ended, 2) if len(good) else None


def cpu(pid: int) -> float:
    """Processor seconds that a process has used."""
    with open(f"/proc/{pid}/stat") as facts:
        words = facts.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def lateness() -> dict[str, float]:
    """How late a sleep of a millisecond ends on this machine, in ms: what no service on it can
    be better than.
    """
    late = []
    for _ in range(1000):
        begun = time.perf_counter()
        time.sleep(0.001)
        late.append((time.perf_counter() - begun - 0.001) * 1000)
    return {f"p{q}": round(float(np.percentile(late, q)), 2) for q in (50, 99, 99.9)}


def main() -> None:
    options = _options()
    cores = {int(c) for c in options.cores.split(",") if c}
    with tempfile.TemporaryDirectory(prefix="cofactor-load-") as room:
        folder = Path(options.model or Path(room) / "model")
        if not folder.exists():
            make(options.items, folder)
        if options.experiment:
            folder = with_experiment(folder, Path(room) / "versions")
        if cores and (others := os.sched_getaffinity(0) - cores):
            os.sched_setaffinity(0, others)
        early = lateness()
        with served(
            folder, f"sqlite:///{room}/load.db", cores or None, shlex.split(options.serve)
        ) as (port, process, ready):
            result = play(options, port, process.pid)
    machine = {
        "load_average": [round(x, 2) for x in os.getloadavg()],
        "sleep_late_ms": {"before": early, "after": lateness()},
        "when": time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime()),
        "cores_allowed": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "processor": processor(),
    }
    told = {"options": vars(options), "ready_s": round(ready, 2), **machine, **result}
    print(json.dumps(told, indent=1))
    if options.write:
        write(Path(options.write), told)


def write(path: Path, told: dict[str, Any]) -> None:
    """Add a run to a file of results: size of the catalogue -> runs, the latest last."""
    held = json.loads(path.read_text()) if path.exists() else {}
    told["options"] = {
        name: value for name, value in told["options"].items() if name not in ("write", "model")
    }
    held.setdefault(str(told["options"]["items"]), []).append(told)
    path.write_text(
        json.dumps(dict(sorted(held.items(), key=lambda one: int(one[0]))), indent=1) + "\n"
    )


def processor() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as facts:
        for line in facts:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _options() -> argparse.Namespace:
    parse = argparse.ArgumentParser(
        description="Load on a served model, open loop, on the loopback."
    )
    parse.add_argument("--items", type=int, default=20_000)
    parse.add_argument("--rate", type=float, default=500, help="recommendations a second")
    parse.add_argument("--events", type=float, default=1_000, help="events a second")
    parse.add_argument("--per-request", type=int, default=10, help="events a request")
    parse.add_argument("--seconds", type=float, default=20)
    parse.add_argument("--overload", type=float, default=10, help="times the rate; 0 leaves it out")
    parse.add_argument("--overload-seconds", type=float, default=5)
    parse.add_argument(
        "--p99", type=float, default=10, help="the figure to meet, in ms, for the recovery"
    )
    parse.add_argument(
        "--reasons",
        type=int,
        default=None,
        help="reasons an item; as the service's default if left out",
    )
    parse.add_argument(
        "--serve", default="", help="more options of cofactor serve: '--log-impressions'"
    )
    parse.add_argument("--experiment", action="store_true", help="an A/B test of two versions runs")
    parse.add_argument(
        "--poisson", action="store_true", help="requests come by chance instead of in even gaps"
    )
    parse.add_argument(
        "--cores",
        default="",
        help="pin the server to these, e.g. 0,1, and the generator to the others",
    )
    parse.add_argument(
        "--model", default="", help="a folder to keep the model in; made if it isn't there"
    )
    parse.add_argument(
        "--write", default="", metavar="FILE", help="add the run to a file of results"
    )
    return parse.parse_args()


if __name__ == "__main__":
    main()
