"""Power cuts: whatever unsynced part of the writes the disk kept, nothing acknowledged is lost and
the database opens.

Set COFACTOR_SOAK for the long form (`make soak`), COFACTOR_SEED for other moments.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("apsw", reason="apsw, the shim below SQLite, is not installed (extra dev)")

from cofactor.store import Store, StoreSettings, open_store
from store.disk import Disk, ShimDatabase, image
from store.promises import Promises, mixed_request, request, submit

SOAK = bool(os.environ.get("COFACTOR_SOAK"))
CUTS = 20_000 if SOAK else 250
SEED = int(os.environ.get("COFACTOR_SEED", "0"))
NAME = "events.db"


def record(
    folder: Path,
    rng: np.random.Generator,
    disk: Disk,
    prefix: str,
    retried: dict[str, Any] | None = None,
) -> None:
    """Let a store work on a disk, which notes what was sent and what was confirmed."""
    store = Store(
        ShimDatabase(folder / NAME, disk, checkpoint=int(rng.integers(4, 40))),
        settings=StoreSettings(now=lambda: 2000),
    )
    requests = dict(retried or {})
    for number in range(int(rng.integers(5, 14))):
        name = f"{prefix}{number}"
        requests[name] = mixed_request(name, int(rng.integers(1, 12)))
    waiting = []
    for name, events in requests.items():
        disk.note(("sent", name, events))
        future = submit(store, events)
        # The callback runs in the thread that writes, before its next step.
        future.add_done_callback(
            lambda done, name=name: (
                disk.note(("confirmed", name)) if done.exception() is None else None
            )
        )  # type: ignore[misc]
        waiting.append(future)
        if rng.random() < 0.7:
            future.result()
        if rng.random() < 0.1:
            store.history("user 1")
    for future in waiting:
        future.result()
    if rng.random() < 0.5:
        store.close()
    else:
        _abandoned.append(store)  # closed after the test: a close would be a step of its own


_abandoned: list[Store] = []


@pytest.fixture(autouse=True)
def _close_stores() -> Any:
    yield
    while _abandoned:
        _abandoned.pop().close()


def promises(disk: Disk, end: int) -> Promises:
    """What was promised before a moment."""
    made = Promises()
    for fact in disk.facts(end):
        if fact[0] == "sent":
            made.sent[fact[1]] = fact[2]
        else:
            made.confirmed.add(fact[1])
    return made


def cut(disk: Disk, seed: int, folder: Path) -> str | None:
    """Cut the power at some step; return what is broken after it."""
    rng = np.random.default_rng([7, seed, SEED])
    end = int(rng.integers(1, len(disk.steps) + 1))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    image(disk.steps, end, rng, folder)
    made = promises(disk, end)
    if seed % 25 == 0 and (folder / NAME).exists():
        # The store itself comes up on what is left, takes all that was sent once more, and then has
        # it all, once.
        with open_store(f"sqlite:///{folder / NAME}") as store:
            for events in made.sent.values():
                submit(store, events).result()
        made.confirmed = set(made.sent)
    broken = made.broken(folder / NAME)
    return broken and f"seed {seed}, cut before step {end} of {len(disk.steps)}: {broken}"


def cuts(memory: Path, count: int, workloads: int) -> list[str]:
    """Cut the power ``count`` times over several recorded workloads; return what broke."""
    found = []
    each = count // workloads
    for workload in range(workloads):
        rng = np.random.default_rng([3, workload, SEED])
        folder = memory / f"work-{workload}"
        folder.mkdir()
        disk = Disk()
        record(folder, rng, disk, "a")
        if workload % 2:
            disk, folder = killed(disk, rng, memory / f"again-{workload}")
        for number in range(each):
            broken = cut(disk, workload * each + number, memory / "cut")
            if broken:
                found.append(broken)
    return found


def killed(disk: Disk, rng: np.random.Generator, folder: Path) -> tuple[Disk, Path]:
    """Kill the process at some step (what it wrote stays in the system's cache, synced or not)
    and let another go on.
    """
    end = int(rng.integers(len(disk.steps) // 4, len(disk.steps) + 1))
    made = promises(disk, end)
    folder.mkdir()
    after = Disk(steps=list(disk.steps[:end]))
    _everything(after, folder)
    unconfirmed = {name: events for name, events in made.sent.items() if name not in made.confirmed}
    record(folder, rng, after, "b", retried=unconfirmed)
    return after, folder


def _everything(disk: Disk, folder: Path) -> None:
    class Keep:
        """Draws as a disk that keeps all of it would."""

        def choice(self, _: Any) -> str:
            return "all"

        def random(self) -> float:
            return 1.0

        def integers(self, count: int) -> int:
            return count - 1

    image(disk.steps, len(disk.steps), Keep(), folder)  # type: ignore[arg-type]


def test_nothing_acknowledged_is_lost_in_a_power_cut(memory: Path) -> None:
    broken = cuts(memory, CUTS, workloads=400 if SOAK else 6)
    assert not broken, f"{len(broken)} of {CUTS} cuts: " + "\n".join(broken[:5])
    if SOAK:
        print(f"\npower cuts: {CUTS:,} of {CUTS:,} lost nothing")


def test_the_shim_finds_a_store_that_does_not_sync(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = ShimDatabase.writer

    def lazy(self: ShimDatabase) -> Any:
        session = honest(self)
        session.rows("PRAGMA synchronous = NORMAL")
        return session

    monkeypatch.setattr(ShimDatabase, "writer", lazy)
    assert any("was confirmed and is not stored" in one for one in cuts(memory, 60, workloads=3))


def test_a_retry_after_a_kill_is_confirmed_only_once_it_is_synced(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log of a killed process holds an undo that was written and not synced: to find it done
    already isn't enough.
    """

    def kept(folder: Path) -> set[int]:
        (folder / "first").mkdir(parents=True)
        disk = Disk()
        store = Store(ShimDatabase(folder / "first" / NAME, disk, checkpoint=1000))
        store.append(request("a", 2)).result()
        before = len(disk.steps)
        store.undo(["a/1"]).result()
        _abandoned.append(store)
        # Killed after the last write of the commit, before its sync.
        end = next(n for n in range(before, len(disk.steps)) if disk.steps[n].what == "sync")
        after = Disk(steps=list(disk.steps[:end]))
        (folder / "second").mkdir()
        _everything(after, folder / "second")
        again = Store(ShimDatabase(folder / "second" / NAME, after, checkpoint=1000))
        assert again.undo(["a/1"]).result().unchanged == 1
        confirmed = len(after.steps)
        _abandoned.append(again)
        found = set()
        for seed in range(12):
            shutil.rmtree(folder / "cut", ignore_errors=True)
            (folder / "cut").mkdir()
            image(after.steps, confirmed, np.random.default_rng(seed), folder / "cut")
            with closing(sqlite3.connect(folder / "cut" / NAME)) as connection:
                found |= set(connection.execute("SELECT count(undone) FROM events").fetchone())
        return found

    assert kept(memory / "as it is") == {1}
    monkeypatch.setattr("cofactor.store.operations.probe", lambda work: None)
    assert 0 in kept(memory / "without the first commit")
