"""The fast path: the same answers as the slow path, in order, however the bytes come."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from cofactor.data.interactions import Interactions
from cofactor.service.http.fast.protocol import is_whole, read_plain
from cofactor.service.http.keys import Key, Keys, hashed, new_key
from cofactor.service.settings import Settings
from cofactor.store.writer import Writer
from service.http.scenes import CALM, some_items, some_turns, until
from service.http.served import Line, raw_request, serve_and_play

EVENT = json.dumps(
    {"events": [{"user_id": "u", "item_id": "book-03", "event_id": "e-1", "time": 5}]}
).encode()
RECS = "/v1/users/u/recommendations"
REQUESTS = [
    ("GET", RECS, b""),
    ("GET", RECS + "?k=3&reasons=0", b""),
    ("GET", RECS + "?k=0", b""),
    ("GET", RECS + "?k=1000000", b""),
    ("GET", RECS + "?fun=1", b""),
    ("GET", RECS + "?k=1&k=2", b""),
    ("GET", "/v1/users/a/b/recommendations", b""),
    ("GET", "/v1/users//recommendations", b""),
    ("GET", "/v1/users/u/history", b""),
    ("GET", "/v1/users/u/other", b""),
    ("POST", "/v1/recommend", b'{"history": [], "k": 2}'),
    ("POST", "/v1/recommend", b'{"user_id": "u", "where": "price < 3"}'),
    ("POST", "/v1/recommend", b""),
    ("POST", "/v1/recommend", b"  "),
    ("POST", "/v1/recommend", b"{nonsense"),
    ("POST", "/v1/recommend", b'{"user_id": "u", "strange": 1}'),
    ("POST", "/v1/recommend", b"x" * 3000),
    ("POST", "/v1/recommend?k=2", b'{"user_id": "u"}'),
    ("POST", "/v1/events", EVENT),
    ("POST", "/v1/events", b'{"events": []}'),
    ("POST", "/v1/events", b'{"events": [{"user_id": "u"}]}'),
    ("POST", "/v1/eventsx", EVENT),
]
# A header twice sends a request the long way, and means nothing.
LONG = ("X-Long: 1", "X-Long: 2")


@pytest.fixture
def url(events_url: str) -> str:
    return events_url


def test_fast_and_slow_path_give_the_same_answer(folder: Path, url: str) -> None:
    async def play(port: int, context: Any) -> None:
        line = await Line.to(port)
        await line.ask(raw_request("POST", "/v1/events", EVENT))
        for method, path, body in REQUESTS:
            short, long = raw_request(method, path, body), raw_request(method, path, body, *LONG)
            assert read_plain(long) is None
            got, wanted = await line.ask(short), await line.ask(long)
            assert got == wanted, (method, path, body)
        for host in ("evil.example", "", "127.0.0.1:99"):
            short, long = (
                raw_request("GET", RECS, host=host),
                raw_request("GET", RECS, b"", *LONG, host=host),
            )
            assert (
                (await line.ask(short))[0]
                == (await line.ask(long))[0]
                == (200 if host.startswith("127") else 421)
            )

    serve_and_play(folder, url, play, Settings(**CALM, max_body=2500))


def test_the_fast_path_is_taken(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this, every other test here could pass by the long way alone."""

    async def play(port: int, context: Any) -> None:
        line = await Line.to(port)
        monkeypatch.setattr("starlette.routing.Router.app", None)  # the long way ends in an error
        for method, path, body in (
            ("GET", RECS, b""),
            ("POST", "/v1/recommend", b'{"user_id": "u"}'),
            ("POST", "/v1/events", EVENT),
        ):
            for more in ((), ("Connection: keep-alive", "Accept: */*", "User-Agent: test (x)")):
                assert (await line.ask(raw_request(method, path, body, *more)))[0] == 200

    serve_and_play(folder, url, play)


def test_requests_cut_at_any_byte_are_answered(folder: Path, url: str) -> None:
    raw = raw_request("POST", "/v1/events", EVENT)

    async def play(port: int, context: Any) -> None:
        line = await Line.to(port)
        wanted = await line.ask(raw)
        assert wanted[0] == 200
        wanted = await line.ask(raw)  # from now on it is a repeat
        for cut in range(1, len(raw), 3):
            line.send(raw[:cut])
            await asyncio.sleep(0.002)
            line.send(raw[cut:])
            assert await line.answer() == wanted
        # What looks like a request of its own may be the rest of another.
        other = raw_request("GET", RECS)
        assert read_plain(other) is not None
        for begun in (
            raw_request("POST", "/v1/recommend", other).removesuffix(other),
            b"POST /v1/recommend HTTP/1.1\r\nX-More: ",
        ):
            line.send(begun)
            await asyncio.sleep(0.01)
            line.send(other)
            assert (await line.answer())[0] == 400
        assert await line.ask(raw) == wanted

    serve_and_play(folder, url, play)


def test_requests_sent_without_waiting_are_answered_in_order(
    folder: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, go_on = Writer._commit, threading.Event()
    monkeypatch.setattr(
        Writer, "_commit", lambda self, jobs: go_on.wait(300) and commit(self, jobs)
    )
    go_on.set()

    def event(n: int) -> bytes:
        one = {"user_id": "p", "item_id": "i", "event_id": f"p{n}"}
        return raw_request("POST", "/v1/events", json.dumps({"events": [one]}).encode())

    async def play(port: int, context: Any) -> None:
        line = await Line.to(port)
        # Each in a packet of its own while the one before waits for its commit; then several in
        # one.
        for n in range(8):
            go_on.clear()
            line.send(event(n))
            await until(lambda: context.admission.ingested)
            line.send(raw_request("GET", f"/v1/users/u/recommendations?k={n + 1}"))
            await some_turns()
            go_on.set()
            await until(lambda: not context.admission.ingested)
        for n in range(8):
            assert json.loads((await line.answer())[2])["event_ids"] == [f"p{n}"]
            assert len(json.loads((await line.answer())[2])["items"]) == n + 1
        line.send(
            b"".join(
                event(n) + raw_request("GET", RECS, b"", *(LONG if n % 2 else ()))
                for n in range(10)
            )
        )
        for n in range(10):
            assert json.loads((await line.answer())[2])["event_ids"] == [f"p{n}"]
            assert (await line.answer())[0] == 200

    serve_and_play(folder, url, play)


def test_who_hangs_up_takes_nothing_back_and_holds_nothing_up(folder: Path, url: str) -> None:
    async def play(port: int, context: Any) -> None:
        for n in range(20):
            line = await Line.to(port)
            body = json.dumps({"events": [{"user_id": "gone", "item_id": f"i{n}"}]}).encode()
            line.send(raw_request("POST", "/v1/events", body))
            await line.writer.drain()
            await asyncio.sleep(0.0005 * (n % 5))
            line.writer.transport.abort()
        line = await Line.to(port)
        assert (await line.ask(raw_request("GET", RECS)))[0] == 200
        await until(lambda: (context.admission.ingested, context.admission.scored) == (0, 0))

    serve_and_play(folder, url, play)


def test_keys_are_asked_for_on_the_fast_path(folder: Path, url: str, tmp_path: Path) -> None:
    reading, writing = new_key(tmp_path / "keys", "read"), new_key(tmp_path / "keys", "write")

    async def play(port: int, context: Any) -> None:
        line = await Line.to(port)
        for more, read, write in (
            ((), 401, 401),
            (("Authorization: Bearer no",), 401, 401),
            ((f"Authorization: Bearer {reading}",), 200, 403),
            ((f"Authorization: Bearer {writing}",), 200, 200),
        ):
            assert (await line.ask(raw_request("GET", RECS, b"", *more)))[0] == read
            assert (await line.ask(raw_request("POST", "/v1/events", EVENT, *more)))[0] == write

    serve_and_play(folder, url, play, keys=Keys.read(tmp_path / "keys"))


@pytest.mark.parametrize(("kind", "most"), [("scored", 300), ("ingested", 200)])
def test_a_key_that_fills_the_service_leaves_others_their_share(
    folder: Path, url: str, kind: str, most: int
) -> None:
    """96 connections of one key had four of five requests of another refused."""
    keys = Keys({hashed(one): Key("write", hashed(one)) for one in ("one", "two")})
    asked = ("GET", RECS, b"") if kind == "scored" else ("POST", "/v1/events", EVENT)

    async def play(port: int, context: Any) -> None:
        line, admission = await Line.to(port), context.admission

        async def statuses(key: str) -> set[int]:
            """By the fast path, and by the other."""
            more = [f"Authorization: Bearer {key}"]
            return {(await line.ask(raw_request(*asked, *more, *x)))[0] for x in ((), LONG)}

        async def found() -> list[set[int]]:
            return [await statuses(key) for key in ("one", "two")]

        assert await found() == [{200}, {200}]
        held = getattr(admission, f"{kind}_by")
        assert not held
        setattr(admission, kind, most)  # in all, nearly all of them of one key
        held.update({hashed("one"): most - 10})
        assert await found() == [{503}, {200}]
        held.update({hashed("two"): most // 2})
        assert await found() == [{503}, {503}]
        held.subtract({hashed("two"): most // 2})
        setattr(admission, kind, 10_000)  # more than there may be in all
        assert await found() == [{503}, {503}]
        assert await statuses("unknown") <= {401, 503}

    serve_and_play(folder, url, play, keys=keys)


def test_a_full_house_is_refused_unread_and_counted(
    folder: Path, url: str, shop_data: Interactions
) -> None:
    history = json.dumps({"history": some_items(shop_data, 1, 2)}).encode()

    async def play(port: int, context: Any) -> None:
        line = await Line.to(port)
        context.admission.scored += 1_000
        for raw in (
            raw_request("GET", RECS),
            raw_request("POST", "/v1/recommend", history),
            raw_request("GET", RECS, b"", *LONG),
        ):
            status, headers, body = await line.ask(raw)
            assert (status, headers["retry-after"], json.loads(body)["error"]["code"]) == (
                503,
                "1",
                "overloaded",
            )
        assert (await line.ask(raw_request("POST", "/v1/events", EVENT)))[0] == 200
        context.admission.scored -= 1_000
        assert (await line.ask(raw_request("GET", RECS)))[0] == 200
        context.admission.ingested += 1_000
        assert (await line.ask(raw_request("POST", "/v1/events", EVENT)))[0] == 503
        assert (await line.ask(raw_request("GET", RECS)))[0] == 200
        context.admission.ingested -= 1_000
        assert context.telemetry.shed == 4

    serve_and_play(folder, url, play)


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /v1/users/u%2F/recommendations HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /v1/users/u/recommendations HTTP/1.0\r\nHost: a\r\n\r\n",
        b"GET /v1/users/u/recommendations HTTP/1.1\nHost: a\n\n",
        b"GET /v1/users/u/recommendations HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        b"GET /v1/users/u/recommendations HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /v1/users/u/recommendations HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"GET /v1/users/u/recommendations HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\n\r\n",
        b"GET /v1/users/u/recommendations#x HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /v1/users/u/recommendations HTTP/1.1\r\nHost: a\r\n\r\nrest",
        b"POST /v1/events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\n{}",
        b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n{}",
        (
            b"POST /v1/events HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length:"
            b" 2\r\n\r\n{}"
        ),
        b"POST /v1/events HTTP/1.1\r\nHost: \xff\r\nContent-Length: 2\r\n\r\n{}",
        b"PUT /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
def test_what_is_not_plain_goes_the_slow_path(raw: bytes) -> None:
    assert read_plain(raw) is None


def test_only_whole_requests_are_refused_unread() -> None:
    whole = raw_request("POST", "/v1/events", EVENT)
    assert is_whole(whole)
    assert not any(is_whole(whole[:cut]) for cut in range(len(whole)))
    assert not is_whole(whole + b"G")
