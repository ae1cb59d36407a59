"""How the page looks, in a real browser: every view at three widths, in both colour schemes, on a
shop with covers, a title that is far too long, and an experiment. What stands where is compared
with a reference; cut, broken and overlapping texts, and faint ones, are found by the boxes.

``COFACTOR_LAYOUT=1`` writes the references (page_layout) again: look at what changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cofactor.artifact.save import save
from cofactor.models import registry
from cofactor.service.experiments.experiment import AttributionRules, Experiments, parse_arms
from cofactor.service.versions.versions import Folder
from cofactor.store import Event, open_store
from service.http.browsing import kept, opened_browser, served_page, visiting
from service.http.illustrated import illustrated
from service.http.test_http_page_experiments import DAY, fill

pytestmark = pytest.mark.browser

HERE = Path(__file__).parent
FAULTS, OUTLINE = ((HERE / f"page_{name}.js").read_text() for name in ("faults", "outline"))
REFERENCES = HERE / "page_layout"
WIDTHS = (360, 768, 1280)
# The address of each view, and what to wait for.
VIEWS = {
    "explore": ("explore?items=PAST", "section[aria-labelledby=recs-title] .word"),
    "users": ("users?user=reader-001", "section[aria-labelledby=recs-title] .title, .items .title"),
    "items": ("items", "tbody tr"),
    "map": ("map", ".legend li"),
    "compare": ("compare?left=ease&right=content_knn&items=PAST", ".pairs tbody tr"),
    "describe": ("describe?text=a detective in the old harbour town", ".word"),
    "models": ("models", ".versions tbody tr"),
    "experiments": ("experiments", "svg.series"),
    "live": ("live", ".chart"),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with opened_browser() as started:
        yield started


@pytest.fixture(scope="module")
def past() -> str:
    """Ids of items as an address holds them: a popular one, a long title and a Japanese one."""
    data = illustrated()
    rows = np.argsort(-data.item_counts, kind="stable")[[0, 70, 71]]
    return ",".join(map(str, data.items.ids(rows)))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    room, data = tmp_path_factory.mktemp("layout"), illustrated()
    url = f"sqlite:///{room / 'e.db'}"
    for name, at in (("ease", 0.31), ("ials", 0.27), ("content_knn", 0.22)):
        metrics = {
            metric: {"value": at, "low": at - 0.015, "high": at + 0.016}
            for metric in ("ndcg@10", "recall@20", "precision@10", "map@10", "mrr@10", "hit@10")
        }
        measured = {"n_users": 400, "fingerprint": "f", "metrics": metrics}
        save(registry.create(name).fit(data), room / "models" / name, metrics=measured)
    (room / "models" / "current").write_text('{"version": "content_knn"}')
    begun, arms = int(time.time()) - 10 * DAY, parse_arms("ease:50,ials:50")
    rules = AttributionRules(rewards={"click": 1.0}, window=3_600, horizon=DAY // 2)
    begin = Experiments(Folder(room / "models")).start
    fill(url, begin("new-model", "ab", arms, rules, begun), begun)
    with open_store(url) as store:
        seen = [str(one) for one in data.items.ids([5, 70, 71])]
        store.append([Event(user_id="reader-001", item_id=one, kind="view") for one in seen])
    with served_page(room / "models", url) as served:
        yield served


def _shown(page: Any, site: str, view: str, past: str) -> None:
    """Open a view anew, and wait until it stands still."""
    address, ready = VIEWS[view]
    page.goto(f"{site}/#{address.replace('PAST', past)}")
    page.reload()
    page.wait_for_selector(f"main[data-ready={view}]")
    page.wait_for_selector(ready)
    page.wait_for_function("!document.querySelector('[aria-busy=true], .skeleton')")


@pytest.mark.parametrize("width", WIDTHS)
def test_views_stand_as_they_stood_and_nothing_is_cut_broken_faint_or_on_something_else(
    browser: Any, site: str, past: str, width: int
) -> None:
    faults, lines = [], []
    with visiting(browser, site) as opened:
        for scheme in ("light", "dark"):
            page = opened("explore", width=width, height=900, scheme=scheme)
            for view in VIEWS:
                _shown(page, site, view, past)
                faults += [f"{view}, {scheme}: {one}" for one in page.evaluate(FAULTS, width)]
                if scheme == "light":
                    lines += [view, *(f"  {one}" for one in page.evaluate(OUTLINE))]
                kept(page, f"layout-{view}-{width}-{scheme}")
    assert not faults, "\n".join(faults)
    reference, found = REFERENCES / f"{width}.txt", "\n".join(lines) + "\n"
    if os.environ.get("COFACTOR_LAYOUT"):
        reference.write_text(found)
    assert found == reference.read_text()


PLANTED = """
<div class="card" data-css="width: 300px">
<p data-css="color: #bbb; background: #fff">faint words</p>
<p data-css="width: 50px; overflow-wrap: anywhere">Unabbreviated</p>
<p data-css="font-size: 7px">small words</p>
<p data-css="width: 400px">words that go beyond their card at the right side</p>
<p data-css="position: relative; top: 2rem">upper words</p><p>lower words</p>
<button data-css="min-height: 0; height: 12px; padding: 0">x</button>
<div data-css="overflow-x: auto"><div data-css="width: 900px">a wide table</div></div>
<p data-css="overflow: hidden; width: 60px; white-space: nowrap">shortened without a sign</p>
<p>33953 hours ago</p></div>
"""
# The page's policy allows no style attributes, only the object model's.
PLANT = """html => {
  const card = new DOMParser().parseFromString(html, "text/html").querySelector(".card");
  document.querySelector("main").append(card);
  for (const e of [card, ...card.querySelectorAll("[data-css]")]) e.style.cssText = e.dataset.css;
}"""


def test_planted_faults_are_found(browser: Any, site: str) -> None:
    with visiting(browser, site) as opened:
        page = opened("describe", width=768)
        page.evaluate(PLANT, PLANTED)
        found = "\n".join(page.evaluate(FAULTS, 768))
    for fault in (
        'faint words" has a contrast of 1.9',
        '"Unabbreviated" is broken',
        'small words" is',
        "leaves its card",
        'upper words" lies on "lower words',
        '"x" is only',
        "hides 6",
        'shortened without a sign" is cut',
        "counts what nobody counts",
    ):
        assert fault in found, found
