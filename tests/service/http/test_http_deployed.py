"""Deployed: under a proxy's path, probed by any name, read through the clients and the explorer."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cofactor.base.errors import ArgumentError
from cofactor.client import Client, ServiceError
from cofactor.data.interactions import Interactions
from cofactor.service.http.keys import Keys, new_key
from cofactor.service.settings import Settings
from service.http.browsing import served_page
from service.http.scenes import CALM, Start, ids_of

PAGE = Path(__file__).parents[3] / "src" / "cofactor" / "service" / "page"


def test_under_a_path_everything_answers_with_it_and_without_it(
    start: Start, shop_data: Interactions
) -> None:
    client = start(Settings(root_path="/recs", **CALM))
    user = shop_data.users.ids([3])[0]
    plain = client.get(f"/v1/users/{user}/recommendations")
    assert ids_of(client.get(f"/recs/v1/users/{user}/recommendations")) == ids_of(plain)
    moved = client.get("/recs", follow_redirects=False)
    assert (moved.status_code, moved.headers["location"]) == (308, "/recs/")
    for address in ("/recs/", "/recs/docs", "/recs/page/main.js", "/recs/openapi.json"):
        assert client.get(address).status_code == 200, address
    assert client.get("/recs/openapi.json").json()["servers"] == [{"url": "/recs"}]
    assert client.get("/recsx/v1/items").status_code == 404
    events = {"events": [{"user_id": user, "item_id": "a/b", "kind": "view"}]}
    assert client.post("/recs/v1/events", json=events).status_code == 200
    assert client.delete(f"/recs/v1/users/{user}").status_code == 200
    assert client.delete("/recs/v1/users/x/export").status_code == 405


@pytest.mark.parametrize("path", ["recs", "/recs/", "/", "/a b", "/a?b", "//a"])
def test_a_path_of_another_form_is_refused(path: str) -> None:
    with pytest.raises(ArgumentError, match="such as /recs"):
        Settings(root_path=path)


def test_the_page_names_no_address_from_the_root() -> None:
    for name in ("index.html", "docs.html"):
        text = (PAGE / name).read_text(encoding="utf-8")
        assert 'src="/' not in text
        assert 'href="/' not in text
    for script in PAGE.glob("*.js"):
        text = script.read_text(encoding="utf-8")
        assert "fetch(" not in text or script.name in ("ui.js", "docs.js", "client.js")
        assert "http://" not in text.replace("http://www.w3.org", "")


def test_probes_answer_by_any_name_and_nothing_else_does(start: Start) -> None:
    client = start()
    for path in ("/health", "/ready"):
        assert client.get(path, headers={"host": "10.1.2.3:8000"}).status_code == 200
    assert client.get("/v1/items", headers={"host": "10.1.2.3:8000"}).status_code == 421


@pytest.fixture
def keyed(folder: Path, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The address of a service that wants keys, under a path, and a key."""
    key = new_key(tmp_path / "keys", "admin")
    keys = Keys.read(tmp_path / "keys")
    settings = Settings(**CALM, root_path="/recs")
    with served_page(folder, f"sqlite:///{tmp_path / 'e.db'}", settings, keys) as url:
        yield url, key


def test_the_python_client_does_what_the_service_can(
    keyed: tuple[str, str], shop_data: Interactions
) -> None:
    url, key = keyed
    user, item = shop_data.users.ids([3])[0], shop_data.items.ids([30])[0]
    with Client(url, key=key) as recs:
        assert recs.ready()
        first = recs.recommend(user, k=5, rerank=["mmr=0.5"])
        assert first.rerank == "mmr=0.5"
        assert len(first.items) == 5
        ack = recs.send([{"user_id": "new/one", "item_id": item, "kind": "purchase"}])
        assert ack.changed == 1
        assert recs.history("new/one").events[0].item_id == item
        assert recs.recommend("new/one").source == "personal"
        assert recs.because("new/one", rows=1).rows[0].item_id == item
        assert recs.trending().items[0].item_id == item
        shown = [one.item_id for page in recs.pages("new/one", k=7) for one in page]
        assert len(shown) == len(set(shown)) == 52
        assert recs.popular("genres", "Comedy", k=3).source == "popularity"
        assert len(recs.categories("genres", rows=2).rows) == 2
        assert len(recs.similar(item, k=4).items) == 4
        recs.hide([item])
        assert recs.item(item).state == "hidden"
        recs.show([item])
        recs.put_items([{"item_id": "x", "title": "An X of our own"}])
        assert recs.search("own x").items[0].item_id == "x"
        recs.delete_items(["x"])
        assert recs.undo(ack.event_ids or []).changed == 1
        assert len(recs.export("new/one").events) == 1
        assert recs.erase("new/one").changed == 1
        assert recs.model().current.version == "v1"
        with pytest.raises(ServiceError, match="k must be at most") as caught:
            recs.recommend(user, k=100_000)
        assert (caught.value.status, caught.value.code, caught.value.field) == (422, "invalid", "k")
    with Client(url) as unknown, pytest.raises(ServiceError) as caught:
        unknown.recommend(user)
    assert caught.value.status == 401


def test_the_python_client_sends_again_under_the_same_ids() -> None:
    """A connection that breaks after the request: the second try carries the same request id."""
    bodies: list[bytes] = []
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def answer() -> None:
            for n in range(3):
                taken, _ = listening.accept()
                with taken:
                    raw = taken.recv(65_536)
                    while not raw.endswith(b"}"):
                        raw += taken.recv(65_536)
                    bodies.append(raw.partition(b"\r\n\r\n")[2])
                    if n == 1:
                        busy = b'{"error": {"code": "overloaded", "message": "busy"}}'
                        head = f"HTTP/1.1 503 x\r\nretry-after: 0\r\ncontent-length: {len(busy)}"
                        taken.sendall(f"{head}\r\nconnection: close\r\n\r\n".encode() + busy)
                    if n == 2:
                        done = b'{"outcome":"stored","changed":1,"unchanged":0,"seq":1}'
                        taken.sendall(
                            f"HTTP/1.1 200 x\r\ncontent-length: {len(done)}\r\n\r\n".encode() + done
                        )

        thread = threading.Thread(target=answer)
        thread.start()
        with Client(f"http://127.0.0.1:{listening.getsockname()[1]}") as recs:
            assert recs.send([{"user_id": 1, "item_id": 2}]).changed == 1
        thread.join(300)
    assert len(bodies) == 3
    assert len({json.loads(body)["request_id"] for body in bodies}) == 1


def test_a_service_that_is_not_there_is_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}", retries=0) as recs:
        assert not recs.ready()
        with pytest.raises(ServiceError, match="can't be reached") as caught:
            recs.send([{"user_id": 1, "item_id": 2}])
    assert (caught.value.status, caught.value.outcome) == (0, "unknown")
    with pytest.raises(ArgumentError, match="url must be such as"):
        Client("127.0.0.1:8000")


def _script(url: str, key: str, item: str) -> str:
    return f"""
import {{ Cofactor, CofactorError }} from "./client.mjs";
const recs = new Cofactor("{url}/", {{ key: "{key}" }});
const sent = await recs.send([{{ user_id: "js/1", item_id: "{item}", kind: "purchase" }}]);
const list = await recs.recommend("js/1", {{ k: 5 }});
let shown = [];
for await (const page of recs.pages("js/1", {{ k: 20 }})) shown.push(...page.map((i) => i.item_id));
const because = await recs.because("js/1", 1);
const trending = await recs.trending();
const similar = await recs.similar("{item}", 3);
let refused;
try {{ await recs.recommend("js/1", {{ k: 0 }}); }} catch (error) {{ refused = [error instanceof CofactorError, error.status]; }}
const failed = async (call) => {{ try {{ await call(); }} catch (error) {{ return [error instanceof CofactorError, error.code]; }} }};
const odd = await failed(() => recs.send([{{ user_id: "js/1", item_id: "{item}", value: NaN }}]));
const large = await recs.send([{{ user_id: 9148955329465709066n, item_id: "{item}" }}]);
const ids = [];
for (const one of [9148955329465709066, 7.5, true, null, {{}}, Symbol("a")]) {{
  ids.push(await failed(async () => recs.send([{{ user_id: one, item_id: "{item}" }}])));
  ids.push(await failed(async () => recs.because(one)));
  if (one !== null) ids.push(await failed(async () => recs.recommend(null, {{ history: [typeof one === "object" ? {{ item_id: one }} : one] }})));
}}
const foreign = await failed(() => new Cofactor("{url}/#").similar("{item}"));
console.log(JSON.stringify([sent.changed, list.source, shown.length, new Set(shown).size, because.rows[0].item_id, trending.items[0].item_id, similar.items.length, refused, odd, foreign, large.changed, [...new Set(ids.map(String))]]));
"""  # noqa: E501


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_the_javascript_client_does_the_same(
    keyed: tuple[str, str], shop_data: Interactions, tmp_path: Path
) -> None:
    url, key = keyed
    item = shop_data.items.ids([30])[0]
    shutil.copy(PAGE / "client.js", tmp_path / "client.mjs")
    (tmp_path / "play.mjs").write_text(_script(url, key, item), encoding="utf-8")
    done = subprocess.run(
        ["node", str(tmp_path / "play.mjs")],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == [
        1,
        "personal",
        52,
        52,
        item,
        item,
        3,
        [True, 422],
        [True, "invalid"],
        [True, "unreadable"],
        1,
        ["true,invalid"],
    ]
