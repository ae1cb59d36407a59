"""Lists on their way out are logged together, and never hold an answer up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from cofactor.base.errors import ArgumentError
from cofactor.service.answering.admission import Admission
from cofactor.service.experiments import impression_log
from cofactor.service.experiments.impression_log import DurableLog
from cofactor.service.settings import Settings
from cofactor.store import Ack, Impression, Store, StoreUnavailableError, open_store

DONE = Ack(changed=1, unchanged=0, seq=0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'e.db'}") as opened:
        yield opened


@pytest.fixture
def admission() -> Admission:
    return Admission(Settings())


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impression_log, "_PATIENCE", 60.0)


def shown(request_id: str, item: str = "a") -> Impression:
    return Impression(
        request_id=request_id,
        user_id="u",
        version="v1",
        source="personal",
        items=(item,),
        probabilities=(1.0,),
    )


class Held:
    """A store whose writes are done when the test says so."""

    def __init__(self) -> None:
        self.writes: list[tuple[list[str], Future[Ack]]] = []

    def log_impressions(self, impressions: list[Impression]) -> Future[Ack]:
        write: Future[Ack] = Future()
        self.writes.append(([one.request_id for one in impressions], write))
        return write


def made(store: Any, admission: Admission) -> DurableLog:
    return DurableLog(store, admission, CollectorRegistry())


def test_lists_of_one_turn_are_one_write_and_the_next_takes_what_gathered(
    admission: Admission,
) -> None:
    held = Held()

    async def play() -> list[bool]:
        log = made(held, admission)
        first = [asyncio.ensure_future(log.log(shown(f"a{n}"))) for n in range(3)]
        await asyncio.sleep(0.01)
        later = [asyncio.ensure_future(log.log(shown(f"b{n}"))) for n in range(2)]
        await asyncio.sleep(0.01)
        assert [ids for ids, _ in held.writes] == [["a0", "a1", "a2"]]
        # What waits for the disk isn't still to be scored.
        assert admission.scored == -5
        held.writes[0][1].set_result(DONE)
        assert await asyncio.gather(*first) == [True] * 3
        assert [ids for ids, _ in held.writes[1:]] == [["b0", "b1"]]
        held.writes[1][1].set_exception(StoreUnavailableError("the disk is full."))
        return await asyncio.gather(*later)

    assert asyncio.run(play()) == [False, False]
    assert admission.scored == 0


def test_a_list_that_cannot_be_logged_takes_no_others_along(
    store: Store, admission: Admission
) -> None:
    async def play() -> list[bool]:
        log = made(store, admission)
        lists = [shown("r1"), shown("r2", "x" * 201), shown("r3")]
        return await asyncio.gather(*(log.log(one) for one in lists))

    assert asyncio.run(play()) == [True, False, True]
    assert [one.request_id for one in store.impressions()] == ["r1", "r3"]


def test_a_disk_that_hangs_holds_no_answer_up_and_nothing_gathers(
    admission: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impression_log, "_PATIENCE", 0.02)
    held = Held()

    async def play() -> None:
        log = made(held, admission)
        assert await log.log(shown("hangs")) is False
        # Behind it nothing is begun, and what was answered without a log isn't written later.
        assert await asyncio.gather(log.log(shown("b")), log.log(shown("c"))) == [False, False]
        held.writes[0][1].set_result(DONE)
        await asyncio.sleep(0.01)
        monkeypatch.setattr(impression_log, "_PATIENCE", 60.0)
        again = asyncio.ensure_future(log.log(shown("d")))
        await asyncio.sleep(0.005)
        held.writes[1][1].set_result(DONE)
        assert await again is True

    asyncio.run(play())
    assert [ids for ids, _ in held.writes] == [["hangs"], ["d"]]


def test_a_request_that_is_cancelled_leaves_the_others_their_log(
    store: Store, admission: Admission
) -> None:
    async def play() -> bool:
        log = made(store, admission)
        gone, kept = (asyncio.ensure_future(log.log(shown(name))) for name in ("gone", "kept"))
        await asyncio.sleep(0)
        gone.cancel()
        return await kept

    assert asyncio.run(play())
    assert admission.scored == 0


def test_no_list_may_be_longer_than_what_is_logged() -> None:
    with pytest.raises(ArgumentError, match="max_k must be"):
        Settings(max_k=1_001)
