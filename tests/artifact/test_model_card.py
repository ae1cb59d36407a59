"""Model cards: in each artifact, shown by inspect, kept by a retraining, and safe to show."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

import cofactor
from cofactor.artifact.card import CARD, card_of, limits_of, model_card
from cofactor.base.run import Run
from cofactor.cli.main import main
from cofactor.data.synthetic import shop
from cofactor.runs.retrain import retrain
from cofactor.runs.source import Cutting, Reading
from cofactor.runs.train import train

QUICK = Run(threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("card") / "model"
    reading = Reading(licence="CC BY 4.0 <see shop.example>")
    data = shop(n_users=60, n_items=40, seed=0)
    train(data, "ials", path, settings=["factors=4"], reading=reading, cutting=Cutting(), run=QUICK)
    return path


def test_the_artifact_holds_its_card(folder: Path) -> None:
    card = model_card(folder)
    text = (folder / CARD).read_text(encoding="utf-8")
    assert text == card.to_markdown()
    for part in ("# Model card: ials", "## Data", "## Figures", "## What it can't do", "ndcg@10"):
        assert part in text
    assert card.users == 60
    figure = next(line for line in card.figures if line["metric"] == "ndcg@10")
    assert figure["low"] < figure["value"] < figure["high"]
    assert "held out" in text or "for test" in text
    assert json.loads(json.dumps(card.to_dict()))["licence"] == "CC BY 4.0 <see shop.example>"


def test_nothing_in_a_card_is_markup(folder: Path) -> None:
    card = model_card(folder)
    assert "<see" not in card.to_markdown().replace("\\<see", "")
    assert "<see" not in card._repr_html_()
    assert "&lt;see" in card._repr_html_()


def test_the_card_says_what_the_model_cannot_do() -> None:
    data = shop(n_users=30, n_items=20, seed=0)
    ranks = limits_of(cofactor.IALS(factors=2, epochs=1).fit(data, run=QUICK))
    rates = limits_of(cofactor.Bias().fit(data, run=QUICK))
    assert any("aren't ratings" in one for one in ranks)
    assert any("reads no content" in one for one in ranks)
    assert any("predicts ratings" in one for one in rates)
    for kind in (cofactor.Popularity, cofactor.EASE):
        model = kind().fit(data, run=QUICK)
        said = any("can't be split" in one for one in limits_of(model))
        assert said is not model.traits.explains


def test_paths_of_the_source_are_not_on_the_card(tmp_path: Path) -> None:
    secret = tmp_path / "secret-folder"
    secret.mkdir()
    rows = [f"u{u},i{u * k % 7}" for u in range(9) for k in range(1, 5)]
    (secret / "buys.csv").write_text("\n".join(["user,item", *rows]))
    train(secret / "buys.csv", "popularity", tmp_path / "model", run=QUICK)
    text = (tmp_path / "model" / CARD).read_text(encoding="utf-8")
    assert "buys.csv" in text
    assert "secret-folder" not in text


def test_a_card_of_an_older_model_says_what_is_not_known(folder: Path) -> None:
    manifest = cofactor.inspect(folder)
    older = msgspec.structs.replace(manifest, run={"seed": 1}, metrics={})
    card = card_of(older)
    assert card.licence == "not stated"
    assert card.figures == []
    assert "Nothing was measured." in card.to_markdown()


def test_a_retraining_keeps_the_licence(folder: Path, tmp_path: Path) -> None:
    data = shop(n_users=60, n_items=40, seed=0)
    user, items = data.users.ids([0])[0], data.items.ids([0, 1, 2])
    rows = [{"user": user, "item": one, "rating": 5.0, "time": 1.7e9} for one in items]
    retrain(folder, [rows], tmp_path / "next", run=QUICK)
    assert model_card(tmp_path / "next").licence == "CC BY 4.0 <see shop.example>"


def test_inspect_shows_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "licence: CC BY 4.0" in shown
    assert "aren't ratings" in shown
    assert main(["inspect", str(folder), "--card"]) == 0
    assert capsys.readouterr().out.startswith("# Model card: ials")
    assert main(["inspect", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["card"]["model"] == "ials"
