"""The small files beside the versions, and the manifests in them, whatever they hold: what answers
goes on answering, the page of versions says what is wrong, and what is put right is followed.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from cofactor.base import state_file
from cofactor.base.errors import ArtifactError, UnwrittenError
from cofactor.service.experiments.experiment import AttributionRules, Experiments, parse_arms
from cofactor.service.http.app import build
from cofactor.service.http.context import Context
from cofactor.service.settings import Settings
from cofactor.store import open_store
from service.http.scenes import CALM, Start, in_loop, until

QUICK = Settings(**CALM, watch_seconds=0.02)


def written(raw: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(raw) and None


@pytest.fixture
def events_url(events: str) -> str:
    """One database: what these tests look at, the store has no part in."""
    return events


ODD: dict[str, Callable[[Path], None]] = {
    "no text": written(b'{"version": "\xff"}'),
    "deep": written(b'{"version": "v3", "before": ' + b"[" * 100_000),
    "deep unknown": written(b"[" * 100_000),
    "half a character": written(b'{"version": "\\ud800"}'),
    "large": written(b'{"version": "v3"' + b" " * (1 << 25) + b"}"),
    "a folder": lambda path: path.mkdir(),
    "a pipe": lambda path: os.mkfifo(path),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to("current"),
}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_pointer_is_named_and_the_next_one_followed(
    folder: Path, events: str, kind: str
) -> None:
    current = folder / "current"

    async def play(client: httpx.AsyncClient, context: Context) -> None:
        made = folder / "new"
        ODD[kind](made)
        current.unlink()
        made.rename(current)
        await until(lambda: context.models.problem is not None)
        found = await client.get("/v1/model")
        assert found.status_code == 200
        assert "current" in found.json()["current"]["problem"]
        assert (await client.get("/v1/users/u/recommendations")).status_code == 200
        for path, body in (("promote", {"version": "v2", "force": True}), ("rollback", {})):
            answer = await client.post(f"/v1/model/{path}", json=body)
            assert answer.status_code in (409, 422), answer.text
        if current.is_dir():
            current.rmdir()
        good = folder / "good"
        good.write_text('{"version": "v2"}')
        os.replace(good, current)
        await until(lambda: context.models.current.version == "v2")

    in_loop(folder, events, QUICK, play)


@pytest.mark.parametrize("name", ["experiments.json", "retraining.json"])
@pytest.mark.parametrize("kind", ODD)
def test_odd_files_of_experiments_and_retraining_stop_no_service(
    folder: Path, events: str, kind: str, name: str
) -> None:
    ODD[kind](folder / name)

    async def play(client: httpx.AsyncClient, context: Context) -> None:
        assert (await client.get("/v1/users/u/recommendations")).status_code == 200
        assert (await client.get("/v1/retraining")).status_code == 200
        assert (await client.get("/v1/experiments")).status_code in (200, 409)

    in_loop(folder, events, QUICK, play)


def test_a_folder_whose_name_is_no_text_is_no_version(folder: Path, start: Start) -> None:
    shutil.copytree(folder / "v1", os.fsdecode(os.fsencode(folder) + b"/bad\xff"))
    service = start()
    found = service.get("/v1/model").json()["versions"]
    assert [one["version"] for one in found] == ["v1", "v2", "v3"]
    answer = service.get("/v1/users/u/recommendations?version=zz")
    assert (answer.status_code, "v1, v2, v3" in answer.text) == (422, True)


def test_a_refusal_of_any_text_is_an_answer() -> None:
    from cofactor.service.errors import RequestError

    error = RequestError(422, "invalid", "half \ud800 of it", "where\udcff")
    assert json.loads(error.body())["error"]["message"] == "half \\ud800 of it"


LIES: dict[str, dict[str, Any]] = {
    "metrics in a list": {"metrics": {"metrics": [1, 2]}},
    "odd figures": {"metrics": {"metrics": {"a": {"value": 10**40}, "b": [], "c": True}}},
    "people without number": {"metrics": {"n_users": "many", "protocol": 5, "against": []}},
    "limits that are none": {"run": {"limits": 5, "notes": {}, "licence": [1], "seed": {}}},
    "texts for numbers": {"run": {"limits": {"a": 1}, "fit_seconds": "x", "reading": [1]}},
    "negative counts": {"created": "", "versions": {"numpy": "<script>"}},
}


@pytest.mark.parametrize("lie", LIES)
def test_what_a_manifest_says_of_itself_breaks_no_list_of_versions(
    folder: Path, start: Start, lie: str
) -> None:
    path = folder / "v3" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | LIES[lie]))
    service = start()
    found = service.get("/v1/model")
    assert found.status_code == 200, found.text
    assert [one["version"] for one in found.json()["versions"]] == ["v1", "v2", "v3"]
    assert service.get("/v1/users/u/recommendations?version=v3").status_code == 200
    answer = service.post("/v1/model/promote", json={"version": "v3"})
    assert answer.status_code in (200, 409), answer.text


@pytest.mark.parametrize("field", ["metrics", "run", "config"])
@pytest.mark.parametrize("depth", [200, 900])
def test_a_manifest_nested_without_end_is_damaged(
    folder: Path, start: Start, field: str, depth: int
) -> None:
    path = folder / "v3" / "manifest.json"
    nested = json.loads('{"a": ' * depth + "1" + "}" * depth)
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: nested}))
    found = start().get("/v1/model")
    assert found.status_code == 200, found.text
    problem = found.json()["versions"][2]["problem"]
    assert problem is not None
    assert "manifest.json" in problem


def test_a_served_folder_without_a_readable_pointer_is_refused(folder: Path, events: str) -> None:
    (folder / "current").write_bytes(b'{"version": "\xff"}')
    store = open_store(events)
    with pytest.raises(ArtifactError, match=r"current can't be read"):
        build(folder, store, QUICK)
    store.close()


@pytest.mark.parametrize(
    ("number", "said"), [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "Read-only file system")]
)
def test_a_pointer_that_cannot_be_written_is_no_error_inside(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    """It was answered 500, and by the command as an output that can't be written."""

    def full(target: Path, content: bytes) -> None:
        raise OSError(number, os.strerror(number))

    (folder / "current").write_text('{"version": "v1", "before": ["v3"]}')
    before = (folder / "current").read_bytes()

    async def play(client: httpx.AsyncClient, context: Context) -> None:
        monkeypatch.setattr(state_file, "replace_file", full)
        for path, body in (("promote", {"version": "v2", "force": True}), ("rollback", {})):
            answer = await client.post(f"/v1/model/{path}", json=body)
            error = answer.json()["error"]
            assert (answer.status_code, error["code"]) == (503, "storage"), answer.text
            assert f"current can't be written: {said}; what it said still holds" in error["message"]
            assert (await client.get("/v1/model")).json()["current"]["version"] == "v1"
        with pytest.raises(UnwrittenError, match=said):
            Experiments(context.models.folder).start(
                "e", "ab", parse_arms("v1:50,v2:50"), AttributionRules()
            )

    in_loop(folder, events, QUICK, play)
    assert (folder / "current").read_bytes() == before
