"""What callers with the source in hand do to a running service: bytes that cost more to read than
to send, ids that only one of two rules takes, moments between two steps.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from cofactor import Run
from cofactor.artifact.save import save
from cofactor.models import registry
from cofactor.service.http.app import build
from cofactor.service.http.context import Context
from cofactor.service.settings import Settings
from cofactor.store import open_store
from content_shop import shop
from service.http.scenes import BASE, CALM, Start, TestClient, TimeLimit, ids_of, in_loop
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
