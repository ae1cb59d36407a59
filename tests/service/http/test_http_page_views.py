"""The page's views of users, items, events and time in a real browser; links, images."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cofactor.artifact.save import save
from cofactor.models import registry
from service.http.browsing import go, kept, served_page, visiting
from service.http.illustrated import illustrated
from service.http.scenes import CALM

pytestmark = pytest.mark.browser


def send(site: str, path: str, body: Any) -> Any:
    raw = json.dumps(body).encode()
    asked = urllib.request.Request(site + path, raw, {"content-type": "application/json"})
    with urllib.request.urlopen(asked, timeout=600) as answer:
        return json.loads(answer.read())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A shop with covers, three versions, and users who do something."""
    room = tmp_path_factory.mktemp("views")
    data = illustrated()
    for name, at in (("ease", 0.31), ("ials", 0.305), ("item_knn", 0.25)):
        interval = {"value": at, "low": at - 0.015, "high": at + 0.016}
        metrics = dict.fromkeys(("ndcg@10", "recall@20", "precision@10"), interval)
        measured = {"n_users": 400, "fingerprint": "f", "metrics": metrics}
        save(registry.create(name).fit(data), room / "models" / name, metrics=measured)
    (room / "models" / "current").write_text('{"version": "ease"}')
    with served_page(room / "models", f"sqlite:///{room / 'e.db'}") as url:
        now, rng = int(time.time()), np.random.default_rng(4)
        items = data.items.ids(np.argsort(-data.item_counts, kind="stable")[:60])
        kinds = ["view", "view", "view", "cart", "purchase", "dislike"]
        events = [
            {
                "user_id": f"guest-{rng.integers(0, 14)}",
                "item_id": items[int(rng.integers(0, 60))],
                "kind": kinds[int(rng.integers(0, 6))],
                "time": now - int(rng.integers(0, 40_000)),
            }
            for _ in range(240)
        ]
        send(url, "/v1/events", {"events": events})
        for n in range(120):
            send(url, "/v1/recommend", {"user_id": f"guest-{n % 20}", "k": 5})
        yield url


@pytest.fixture
def visit(browser: Any, site: str) -> Iterator[Any]:
    with visiting(browser, site) as opened:
        yield opened


def fits(page: Any, width: int) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth") <= width)


def test_a_user_is_looked_up_with_history_reasons_and_rows(visit: Any) -> None:
    page = visit("users")
    page.locator(".chip-button").first.wait_for()
    assert page.locator(".chip-button").count() >= 5
    page.fill("#user-id", "guest-3")
    page.click("button:has-text('Look up')")
    page.wait_for_selector("#user-history")
    assert page.locator(".events li").count() >= 5
    assert page.locator("section[aria-labelledby=user-recs] .items li").count() == 10
    assert page.locator("section[aria-labelledby=user-recs] >> text=because of").count() >= 5
    page.wait_for_selector("h2:has-text('Because you liked')")
    assert page.evaluate("location.hash") == "#users?user=guest-3"
    with page.expect_request("**/v1/users/guest-4/recommendations**") as asked:
        page.goto(page.url.replace("guest-3", "guest-4"))
    # A list that an operator looks at was not shown to the user: by its version it isn't logged.
    assert asked.value.url.endswith("&version=ease")
    page.go_back()
    page.wait_for_selector("h2:has-text('Because you liked')")
    kept(page, "users")
    assert "--user guest-3" in page.locator("details.calls").text_content()
    assert fits(page, 1320)


def test_a_user_is_erased_after_a_question(visit: Any) -> None:
    page = visit("users?user=guest-5")
    page.wait_for_selector(".events li")
    page.click("button:has-text('Erase this user')")
    assert "can't be undone" in page.locator("dialog[open]").inner_text()
    page.click("dialog[open] button:has-text('Cancel')")
    assert page.locator(".events li").count() >= 1
    page.click("button:has-text('Erase this user')")
    page.click("dialog[open] button:has-text('Erase')")
    page.wait_for_selector("text=Nothing is known of this user")
    assert page.locator(".tag.warm:has-text('popularity')").count() == 1


def test_items_are_browsed_filtered_hidden_and_shown(visit: Any) -> None:
    page = visit("items")
    page.wait_for_selector("text=1 to 25 of 300")
    assert page.locator("img.picture").count() >= 15
    kept(page, "items")
    page.locator("section[aria-label=Items] button:has-text('Next')").click()
    page.wait_for_selector("text=26 to 50 of 300")
    assert "from=25" in page.evaluate("location.hash")
    first = page.locator("section[aria-label=Items] tbody tr").first.locator("code").inner_text()
    page.locator("section[aria-label=Items] tbody button").first.click()
    page.wait_for_selector("text=of 299")
    page.select_option("#items-state", "hidden")
    page.wait_for_selector(f"section[aria-label=Items] code:has-text('{first}')")
    page.locator("section[aria-label=Items] tbody button:has-text('Show')").first.click()
    page.wait_for_selector("text=No item is hidden")
    page.select_option("#items-state", "visible")
    page.fill("#items-where", "year >= 2020")
    page.wait_for_selector("text=/1 to 25 of (?!300)/")
    page.fill("#items-where", "year >=")
    page.wait_for_selector("#items-where[aria-invalid=true]")


def test_events_are_listed_and_undone(visit: Any) -> None:
    page = visit("items")
    events = page.locator("section[aria-labelledby=events-title]")
    events.locator("tbody tr").first.wait_for()
    assert events.locator("tbody tr").count() == 20
    assert all(text.strip() for text in events.locator(".tag").all_inner_texts())
    page.locator("[aria-label^='Undo ']").first.click()
    page.wait_for_selector("tr.undone")
    events.locator("button:has-text('Earlier')").click()
    page.wait_for_selector("button:has-text('Newest')")
    events.locator("tbody a").first.click()
    page.wait_for_selector("main[data-ready=users]")
    page.wait_for_selector("#user-history")


def test_time_series_have_axes_and_tables(visit: Any) -> None:
    page = visit("live")
    page.wait_for_selector("figure.chart svg path.trace, figure.chart svg circle.trace")
    assert page.locator("figure.chart").count() == 4
    ticks = page.locator("figure.chart").first.locator(".tick").all_text_contents()
    assert sum(":" in tick for tick in ticks) >= 6
    assert "view: " in page.locator("figure.chart").first.inner_text()
    page.select_option("#span", "month")
    page.wait_for_selector("figcaption:has-text('each day')")
    assert page.evaluate("location.hash") == "#live?span=month"
    page.locator("figure.chart summary").first.click()
    assert page.locator("figure.chart table").first.locator("tbody tr").count() >= 1
    page.locator("figure.chart summary").first.click()
    page.select_option("#span", "hour")
    page.wait_for_selector("figcaption:has-text('each minute')")
    page.select_option("#span", "day")
    page.wait_for_selector("figcaption:has-text('each hour')")
    kept(page, "activity")


def test_the_best_version_is_marked_with_its_error(visit: Any) -> None:
    page = visit("models")
    assert page.locator(".tag:has-text('best ndcg@10, within the error')").count() == 1
    page.select_option("#sort", "best")
    assert page.locator("tbody th[scope=row]").all_inner_texts()[0].startswith("ease")
    assert page.locator(".versions tbody tr").count() == 3
    kept(page, "versions")
    about = page.locator("section:has(h2:has-text('About ease'))").inner_text()
    assert "on 400 users" in about
    assert "not measured" not in about
    page.set_viewport_size({"width": 1280, "height": 860})
    whole = "document.querySelector('.table:has(.versions)').scrollWidth <= document.querySelector('.table:has(.versions)').clientWidth"  # noqa: E501
    assert page.evaluate(whole)


def test_a_link_leads_to_what_was_seen(visit: Any, site: str) -> None:
    page = visit("explore")
    for n in range(2):
        page.locator("section[aria-labelledby=find-title] [data-add]:enabled").first.click()
        page.wait_for_function(f"document.querySelectorAll('.past li').length === {n + 1}")
    page.fill("#where", "year >= 2000")
    page.wait_for_url("**where=**")
    titles = page.locator("section[aria-labelledby=recs-title] .title")
    # Until the answer comes, the list of before stands there.
    page.wait_for_selector("section[aria-labelledby=recs-title] [aria-busy=false]")
    shown, link = titles.all_inner_texts(), page.evaluate("location.hash")
    other = visit(link.removeprefix("#"))
    other.wait_for_selector("text=from 2 past items")
    assert other.locator("section[aria-labelledby=recs-title] .title").all_inner_texts() == shown
    assert other.input_value("#where") == "year >= 2000"
    map_ = visit("map?colour=author")
    assert map_.input_value("#map-colour") == "author"
    pair = visit("compare?left=ials&right=item_knn")
    assert pair.input_value("#compare-left") == "ials"
    assert pair.input_value("#compare-right") == "item_knn"


def test_two_versions_stand_item_by_item_with_what_they_measured(visit: Any) -> None:
    for width in (1320, 375):
        page = visit("compare?left=ease&right=item_knn", width=width)
        page.wait_for_selector(".pairs tbody tr")
        rows = page.locator(".pairs tbody tr")
        places = [
            [row.locator("td").nth(side).inner_text().strip() for side in (0, 1)]
            for row in rows.all()
        ]
        # Each row is one item with its place in both lists, and both lists are there whole.
        for side in (0, 1):
            assert {str(n) for n in range(1, 13)} <= {place[side] for place in places}
        titles = page.locator(".pairs th[scope=row]").all_inner_texts()
        assert len(set(titles)) == rows.count()
        measured = page.locator(".measured tbody tr").first.inner_text()
        assert all(text in measured for text in ("0.3100", "0.2500", "(0.2350–0.2660)"))
        assert fits(page, width)
        kept(page, f"pair-{width}")


def test_a_map_is_coloured_by_a_column_by_ranges_or_by_similarity(visit: Any) -> None:
    page = visit("map")
    legend = page.locator(".canvas .legend li")
    assert page.input_value("#map-colour") == "genres"
    page.select_option("#map-colour", "year")
    page.wait_for_selector(".canvas .legend li:has-text(' to ')")
    assert legend.count() == 6
    page.select_option("#map-colour", "similar items")
    page.wait_for_selector(".canvas .legend li:has-text('like ')")
    assert legend.count() >= 4
    assert page.evaluate("location.hash").startswith("#map?colour=similar")


def test_live_numbers_lead_on_and_outlast_another_view(visit: Any) -> None:
    page = visit("live")
    page.wait_for_selector(".tile .axis-line")
    page.wait_for_function(
        "() => document.querySelector('.tile path.line').getAttribute('d').length > 30"
    )
    go(page, "models")
    go(page, "live")
    page.wait_for_selector(".tile path.line")
    assert len(page.locator(".tile path.line").first.get_attribute("d")) > 30
    assert page.locator("section[aria-labelledby=did-title] tr:has-text('ease')").count() == 1
    page.locator(".tile:has-text('p99')").click()
    assert page.evaluate("document.activeElement.id") == "chart-latency"
    page.locator(".tile:has-text('on disk')").click()
    page.wait_for_selector("main[data-ready=items]")


def test_long_titles_stay_in_their_cards_and_can_be_removed(visit: Any) -> None:
    for width in (1320, 640, 375):
        page = visit("explore", width=width)
        page.fill("#search", "extraordinarily")
        page.locator("[aria-label^='Add The Extraordinarily']").first.click()
        page.wait_for_selector(".past li")
        assert fits(page, width)
        card = page.locator("section[aria-labelledby=past-title]").bounding_box()
        chip = page.locator(".past li").bounding_box()
        assert chip["x"] + chip["width"] <= card["x"] + card["width"]
        # Nothing lies over the button.
        on_top = (
            "b => { const { x, y, width, height } = b.getBoundingClientRect(); return"
            " b.contains(document.elementFromPoint(x + width / 2, y + height / 2)); }"
        )
        remove = page.locator("[aria-label^='Remove ']")
        remove.scroll_into_view_if_needed()
        assert remove.evaluate(on_top)
        remove.click()
        page.wait_for_selector("text=Nothing yet")


def test_search_finds_within_words_of_other_scripts_misspelled_words_and_ids(
    visit: Any, site: str
) -> None:
    page = visit("explore")
    found = page.locator("section[aria-labelledby=find-title] .title")
    page.fill("#search", "猫")
    page.wait_for_selector("text=1 found")
    assert found.all_inner_texts() == ["吾輩は猫である"]
    page.fill("#search", "extraordinarly chronicel")
    found.filter(has_text="Unabbreviated").wait_for()
    page.wait_for_selector("text=1 found")
    assert found.first.inner_text().startswith("The Extraordinarily Long")
    with urllib.request.urlopen(f"{site}/v1/items?limit=1", timeout=600) as answer:
        item = json.loads(answer.read())["items"][0]
    page.fill("#search", str(item["item_id"]))
    found.filter(has_text=item["title"]).first.wait_for()
    page.wait_for_selector("text=1 found")
    assert found.all_inner_texts() == [item["title"]]


def test_the_keyboard_stays_where_it_was_after_adding(visit: Any) -> None:
    page = visit("explore")
    page.locator("section[aria-labelledby=find-title] [data-add]:enabled").first.focus()
    for n in range(3):
        page.keyboard.press("Enter")
        page.wait_for_function(f"document.querySelectorAll('.past li').length === {n + 1}")
        page.wait_for_function("document.activeElement.matches('[data-add]:enabled')")
        inside = "!!document.activeElement.closest('[aria-labelledby=find-title]')"
        assert page.evaluate(inside)


def test_the_explorer_shows_and_tries_every_call(visit: Any, site: str) -> None:
    page = visit("explore")
    page.goto(f"{site}/docs")
    page.wait_for_selector("main[data-ready=docs]")
    assert page.locator(".op").count() >= 25
    call = page.locator("#get--v1-feeds-trending")
    call.locator("summary").first.click()
    call.locator("label:has-text('k') input").first.fill("3")
    call.locator("button:has-text('Send')").click()
    call.locator("text=200 in").wait_for()
    assert '"source": "trending"' in call.locator("pre").inner_text()
    assert fits(page, 1320)
    kept(page, "docs")
    page.set_viewport_size({"width": 375, "height": 740})
    assert fits(page, 375)


def test_foreign_images_are_shown_from_named_hosts_alone(tmp_path: Path) -> None:
    from cofactor.service.settings import Settings

    save(registry.create("popularity").fit(illustrated()), tmp_path / "m")
    for hosts in ((), ("images.example",)):
        settings = Settings(**CALM, image_hosts=hosts)
        with served_page(tmp_path / "m", f"sqlite:///{tmp_path / 'e.db'}", settings) as url:
            with urllib.request.urlopen(f"{url}/", timeout=600) as answer:
                policy = answer.headers["content-security-policy"]
            with urllib.request.urlopen(f"{url}/v1/items?limit=100", timeout=600) as answer:
                images = {item.get("image") for item in json.loads(answer.read())["items"]}
        assert ("https://images.example" in policy) == bool(hosts)
        assert ("https://images.example/x.png" in images) == bool(hosts)


def test_the_page_works_under_a_path(tmp_path: Path, browser: Any) -> None:
    from cofactor.service.settings import Settings

    save(registry.create("ease").fit(illustrated()), tmp_path / "m")
    settings = Settings(**CALM, root_path="/recs")
    with (
        served_page(tmp_path / "m", f"sqlite:///{tmp_path / 'e.db'}", settings) as url,
        visiting(browser, url) as visit,
    ):
        page = visit("explore")
        page.locator("section[aria-labelledby=find-title] [data-add]:enabled").first.click()
        page.wait_for_selector("text=from 1 past item")
        page.locator("details.calls summary").click()
        assert "/recs/v1/recommend" in page.locator("details.calls").inner_text()
        assert "cofactor recommend m " in page.locator("details.calls").inner_text()
        go(page, "items")
        page.wait_for_selector("text=1 to 25 of 300")


@pytest.mark.parametrize("view", ["users?user=guest-3", "items", "live", "models", "compare"])
def test_the_views_fit_a_phone_with_all_that_is_in_them(visit: Any, view: str) -> None:
    page = visit(view, width=375, height=740)
    page.wait_for_load_state("networkidle")
    assert fits(page, 375)
    kept(page, f"phone-full-{view.partition('?')[0]}")
