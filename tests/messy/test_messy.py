"""docs/messy_files.md: ten messy exports go from file to served model by the commands as they
stand there.
"""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cofactor
from cofactor.cli.main import main
from messy import shops

pytest.importorskip("starlette")
httpx = pytest.importorskip("httpx")
PAGE = (Path(__file__).parents[2] / "docs" / "messy_files.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\w+)\n\n```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


def commands(name: str) -> list[list[str]]:
    return [shlex.split(line)[1:] for line in SECTIONS[name].strip().splitlines()]


def by_name(make: Callable[[Path], None]) -> str:
    return make.__name__


def test_the_page_has_every_shop_and_the_same_commands_for_each() -> None:
    assert list(SECTIONS) == [make.__name__ for make in shops.SHOPS]
    assert len(shops.SHOPS) == 10
    for name in SECTIONS:
        words = [command[0] for command in commands(name)]
        assert words == ["describe", "train", "recommend", "similar", "serve"]


@pytest.mark.parametrize("make", shops.SHOPS, ids=by_name)
def test_a_messy_export_becomes_a_served_model(
    make: Callable[[Path], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if make is shops.spreadsheet:
        pytest.importorskip("openpyxl")
    make(tmp_path)
    monkeypatch.chdir(tmp_path)
    describe, train, recommend, similar, serve = commands(make.__name__)
    assert main(describe) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "the catalogue knows 60 of 60 items" in said
    # The regularization is given, since choosing one takes several fits.
    small = ["--set", "factors=8", "--set", "regularization=0.04", "--threads", "1"]
    assert main([*train, *small]) == 0
    assert "ndcg@10" in capsys.readouterr().out
    assert_read_rightly(cofactor.load("shop-model").data, make)
    assert main([*recommend, "--json"]) == 0
    assert "No. " in capsys.readouterr().out or make is shops.unicode_text
    assert main(similar) == 0
    assert len(capsys.readouterr().out.splitlines()) >= 12
    assert_served(serve, recommend[recommend.index("--user") + 1], monkeypatch)


def assert_read_rightly(data: cofactor.Interactions, make: Callable[[Path], None]) -> None:
    """Customers, products, pairs, dates and titles are those of the shop."""
    sold = shops.lines()
    if make is shops.till:  # without the lines that have no customer
        sold = [one for n, one in enumerate(sold) if n % 41 != 40]
    assert (data.n_users, data.n_items) == (shops.CUSTOMERS, shops.PRODUCTS)
    assert len(data) == len({(one.customer, one.product) for one in sold})
    assert data.times is not None
    assert data.values is not None
    days = (int(data.times.max()) - int(data.times.min())) / 86_400
    assert abs(days - (sold[-1].at - sold[0].at).days) <= 1
    if make is not shops.click_log and make is not shops.ratings:
        assert data.values.max() == 3
    titles = data.catalogue_titles(range(data.n_items))
    named = {f"Вещь {p}" if make is shops.unicode_text else shops.title(p) for p in range(60)}
    # The ERP's texts hold more than the title.
    assert {title.partition(" für ")[0] for title in titles} == named


def assert_served(words: list[str], user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service answers the user personally, with titles."""

    from cofactor.service.http import server

    answers: list[Any] = []

    async def ask(app: Any, place: str) -> None:
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url=place, timeout=600) as client,
        ):
            reply = await client.get(f"/v1/users/{user}/recommendations?k=5")
            answers.append((reply.status_code, reply.json()))

    def run(app: Any, settings: Any, listening: Any, drain_log: Any) -> None:
        asyncio.run(ask(app, f"http://127.0.0.1:{listening.getsockname()[1]}"))
        listening.close()

    monkeypatch.setattr(server, "run", run)
    assert main([*words, "--port", "0"]) == 0
    ((status, answer),) = answers
    assert status == 200, answer
    assert answer["source"] == "personal"
    assert len(answer["items"]) == 5
    assert all(item["title"] for item in answer["items"])
