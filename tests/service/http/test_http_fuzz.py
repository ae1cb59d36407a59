"""The whole surface against nonsense: requests made from the OpenAPI document, valid and bent,
and raw bytes at a socket.
"""

from __future__ import annotations

import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cofactor.service.http.app import build
from cofactor.service.http.connection import ConnectionLimits
from cofactor.service.http.fast.protocol import guarded_protocol
from cofactor.service.http.openapi import document
from cofactor.service.http.routes import table
from cofactor.service.settings import Settings
from cofactor.store import open_store
from draws import chance
from service.http.scenes import CALM, TestClient

DOCUMENT = json.loads(json.dumps(document(table())))
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = [
    (method, path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
EXAMPLES = 40 if os.environ.get("COFACTOR_SOAK") else 1
junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["\x00", "\ud800", "9" * 400, "book-03"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12) | st.sampled_from(
    ["book-03", "reader-02", "base.css"]
)


def _from_schema(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema of the document allows, now and then with something else in their
    place.
    """
    return _or_junk(json.dumps(schema))


# Made once a schema: hypothesis takes longer to look through a new strategy than to draw from it.
@cache
def _or_junk(schema: str) -> st.SearchStrategy[Any]:
    return st.integers(0, 15).flatmap(lambda n: junk if n == 0 else _valid_once(schema))


@cache
def _valid_once(schema: str) -> st.SearchStrategy[Any]:
    return _valid(json.loads(schema))


def _valid(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return _valid(SCHEMAS[schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return st.one_of([_valid(one) for one in schema["anyOf"]])
    kind = schema.get("type")
    if kind == "object":
        known = schema.get("properties", {})
        required = set(schema.get("required", ()))
        told = {n: _from_schema(s) for n, s in known.items()}
        fixed = st.fixed_dictionaries(
            {n: s for n, s in told.items() if n in required},
            optional={n: s for n, s in told.items() if n not in required},
        )
        return fixed if known else st.dictionaries(st.text(max_size=6), junk, max_size=3)
    if kind == "array":
        return st.lists(
            _from_schema(schema.get("items", {})),
            min_size=min(schema.get("minItems", 0), 2),
            max_size=4,
        )
    if kind == "integer":
        return st.integers(
            schema.get("minimum", -(2**70)), min(schema.get("maximum", 2**70), 2**70)
        )
    if kind == "number":
        return st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False)
    if kind == "boolean":
        return st.booleans()
    if kind == "null":
        return st.none()
    if kind == "string":
        plain = st.text(min_size=schema.get("minLength", 0), max_size=20)
        return plain | st.sampled_from(
            ["book-03", "reader-02", "view", "v1", "year > 1990", "genres has 'x'", "a and ("]
        )
    return junk


@pytest.fixture(scope="module")
def fuzzed(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('fuzz') / 'events.db'}")
    with TestClient(
        build(saved, store, Settings(**CALM)),
        base_url="http://127.0.0.1",
        raise_server_exceptions=True,
    ) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "operation"), OPERATIONS, ids=[f"{m} {p}" for m, p, _ in OPERATIONS]
)
def test_no_request_made_from_the_document_gives_a_5xx(
    fuzzed: TestClient, method: str, path: str, operation: dict[str, Any]
) -> None:
    if path in ("/v1/model/promote", "/v1/model/rollback"):
        pytest.skip(
            "changes the versions that other tests share; fuzzed by hand in test_http_reload"
        )

    @settings(max_examples=12 * EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def play(data: st.DataObject) -> None:
        filled, content = _filled(path, operation, data), _content(operation, data)
        answer = fuzzed.request(method.upper(), filled, content=content)
        assert answer.status_code < 500, (filled, content, answer.text)
        if answer.status_code >= 400:
            fields = {"code", "message", "field", "outcome", "event_ids"}
            assert set(answer.json()["error"]) <= fields

    play()


def _filled(path: str, operation: dict[str, Any], data: st.DataObject) -> str:
    """The path with names and a query that are drawn."""
    for name in ("user_id", "item_id", "name"):
        if f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", quote(data.draw(names), safe=""))
    schemas = {p["name"]: p["schema"] for p in operation["parameters"] if p["in"] == "query"}
    queries = {
        n: data.draw(_from_schema(s)) for n, s in schemas.items() if data.draw(st.booleans())
    }
    if not queries:
        return path
    return f"{path}?" + urlencode(
        {n: str(v).encode("utf-8", "replace") for n, v in queries.items()}
    )


def _content(operation: dict[str, Any], data: st.DataObject) -> bytes | None:
    """A body that is drawn, one in ten of them cut off and garbled; None where none is taken."""
    if "requestBody" not in operation:
        return None
    schema = operation["requestBody"].get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return None
    content = json.dumps(data.draw(_from_schema(schema))).encode()
    if data.draw(st.integers(0, 9)) == 0:
        end = data.draw(st.integers(0, len(content)))
        content = content[:end] + data.draw(st.binary(max_size=9))
    return content


def test_deeply_nested_and_huge_numbers_are_refused_not_fatal(fuzzed: TestClient) -> None:
    deep = b'{"history":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    assert fuzzed.post("/v1/recommend", content=deep).status_code in (400, 422)
    assert fuzzed.post(
        "/v1/items",
        content=b'{"items":[{"item_id":"a","features":{"x":'
        + b"[" * 5_000
        + b"]" * 5_000
        + b"}}]}",
    ).status_code in (400, 422)
    assert fuzzed.post(
        "/v1/recommend", content=b'{"history":[' + b"9" * 5_000 + b"]}"
    ).status_code in (400, 422)
    assert fuzzed.post("/v1/recommend", content=b'{"history":["\\ud800"]}').status_code < 500
    assert (
        fuzzed.post("/v1/recommend", json={"history": [], "where": "(" * 5000}).status_code == 422
    )
    assert (
        fuzzed.post(
            "/v1/recommend", json={"history": [], "where": "not " * 2000 + "year > 1"}
        ).status_code
        == 422
    )
    assert fuzzed.get("/health").json() == {"status": "ok"}


RAW = [
    b"\x00\x01\x02\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    (
        b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Length:"
        b" 99999999999999999999\r\n\r\n{}"
    ),
    b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 5_000 + b"\r\n",
    b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    (
        b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding:"
        b" chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ),
    b"GET /%ff%fe HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
    b"GET /v1/items/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \xff\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
]


def test_raw_bytes_get_no_5xx_and_dont_end_the_server(saved: Path, tmp_path: Path) -> None:
    import uvicorn

    app = build(saved, open_store(f"sqlite:///{tmp_path / 'e.db'}"), Settings(**CALM))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        protocol = guarded_protocol(app.state.fast_path, ConnectionLimits(Settings()))
        config = uvicorn.Config(app, http=protocol, log_config=None, lifespan="on", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            deadline = time.monotonic() + 300
            while not server.started:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            draw = chance("raw bytes")
            seeds = [draw.randbytes(200) for _ in range(20 * EXAMPLES)] + [
                b"GET /health HTTP/1.1\r\n" + draw.randbytes(100) for _ in range(20 * EXAMPLES)
            ]
            for raw in RAW + seeds:
                answer = _sent(port, raw)
                # 505 is for another version of the protocol: not a fault of the service.
                failed = re.match(rb"HTTP/1\.[01] 50[0-4]", answer)
                assert not failed, (raw[:80], answer[:200])
            assert _sent(
                port,
                b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                wait=60,
            ).startswith(b"HTTP/1.1 200")
        finally:
            server.should_exit = True
            thread.join(300)


def _sent(port: int, raw: bytes, wait: float = 0.1) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 60) as line:
        line.settimeout(wait)
        answer = b""
        try:
            line.sendall(raw)
            line.shutdown(socket.SHUT_WR)
            while part := line.recv(65_536):
                answer += part
                if b"\r\n\r\n" in answer:
                    break
        except OSError:
            pass
        return answer
