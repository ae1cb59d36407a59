"""Reranked lists: each rule against its definition, worked out plainly."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

import cofactor
from cofactor.base.errors import ArgumentError, UnknownIdError, UnknownNameError
from cofactor.data.catalogue import Catalogue
from cofactor.data.interactions import Interactions
from cofactor.retrieval.rerank.item_attributes import ItemSide
from cofactor.retrieval.rerank.limits import Exposure
from cofactor.retrieval.rerank.objectives import Determinant, MarginalRelevance
from cofactor.retrieval.rerank.reranker import Reranker
from cofactor.retrieval.rerank.rules import Freshness, Rerank
from cofactor.retrieval.topk import TopK, best_scores

N = 40
DAY = 86_400
NOTHING = np.zeros(2, np.int64), np.zeros(0, np.int32)


def items_of(**columns: object) -> Interactions:
    """Forty items; item n has 40 - n interactions but the last five, which have none."""
    users, items = zip(*[(u, i) for i in range(N - 5) for u in range(N - i)], strict=True)
    times = [DAY * (10 + i) for _, i in zip(users, items, strict=True)]
    data = Interactions.from_rows(
        np.array(users), np.array(items), users=N, items=N, times=np.array(times)
    )
    if not columns:
        return data
    from dataclasses import replace

    return replace(data, catalogue=Catalogue(pa.table(columns)))


def scores_of(seed: int, n_users: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n_users, N)).astype(np.float32)


def lists(
    rules: Rerank,
    data: Interactions,
    scores: np.ndarray,
    k: int = 10,
    *,
    units: np.ndarray | None = None,
    history: tuple | None = None,
    allowed: np.ndarray | None = None,
    excluded: tuple | None = None,
    exposure: Exposure | None = None,
) -> list[list[int]]:
    side = ItemSide(data, vectors=None if units is None else lambda: units)

    def find(count: int, mask: np.ndarray | None) -> TopK:
        return best_scores(scores, count, excluded=excluded, allowed=mask)

    nothing = np.zeros(len(scores) + 1, np.int64), np.zeros(0, np.int32)
    top = Reranker(rules, side).lists(
        find, k, nothing if history is None else history, allowed=allowed, exposure=exposure
    )
    return [top.rows[u, : top.count[u]].tolist() for u in range(len(scores))]


def relevance_of(scores: np.ndarray) -> np.ndarray:
    line = scores[0].astype(np.float64)
    return (line - line.min()) / (line.max() - line.min())


def test_mmr_is_the_greedy_choice_of_its_equation() -> None:
    scores, rng = scores_of(1), np.random.default_rng(2)
    vectors = rng.normal(size=(N, 3))
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    relevance, weight, chosen = relevance_of(scores), 0.6, []
    while len(chosen) < 10:
        gains = {
            i: weight * relevance[i]
            - (1 - weight) * max([units[i] @ units[j] for j in chosen], default=0.0)
            for i in range(N)
            if i not in chosen
        }
        chosen.append(max(gains, key=lambda i: gains[i]))
    found = lists(Rerank(mmr=weight), items_of(), scores, units=vectors.astype(np.float32))
    assert found == [chosen]


def test_dpp_is_the_greedy_choice_of_the_largest_determinant() -> None:
    scores, rng = scores_of(3), np.random.default_rng(4)
    vectors = rng.normal(size=(N, 12))
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    theta = 0.7
    quality = np.exp(theta / (2 * (1 - theta)) * relevance_of(scores))
    kernel = quality[:, None] * ((1 + units @ units.T) / 2) * quality[None, :]
    chosen: list[int] = []
    while len(chosen) < 8:
        logs = {
            i: np.linalg.slogdet(kernel[np.ix_([*chosen, i], [*chosen, i])])[1]
            for i in range(N)
            if i not in chosen
        }
        chosen.append(max(logs, key=lambda i: logs[i]))
    assert lists(Rerank(dpp=theta), items_of(), scores, 8, units=vectors) == [chosen]


def test_dpp_goes_on_by_relevance_where_nothing_independent_is_left() -> None:
    units = np.tile(np.array([[1.0, 0.0]], np.float32), (N, 1))
    found = lists(Rerank(dpp=0.5), items_of(), scores_of(5), units=units)
    assert found == [np.argsort(-scores_of(5)[0], kind="stable")[:10].tolist()]


@pytest.mark.parametrize("rules", [Rerank(mmr=1.0), Rerank(boosts={"kind = 'none'": 1.0})])
def test_rules_that_change_nothing_leave_the_order_and_scores(rules: Rerank) -> None:
    data, scores = items_of(kind=["a"] * N), scores_of(6)
    assert lists(rules, data, scores) == [np.argsort(-scores[0], kind="stable")[:10].tolist()]


def test_objectives_alone_break_no_rule_of_arithmetic() -> None:
    relevance, units = np.array([1.0, 0.5, 0.0]), np.eye(3)
    one = MarginalRelevance(relevance, units, 0.5)
    assert one.gains().tolist() == [0.5, 0.25, 0.0]
    two = Determinant(relevance, units, 0.0)
    two.place(0)
    assert two.gains()[1:] == pytest.approx([math.log(0.75)] * 2)


@pytest.mark.parametrize("width", [1, 3, 8])
def test_a_process_whose_list_is_longer_than_its_vectors_goes_on_by_relevance(width: int) -> None:
    """What is left of an item within the span of those before is rounding, and isn't divided by."""
    chance = np.random.default_rng(0)
    units = chance.normal(size=(60, width)).astype(np.float32)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    one = Determinant(np.linspace(1, 0, 60), units, 0.5)
    chosen: list[int] = []
    for _ in range(60):
        gains = one.gains()
        assert np.isfinite(gains).all()
        gains[chosen] = -np.inf
        chosen.append(int(gains.argmax()))
        one.place(chosen[-1])
    rest = chosen[width + 1 :]
    assert rest == sorted(rest)


def test_calibration_keeps_the_users_mix() -> None:
    kinds = ["crime" if n % 2 else "love" for n in range(N)]
    data = items_of(kind=kinds)
    scores = np.array([[100.0 + n if n % 2 else n for n in range(N)]], np.float32)
    # The user's history is seven parts love and three parts crime; the scores favour crime.
    history = np.array([0, 10], np.int64), np.array([0, 2, 4, 6, 8, 10, 12, 1, 3, 5], np.int32)
    found = lists(Rerank(calibrate=0.99, by="kind"), data, scores, history=history)[0]
    assert sum(kinds[n] == "love" for n in found) == 7
    plain = lists(Rerank(calibrate=0.0, by="kind"), data, scores, history=history)[0]
    assert plain == np.argsort(-scores[0], kind="stable")[:10].tolist()


def test_calibration_is_the_greedy_choice_of_its_equation() -> None:
    rng = np.random.default_rng(8)
    entries = [
        list(rng.choice(["a", "b", "c", "d"], rng.integers(0, 3), replace=False)) for _ in range(N)
    ]
    data, scores = items_of(kind=pa.array(entries, pa.list_(pa.string()))), scores_of(9)
    past = [n for n in range(N) if entries[n]][:9]

    def mix(rows: list[int]) -> dict[str, float]:
        held = [n for n in rows if entries[n]]
        return {
            g: sum(1 / len(entries[n]) for n in held if g in entries[n]) / max(1, len(held))
            for g in "abcd"
        }

    wanted, relevance, weight, chosen = mix(past), relevance_of(scores), 0.6, []
    while len(chosen) < 10:
        gains = {}
        for i in range(N):
            if i not in chosen:
                held = mix([*chosen, i])
                divergence = sum(
                    p * math.log(p / (0.99 * held[g] + 0.01 * p)) for g, p in wanted.items() if p
                )
                gains[i] = (1 - weight) * relevance[i] - weight * divergence
        chosen.append(max(gains, key=lambda i: gains[i]))
    history = np.array([0, len(past)], np.int64), np.array(past, np.int32)
    assert lists(Rerank(calibrate=weight, by="kind"), data, scores, history=history) == [chosen]


def test_a_cap_holds_for_every_entry_and_looks_deeper_for_a_full_list() -> None:
    kinds = ["a|b", "a", "b|c", "c"] * 9 + ["d", "e", "f", None]
    data, scores = items_of(kind=kinds), scores_of(10, 3)
    for found in lists(Rerank(caps={"kind": 2}, candidates=12), data, scores, 8):
        assert len(found) == 8
        for entry in "abcdef":
            assert sum(entry in (kinds[n] or "").split("|") for n in found) <= 2
    # Without the rule the lists break it, so that the test isn't empty.
    plain = np.argsort(-scores, axis=1)[:, :8].tolist()
    assert any(sum("a" in (kinds[n] or "") for n in line) > 2 for line in plain)


def test_shares_hold_for_every_beginning_of_the_list() -> None:
    data = items_of(kind=["x" if n % 10 == 0 else "y" for n in range(N)])
    scores = -np.arange(N, dtype=np.float32)[None] - 100 * (np.arange(N) % 10 == 0)
    for group, members in (
        ("new", set(range(35, 40))),
        ("kind = 'x'", {0, 10, 20, 30}),
        ("long_tail", set(np.flatnonzero(ItemSide(data).group("long_tail")))),
    ):
        found = lists(Rerank(at_least={group: 0.3}), data, scores)[0]
        for n in range(1, 11):
            assert len(members & set(found[:n])) >= math.floor(0.3 * n + 1e-9)
        assert len(members & set(np.argsort(-scores[0], kind="stable")[:10])) < 3 or group != "new"


def test_the_long_tail_holds_a_fifth_of_the_interactions() -> None:
    data = items_of()
    tail = ItemSide(data).group("long_tail")
    counts = data.item_counts
    assert counts[tail].sum() <= 0.2 * counts.sum() < counts[tail].sum() + counts[~tail].min()
    assert counts[tail].max() <= counts[~tail].min()


def test_boosts_reach_items_beyond_the_candidates_and_burying_lowers() -> None:
    data = items_of(kind=["x" if n == 39 else "y" if n == 0 else "z" for n in range(N)])
    scores = -np.arange(N, dtype=np.float32)[None]
    boosted = lists(Rerank(boosts={"kind = 'x'": 5.0}, candidates=10), data, scores)[0]
    assert boosted[0] == 39
    buried = lists(Rerank(boosts={"kind = 'y'": -5.0}), data, scores)[0]
    assert 0 not in buried
    assert buried == list(range(1, 11))


def test_freshness_halves_with_every_half_life() -> None:
    released = np.datetime64("2026-01-01") - np.arange(N)[::-1] * np.timedelta64(30, "D")
    data = items_of(released=pa.array(released.astype("datetime64[s]")))
    side = ItemSide(data, now=float(np.datetime64("2026-01-01", "s").astype(np.int64)))
    rules = Rerank(fresh=Freshness(weight=0.8, column="released", half_life=30))
    added = Reranker(rules, side)._added
    assert added == pytest.approx(0.8 * 0.5 ** np.arange(N)[::-1])
    years = items_of(year=[2000 + n for n in range(N)])
    ages = ItemSide(years, now=70 * 365.25 * DAY).ages("year")
    assert ages[[0, 39]] == pytest.approx([40 * 365.25, 365.25])
    # Without a column: by the first interaction, and what has none is fresh.
    first = ItemSide(items_of()).ages(None)
    assert first[:3].tolist() == [34, 33, 32]
    assert first[36] == 0


def test_pins_stand_in_their_places_and_count_for_caps() -> None:
    data, scores = items_of(kind=["a", "b"] * 20), scores_of(11)
    found = lists(Rerank(pins={1: 5, 4: 7}, caps={"kind": 3}), data, scores, 6)[0]
    assert (found[0], found[3]) == (5, 7)
    assert sum(n % 2 for n in found) == 3
    assert len(set(found)) == len(found)


def test_what_may_not_be_recommended_comes_back_by_no_rule() -> None:
    data, scores = items_of(kind=["a"] * N), scores_of(12)
    hidden = 7
    allowed = np.ones(N, bool)
    allowed[hidden] = False
    rules = Rerank(pins=[hidden, 8], boosts={"kind = 'a'": 9.0}, at_least={"kind = 'a'": 1.0})
    found = lists(rules, data, scores, N, allowed=allowed)[0]
    assert hidden not in found
    assert found[0] != hidden
    assert 8 in found
    seen = np.array([0, 1], np.int64), np.array([8], np.int32)
    assert 8 not in lists(rules, data, scores, N, allowed=allowed, excluded=seen)[0]


def test_exposure_is_capped_over_all_lists() -> None:
    data, scores = items_of(), np.tile(-np.arange(N, dtype=np.float32), (20, 1))
    rules = Rerank(exposure=0.25)
    found = lists(rules, data, scores, 5, exposure=Exposure(0.25, N, 20))
    counts = np.bincount(np.concatenate(found), minlength=N)
    assert counts.max() == 5
    assert [len(line) for line in found] == [5] * 20
    endless = Exposure(0.1, N, burst=3)
    for n in range(200):
        row = np.array([0])
        if endless.open(row)[0]:
            endless.add(row)
        else:
            endless.add(np.array([1]))
        assert endless._counts[0] <= 0.1 * (n + 1) + 3
    assert endless._counts[0] == 23


def test_unknown_names_are_refused() -> None:
    side = ItemSide(items_of(kind=["a"] * N))
    for rules, error, message in (
        (Rerank(caps={"kinds": 2}), UnknownNameError, "did you mean kind"),
        (Rerank(mmr=0.5, by="author"), UnknownNameError, "kind"),
        (Rerank(boosts={"author = 'x'": 0.1}), UnknownNameError, "author"),
        (Rerank(boosts={"kind > 3": 0.1}), ArgumentError, "holds texts"),
        (Rerank(fresh=Freshness(weight=0.1, column="kind")), ArgumentError, "aren't dates"),
        (
            Rerank(pins=["nobody"]),
            UnknownIdError,
            "pins items that the model doesn't know: 'nobody'",
        ),
    ):
        with pytest.raises(error, match=message):
            Reranker(rules, side)
    with pytest.raises(ArgumentError, match="no catalogue; train with one"):
        Reranker(Rerank(caps={"kind": 2}), ItemSide(items_of()))


def test_recommend_takes_rules_as_text_or_values_and_keeps_the_models_scores() -> None:
    from cofactor.data.synthetic import shop

    books = shop(n_users=80, n_items=60, seed=3)
    column = next(n for n in books.catalogue.column_names if n != books.catalogue.title_column)
    for model in (cofactor.EASE().fit(books), cofactor.IALS(factors=8).fit(books)):
        user = books.users.ids([0])[0]
        plain = model.recommend(user, 20)
        scores = dict(zip(plain.ids, plain.scores, strict=True))
        text = f"mmr=0.3; cap=4 by {column}"
        found = model.recommend(user, 5, rerank=text)
        assert found.ids == model.recommend(user, 5, rerank=Rerank(mmr=0.3, caps={column: 4})).ids
        assert found.ids != plain.ids[:5]
        both = [i for i in found.ids if i in scores]
        assert both
        assert all(
            scores[i] == pytest.approx(s, abs=1e-6)
            for i, s in zip(found.ids, found.scores, strict=True)
            if i in both
        )
        pinned = plain.ids[15]
        assert model.recommend(user, 5, rerank=Rerank(pins=[pinned])).ids[0] == pinned
        with pytest.raises(ArgumentError, match="the filters leave out"):
            model.recommend(
                user, 5, rerank=Rerank(pins=[pinned]), filters=cofactor.Filters(block=[pinned])
            )


def test_evaluation_measures_the_reranked_lists() -> None:
    from cofactor.data.synthetic import shop

    books = shop(n_users=120, n_items=80, seed=5)
    split = cofactor.split(books, "per-user", test=0.2, seed=1)
    model = cofactor.EASE().fit(split.train)
    plain = cofactor.evaluate(model, split, ["ndcg@10"])
    same = cofactor.evaluate(model, split, ["ndcg@10"], rerank="mmr=1")
    other = cofactor.evaluate(model, split, ["ndcg@10"], rerank="mmr=0.1")
    assert same["ndcg@10"] == plain["ndcg@10"] > other["ndcg@10"]
    assert other.how.rerank == "mmr=0.1"
    with pytest.raises(ArgumentError, match="can't be measured by auc"):
        cofactor.evaluate(model, split, ["auc"], rerank="mmr=0.1")
    with pytest.raises(ArgumentError, match="sampled items"):
        cofactor.evaluate(model, split, ["ndcg@10"], rerank="mmr=0.1", candidates=20)


def test_compare_shows_rows_with_and_without_and_what_the_rules_cost() -> None:
    from cofactor.data.synthetic import shop

    books = shop(n_users=120, n_items=80, seed=5)
    done = cofactor.compare(books, ["ease"], metrics=["ndcg@10"], rerank=["mmr=0.1", "mmr=1"])
    labels = ["popularity", "ease"]
    assert list(done.results) == [
        f"{label}{rules}" for label in labels for rules in ("", " + mmr=0.1", " + mmr=1")
    ]
    costs = {cost.first: cost for cost in done.costs}
    assert costs["ease + mmr=0.1"].difference < 0
    assert costs["ease + mmr=0.1"].second == "ease"
    assert costs["ease + mmr=1"].difference == 0
    assert {row["model"] for row in done.rows()} == set(done.results)
    assert len(done.to_dict()["costs"]) == 4
