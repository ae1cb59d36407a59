"""Answers that come late or not at all, in a real browser: none is drawn over a newer one or over
another view, and what went wrong is said where the answer would stand.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from cofactor.artifact.save import save
from cofactor.data.synthetic import shop
from cofactor.models import registry
from service.http.browsing import go, served_page, visiting

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service whose model can do whatever the page asks for."""
    room = tmp_path_factory.mktemp("late")
    data = shop(n_users=200, n_items=160, seed=2)
    for name in ("content_knn", "ease"):
        save(registry.create(name).fit(data), room / "models" / name)
    (room / "models" / "current").write_text('{"version": "content_knn"}')
    with served_page(room / "models", f"sqlite:///{room / 'e.db'}") as url:
        yield url


@pytest.fixture
def visit(browser: Any, site: str) -> Iterator[Any]:
    with visiting(browser, site) as opened:
        yield opened


class Late:
    """The first answer to a call, which comes when it is let go."""

    def __init__(self, page: Any, address: str) -> None:
        self._page, self._address = page, address
        self._held: Any = None
        page.route(address, self._on_its_way)

    def _on_its_way(self, route: Any) -> None:
        if self._held is None:
            self._held = route
        else:
            route.continue_()

    def wait(self) -> None:
        """Until the page has asked."""
        while self._held is None:
            self._page.wait_for_timeout(20)

    def come(self) -> None:
        """Let the answer come, if the page still waits for it, and be drawn."""
        from playwright.sync_api import Error

        with contextlib.suppress(Error):
            self._held.continue_()
        self._page.wait_for_timeout(300)


def titles(page: Any, section: str) -> list[str]:
    return list(page.locator(f"section[aria-labelledby={section}] .title").all_inner_texts())


def test_the_list_is_of_the_last_history_and_filter(visit: Any) -> None:
    page = visit("explore")
    late = Late(page, "**/v1/recommend")
    add = page.locator("section[aria-labelledby=find-title] [data-add]:enabled").first
    add.click()
    late.wait()
    add.click()
    page.wait_for_selector("text=from 2 past items")
    shown = titles(page, "recs-title")
    late.come()
    assert page.locator("text=from 2 past items").count() == 1
    assert titles(page, "recs-title") == shown


def test_what_was_added_can_not_be_added_again_whatever_the_service_does(visit: Any) -> None:
    page = visit("explore")
    page.route("**/v1/**", lambda route: None)  # answers nothing any more
    find = page.locator("section[aria-labelledby=find-title]")
    for _ in range(2):
        find.locator("[data-add]:enabled").first.click()
    assert page.locator(".past li").count() == 2
    assert find.locator("button:has-text('Added'):disabled").count() == 2
    page.locator("[aria-label^='Remove ']").first.click()
    assert find.locator("[data-add]").first.is_enabled()


def test_neighbours_are_those_of_the_last_item(visit: Any) -> None:
    page = visit("explore")
    late = Late(page, "**/similar?k=8")
    similar = page.locator("section[aria-labelledby=find-title] [aria-label^='Items like']")
    similar.nth(0).click()
    late.wait()
    similar.nth(1).click()
    heading = page.locator("#near-title")
    heading.wait_for()
    title = titles(page, "find-title")[1]
    assert heading.inner_text() == f"Like {title}"
    late.come()
    assert heading.inner_text() == f"Like {title}"


def test_a_view_that_was_left_is_not_drawn_over_the_next(visit: Any) -> None:
    page = visit("items")
    late = Late(page, "**/v1/map**")
    page.click("nav a[href='#map']")
    late.wait()
    go(page, "describe")
    late.come()
    assert page.locator("canvas").count() == 0
    assert page.locator("h1").all_inner_texts() == ["Similar by words"]


def test_a_view_that_was_left_changes_no_address(visit: Any) -> None:
    page = visit("explore")
    page.fill("#where", "year >= 2000")  # is looked at a third of a second later
    go(page, "items")
    page.wait_for_timeout(500)
    assert page.evaluate("location.hash") == "#items"


def test_items_like_a_description_are_those_of_the_last_one(visit: Any) -> None:
    page = visit("describe")
    late = Late(page, "**/v1/similar")
    page.fill("#description", "a detective investigates a murder in the old harbour town")
    page.click("button:has-text('Find similar items')")
    late.wait()
    page.fill("#description", "zzzz qqqq")
    page.click("button:has-text('Find similar items')")
    page.wait_for_selector("text=No item shares a word with this")
    late.come()
    assert page.locator(".items li").count() == 0


def test_time_series_are_of_the_last_span(visit: Any) -> None:
    page = visit("live")
    late = Late(page, "**/v1/series?span=month")
    page.select_option("#span", "month")
    late.wait()
    page.select_option("#span", "hour")
    page.wait_for_selector("figcaption:has-text('each minute')")
    ticks = page.locator("figure.chart .tick")
    shown = ticks.all_text_contents()
    late.come()
    assert ticks.all_text_contents() == shown


def test_live_numbers_stay_the_same_elements(visit: Any) -> None:
    page = visit("live")
    tile = page.locator(".tile").first.element_handle()
    with page.expect_response("**/v1/stats"):
        pass
    page.wait_for_timeout(100)
    assert tile.evaluate("tile => tile.isConnected")


def test_a_user_is_the_last_one_looked_up(visit: Any) -> None:
    page = visit("users")
    late = Late(page, "**/v1/users/u*/history**")
    for n, user in enumerate(("u1", "u2")):
        page.fill("#user-id", user)
        page.click("button:has-text('Look up')")
        if not n:
            late.wait()
    page.wait_for_selector("#user-history")
    page.fill("#user-id", "u1")  # typed, not looked up yet
    late.come()
    assert page.evaluate("location.hash") == "#users?user=u2"
    assert "--user u2" in page.locator("details.calls").text_content()


def test_a_picked_item_has_its_own_neighbours(visit: Any) -> None:
    page = visit("map")
    late = Late(page, "**/similar?k=8")
    page.locator("canvas").focus()
    page.keyboard.press("n")
    late.wait()
    page.keyboard.press("n")
    page.wait_for_selector(".map .items li")
    picked = page.locator(".map h2").inner_text()
    late.come()
    assert page.locator(".map h2").inner_text() == picked


def test_a_service_that_is_gone_is_said_where_the_answer_would_stand(
    browser: Any, site: str
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site}/#explore")
    page.wait_for_selector("main[data-ready=explore]")
    context.route("**/v1/**", lambda route: route.abort())
    page.locator("section[aria-labelledby=find-title] [data-add]:enabled").first.click()
    recs = page.locator("section[aria-labelledby=recs-title]")
    recs.locator("text=can't be reached").wait_for()
    assert recs.locator(".items li").count() == 0
    assert page.locator("section[aria-labelledby=filter-title] >> text=reached").count() == 0
    context.unroute("**/v1/**")
    recs.locator("button:has-text('Try again')").click()
    page.wait_for_selector("text=from 1 past item")
    assert recs.locator(".items li").count() == 10
    context.close()


def test_a_busy_service_is_asked_again(browser: Any, site: str) -> None:
    context, refused = browser.new_context(), []

    def once(route: Any) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(1)
            body = '{"error": {"code": "overloaded", "message": "busy"}}'
            route.fulfill(status=503, body=body, content_type="application/json")

    context.route("**/v1/items?limit=10", once)
    page = context.new_page()
    page.goto(f"{site}/#explore")
    page.wait_for_selector("section[aria-labelledby=find-title] .items li")
    assert refused
    context.close()
