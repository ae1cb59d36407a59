"""Two replicas of the service on one PostgreSQL store, behind a balancer that takes them in turn:
what one has acknowledged, the other's next answer knows. Behind `deploy/haproxy.cfg` one after the
other is stopped and started again, and no request is lost.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from cofactor.data.interactions import Interactions
from forked import Forked
from service.http.processes import client, serving
from service.http.scenes import ids_of
from store.places import new_place

N_USERS, ROUNDS = 6, 25


class Balancer:
    """Sends every request to the next of its replicas."""

    def __init__(self, urls: list[str]) -> None:
        self.clients = [client(base_url=url, timeout=600) for url in urls]
        self.turns = itertools.cycle(self.clients)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        answer = next(self.turns).post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer


class Replicas:
    """Two processes of `cofactor serve` on the same versions and the same store."""

    def __init__(self, folder: Path, store: str, stack: contextlib.ExitStack) -> None:
        self.folder, self.store, self.stack = folder, store, stack
        self.ports = [free_port(), free_port()]
        self.processes = [self.start(port) for port in self.ports]

    def start(self, port: int) -> subprocess.Popen[str] | Forked:
        ready = serving(self.folder, self.store, "--port", str(port))
        return self.stack.enter_context(ready)[0]


@pytest.fixture(scope="module")
def replicas(
    request: pytest.FixtureRequest, saved: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replicas]:
    """For both tests, since starting them costs more than they do; the second one stops them."""
    room = tmp_path_factory.mktemp("replicas")
    folder = Path(shutil.copytree(saved, room / "models"))
    with contextlib.ExitStack() as stack:
        yield Replicas(folder, new_place(request, "postgres", room), stack)


@pytest.fixture
def balancer(replicas: Replicas) -> Iterator[Balancer]:
    made = Balancer([f"http://127.0.0.1:{port}" for port in replicas.ports])
    with contextlib.ExitStack() as stack:
        for client in made.clients:
            stack.enter_context(client)
        yield made


def test_what_one_replica_acknowledged_the_next_answer_of_the_other_knows(
    balancer: Balancer, shop_data: Interactions
) -> None:
    ids = list(shop_data.items.ids())
    draw = np.random.default_rng(3)
    had: dict[str, set[str]] = {f"new-{n}": set() for n in range(N_USERS)}
    hidden: set[str] = set()
    for step in range(ROUNDS):
        user, item = f"new-{step % N_USERS}", ids[int(draw.integers(len(ids)))]
        balancer.post("/v1/events", {"events": [{"user_id": user, "item_id": item}]})
        had[user].add(item)
        # The balancer has gone on, so the other replica answers.
        answer = balancer.post("/v1/recommend", {"user_id": user, "k": len(ids), "reasons": 0})
        assert set(ids_of(answer)) == set(ids) - had[user] - hidden
        if step % 5 == 0:
            gone = ids[int(draw.integers(len(ids)))]
            balancer.post("/v1/items/hide", {"item_ids": [gone]})
            hidden.add(gone)
            for _ in range(2):
                answer = balancer.post("/v1/recommend", {"user_id": user, "k": len(ids)})
                assert gone not in ids_of(answer)
        # An odd number of requests a round, so that each replica writes and each reads.
        balancer.post("/v1/recommend", {"history": [item], "k": 3})


CONFIG = Path(__file__).parents[3] / "deploy" / "haproxy.cfg"


class HAProxy:
    """HAProxy in front of two ports, as `deploy/haproxy.cfg` has it."""

    def __init__(self, ports: list[int], folder: Path) -> None:
        address = f"127.0.0.1:{free_port()}"
        self.url, self.socket = f"http://{address}", str(folder / "admin")
        a, b = (f"127.0.0.1:{port}" for port in ports)
        places = {"A": a, "B": b, "BIND": address, "ADMIN": self.socket}
        self.process = subprocess.Popen(
            ["haproxy", "-f", str(CONFIG)],
            env={**os.environ, **{f"COFACTOR_{name}": place for name, place in places.items()}},
            stderr=subprocess.DEVNULL,
        )

    def state(self, server: str) -> str:
        """What is known of a server: UP, DOWN, or on the way there."""
        with socket.socket(socket.AF_UNIX) as asking, contextlib.suppress(OSError):
            asking.connect(self.socket)
            asking.sendall(b"show stat\n")
            lines = csv.DictReader(asking.makefile())
            return next(line["status"] for line in lines if line["svname"] == server)
        return "unknown"


def free_port() -> int:
    """A port that nobody else is given while a replica on it is away: below those of the system."""
    while True:
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("127.0.0.1", random.randint(20_000, 32_000)))
            return int(free.getsockname()[1])


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Load:
    """A thread that sends an event and asks for a list, again and again; it notes what is wrong."""

    def __init__(self, url: str, user: str, ids: list[str]) -> None:
        self.url, self.user, self.ids = url, user, ids
        self.wrong: list[str] = []
        self.unanswered = self.answered = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.go)
        self.thread.start()

    def go(self) -> None:
        had: set[str] = set()
        with client(base_url=self.url, timeout=600) as asking:
            while not self.stopped.wait(0.08):
                item = self.ids[self.answered % len(self.ids)]
                event = {"user_id": self.user, "item_id": item}
                wanted = {"user_id": self.user, "k": len(self.ids), "reasons": 0}
                try:
                    answer = asking.post("/v1/events", json={"events": [event]})
                    had |= {item} if self.fine(answer) else set()
                    answer = asking.post("/v1/recommend", json=wanted)
                except httpx.TransportError:  # a replica was killed with it
                    self.unanswered += 1
                    continue
                if self.fine(answer) and had & set(ids_of(answer)):
                    self.wrong.append(f"{had & set(ids_of(answer))} were acknowledged")

    def fine(self, answer: Any) -> bool:
        """Whether it was answered; an overloaded service, on a busy machine, isn't a lost one."""
        self.answered += answer.status_code == 200
        if answer.status_code != 200 and "overloaded" not in answer.text:
            self.wrong.append(answer.text)
        return bool(answer.status_code == 200)


@pytest.fixture
def haproxy(tmp_path: Path) -> Iterator[Callable[[list[int]], HAProxy]]:
    """Starts HAProxy, which changes to a user of its own."""
    if shutil.which("haproxy") is None or os.geteuid() != 0:
        pytest.skip("needs HAProxy (Debian's package haproxy) and root")
    with contextlib.ExitStack() as stack:

        def start(ports: list[int]) -> HAProxy:
            made = HAProxy(ports, tmp_path)
            stack.callback(made.process.wait)
            stack.callback(made.process.kill)
            return made

        yield start


def test_behind_haproxy_replicas_are_restarted_and_no_request_is_lost(
    replicas: Replicas, shop_data: Interactions, haproxy: Callable[[list[int]], HAProxy]
) -> None:
    a, b = replicas.processes
    balancer = haproxy(replicas.ports)
    for name in "ab":
        wait_until(lambda name=name: balancer.state(name) == "UP")
    ids = [str(one) for one in shop_data.items.ids()]
    loads = [Load(balancer.url, f"loaded-{n}", ids) for n in range(3)]
    try:
        a.send_signal(signal.SIGTERM)
        a.wait(300)
        wait_until(lambda: balancer.state("a") == "DOWN")
        replicas.start(replicas.ports[0])
        wait_until(lambda: balancer.state("a") == "UP")
        assert [load.unanswered for load in loads] == [0, 0, 0]
        b.kill()
        before = sum(load.answered for load in loads)
        wait_until(lambda: balancer.state("b") == "DOWN")
        wait_until(lambda: sum(load.answered for load in loads) > before + 10)
    finally:
        for load in loads:
            load.stopped.set()
            load.thread.join()
    assert [load.wrong for load in loads] == [[], [], []]
    # Requests that were under way in the one that was killed: one of each client at the most.
    assert max(load.unanswered for load in loads) <= 1
