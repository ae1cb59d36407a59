"""The JavaScript client in a real browser, which limits what a request may be that outlives its
page, and lacks some functions on pages without TLS.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cofactor.artifact.save import save
from cofactor.data.synthetic import shop
from cofactor.models import registry
from service.http.browsing import served_page, visiting

pytestmark = pytest.mark.browser

PLAY = """async () => {
  const { Cofactor } = await import(new URL("page/client.js", location.href).href);
  const recs = new Cofactor(location.origin, { retries: 0 });
  const event = (n) => ({ user_id: `a user with a rather long name ${n}`, item_id: `item ${n}`, kind: "purchase" });
  const events = Array.from({ length: 1000 }, (_, n) => event(n));
  const sent = [await recs.send(events), ...await Promise.all([1, 2, 3].map(() => recs.send(events.slice(0, 300))))];
  crypto.randomUUID = undefined;
  const ids = [await recs.send([event(1)]), await recs.send([event(2)])].map((one) => one.event_ids[0]);
  return [sent.map((one) => one.changed), ids];
}"""  # noqa: E501


def test_many_events_at_once_and_pages_without_tls(browser: Any, tmp_path: Path) -> None:
    save(registry.create("popularity").fit(shop(n_users=30, n_items=20, seed=1)), tmp_path / "m")
    with (
        served_page(tmp_path / "m", f"sqlite:///{tmp_path / 'e.db'}") as site,
        visiting(browser, site) as visit,
    ):
        changed, ids = visit("explore").evaluate(PLAY)
    assert changed == [1000, 300, 300, 300]
    assert len(set(ids)) == 2
