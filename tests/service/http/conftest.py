"""A folder with three versions of a small shop's model, and services on it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cofactor import Run
from cofactor.artifact.save import save
from cofactor.data.interactions import Interactions
from cofactor.data.synthetic import shop
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.service.http import connection
from cofactor.service.http.app import build
from cofactor.service.http.keys import Keys
from cofactor.service.settings import Settings
from cofactor.store import open_store
from service.http.browsing import opened_browser
from service.http.clocked import SOME_LOOKS, Clock
from service.http.scenes import BASE, CALM, Start, TestClient
from store.places import new_place


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with opened_browser() as started:
        yield started


@pytest.fixture(scope="session")
def shop_data() -> Interactions:
    return shop(n_users=90, n_items=53, seed=5)


@pytest.fixture(scope="session")
def fitted(shop_data: Interactions) -> dict[str, Recommender]:
    """The versions' models: two iALS from different seeds, and a linear model."""
    run = Run(threads=1)
    # By default so few events leave little but popularity, and the seeds' lists would be the same.
    loose = {"factors": 8, "regularization": 0.01}
    return {
        "v1": registry.create("ials", **loose).fit(shop_data, run=run),
        "v2": registry.create("ials", **loose).fit(shop_data, run=Run(seed=7, threads=1)),
        "v3": registry.create("ease").fit(shop_data, run=run),
    }


@pytest.fixture(scope="session")
def saved(fitted: dict[str, Recommender], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("versions")
    for version, model in fitted.items():
        save(
            model,
            folder / version,
            metrics={"metrics": {"ndcg@10": {"value": 0.2, "low": 0.1, "high": 0.3}}},
        )
    (folder / "current").write_text('{"version": "v1"}')
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy of the versions that a test may change."""
    return Path(shutil.copytree(saved, tmp_path / "models"))


@pytest.fixture(params=["sqlite", "postgres"])
def events_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a service keeps its events, once per database."""
    return new_place(request, request.param, tmp_path)


@pytest.fixture
def start(folder: Path, events_url: str) -> Iterator[Start]:
    """Start a service on the versions (or on one of them) and return a client of it."""
    with contextlib.ExitStack() as stack:

        def started(
            settings: Settings | None = None,
            keys: Keys | None = None,
            model: str | None = None,
            url: str | None = None,
        ) -> TestClient:
            place = folder if model is None else folder / model
            store = open_store(url or events_url)
            try:
                app = build(place, store, settings or Settings(**CALM), keys)
            except BaseException:
                store.close()
                raise
            client = TestClient(app, base_url=BASE, raise_server_exceptions=False)
            return stack.enter_context(client)

        yield started


@pytest.fixture
def service(start: Start) -> TestClient:
    return start()


@pytest.fixture
def events(tmp_path: Path) -> str:
    """Where the events go; which database it is makes no difference here."""
    return f"sqlite:///{tmp_path}/events.db"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of all deadlines of connections."""
    made = Clock()
    monkeypatch.setattr(connection, "_LOOK", SOME_LOOKS / 5)
    monkeypatch.setattr(connection.ConnectionLimits, "now", lambda _: made.now())
    return made
