"""Who may call: every route of the table without a key, with a wrong one, with a lesser scope;
hosts, origins, sizes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cofactor.base.errors import ArgumentError, UnknownNameError
from cofactor.service.http.app import build
from cofactor.service.http.keys import SCOPES, Keys, new_key
from cofactor.service.http.route import Route
from cofactor.service.http.routes import table
from cofactor.service.settings import Settings
from cofactor.store import open_store
from service.http.scenes import Start, TestClient

ROUTES = table()
NAMES = [f"{route.method} {route.path}" for route in ROUTES]


@pytest.fixture
def events_url(events: str) -> str:
    """One database: what these tests look at, the store has no part in."""
    return events


@pytest.fixture(scope="module")
def keyed(
    saved: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TestClient, dict[str, str]]:
    """One service with a key of each scope; nothing in these tests gets far enough to change it."""
    room = tmp_path_factory.mktemp("keyed")
    given = {scope: new_key(room / "keys", scope) for scope in SCOPES[1:]}
    app = build(
        saved, open_store(f"sqlite:///{room / 'events.db'}"), Settings(), Keys.read(room / "keys")
    )
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client, given


def _call(client: TestClient, route: Route, key: str | None) -> tuple[int, str]:
    path = (
        route.path.replace("{user_id}", "u").replace("{item_id}", "i").replace("{name}", "base.css")
    )
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    # A body that is refused after the key was looked at: nothing is changed even by an admin's key.
    answer = client.request(
        route.method, path, headers=headers, content=b"[]" if route.has_body else None
    )
    told = (
        answer.headers.get("content-type", "").startswith("application/json")
        and "error" in answer.json()
    )
    return answer.status_code, answer.json()["error"]["code"] if told else ""


@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
def test_every_route_asks_for_its_scope_and_no_less(
    keyed: tuple[TestClient, dict[str, str]], route: Route
) -> None:
    client, keys = keyed
    if route.scope == "public":
        assert _call(client, route, None)[0] == 200
        return
    assert _call(client, route, None) == (401, "no_key")
    assert _call(client, route, "cof_wrong") == (401, "unknown_key")
    assert _call(client, route, "") == (401, "no_key")
    for scope in SCOPES[1:]:
        status, code = _call(client, route, keys[scope])
        if SCOPES.index(scope) < SCOPES.index(route.scope):
            assert (status, code) == (403, "scope")
        else:
            assert status not in (401, 403)


def test_routes_that_change_something_are_no_mere_reading() -> None:
    # "recommend" and "similar" are POSTs because their questions are long.
    for route in ROUTES:
        harmless = route.method == "GET" or route.path in ("/v1/recommend", "/v1/similar")
        assert harmless or route.scope in ("write", "admin"), route.path


def test_key_file_holds_no_key_and_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    key = new_key(tmp_path / "keys", "read")
    assert key not in (tmp_path / "keys").read_text()
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0
    with pytest.raises(UnknownNameError):
        new_key(tmp_path / "keys", "root")
    (tmp_path / "keys").write_text("read nonsense\n")
    with pytest.raises(ArgumentError, match="line 1"):
        Keys.read(tmp_path / "keys")


def test_beyond_the_loopback_not_without_keys(saved: Path, tmp_path: Path) -> None:
    with (
        open_store(f"sqlite:///{tmp_path / 'e.db'}") as store,
        pytest.raises(ArgumentError, match="needs keys"),
    ):
        build(saved, store, Settings(host="0.0.0.0"))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1.evil.example"}, 421),
        ({"host": "127.0.0.1:x"}, 421),
        ({"host": "127.0.0.1@evil.example"}, 421),
        ({"host": "[::1"}, 421),
        ({"host": "[::1].evil.example"}, 421),
        ({"host": "localhost:8000"}, 422),
        ({"host": "[::1]:8000"}, 422),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"origin": "http://127.0.0.1"}, 422),
        ({"origin": "https://shop.example"}, 422),
    ],
)
def test_foreign_hosts_and_pages_cant_change_anything(
    start: Start, headers: dict[str, str], status: int
) -> None:
    client = start(Settings(origins=("https://shop.example",)))
    answer = client.post("/v1/events", content=b"{}", headers=headers)
    assert answer.status_code == status
    allowed = headers.get("origin") == "https://shop.example"
    assert answer.headers.get("access-control-allow-origin") == (
        "https://shop.example" if allowed else None
    )


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site", "sec-fetch-dest": "image"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "https://evil.example", "sec-fetch-site": "cross-site"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}, 200),
        ({"origin": "https://shop.example", "sec-fetch-site": "cross-site"}, 200),
    ],
)
def test_foreign_pages_make_no_reads_that_are_logged_or_cost_something(
    start: Start, headers: dict[str, str], status: int
) -> None:
    client = start(Settings(origins=("https://shop.example",), log_impressions=True))
    answer = client.get("/v1/users/somebody/recommendations", headers=headers)
    assert answer.status_code == status
    assert client.get("/v1/search?q=a", headers=headers).status_code == status
    logged = client.get("/v1/users/somebody/export").json()["impressions"]
    assert len(logged) == (status == 200)
    # A link from elsewhere leads to the page.
    assert client.get("/", headers=headers).status_code == 200
    assert client.get("/health", headers=headers).status_code == 200


def test_preflight_is_answered_to_allowed_origins_alone(start: Start) -> None:
    client = start(Settings(origins=("https://shop.example",)))
    assert (
        client.options("/v1/events", headers={"origin": "https://shop.example"}).status_code == 204
    )
    refused = client.options("/v1/events", headers={"origin": "https://evil.example"})
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers


def test_sizes_beyond_the_limits_are_refused(start: Start) -> None:
    client = start(Settings(max_body=1000, max_events=2, max_history=3, max_filter=2))
    many = {"events": [{"user_id": "u", "item_id": str(n)} for n in range(3)]}
    assert client.post("/v1/events", json=many).status_code == 422
    assert (
        client.post("/v1/recommend", json={"history": ["a"] * 4}).json()["error"]["field"]
        == "history"
    )
    assert (
        client.post("/v1/recommend", json={"history": [], "block": ["a"] * 3}).json()["error"][
            "field"
        ]
        == "block"
    )
    assert client.post("/v1/recommend", content=b"{" + b" " * 2000 + b"}").status_code == 413

    def chunks():  # type: ignore[no-untyped-def]
        yield from [b" " * 400] * 5

    assert client.post("/v1/recommend", content=chunks()).status_code == 413
    assert client.get("/v1/search?q=" + "a" * 30_000).status_code == 414


def test_page_asks_no_foreign_host(keyed: tuple[TestClient, dict[str, str]]) -> None:
    from cofactor.service.http.handlers.system import page_files

    client, _ = keyed
    assert "default-src 'self'" in client.get("/").headers["content-security-policy"]
    for name, content in page_files().items():
        text = content.decode().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text, name
        assert "https://" not in text, name
        assert "innerHTML" not in text, name


def test_served_document_tells_of_every_route_of_the_table_and_of_no_other(
    keyed: tuple[TestClient, dict[str, str]],
) -> None:
    answer = keyed[0].get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    told = {
        f"{method.upper()} {path}"
        for path, operations in answer.json()["paths"].items()
        for method in operations
    }
    assert told == set(NAMES)
