"""A browser, services on ports of their own, and tabs that fail when the browser complains."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cofactor.service.http.app import build
from cofactor.service.http.keys import Keys
from cofactor.service.settings import Settings
from cofactor.store import open_store
from service.http.scenes import CALM

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    named = os.environ.get("CHROMIUM")
    return named or next(
        (
            found
            for name in ("chromium", "chromium-browser", "google-chrome")
            if (found := shutil.which(name))
        ),
        None,
    )


@contextlib.contextmanager
def served_page(
    models: Path, store: str, settings: Settings | None = None, keys: Keys | None = None
) -> Iterator[str]:
    """A service on a port of its own, in a thread."""
    import uvicorn

    settings = settings or Settings(**CALM)
    app = build(models, open_store(store), settings, keys)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}{settings.root_path}"
        finally:  # a thread that goes on would keep the process of a failed test
            server.should_exit = True
            thread.join(300)


@contextlib.contextmanager
def visiting(browser: Any, site: str) -> Iterator[Any]:
    """Open a view in a fresh tab; fails afterwards if the browser complained, or asked anybody
    else for anything.
    """
    contexts, complaints = [], []

    def opened(view: str, width: int = 1320, height: int = 860, scheme: str = "light") -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)  # ours is not the only work here
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text)
                if said.type in ("error", "warning") and "422" not in said.text
                else None
            ),
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda asked: (
                None
                if asked.url.startswith((site, "data:"))
                else complaints.append(f"asked {asked.url}")
            ),
        )
        page.goto(f"{site}/#{view}")
        page.wait_for_selector(f"main[data-ready={view.partition('?')[0]}]")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def go(page: Any, view: str) -> None:
    page.click(f"nav a[href='#{view}']")
    page.wait_for_selector(f"main[data-ready={view.partition('?')[0]}]")


def kept(page: Any, name: str) -> None:
    folder = os.environ.get("COFACTOR_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


@contextlib.contextmanager
def opened_browser() -> Iterator[Any]:
    reason = "the page's test needs Playwright: pip install 'cofactor[browser]'"
    sync_playwright = pytest.importorskip("playwright.sync_api", reason=reason).sync_playwright
    if chromium() is None:
        pytest.skip("the page's test needs Chromium (apt-get install chromium, or CHROMIUM=path)")
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield started
        started.close()
