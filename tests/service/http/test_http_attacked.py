"""What callers with the source in hand do to a running service: bytes that cost more to read than
to send, ids that only one of two rules takes, moments between two steps.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from cofactor import Run
from cofactor.artifact.save import save
from cofactor.models import registry
from cofactor.service.answering import feeds, item_map
from cofactor.service.http import dispatch
from cofactor.service.http.app import build
from cofactor.service.http.connection import ConnectionLimits
from cofactor.service.http.context import Context
from cofactor.service.http.keys import Key, Keys, hashed
from cofactor.service.settings import Settings
from cofactor.store import Event, StoreSettings, open_store
from content_shop import shop
from service.http.scenes import (
    BASE,
    CALM,
    Start,
    TestClient,
    TimeLimit,
    ids_of,
    in_loop,
    some_turns,
    until,
)
from service.http.served import Line, raw_request, serve_and_play


def test_chunks_of_a_byte_are_refused_before_they_take_long(folder: Path, events: str) -> None:
    """A quarter of a megabyte of them, without a key, held everybody up for half a second."""

    async def play(port: int, context: Context) -> None:
        line = await Line.to(port)
        head = raw_request("POST", "/v1/recommend", b"", "Transfer-Encoding: chunked")
        line.send(head.replace(b"Content-Length: 0\r\n", b"") + b"1\r\n \r\n" * 40_000)
        status, headers, body = await line.answer()
        assert (status, headers["connection"]) == (400, "close")
        assert b"chunks" in body
        few = await Line.to(port)
        body = b'{"history": [], "k": 3}' + b" " * 1_000
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
        assert (await few.ask(head.replace(b"Content-Length: 0\r\n", b"") + chunks))[0] == 200

    serve_and_play(folder, events, play)


@pytest.mark.parametrize("path", ["/v1/users/u1/recommendations", "/v1/stats"])
@pytest.mark.parametrize("whole", [True, False])
def test_a_head_of_thousands_of_lines_is_refused_unread(
    folder: Path, events: str, path: str, whole: bool
) -> None:
    async def play(port: int, context: Context) -> None:
        raw = raw_request("GET", path, b"", *(f"a{n}:" for n in range(5_000)))
        line = await Line.to(port)
        status, headers, _ = await line.ask(raw if whole else raw[:20_000])
        assert (status, headers["connection"]) == (431, "close")
        usual = raw_request("GET", path, b"", *(f"a{n}: b" for n in range(200)))
        assert (await (await Line.to(port)).ask(usual))[0] == 200

    serve_and_play(folder, events, play)


@pytest.mark.parametrize(
    "item_id", ["--5", "99999999999999999999", "-" + "9" * 199, "-", "٣", "+5", "-0"]
)
def test_an_id_that_is_hardly_a_number_stops_no_model_of_numbers(
    tmp_path: Path, item_id: str
) -> None:
    """A model with content on whole numbers could never be started again."""
    save(registry.create("content_knn").fit(shop(), run=Run(threads=1)), tmp_path / "model")

    def served() -> TestClient:
        store = open_store(f"sqlite:///{tmp_path}/e.db")
        app = build(tmp_path / "model", store, Settings(**CALM))
        return TestClient(app, base_url=BASE, raise_server_exceptions=False)

    with served() as client:
        odd = {"item_id": item_id, "title": "odd", "features": {"colour": "red"}}
        assert client.post("/v1/items", json={"items": [odd]}).status_code in (200, 422)
        plain = {"item_id": 7, "features": {"description": "garden roses"}}
        assert client.post("/v1/items", json={"items": [plain]}).status_code == 200
        assert client.get("/v1/items/7").json()["known_to_model"] is True
    with served() as client:
        assert client.get("/v1/items/7").json()["known_to_model"] is True


def test_what_is_on_disk_is_acknowledged_however_long_a_model_takes_to_know_it(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was stored and answered 503 with the outcome ``refused``."""
    limit = TimeLimit(monkeypatch)

    async def play(client: httpx.AsyncClient, context: Context) -> None:
        begun = asyncio.Event()

        def growing() -> asyncio.Future[None]:
            begun.set()
            return asyncio.get_running_loop().create_future()

        monkeypatch.setattr(context.models, "growing", growing)
        item = {"item_id": "new-1", "title": "New"}
        asked = asyncio.create_task(client.post("/v1/items", json={"items": [item]}))
        await begun.wait()
        limit.is_over()
        assert (await asked).json()["outcome"] == "stored"

    in_loop(folder, events, Settings(**CALM), play)


def test_no_way_back_leads_to_a_version_that_cannot_answer(folder: Path, start: Start) -> None:
    """``current`` named it, so that the next start found nothing to serve."""
    (folder / "current").write_text('{"version": "v2", "before": ["v1"]}')
    tensors = next((folder / "v1").glob("*.safetensors"))
    tensors.write_bytes(tensors.read_bytes()[:-8])
    service = start()
    assert service.post("/v1/model/rollback", json={}).status_code == 409
    assert service.get("/v1/model").json()["current"]["version"] == "v2"
    assert '"v2"' in (folder / "current").read_text()
    assert len(ids_of(start(url=f"sqlite:///{folder}/other.db").get("/v1/items"))) > 0


def test_deleting_what_is_read_deletes_nothing_however_it_is_written(service: TestClient) -> None:
    event = {"user_id": "x/export", "item_id": "i", "event_id": "e"}
    assert service.post("/v1/events", json={"events": [event]}).status_code == 200
    assert service.delete("/v1/users/x/%65xport").status_code == 405
    assert len(service.get("/v1/users/x%2Fexport/export").json()["events"]) == 1
    assert service.delete("/v1/users/x%2Fexport").json()["changed"] == 1


@pytest.mark.parametrize("long", [True, False])
def test_long_bodies_are_read_beside_the_event_loop(
    service: TestClient, long: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A megabyte of small objects took 80 ms of everybody's time."""
    readers: list[str] = []
    monkeypatch.setattr(
        dispatch, "name_twice", lambda _: readers.append(threading.current_thread().name)
    )
    body = {"history": [{"item_id": "a"}] * (9_000 if long else 900), "k": 1}
    answer = service.post("/v1/recommend", json=body)
    assert answer.status_code == (422 if long else 200)
    assert [name.startswith("cofactor-bodies") for name in readers] == [long]


def test_long_bodies_of_one_key_leave_room_for_another(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = threading.Event()
    monkeypatch.setattr(dispatch, "name_twice", lambda _: held.wait(300) and None)
    body = {"history": [], "k": 1, "where": "year > 1", "version": "v" * 2, "block": ["a"] * 20_000}
    keys = Keys({hashed(one): Key("read", hashed(one)) for one in ("one", "two")})

    async def play(client: httpx.AsyncClient, context: Context) -> None:
        def asked(key: str) -> asyncio.Task[httpx.Response]:
            headers = {"authorization": f"Bearer {key}"}
            return asyncio.create_task(client.post("/v1/recommend", json=body, headers=headers))

        flood = [asked("one") for _ in range(40)]
        await until(lambda: sum(task.done() for task in flood) >= 15)
        refused = [task.result() for task in flood if task.done()]
        assert {one.json()["error"]["code"] for one in refused} == {"overloaded"}
        other = asked("two")
        await some_turns()
        assert not other.done()  # it waits for its turn
        held.set()
        assert (await other).status_code != 503

    in_loop(folder, events, Settings(**CALM), play, keys)


def test_a_large_map_is_written_beside_the_event_loop(
    service: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []
    shown = item_map.ItemMap.shown

    def recorded(*given: Any) -> Any:
        threads.append(threading.current_thread().name)
        return shown(*given)

    monkeypatch.setattr(item_map.ItemMap, "shown", recorded)
    assert service.get("/v1/map").status_code == 200
    assert all(name.startswith("cofactor-slow") for name in threads)
    assert threads


def test_connections_beyond_the_limit_cost_a_look_at_few_others() -> None:
    """At the limit each new connection looked at all others: six milliseconds of everybody's
    time, for anybody who opened one.
    """
    looks, limits = [0], ConnectionLimits(Settings(max_connections=640))

    class Idle:
        answered = busy = False
        since = waiting_since = 0.0
        transport = SimpleNamespace(abort=lambda: None)
        loop = SimpleNamespace(call_later=lambda *_: None)

        def __init__(self, place: int) -> None:
            self.address, self.waiting_since = f"address {place % 2}", float(place)

        @property
        def awaits_client(self) -> bool:
            looks[0] += 1
            return True

    one: Any
    for place in range(640):
        one = Idle(place)
        assert limits.enter(one)
    for place in range(640, 1_280):
        one = Idle(place)
        assert limits.enter(one)
    assert len(limits._open) <= 640
    assert min(one.waiting_since for one in limits._open) >= 630  # the oldest have gone
    assert looks[0] < 640 * 100


def test_pages_go_on_where_the_clock_stands_before_1970(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: -5.0)
    store = open_store(events, settings=StoreSettings(now=lambda: -5.0))
    with TestClient(build(folder, store, Settings(**CALM)), base_url=BASE) as client:
        sent = [{"user_id": f"u{n}", "item_id": f"i{n % 9}"} for n in range(20)]
        assert client.post("/v1/events", json={"events": sent}).status_code == 200
        for path in ("/v1/feeds/popular?k=2", "/v1/users/u1/recommendations?k=2&paged=true"):
            cursor = client.get(path).json()["next"]
            assert client.get(f"{path}&cursor={cursor}").status_code == 200, path


def test_rankings_of_many_half_lives_hold_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "_MOST_IDS", 40)
    with open_store(f"sqlite:///{tmp_path}/e.db") as store:
        store.append([Event(user_id="u", item_id=f"i{n}") for n in range(15)]).result()
        feed = feeds.TrendingFeed(store, Settings())
        first = feed.now(1.0)
        for half_life in range(2, 40):
            assert feed.now(float(half_life)).item_ids == first.item_ids
        assert sum(len(one.item_ids) for one in feed._held.values()) <= 40
        assert feed.as_of(first.seq, first.moment, 1.0).scores.tolist() == first.scores.tolist()
