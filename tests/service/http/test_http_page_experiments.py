"""The page's experiments in a real browser, with an experiment of ten days."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from cofactor.artifact.save import save
from cofactor.data.synthetic import shop
from cofactor.models import registry
from cofactor.service.experiments.experiment import AttributionRules, Experiments, parse_arms
from cofactor.service.versions.versions import Folder
from cofactor.store import Event, Impression, open_store
from service.http.browsing import kept, served_page, visiting

pytestmark = pytest.mark.browser


DAY = 86_400


def fill(url: str, one: Any, begun: int) -> None:
    """Two thousand users over nine days, who click more in the second arm."""
    rng, lists, events = np.random.default_rng(0), [], []
    for n in range(2_000):
        user, moment = f"u{n}", begun + n * 9 * DAY // 2_000
        arm = one.arm_of(user)
        shown = {"user_id": user, "version": arm.version, "arm": arm.name, "experiment": one.name}
        lists.append(
            Impression(
                request_id=user,
                source="personal",
                items=("a",),
                probabilities=(1.0,),
                ms=2.0,
                time=moment,
                **shown,
            )
        )
        if rng.random() < (0.2 if arm.version == "v1" else 0.35):
            events.append(Event(user_id=user, item_id="a", kind="click", time=moment + 1))
    with open_store(url) as store:
        store.log_impressions(lists).result()
        store.append(events).result()


@pytest.fixture(scope="module")
def tested_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    room = tmp_path_factory.mktemp("tested")
    model = registry.create("popularity").fit(shop(n_users=60, n_items=40, seed=2))
    for version in ("v1", "v2"):
        save(model, room / "models" / version)
    (room / "models" / "current").write_text('{"version": "v1"}')
    begun, url = int(time.time()) - 10 * DAY, f"sqlite:///{room / 'e.db'}"
    rules = AttributionRules(rewards={"click": 1.0}, window=3_600, horizon=DAY // 2)
    experiments = Experiments(Folder(room / "models"))
    arms = parse_arms("v1:50,v2:50")
    fill(url, experiments.start("buttons", "ab", arms, rules, begun), begun)
    with served_page(room / "models", url) as site:
        yield site


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_arms_are_shown_day_by_day_with_their_difference(
    browser: Any, tested_site: str, scheme: str
) -> None:
    with visiting(browser, tested_site) as visit:
        page = visit("experiments", scheme=scheme)
        assert page.locator("text=v2 is better than v1").count() == 1
        arms, difference = page.locator("svg.series").all()
        assert arms.locator("polyline").count() == 2
        assert difference.locator("polyline").count() == 1
        # Who is in which arm follows from the experiment's own salt.
        label = difference.get_attribute("aria-label")
        shown = re.search(r"v2 − v1: (0\.\d+), from (\S+) to", label)
        assert shown, label
        assert 0 < float(shown[2]) < float(shown[1]) < 0.3
        points = arms.locator("polyline").first.get_attribute("points").split()
        assert len(points) >= 8
        assert page.locator("main tbody tr").count() == 2
        kept(page, f"experiments-{scheme}")
        page.set_viewport_size({"width": 375, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        kept(page, f"phone-experiments-{scheme}")
