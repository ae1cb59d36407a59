"""Versions over HTTP: long and failing promotions, comparisons, and damaged versions."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from cofactor.artifact.save import save
from cofactor.data.interactions import Interactions
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.service.http.context import Context
from cofactor.service.http.keys import Key, Keys, hashed
from cofactor.service.settings import Settings
from cofactor.service.versions import promotion, shares
from service.http.scenes import CALM, Start, in_loop, some_items, until


def soon_given_up(context: Context) -> None:
    """Wait for promotions a moment only."""
    real = context.models.promote

    async def promote(version: str, *, force: bool, patience: float) -> Any:
        return await real(version, force=force, patience=0.05)

    context.models.promote = promote  # type: ignore[method-assign,assignment]


def test_a_promotion_that_takes_longer_than_a_request_goes_on(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cofactor.service.versions import reload

    go_on = threading.Event()

    def slowly(*_: Any) -> str:
        assert go_on.wait(300)
        return "compared slowly"

    monkeypatch.setattr(reload, "compared", slowly)

    async def play(client: httpx.AsyncClient, context: Context) -> None:
        soon_given_up(context)
        answer = await client.post("/v1/model/promote", json={"version": "v2"})
        assert (answer.status_code, answer.json()["status"]) == (202, "checking")
        told = (await client.get("/v1/model")).json()
        assert told["promotion"] == {"version": "v2", "status": "checking"}
        assert told["current"]["version"] == "v1"
        other = await client.post("/v1/model/promote", json={"version": "v3"})
        assert (other.status_code, other.json()["error"]["code"]) == (409, "promoting")
        # What is hidden meanwhile waits for nothing.
        hidden = await client.post("/v1/items/hide", json={"item_ids": ["book-03"]})
        assert hidden.status_code == 200
        go_on.set()
        await until(lambda: context.models.current.version == "v2")
        await asyncio.sleep(0)
        told = (await client.get("/v1/model")).json()
        assert told["promotion"] == {"version": "v2", "status": "promoted"}

    in_loop(folder, events, Settings(**CALM), play)


def test_a_promotion_that_fails_later_says_why(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cofactor.service.errors import RequestError
    from cofactor.service.versions import reload

    go_on = threading.Event()

    def worse(*_: Any) -> str:
        assert go_on.wait(300)
        raise RequestError(409, "worse", "much worse", "version")

    monkeypatch.setattr(reload, "compared", worse)

    async def play(client: httpx.AsyncClient, context: Context) -> None:
        soon_given_up(context)
        assert (await client.post("/v1/model/promote", json={"version": "v2"})).status_code == 202
        go_on.set()
        await until(lambda: context.models.promotion.status == "failed")  # type: ignore[union-attr]
        told = (await client.get("/v1/model")).json()
        assert told["promotion"]["problem"] == "much worse"
        assert told["current"]["version"] == "v1"

    in_loop(folder, events, Settings(**CALM), play)


def test_a_version_that_knows_a_tenth_is_refused_unless_forced(
    start: Start, folder: Path, shop_data: Interactions
) -> None:
    few = shop_data.where(shop_data.user_rows < 9).compact()
    save(registry.create("ials", factors=4).fit(few), folder / "v9")
    service = start()
    answer = service.post("/v1/model/promote", json={"version": "v9"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "knows_less")
    assert "10% of the current version's users" in answer.json()["error"]["message"]
    forced = service.post("/v1/model/promote", json={"version": "v9", "force": True})
    assert forced.status_code == 200


def test_versions_are_not_compared_on_what_they_were_fitted_on(
    start: Start, shop_data: Interactions
) -> None:
    service = start(Settings(**CALM))
    events: list[dict[str, Any]] = []
    for user in range(70):
        span = shop_data.item_rows[shop_data.indptr[user] : shop_data.indptr[user + 1]]
        if len(span) < 2:
            continue
        name = shop_data.users.ids([user])[0]
        events += [{"user_id": name, "item_id": i} for i in some_items(shop_data, *span[:2])]
    service.post("/v1/events", json={"events": events})
    answer = service.post("/v1/model/promote", json={"version": "v2"})
    assert answer.status_code == 200, answer.text
    told = answer.json()["checks"][-1]
    assert told.startswith("stored events of 0 users")
    assert "left out: fitted on them" in told


def test_a_version_whose_offsets_wrap_around_answers_nobody_and_ends_nothing(
    start: Start, folder: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    from cofactor.artifact import format as fmt

    bad = folder / "v2"
    arrays = load_file(bad / fmt.TENSORS)
    offsets = arrays["history.indptr"]
    offsets[1:4] = [2**62, -(2**63), -(2**62)]
    offsets[4:] = offsets[-1]
    save_file(arrays, bad / fmt.TENSORS)
    manifest = json.loads((bad / fmt.MANIFEST).read_text())
    facts = fmt.file_facts(bad / fmt.TENSORS)
    manifest["files"][fmt.TENSORS] = {"bytes": facts.bytes, "sha256": facts.sha256}
    (bad / fmt.MANIFEST).write_text(json.dumps(manifest))
    service = start()
    for answer in (
        service.get("/v1/users/reader-02/recommendations?version=v2"),
        service.post("/v1/model/promote", json={"version": "v2"}),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "bad_model")
    assert service.get("/v1/users/reader-02/recommendations").status_code == 200


KEYS = Keys({hashed(one): Key("read", hashed(one)) for one in ("one", "two")})


@pytest.mark.parametrize(
    ("versions", "answered"),
    [
        (["v2", "v3", "v2", "v1"], [200, 503, 200, 200]),  # what is in memory costs nothing
        (["v2", "v4", "v3", "v4"], [200, 503, 503, 503]),
        (["damaged", "damaged", "v1"], [409, 503, 200]),  # in vain, and yet it took
    ],
)
def test_versions_that_one_key_names_are_loaded_for_a_share_of_the_time(
    start: Start,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    versions: list[str],
    answered: list[int],
) -> None:
    """One key that named them in turn had the thread that loads for itself."""
    monkeypatch.setattr(shares, "_AHEAD", 0.0)
    monkeypatch.setattr(shares, "_SHARE", 1e-6)
    shutil.copytree(folder / "v2", folder / "v4")
    shutil.copytree(folder / "v2", folder / "damaged")
    (folder / "damaged" / "items.parquet").unlink()
    client = start(Settings(**CALM), KEYS)

    def asked(version: str, key: str) -> httpx.Response:
        path = f"/v1/users/reader-02/recommendations?version={version}"
        return client.get(path, headers={"authorization": f"Bearer {key}"})

    found = [asked(version, "one") for version in versions]
    assert [one.status_code for one in found] == answered
    for one in found:
        assert ("retry-after" in one.headers) == (one.status_code == 503)
    assert asked("v3", "two").status_code == 200  # of another key, nobody is the worse for it


def test_a_key_waits_for_two_versions_at_a_time(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder / "v2", folder / "v4")
    go_on = threading.Event()

    async def play(client: httpx.AsyncClient, context: Context) -> None:
        load = context.models._load

        def slowly(version: str) -> Any:
            assert go_on.wait(300)
            return load(version)

        monkeypatch.setattr(context.models, "_load", slowly)

        async def asked(version: str) -> int:
            path = f"/v1/items/book-03/similar?version={version}"
            answer = await client.get(path, headers={"authorization": "Bearer one"})
            return answer.status_code

        waiting = [asyncio.create_task(asked(version)) for version in ("v2", "v3")]
        await asyncio.sleep(0.1)
        assert await asked("v4") == 503
        go_on.set()
        assert await asyncio.gather(*waiting) == [200, 200]

    in_loop(folder, events, Settings(**CALM), play, KEYS)


def test_versions_that_are_asked_for_stay_in_memory(start: Start, folder: Path) -> None:
    """The one loaded first was let go, though everybody asked for it."""
    for name in ("v4", "v5"):
        shutil.copytree(folder / "v2", folder / name)
    client = start(Settings(**CALM, keep_versions=3))
    for version in ("v2", "v3", "v2", "v4", "v2", "v5", "v2"):
        path = f"/v1/users/reader-02/recommendations?version={version}"
        assert client.get(path).status_code == 200
        assert "v2" in client.app.state.context.models.held  # type: ignore[attr-defined]


@pytest.mark.parametrize("known", [[], ["v2"], ["v1", "v2"]])
@pytest.mark.parametrize("how", ["http", "command", "rollback"])
def test_a_version_that_was_saved_again_is_loaded_again(
    start: Start, folder: Path, fitted: dict[str, Recommender], known: list[str], how: str
) -> None:
    """What was in memory under its name answered, and after a restart something else did."""
    if how == "rollback":
        (folder / "current").write_text('{"version": "v1", "before": ["v2"]}')
    client = start()
    for version in known:
        client.get(f"/v1/users/reader-02/recommendations?version={version}")
    save(fitted["v3"], folder / "v2", overwrite=True)
    if how == "command":
        promotion.promote(folder, "v2", None, force=True)
        in_time(lambda: answered(client)["model"]["version"] == "v2")
    else:
        path = {"http": "promote", "rollback": "rollback"}[how]
        body = {"version": "v2", "force": True} if how == "http" else {}
        assert client.post(f"/v1/model/{path}", json=body).status_code == 200
    assert answered(client)["model"] == {"name": "ease", "version": "v2"}
    # The one that answers, again: hidden items stay hidden in what takes its place.
    (item,) = [one["item_id"] for one in answered(client)["items"]][:1]
    save(fitted["v1"], folder / "v2", overwrite=True)
    promotion.promote(folder, "v2", None, force=True)
    in_time(lambda: answered(client)["model"]["name"] == "ials")
    assert client.post("/v1/items/hide", json={"item_ids": [item]}).status_code == 200
    assert item not in [one["item_id"] for one in answered(client)["items"]]
    assert client.get("/v1/model").json()["current"]["model"] == "ials"


def answered(client: Any) -> Any:
    answer = client.get("/v1/users/reader-02/recommendations?k=50")
    assert answer.status_code == 200
    return answer.json()


def in_time(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("path", ["promote", "rollback"])
def test_what_is_in_memory_but_damaged_on_disk_is_not_made_current(
    start: Start, folder: Path, path: str
) -> None:
    """The service answered, and its next start failed."""
    (folder / "current").write_text('{"version": "v1", "before": ["v2"]}')
    client = start()
    assert client.get("/v1/users/reader-02/recommendations?version=v2").status_code == 200
    (folder / "v2" / "items.parquet").unlink()
    body = {"version": "v2", "force": True} if path == "promote" else {}
    answer = client.post(f"/v1/model/{path}", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "bad_model")
    assert answered(client)["model"]["version"] == "v1"
    assert '"version": "v1"' in (folder / "current").read_text()
