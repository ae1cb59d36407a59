"""Kill -9 at random points under load: confirmed ⊆ stored ⊆ sent, each event once, requests whole.

Set COFACTOR_SOAK for the long form (`make soak`), COFACTOR_SEED for other moments.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from forked import Forked, execute
from store.promises import Promises, mixed_request

SOAK = bool(os.environ.get("COFACTOR_SOAK"))
CYCLES = 1_000 if SOAK else 4
SEED = int(os.environ.get("COFACTOR_SEED", "5"))
SOURCE = Path(__file__).parents[2]

# Several threads send requests; a line is written before one is sent and after it is confirmed.
WRITER = """
import os, sys, threading
sys.path.insert(0, {tests!r})
from cofactor.store import open_store
from store.promises import mixed_request, submit

def say(word, name, size):
    os.write(1, f"{{word}} {{name}} {{size}}\\n".encode())

store = open_store("sqlite:///" + {path!r})
for name, size in {retried!r}:
    say("s", name, size)
    submit(store, mixed_request(name, size)).result()
    say("c", name, size)

def client(number):
    for turn in range(10**9):
        name, size = f"{cycle}.{{number}}.{{turn}}", 1 + (turn * 7 + number) % 9
        say("s", name, size)
        future = submit(store, mixed_request(name, size))
        future.add_done_callback(
            lambda done, name=name, size=size: done.exception() or say("c", name, size)
        )
        if turn % 3 == 0:
            future.result()

for number in range(4):
    threading.Thread(target=client, args=(number,), daemon=True).start()
say("r", "ready", 0)
threading.Event().wait()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_a_killed_process_loses_nothing_that_it_confirmed(tmp_path: Path) -> None:
    draw = random.Random(SEED)
    made = Promises()
    sizes: dict[str, int] = {}
    for cycle in range(CYCLES):
        path = tmp_path / f"events-{cycle // 20}.db"  # one database lives through twenty kills
        if cycle % 20 == 0:
            made, sizes = Promises(), {}
        lost = [(name, sizes[name]) for name in made.sent if name not in made.confirmed]
        for word, name, size in one_life(path, cycle, lost, draw.uniform(0.0, 0.4)):
            sizes[name] = size
            made.sent.setdefault(name, mixed_request(name, size))
            if word == "c":
                made.confirmed.add(name)
        broken = made.broken_in_a_copy(path)
        assert broken is None, f"cycle {cycle}: {broken}"
    assert len(made.confirmed) > 10
    if SOAK:
        print(f"\nkills: {CYCLES} cycles, nothing confirmed was lost")


def one_life(
    path: Path, cycle: int, retried: list[tuple[str, int]], seconds: float
) -> list[tuple[str, str, int]]:
    """Run a writer, kill it after some time, and return what it said: ``s`` sent, ``c``
    confirmed.
    """
    code = WRITER.format(tests=str(SOURCE / "tests"), path=str(path), retried=retried, cycle=cycle)
    said: list[str] = []
    ready = threading.Event()
    process = Forked(execute, code)

    def listen() -> None:
        for line in process.stdout:
            said.append(line)
            if line.startswith("r"):
                ready.set()

    listener = threading.Thread(target=listen)
    listener.start()
    if cycle % 5 == 4:
        time.sleep(seconds * 3)  # perhaps while it still starts and recovers
    else:
        assert ready.wait(300), process.communicate()
        time.sleep(seconds)
    process.kill()
    listener.join()
    process.communicate()
    words = [line.split() for line in said if line.endswith("\n")]
    return [(word, name, int(size)) for word, name, size in words if word in "sc"]
