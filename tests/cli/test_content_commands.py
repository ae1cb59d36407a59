"""The commands of models with content, from files to answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cofactor.cli.main import main


@pytest.fixture
def files(tmp_path: Path) -> Path:
    rng = np.random.default_rng(2)
    kinds = ["garden roses soil", "engine oil torque", "piano keys music"]
    lines = [
        f"u{u},{i}" for u in range(45) for i in range(30) if u % 3 == i % 3 and rng.random() < 0.6
    ]
    (tmp_path / "events.csv").write_text("\n".join(["user,item", *lines]), encoding="utf-8")
    rows = [f"{i},Thing {i},{kinds[i % 3]},{'red' if i % 2 else 'blue'}" for i in range(30)]
    (tmp_path / "items.csv").write_text(
        "\n".join(["item_id,title,words,colour", *rows]), encoding="utf-8"
    )
    (tmp_path / "new.csv").write_text(
        "item_id,title,words,colour\n900,Grand piano,piano music,red\n5,old,x,red\n",
        encoding="utf-8",
    )
    return tmp_path


def test_train_recommend_new_items_and_describe(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, events, items, new = (
        str(files / name) for name in ("model", "events.csv", "items.csv", "new.csv")
    )
    content = f"--items {items} --text words --features colour"
    train = f"train {events} {content} --model content_ridge --out {model} --quiet --threads 1"
    assert main(train.split()) == 0
    capsys.readouterr()
    recommend = f"recommend {model} --user u2 -k 30 --items {new} --explain --json"
    assert main(recommend.split()) == 0
    answer = json.loads(capsys.readouterr().out)
    ids = [line["item_id"] for line in answer["recommendations"]]
    assert 900 in ids
    assert 0 < answer["cold_share"] < 1
    reasons = next(r for r in answer["reasons"] if r["item_id"] == 900)
    assert reasons["features"][0]["title"] in ("piano", "music")
    assert main(["similar", model, "--text", "soil for my roses", "--json"]) == 0
    similar = json.loads(capsys.readouterr().out)["similar"]
    assert all(line["similar_item_id"] % 3 == 0 for line in similar)
    assert main(["similar", model, "--text", "x", "--item", "3"]) == 2


def test_curve_prints_a_point_for_each_count(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "curve",
        str(files / "events.csv"),
        "--items",
        str(files / "items.csv"),
        "--model",
        "content_knn",
        "--counts",
        "0,2",
    ]
    assert main([*words, "--set", "text=words", "--json", "--threads", "1"]) == 0
    points = json.loads(capsys.readouterr().out)["points"]
    assert set(points) == {"0", "2"}
    assert points["0"]["metrics"]["ndcg@10"]["value"] > 0.5
