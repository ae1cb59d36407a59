"""Exploration and interleaving: the probabilities are those with which lists come about."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from cofactor.base.errors import ArgumentError
from cofactor.retrieval.exploration import Exploration, Pool, parse_exploration
from cofactor.retrieval.interleaving import team_draft

N = 5_000
SCORES = np.array([2.0, 1.0, 0.5, 0.0])
NEW = np.array([False, False, False, True])
DRAWS = np.random.default_rng(9).normal(SCORES, 1.0, (50, 4))


@pytest.mark.parametrize(
    "exploration",
    [
        Exploration(kind="slots", share=0.3),
        Exploration(kind="slots", share=0.2, new_share=0.1),
        Exploration(kind="softmax", temperature=0.7),
        Exploration(kind="softmax", temperature=0.7, share=0.1, new_share=0.2),
        Exploration(kind="thompson"),
        Exploration(kind="thompson", share=0.1),
    ],
)
def test_the_probability_of_a_list_is_how_often_it_comes(exploration: Exploration) -> None:
    rng = np.random.default_rng(4)
    pool = Pool(SCORES, NEW, DRAWS)
    seen: Counter[tuple[int, ...]] = Counter()
    stated: dict[tuple[int, ...], float] = {}
    for _ in range(N):
        drawn = exploration.draw(pool, 2, rng)
        key = tuple(drawn.places.tolist())
        seen[key] += 1
        stated[key] = float(drawn.probabilities.prod())
    assert sum(stated.values()) <= 1 + 1e-9
    for key, probability in stated.items():
        error = 5 * np.sqrt(probability * (1 - probability) / N) + 1e-4
        assert abs(seen[key] / N - probability) < error, key


def test_distributions_sum_to_one_without_what_is_taken() -> None:
    taken = np.array([True, False, True, False])
    for text in ("slots=0.1", "softmax=0.5+new=0.1", "thompson+share=0.05"):
        p = parse_exploration(text).distribution(Pool(SCORES, NEW, DRAWS), taken)
        assert p.sum() == pytest.approx(1.0)
        assert (p[taken] == 0).all()
        assert (p >= 0).all()


def test_no_share_is_the_ranking_itself_and_short_pools_are_drawn_whole() -> None:
    drawn = Exploration(kind="slots").draw(Pool(SCORES), 10, np.random.default_rng(0))
    assert drawn.places.tolist() == [0, 1, 2, 3]
    assert drawn.probabilities.tolist() == [1.0] * 4
    # Where temperatures underflow, what is left is still drawn.
    cold = Exploration(kind="softmax", temperature=1e-4)
    assert sorted(cold.draw(Pool(SCORES), 4, np.random.default_rng(0)).places) == [0, 1, 2, 3]


def test_new_items_get_their_share_while_they_are_new() -> None:
    rng = np.random.default_rng(1)
    exploration = Exploration(kind="slots", new_share=0.2)
    first = [int(exploration.draw(Pool(SCORES, NEW), 1, rng).places[0]) for _ in range(4_000)]
    assert np.mean(np.array(first) == 3) == pytest.approx(0.2, abs=0.03)
    none = exploration.draw(Pool(SCORES, np.zeros(4, bool)), 2, rng)
    assert none.places.tolist() == [0, 1]


def test_explorations_are_read_and_others_refused() -> None:
    assert parse_exploration("softmax=0.5+new=0.05+budget=20+pool=50") == Exploration(
        kind="softmax", temperature=0.5, new_share=0.05, new_budget=20, pool=50
    )
    for text in ("", "slots", "slots=x", "greedy=1", "thompson=2", "slots=0.1+other=1", "slots=2"):
        with pytest.raises(ArgumentError):
            parse_exploration(text)
    for text in ("thompson+pool=nan", "slots=0.1+budget=inf", "slots=0.1+budget=2.9"):
        with pytest.raises(ArgumentError, match="must be an integer"):
            parse_exploration(text)
    with pytest.raises(ArgumentError, match="posterior draws"):
        parse_exploration("thompson").draw(Pool(SCORES), 1, np.random.default_rng(0))


def test_team_draft_by_hand() -> None:
    first, second = ["a", "b", "c"], ["b", "d", "a"]
    rng = np.random.default_rng(0)
    lists: Counter[str] = Counter()
    for _ in range(4_000):
        found = team_draft(first, second, 4, rng)
        items = [(first, second)[s][p] for s, p in zip(found.sources, found.places, strict=True)]
        assert len(set(items)) == 4
        assert abs(int((found.sources == 0).sum()) - 2) == 0
        lists["".join(items)] += 1
    # First picks a then b follows as the second's; or b first, then a; and so on.
    assert set(lists) == {"abcd", "abdc", "bacd", "badc"}
    assert min(lists.values()) > 850


def test_equal_rankings_are_credited_evenly_and_with_certainty() -> None:
    rng = np.random.default_rng(3)
    credit = np.zeros(5)
    for _ in range(2_000):
        found = team_draft(list("abcde"), list("abcde"), 5, rng)
        credit += found.sources
    assert np.abs(credit / 2_000 - 0.5).max() < 0.05
    assert team_draft(list("ab"), list("ab"), 5, rng).probabilities.tolist() == [1.0, 1.0]
    assert len(team_draft([], ["x"], 3, rng).sources) == 1
