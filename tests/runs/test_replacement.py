"""A new model beside the old one: both are measured on events that neither was fitted on, in worlds
where it is known which is better.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import cofactor
from cofactor import Run
from cofactor.data.interactions import Interactions
from cofactor.models.recommender import Recommender
from cofactor.runs.replacement import Incumbent, measured_against
from cofactor.service.versions.comparison import PairedHits

ONE = Run(threads=1)
N_OLD, N_NEW, LATER = 6, 2, 2_000


def world(seed: int, drift: bool = False, n_new: int = N_NEW) -> tuple[Interactions, Interactions]:
    """What 400 people chose of 300 items by their taste: before the moment LATER, and all of it.

    With ``drift`` items that hardly anybody wanted before are what all want later.
    """
    rng = np.random.default_rng(seed)
    people, items = rng.normal(size=(400, 6)), rng.normal(size=(300, 6))
    taste = 1.5 * people @ items.T / np.sqrt(6) + rng.normal(0, 0.7, 300)
    fashion = np.where(np.arange(300) < 40, 3.0, 0.0) * drift
    # The best of noisy tastes are draws without repeats.
    chance = rng.gumbel(size=taste.shape)
    first = np.argsort(-(taste - fashion + chance), axis=1)[:, :N_OLD]
    left = taste + fashion + rng.gumbel(size=taste.shape)
    np.put_along_axis(left, first, -np.inf, axis=1)
    chosen = np.hstack([first, np.argsort(-left, axis=1)[:, :n_new]])
    times = np.hstack(
        [rng.integers(0, LATER, (400, N_OLD)), rng.integers(LATER, 3_000, (400, n_new))]
    )
    table = pa.table(
        {
            "user": np.repeat(np.arange(400), N_OLD + n_new),
            "item": chosen.ravel(),
            "time": times.ravel(),
        }
    )
    old = table.filter(pa.array(times.ravel() < LATER))
    return Interactions.build(cofactor.read(old)), Interactions.build(cofactor.read(table))


def ease(data: Interactions) -> Recommender:
    return cofactor.EASE(popularity_weight=0).fit(data, run=ONE)  # nothing is chosen by chance


def test_a_model_that_learned_a_change_wins() -> None:
    before, data = world(0, drift=True)
    found = measured_against(ease, Incumbent(ease(before)), data, ONE)
    assert found is not None
    hits = PairedHits(*(found[name] for name in ("n", "new", "old", "only_new", "only_old")))
    assert hits.new > hits.old
    assert hits.p < 0.001


def test_a_model_that_learned_more_of_the_same_has_no_handicap() -> None:
    new = old = 0
    for seed in range(6):
        before, data = world(seed, n_new=1)
        found = measured_against(ease, Incumbent(ease(before)), data, ONE)
        assert found is not None
        new, old = new + found["new"], old + found["old"]
    assert new >= old > 50


def test_neither_model_has_seen_what_is_held_out_nor_anything_later() -> None:
    before, data = world(1)
    parts: list[Interactions] = []

    def fit(part: Interactions) -> Recommender:
        parts.append(part)
        return ease(part)

    found = measured_against(fit, Incumbent(ease(before)), data, ONE)
    assert found is not None
    (part,) = parts
    assert found["fresh"] == 400 * N_NEW
    assert found["held_out"] == found["fresh"] // 5 == len(data) - len(part)
    assert part.times is not None
    assert data.times is not None
    new, kept = np.sort(data.times[data.times >= LATER]), part.times
    # All that is old is there, and of what is new the earlier four fifths.
    assert (kept < LATER).sum() == len(before)
    np.testing.assert_array_equal(np.sort(kept[kept >= LATER]), new[: len(new) * 4 // 5])


def test_half_of_what_is_new_is_held_out_where_it_is_little() -> None:
    before, data = world(2)
    assert data.times is not None
    some = data.where((data.times < LATER) | (np.arange(len(data)) % 20 < 2))
    found = measured_against(ease, Incumbent(ease(before)), some, ONE)
    assert found is not None
    assert found["held_out"] == (found["fresh"] + 1) // 2


def test_a_model_that_knows_everything_is_not_compared() -> None:
    _, data = world(3)
    assert measured_against(ease, Incumbent(ease(data)), data, ONE) is None


def test_what_had_been_shown_does_not_count() -> None:
    before, data = world(1)
    users = data.users.ids(data.user_rows)
    items = data.items.ids(data.item_rows)
    old = ease(before)
    some = [n for n, user in enumerate(users) if user < 200]
    shown = ([str(users[n]) for n in some], [str(items[n]) for n in some])
    whole = measured_against(ease, Incumbent(old), data, ONE)
    fewer = measured_against(ease, Incumbent(old, *shown), data, ONE)
    assert whole is not None
    assert fewer is not None
    assert 0 < fewer["n"] < whole["n"]
    all_of_it = ([str(user) for user in users], [str(item) for item in items])
    assert measured_against(ease, Incumbent(old, *all_of_it), data, ONE) is None


def test_the_command_says_what_was_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from cofactor.cli.main import main

    rng = np.random.default_rng(0)
    lines = [f"u{n % 30},i{rng.integers(40)},{1_600_000_000 + n}" for n in range(500)]
    for name, part in (("old", lines[:350]), ("new", lines[350:])):
        (tmp_path / f"{name}.csv").write_text("\n".join(["user,item,time", *part]) + "\n")
    old, v1, v2 = (str(tmp_path / name) for name in ("old.csv", "v1", "v2"))
    assert main(["train", old, "--model", "item_knn", "--out", v1, "-q"]) == 0
    capsys.readouterr()
    assert main(["retrain", v1, str(tmp_path / "new.csv"), "--out", v2, "-q"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "new events, which neither model was fitted on: of" in said
