"""Rules of reranking on the command line: a list under rules, what rules cost, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

Run = Callable[..., "Ran"]  # noqa: F821  (a fixture's class)


def test_recommend_chooses_by_rules(cofactor: Run, trained: Path, shop_files: Path) -> None:
    words = ["recommend", trained, "--user", "reader-001", "-k", "8", "--json"]
    plain = [one["item_id"] for one in cofactor(*words).json["recommendations"]]
    titles = pq.read_table(shop_files / "books.parquet").column_names
    pinned = cofactor(*words, "--rerank", f"pin={plain[5]}", "--rerank", "mmr=0.5").json
    found = [one["item_id"] for one in pinned["recommendations"]]
    assert found[0] == plain[5]
    assert found != plain
    refused = cofactor(*words[:-1], "--rerank", "cap=0 by title")
    assert refused.code == 1
    assert "must be an integer at least 1, not 0" in refused.sentence
    unknown = cofactor(*words[:-1], "--rerank", "cap=2 by nothing")
    assert unknown.code == 1
    assert titles[1] in unknown.sentence
    assert "unknown column of the catalogue 'nothing'" in unknown.sentence


def test_all_users_lists_are_chosen_by_rules(cofactor: Run, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "lists.parquet"
    rules = ["--rerank", "exposure=0.1"]
    done = cofactor("recommend", trained, "--all-users", "-k", "3", "--out", out, *rules)
    assert done.code == 0
    lists = pq.read_table(out).to_pylist()
    counts: dict[str, int] = {}
    for line in lists:
        counts[line["item_id"]] = counts.get(line["item_id"], 0) + 1
    n_users = len({line["user_id"] for line in lists})
    assert max(counts.values()) <= 0.1 * n_users


def test_compare_says_what_rules_cost(cofactor: Run, shop_files: Path) -> None:
    done = cofactor(
        "compare",
        shop_files / "events.csv",
        "--models",
        "ease,popularity",
        "--metrics",
        "ndcg@10,coverage@10",
        "--rerank",
        "mmr=0.1",
        "--json",
    )
    assert done.code == 0
    assert set(done.json["results"]) == {
        "ease",
        "ease + mmr=0.1",
        "popularity",
        "popularity + mmr=0.1",
    }
    (cost,) = [one for one in done.json["costs"] if one["second"] == "ease"]
    assert cost["difference"] < 0
    shown = cofactor(
        "compare",
        shop_files / "events.csv",
        "--models",
        "ease,popularity",
        "--metrics",
        "ndcg@10",
        "--rerank",
        "mmr=0.1",
    )
    assert "ease + mmr=0.1: -" in shown.out.replace("\n", " ")


def test_compare_refuses_rules_of_no_column_before_it_fits(cofactor: Run, shop_files: Path) -> None:
    words = ("compare", shop_files / "events.csv", "--models", "ease,popularity", "--rerank")
    for rule, sentence in (
        ("cap=2 by shape", "column"),
        ("mmr=0.5 by shape", "column"),
        ("pin=nothing", "pins items that the model doesn't know: 'nothing'"),
    ):
        ran = cofactor(*words, rule)
        assert (ran.code, sentence in ran.sentence) == (1, True), ran.err
        assert "fitting" not in ran.err
