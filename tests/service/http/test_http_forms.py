"""Forms of requests that nobody means: names twice, encodings, framings; and the one form in which
they are refused.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cofactor.base.errors import ArgumentError
from cofactor.service.http.app import build
from cofactor.service.settings import Settings
from cofactor.store import open_store
from service.http.scenes import BASE, CALM, TestClient
from service.http.served import Line, raw_request, serve_and_play


@pytest.fixture(scope="module")
def service(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('forms') / 'events.db'}")
    app = build(saved, store, Settings(**CALM))
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as client:
        yield client


def test_a_name_twice_in_one_object_is_refused_as_in_a_query(service: TestClient) -> None:
    twice = {
        "/v1/recommend": b'{"user_id": "a", "k": 3, "user_id": "b"}',
        "/v1/events": b'{"events": [{"user_id": "a", "item_id": "b", "user\\u005fid": "c"}]}',
        "/v1/items": b'{"items": [{"item_id": "a", "features": {"year": 1990, "year": 1991}}]}',
        "/v1/model/promote": b'{"version": "v1", "version": "v2"}',
    }
    for path, body in twice.items():
        answer = service.post(path, content=body)
        assert answer.status_code == 422, (path, answer.text)
        assert "is given twice" in answer.json()["error"]["message"]
    # The same name in two objects, and in a text, is one each.
    body = b'{"history": [{"item_id": "a"}, {"item_id": "\\"item_id\\": \\"item_id\\":"}], "k": 1}'
    assert service.post("/v1/recommend", content=body).status_code == 200
    assert service.get("/v1/stats").json()["events"] == 0


def test_a_body_in_another_encoding_is_refused_by_name(service: TestClient) -> None:
    body = b'{"history": []}'
    for encoding, content in (("gzip", gzip.compress(body)), ("br", body), ("gzip, gzip", body)):
        answer = service.post(
            "/v1/recommend", content=content, headers={"content-encoding": encoding}
        )
        assert answer.status_code == 415, answer.text
        assert repr(encoding) in answer.json()["error"]["message"]
    for encoding in ("identity", "Identity", ""):
        answer = service.post("/v1/recommend", content=body, headers={"content-encoding": encoding})
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", ["Authorization", "Origin", "Sec-Fetch-Site", "content-encoding"])
@pytest.mark.parametrize("path", ["/v1/recommend", "/nothing"])
def test_a_header_that_decides_who_may_is_given_once(
    service: TestClient, name: str, path: str
) -> None:
    for values in (("a", "b"), ("a", "a")):
        headers = [(name, value) for value in values]
        answer = service.post(path, content=b'{"history": []}', headers=headers)
        assert answer.status_code == 400
        assert f"{name.lower()} is given twice" in answer.json()["error"]["message"]


def test_refusals_before_any_route_are_answered_like_all_others(service: TestClient) -> None:
    foreign = {"origin": "http://elsewhere.example"}
    for answer in (
        service.get("/nothing"),
        service.request("TRACE", "/health"),
        service.options("/v1/recommend", headers=foreign),
        service.post(
            "/v1/recommend",
            content=b"{}",
            headers={"transfer-encoding": "chunked", "content-length": "2"},
        ),
        service.get("/v1/stats", headers={"host": "elsewhere.example"}),
        service.get("/v1/nothing/%0A"),
    ):
        assert set(answer.json()["error"]) == {"code", "message"}, answer.text
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert int(answer.headers["content-length"]) == len(answer.content)


@pytest.mark.parametrize(
    ("name", "odd"),
    [
        *(("hosts", odd) for odd in ("", "*", "shop.example:80", "http://shop.example", "a b")),
        *(("origins", odd) for odd in ("", "*", "shop.example", "https://shop.example/a", "null")),
        *(("workers", odd) for odd in (0, -1, 1_000_000, True, 2.0)),
        *(("threads", odd) for odd in (0, 1_000_000)),
    ],
)
def test_what_could_never_match_or_would_take_the_machine_is_refused(name: str, odd: Any) -> None:
    with pytest.raises(ArgumentError, match=rf"{name} must be"):
        Settings(**{name: (odd,) if name in ("hosts", "origins") else odd})


def test_names_and_origins_of_every_kind_are_taken() -> None:
    hosts = ("shop.example", "my_service", "10.0.0.1", "::1", "fe80::1", "localhost")
    origins = ("https://shop.example", "http://127.0.0.1:8000/", "capacitor://localhost")
    assert Settings(hosts=hosts, origins=origins, workers=256).hosts == hosts


def test_a_whole_address_is_asked_for_like_a_path(saved: Path, events: str) -> None:
    """RFC 9112, section 3.2.2: servers take them, and their host counts instead of the header's."""
    asked = {
        "http://127.0.0.1/health": ("evil.example", 200),
        "HTTP://localhost:8000/v1/search?q=a": ("evil.example", 200),
        "https://127.0.0.1/v1/users/reader-02/recommendations?k=2": ("127.0.0.1", 200),
        "http://127.0.0.1": ("127.0.0.1", 200),
        "http://127.0.0.1?a=1": ("127.0.0.1", 422),
        "http://evil.example/v1/items": ("127.0.0.1", 421),
        "http://127.0.0.1@evil.example/v1/items": ("127.0.0.1", 400),
        "http:///v1/items": ("127.0.0.1", 400),
        "ftp://127.0.0.1/v1/items": ("127.0.0.1", 400),
        "v1/items": ("127.0.0.1", 400),
        "*": ("127.0.0.1", 400),
    }

    async def play(port: int, _: Any) -> dict[str, int]:
        line, found = await Line.to(port), {}
        for target, (host, _status) in asked.items():
            found[target] = (await line.ask(raw_request("GET", target, host=host)))[0]
        return found

    assert serve_and_play(saved, events, play) == {t: status for t, (_, status) in asked.items()}


@pytest.mark.parametrize("path", ["/health", "/v1/users/reader-02/recommendations"])
def test_a_head_that_comes_whole_has_the_same_limit(saved: Path, events: str, path: str) -> None:
    async def play(port: int, _: Any) -> list[int]:
        line = await Line.to(port)
        return [
            (await line.ask(raw_request("GET", path, b"", f"X-Long: {'x' * size}")))[0]
            for size in (60_000, 70_000)
        ]

    assert serve_and_play(saved, events, play) == [200, 431]
