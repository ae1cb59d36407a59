"""Rules of reranking as text and as values: what is read, and what is refused with its cure."""

from __future__ import annotations

import pytest

from cofactor.base.errors import ArgumentError, UnknownNameError
from cofactor.retrieval.rerank.rules import Freshness, Rerank, as_rules

WRITTEN = [
    ("mmr=0.7", Rerank(mmr=0.7)),
    ("mmr=0.7 by genres", Rerank(mmr=0.7, by="genres")),
    ("dpp=0.5 by `main author`", Rerank(dpp=0.5, by="main author")),
    ("calibrate=0.4 by genres", Rerank(calibrate=0.4, by="genres")),
    ("mmr=0.123456789 by `liked by`", Rerank(mmr=0.123456789, by="liked by")),
    (
        "fresh=0.1 by `half-life 3` half-life 0.5d",
        Rerank(fresh=Freshness(weight=0.1, column="half-life 3", half_life=0.5)),
    ),
    ("cap=2 by `a by b`", Rerank(caps={"a by b": 2})),
    (
        "boost=1234567.5 if `by` > 1234567.5",
        Rerank(boosts={"`by` > 1234567.5": 1234567.5}),
    ),
    ("cap=2 by author; cap=3 by genres", Rerank(caps={"author": 2, "genres": 3})),
    ("pin=B7; pin=A 1 at 4", Rerank(pins={1: "B7", 4: "A 1"})),
    ("pin=`a;b`; pin=`c``d` at 4", Rerank(pins={1: "a;b", 4: "c`d"})),
    ("pin=`at home at 3` at 2", Rerank(pins={2: "at home at 3"})),
    ("pin=o'brien; pin=o'hara", Rerank(pins=["o'brien", "o'hara"])),
    ("pin=`'a'`; pin=`\"b`", Rerank(pins=["'a'", '"b'])),
    ("cap=2 by `a``b`", Rerank(caps={"a`b": 2})),
    ("boost=0.3 if year >= 2000", Rerank(boosts={"year >= 2000": 0.3})),
    (
        "bury=0.2 if title ~ 'x;y' ; candidates=50",
        Rerank(boosts={"title ~ 'x;y'": -0.2}, candidates=50),
    ),
    ("fresh=0.2", Rerank(fresh=0.2)),
    (
        "fresh=0.2 by released half-life 90d",
        Rerank(fresh=Freshness(weight=0.2, column="released", half_life=90)),
    ),
    ("at_least=0.3 if long_tail", Rerank(at_least={"long_tail": 0.3})),
    ("at_least=0.3 if new; exposure=0.05", Rerank(at_least={"new": 0.3}, exposure=0.05)),
    (
        "at_least=0.5 if price < 3 or kind = 'if'",
        Rerank(at_least={"price < 3 or kind = 'if'": 0.5}),
    ),
]


@pytest.mark.parametrize(("text", "rules"), WRITTEN)
def test_text_and_values_say_the_same(text: str, rules: Rerank) -> None:
    assert Rerank.parse(text) == rules
    assert Rerank.parse(rules.text) == rules


def test_several_texts_are_one_set() -> None:
    assert Rerank.parse(["mmr=0.5", "cap=1 by a"]) == Rerank(mmr=0.5, caps={"a": 1})


@pytest.mark.parametrize("nothing", [None, "", " ; ", Rerank(), "candidates=50"])
def test_no_rules_are_none(nothing: Rerank | str | None) -> None:
    assert as_rules(nothing) is None


REFUSED = [
    ("mmer=0.5", UnknownNameError, "did you mean mmr"),
    ("cap=0 by author", ArgumentError, r"caps\['author'\] must be an integer at least 1, not 0"),
    ("cap=2", ArgumentError, "write cap=2 by COLUMN"),
    ("cap=1.5 by author", ArgumentError, "must be an integer at least 1"),
    ("mmr=2", ArgumentError, r"mmr must be a finite number in 0..1, not 2"),
    ("mmr=nan", ArgumentError, "mmr must be a finite number"),
    ("dpp=1", ArgumentError, "dpp must be a finite number at least 0 and below 1"),
    ("mmr=0.5; dpp=0.5", ArgumentError, "give one of mmr, dpp and calibrate"),
    ("calibrate=0.5", ArgumentError, "calibrate=0.5 by genres"),
    ("boost=0 if a = 1", ArgumentError, "leave it out"),
    ("boost=0.3 if a =", ArgumentError, "can't read the filter"),
    ("boost=much if a = 1", ArgumentError, "write boost=0.3 if CONDITION"),
    ("pin=a; pin=b at 1", ArgumentError, "two items are pinned to place 1"),
    ("pin=a; pin=a", ArgumentError, "pinned twice"),
    ("pin=a at 0", ArgumentError, "a place must be an integer at least 1"),
    ("pin=a at 1.5", ArgumentError, "a place must be an integer"),
    ("pin=a at home at 3", ArgumentError, "'at' occurs twice"),
    ("mmr=0.5 by genres by author", ArgumentError, "'by' occurs twice.*backticks"),
    ("at_least=1.2 if new", ArgumentError, "above 0 and at most 1"),
    ("exposure=0", ArgumentError, "exposure must be a finite number above 0"),
    ("fresh=0.2 half-life 0d", ArgumentError, "half_life must be a finite number above 0"),
    ("candidates=0", ArgumentError, "candidates must be an integer in 1..10000"),
    ("mmr", ArgumentError, "write mmr=0.7"),
    ("mmr=0.5 by genres; mmr=0.6", ArgumentError, "mmr is given twice; leave one"),
    ("cap=1 by a; cap=2 by a", ArgumentError, "cap by a is given twice"),
    ("boost=0.3 if a = 1; bury=0.2 if a = 1", ArgumentError, "boost or bury if a = 1 is given"),
    ("at_least=0.1 if new; at_least=0.2 if new", ArgumentError, "at_least if new is given twice"),
    ("fresh=0.1; fresh=0.2 by year", ArgumentError, "fresh is given twice"),
    ("; ".join(["cap=1 by a"] * 31), ArgumentError, "at most 30 rules"),
]


@pytest.mark.parametrize(("text", "error", "message"), REFUSED)
def test_bad_rules_are_refused_with_a_cure(text: str, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        Rerank.parse(text)


def test_a_column_without_an_objective_is_refused() -> None:
    with pytest.raises(ArgumentError, match="give one of them too"):
        Rerank(by="genres")
    with pytest.raises(ArgumentError, match="list of item ids"):
        Rerank(pins="B7")
