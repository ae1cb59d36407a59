"""The page in a real browser: every view, by mouse and by keyboard, without a complaint of the
browser's; and the README's pictures.

``COFACTOR_SCREENSHOTS`` names a folder that keeps the pictures (``make pictures``). Needs
Playwright for Python and a Chromium (``CHROMIUM`` says where)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cofactor.artifact.save import save
from cofactor.data.synthetic import shop
from cofactor.models import registry
from service.http.browsing import go, kept, served_page, visiting

VIEWS = (
    "explore",
    "users",
    "items",
    "map",
    "compare",
    "describe",
    "models",
    "experiments",
    "live",
)


pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service with two models of the synthetic book shop, measured."""
    room = tmp_path_factory.mktemp("page")
    data = shop(n_users=400, n_items=300, seed=2)
    for name, at in (("ease", 0.31), ("ials", 0.27)):
        metrics = {
            "ndcg@10": {"value": at, "low": at - 0.015, "high": at + 0.016},
            "recall@20": {"value": at + 0.1, "low": at + 0.08, "high": at + 0.12},
        }
        measured = {"n_users": 400, "fingerprint": "f", "metrics": metrics}
        save(registry.create(name).fit(data), room / "models" / name, metrics=measured)
    (room / "models" / "current").write_text('{"version": "ease"}')
    with served_page(room / "models", f"sqlite:///{room / 'e.db'}") as url:
        yield url


@pytest.fixture(scope="module")
def reading_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service with a model that reads titles and descriptions."""
    room = tmp_path_factory.mktemp("reading")
    save(
        registry.create("content_knn").fit(shop(n_users=200, n_items=160, seed=2)),
        room / "content_knn",
    )
    with served_page(room / "content_knn", f"sqlite:///{room / 'e.db'}") as url:
        yield url


@pytest.fixture(scope="module")
def ordered_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service with a model that reads the order of a history."""
    room = tmp_path_factory.mktemp("ordered")
    data = shop(n_users=200, n_items=160, seed=2)
    save(registry.create("transitions").fit(data), room / "transitions")
    with served_page(room / "transitions", f"sqlite:///{room / 'e.db'}") as url:
        yield url


@pytest.fixture
def visit(browser: Any, site: str) -> Iterator[Any]:
    with visiting(browser, site) as opened:
        yield opened


@pytest.fixture
def visit_reader(browser: Any, reading_site: str) -> Iterator[Any]:
    with visiting(browser, reading_site) as opened:
        yield opened


@pytest.fixture
def visit_ordered(browser: Any, ordered_site: str) -> Iterator[Any]:
    with visiting(browser, ordered_site) as opened:
        yield opened


def _build_history(page: Any) -> None:
    for n in range(3):
        page.locator("section[aria-labelledby=find-title] [aria-label^='Add ']:enabled").nth(
            n
        ).click()
        page.wait_for_function(f"document.querySelectorAll('.past li').length === {n + 1}")
    page.wait_for_selector("text=from 3 past items")


def test_history_changes_recommendations_and_reasons(visit: Any) -> None:
    page = visit("explore")
    assert page.locator(".tag.warm", has_text="popularity").count() == 1
    before = page.locator("section[aria-labelledby=recs-title] .title").all_inner_texts()
    _build_history(page)
    after = page.locator("section[aria-labelledby=recs-title] .title").all_inner_texts()
    assert before != after
    assert page.locator("text=because of").count() >= 5
    page.locator("section[aria-labelledby=find-title] [aria-label^='Items like']").first.click()
    page.wait_for_selector("h2:has-text('Like ')")
    kept(page, "explore")
    page.locator("[aria-label^='Remove ']").first.click()
    page.wait_for_selector("text=from 2 past items")
    page.fill("#where", "year >=")
    page.wait_for_selector("#where[aria-invalid=true]")
    page.locator("details.calls summary").click()
    assert "/v1/recommend" in page.locator("details.calls").inner_text()


def test_the_order_of_a_history_is_shown_and_changed_by_keyboard(visit_ordered: Any) -> None:
    page = visit_ordered("explore")
    page.wait_for_selector("text=this model reads the order")
    _build_history(page)
    listed, best = ".past.ordered li > span", "section[aria-labelledby=recs-title] .title"
    titles, before = page.locator(listed).all_inner_texts(), page.locator(best).all_inner_texts()
    assert len(titles) == 3
    assert page.locator(".past.ordered").evaluate("e => e.scrollWidth <= e.clientWidth")
    assert page.locator(".past.ordered li").nth(2).locator("em").inner_text() == "latest"
    assert page.locator(f"[aria-label='Move {titles[0]} earlier']").is_disabled()
    assert page.locator(f"[aria-label='Move {titles[2]} later']").is_disabled()
    # The first item goes to the end; the focus stays with it.
    page.locator(f"[aria-label='Move {titles[0]} later']").focus()
    page.keyboard.press("Enter")
    assert page.locator(listed).all_inner_texts() == [titles[1], titles[0], titles[2]]
    page.keyboard.press("Enter")
    assert page.locator(listed).all_inner_texts() == [titles[1], titles[2], titles[0]]
    page.wait_for_function(
        "was => JSON.stringify([...document.querySelectorAll('section[aria-labelledby=recs-title]"
        " .title')].map(e => e.innerText)) !== was",
        arg=page.evaluate("JSON.stringify(" + repr(before) + ")"),
    )
    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused == f"Move {titles[0]} earlier"
    page.reload()
    page.wait_for_selector("main[data-ready=explore]")
    assert page.locator(listed).all_inner_texts() == [titles[1], titles[2], titles[0]]


def test_a_model_without_order_shows_no_positions(visit: Any) -> None:
    page = visit("explore")
    _build_history(page)
    assert page.locator(".past li").count() == 3
    assert page.locator(".past.ordered").count() == 0
    assert page.locator("[aria-label^='Move ']").count() == 0


def test_every_view_opens_and_tells_its_call(visit: Any) -> None:
    page = visit("explore")
    _build_history(page)
    for view in VIEWS[1:]:
        go(page, view)
        assert page.locator("h1").count() == 1
        calls = page.locator("details.calls")
        if calls.get_attribute("open") is None:
            calls.locator("summary").click()
        assert "curl" in calls.inner_text()
    go(page, "compare")
    page.wait_for_selector("text=items in both lists")
    assert page.locator(".pairs tbody tr").count() >= 12
    page.locator("details.calls").evaluate("d => d.open = false")
    kept(page, "compare")


def test_map_is_drawn_and_an_item_can_be_picked(visit: Any) -> None:
    page = visit("map", scheme="dark")
    lit = "c => { const g = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0; for (let i = 3; i < g.length; i += 4) n += g[i] > 0; return n; }"  # noqa: E501
    page.wait_for_function(f"({lit})(document.querySelector('canvas')) > 1000")
    page.locator("canvas").focus()
    for key in ("+", "+", "n"):
        page.keyboard.press(key)
    page.wait_for_selector(".map .items li")
    assert page.locator(".map .items li").count() == 8
    assert "item=" in page.url
    kept(page, "map")


def test_promotion_and_rollback_from_the_page(visit: Any) -> None:
    page = visit("models")
    page.click("button:has-text('Promote')")
    assert "measured on 400 users" in page.locator("dialog[open]").inner_text()
    page.click("dialog[open] button:has-text('Cancel')")
    assert page.locator("#model-chip:has-text('ease')").count() == 1
    page.click("button:has-text('Promote')")
    page.click("dialog[open] button:has-text('Promote')")
    page.wait_for_selector("#model-chip:has-text('ials')")
    page.click("button:has-text('Roll back to ease')")
    page.wait_for_selector("#model-chip:has-text('ease')")
    page.locator("#toast").evaluate("t => t.hidden = true")
    kept(page, "models")


def test_describing_says_why_this_model_cannot(visit: Any, site: str) -> None:
    page = visit("describe")
    assert "can't" in page.locator(".notice").inner_text()


@pytest.mark.parametrize(("width", "name"), [(1320, "describe"), (375, "phone-describe-reader")])
def test_described_item_stands_among_those_that_share_its_words(
    visit_reader: Any, width: int, name: str
) -> None:
    page = visit_reader("describe", width=width)
    assert page.locator(".notice").count() == 0
    page.fill("#description", "a detective investigates a murder in the old harbour town at night")
    page.click("button:has-text('Find similar items')")
    page.wait_for_selector("h2:has-text('Similar items')")
    assert page.locator(".items li").count() == 10
    assert page.locator(".word").count() >= 3
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    kept(page, name)
    page.fill("#description", "zzzz qqqq")
    page.click("button:has-text('Find similar items')")
    page.wait_for_selector("text=No item shares a word with this")


def test_words_stand_beside_the_recommendations_of_a_reading_model(visit_reader: Any) -> None:
    page = visit_reader("explore")
    _build_history(page)
    assert page.locator("section[aria-labelledby=recs-title] .word").count() >= 5
    kept(page, "explore-reader")


@pytest.mark.parametrize("view", VIEWS)
def test_views_fit_a_phone(visit: Any, view: str) -> None:
    page = visit(view, width=375, height=740)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    kept(page, f"phone-{view}")


def test_everything_can_be_reached_by_keyboard_and_has_a_name(visit: Any) -> None:
    page = visit("explore")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    nameless = "els => els.filter(e => e.offsetParent && !(e.getAttribute('aria-label') || e.innerText.trim() || (e.labels && e.labels.length))).map(e => e.outerHTML)"  # noqa: E501
    for view in VIEWS:
        go(page, view)
        assert page.locator("button, input, select, textarea, a").evaluate_all(nameless) == []
        assert page.locator("main h1, main h2").count() >= 1
