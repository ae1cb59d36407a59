"""Load on a served sequence model: sessions of 1 to 50 clicks, open loop, each click durable.

    python benchmarks/session_load.py --model transitions --items 20000 --rate 500 --events 1000
    --seconds 20

makes an artifact (counts of made-up sessions, or a network with weights at random: how it was
learnt doesn't matter for speed), serves it with ``cofactor serve`` in a process of its own on the
loopback, and sends two streams by the clock: clicks, ``--per-request`` of them a request, each of
another session that is under way, and requests for recommendations of such sessions. It prints
percentiles of the time from a request's due moment to its whole answer, the service's processor
time, and how many of ``--checked`` sessions are answered afterwards from each of their acknowledged
clicks: their lists must equal those that the saved model gives for the same clicks in this process.

See `service_load` for the rest; nothing but the loopback is called."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
import urllib.request
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

if __package__:
    from benchmarks.open_loop import OpenLoop, Stream
    from benchmarks.service_load import cpu, lateness, processor, request, rss, served
else:
    from open_loop import OpenLoop, Stream
    from service_load import cpu, lateness, processor, request, rss, served

LONGEST = 50
MODELS = ("transitions", "session_knn", "transformer", "gru4rec")
TRAINING_SESSIONS = 10_000
ACTIVE = 2_000  # sessions that are under way at any moment


def clicks(random: np.random.Generator, n_items: int, length: int) -> np.ndarray:
    """The items of a session: steps on a ring of items, mostly short ones."""
    steps = random.geometric(0.1, length) * random.choice([-1, 1], length)
    return (random.integers(0, n_items) + np.cumsum(steps)) % n_items


def make(name: str, n_items: int, folder: Path) -> None:
    """Save a model of made-up sessions."""
    from cofactor.artifact.save import save
    from cofactor.base.run import Run
    from cofactor.data.interactions import Interactions
    from cofactor.models import registry

    random = np.random.default_rng(0)
    lengths = random.integers(2, LONGEST + 1, TRAINING_SESSIONS)
    items = np.concatenate([clicks(random, n_items, length) for length in lengths])
    users = np.repeat(np.arange(TRAINING_SESSIONS), lengths)
    times = np.arange(len(items))
    data = Interactions.from_rows(users, items, times=times, users=TRAINING_SESSIONS, items=n_items)
    kind = registry.get(name)
    if name not in ("transformer", "gru4rec"):
        save(kind().fit(data, run=Run(threads=1)), folder)
        return
    config = kind.Config(history_length=LONGEST)
    size = sum(int(np.prod(shape)) for _, shape in kind.layout(config))
    state = {
        "item_factors": random.standard_normal((n_items, config.factors), np.float32) * 0.1,
        "weights": random.standard_normal(size, np.float32) * 0.1,
    }
    save(kind.from_state(config, state, data), folder)


class Sessions:
    """Sessions under way, and the requests they make, in the order in which they are sent."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.random = options, np.random.default_rng(1)
        self.begun = 0
        self.clicked: dict[str, list[int]] = defaultdict(list)
        self.active = [self._new() for _ in range(ACTIVE)]

    def _new(self) -> tuple[str, list[int]]:
        """A session's name, and the clicks that are still to come, the last one first."""
        self.begun += 1
        length = int(self.random.integers(1, LONGEST + 1))
        return f"s{self.begun}", clicks(self.random, self.options.items, length).tolist()

    def stretch(self, seconds: float) -> tuple[list[bytes], list[bytes]]:
        """The requests for recommendations and the clicks of some seconds."""
        options = self.options
        n_posts = int(seconds * options.events / options.per_request)
        share = options.rate * options.per_request / options.events
        asked: list[bytes] = []
        posts = []
        for n in range(n_posts):
            posts.append(self._post())
            while len(asked) < (n + 1) * share:
                name, _ = self.active[self.random.integers(ACTIVE)]
                asked.append(request("GET", f"/v1/users/{name}/recommendations?k=10"))
        return asked, posts

    def _post(self) -> bytes:
        events = []
        for place in self.random.choice(ACTIVE, self.options.per_request, replace=False):
            name, left = self.active[place]
            item = left.pop()
            self.clicked[name].append(item)
            events.append({"user_id": name, "item_id": item})
            if not left:
                self.active[place] = self._new()
        return request("POST", "/v1/events", json.dumps({"events": events}).encode())


def play(options: argparse.Namespace, port: int, pid: int, folder: Path) -> dict[str, Any]:
    sessions, load = Sessions(options), OpenLoop(port)

    def phase(seconds: float) -> tuple[Stream, Stream]:
        asked, posts = sessions.stretch(seconds)
        streams = (
            Stream(options.rate, asked),
            Stream(options.events / options.per_request, posts),
        )
        load.run(streams, seconds)
        return streams

    phase(3)
    before = cpu(pid)
    asked, posts = phase(options.seconds)
    used = cpu(pid) - before
    return {
        "recommendations": asked.told(),
        "event_requests": posts.told(),
        "server_cores_used": round(used / options.seconds, 3),
        "rss_mb": round(rss(pid), 1),
        "sessions": sessions.begun,
        "answers_checked": check(options, port, folder, sessions),
    }


def check(
    options: argparse.Namespace, port: int, folder: Path, sessions: Sessions
) -> dict[str, int]:
    """Of how many sessions the answer is that of all their clicks."""
    from cofactor.artifact.load import load
    from cofactor.base.run import Run

    model, right = load(folder), 0
    names = list(sessions.clicked)[-options.checked :]
    for name in names:
        url = f"http://127.0.0.1:{port}/v1/users/{name}/recommendations?k=10"
        with urllib.request.urlopen(url, timeout=60) as answer:
            found = [item["item_id"] for item in json.load(answer)["items"]]
        history = sessions.clicked[name]
        wanted = model.recommend(history=history, k=10, run=Run(threads=1)).ids
        right += [str(one) for one in found] == [str(one) for one in wanted]
    return {"sessions": len(names), "equal": right}


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="cofactor-load-") as room:
        folder = Path(room) / "model"
        make(options.model, options.items, folder)
        early = lateness()
        with served(folder, f"sqlite:///{room}/load.db", None) as (port, process, ready):
            result = play(options, port, process.pid, folder)
    machine = {
        "load_average": [round(x, 2) for x in os.getloadavg()],
        "sleep_late_ms": {"before": early, "after": lateness()},
        "when": time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime()),
        "cores_allowed": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "processor": processor(),
    }
    facts = {"options": vars(options), "ready_s": round(ready, 2), **machine, **result}
    print(json.dumps(facts, indent=1))


def _options() -> argparse.Namespace:
    parse = argparse.ArgumentParser(description="Sessions on a served sequence model, open loop.")
    parse.add_argument("--model", choices=MODELS, default="transitions")
    parse.add_argument("--items", type=int, default=20_000)
    parse.add_argument("--rate", type=float, default=500, help="recommendations a second")
    parse.add_argument("--events", type=float, default=1_000, help="clicks a second")
    parse.add_argument("--per-request", type=int, default=10, help="clicks a request")
    parse.add_argument("--seconds", type=float, default=20)
    parse.add_argument("--checked", type=int, default=200, help="sessions compared afterwards")
    return parse.parse_args()


if __name__ == "__main__":
    main()
