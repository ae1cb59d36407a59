"""Retraining: what a model was trained on and what came since equal the joined file; nothing is
counted twice, and the manifest knows how the sources were read.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from cofactor import Run, load
from cofactor.artifact.format import read_manifest
from cofactor.base.errors import ArgumentError, DataError
from cofactor.models.recommender import Recommender
from cofactor.runs.data_origin import origin_facts, origin_of
from cofactor.runs.retrain import Changes, Retrained, retrain
from cofactor.runs.source import Cutting, Reading
from cofactor.runs.train import train
from cofactor.store import Event, Item, StoreSettings, backup, open_store, restore
from store.places import new_place

ONE = Run(threads=1)
Row = tuple[str, str, float, int]


def rows(n: int, seed: int, start: int) -> list[Row]:
    rng = np.random.default_rng(seed)
    return [
        (f"u{rng.integers(30)}", f"i{rng.integers(25)}", float(rng.integers(1, 6)), start + 7 * k)
        for k in range(n)
    ]


# What a service stores of a click: no value.
BARE = "user,item,time\nsomebody,i1,1650000000\n"
OLD, NEW = rows(400, 0, 1_600_000_000), rows(150, 1, 1_650_000_000)


def written(path: Path, *parts: Sequence[Row], times: bool = True) -> Path:
    head = "user,item,value" + (",time" if times else "")
    lines = [",".join(map(str, row if times else row[:3])) for part in parts for row in part]
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


def assert_equal(one: Recommender, other: Recommender) -> None:
    assert one.config == other.config
    assert one.data.fingerprint == other.data.fingerprint
    assert one.state().keys() == other.state().keys()
    for name, array in one.state().items():
        np.testing.assert_array_equal(array, other.state()[name], err_msg=name)


@pytest.mark.parametrize("repeats", ["last", "sum", "max"])
@pytest.mark.parametrize("model", ["ials", "ease", "item_knn"])
def test_model_plus_events_equals_the_joined_file(tmp_path: Path, model: str, repeats: str) -> None:
    reading = Reading(repeats=repeats, min_value=2.0 if repeats == "last" else None)
    old, new = written(tmp_path / "old.csv", OLD), written(tmp_path / "new.csv", NEW)
    both = written(tmp_path / "both.csv", OLD, NEW)
    settings = ["factors=4"] if model == "ials" else []
    train(old, model, tmp_path / "v1", settings=settings, reading=reading, run=ONE)
    whole = train(both, model, tmp_path / "all", settings=settings, reading=reading, run=ONE)
    done = retrain(tmp_path / "v1", [new], tmp_path / "v2", run=ONE)
    assert_equal(load(tmp_path / "v2"), load(tmp_path / "all"))
    assert done.trained.result is not None
    assert whole.result is not None
    assert done.trained.result.to_dict()["metrics"] == whole.result.to_dict()["metrics"]
    # Once more with the same file: nothing is counted twice.
    if repeats == "sum":
        with pytest.raises(DataError, match=r"nothing is new: .*new\.csv \(150\)"):
            retrain(tmp_path / "v2", [new], tmp_path / "v3", run=ONE)
    else:
        retrain(tmp_path / "v2", [new], tmp_path / "v3", run=ONE)
        assert_equal(load(tmp_path / "v3"), load(tmp_path / "all"))


def test_order_stands_for_time_where_there_are_no_times(tmp_path: Path) -> None:
    old = written(tmp_path / "old.csv", OLD, times=False)
    new = written(tmp_path / "new.csv", NEW, times=False)
    both = written(tmp_path / "both.csv", OLD + NEW, times=False)
    train(old, "ease", tmp_path / "v1", run=ONE)
    train(both, "ease", tmp_path / "all", run=ONE)
    retrain(tmp_path / "v1", [new], tmp_path / "v2", run=ONE)
    assert_equal(load(tmp_path / "v2"), load(tmp_path / "all"))


def test_every_event_is_kept_where_repeats_are(tmp_path: Path) -> None:
    reading = Reading(repeats="keep")
    old, new = written(tmp_path / "old.csv", OLD), written(tmp_path / "new.csv", OLD[-40:], NEW)
    both = written(tmp_path / "both.csv", OLD, NEW)
    train(old, "item_knn", tmp_path / "v1", reading=reading, run=ONE)
    train(both, "item_knn", tmp_path / "all", reading=reading, run=ONE)
    done = retrain(tmp_path / "v1", [new], tmp_path / "v2", run=ONE)
    assert_equal(load(tmp_path / "v2"), load(tmp_path / "all"))
    assert [(one.events, one.known) for one in done.shares] == [(400, 0), (190, 40)]


def put(url: str, events: Sequence[Row], kind: str = "view") -> None:
    with open_store(url) as store:
        store.append(
            [
                Event(user_id=user, item_id=item, kind=kind, value=value, time=time)
                for user, item, value, time in events
            ]
        ).result()


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_store_is_read_on_from_where_it_was(
    tmp_path: Path, request: pytest.FixtureRequest, database: str
) -> None:
    url = new_place(request, database, tmp_path)
    old = written(tmp_path / "old.csv", OLD)
    reading = Reading(repeats="sum")
    put(url, NEW[:80])
    train([str(old), url], "ease", tmp_path / "v1", reading=reading, run=ONE)
    put(url, NEW[80:])
    done = retrain(tmp_path / "v1", [], tmp_path / "v2", run=ONE)
    assert [one.events for one in done.shares] == [len(load(tmp_path / "v1").data), 70]
    both = written(tmp_path / "both.csv", OLD, NEW)
    train(both, "ease", tmp_path / "all", reading=reading, run=ONE)
    assert_equal(load(tmp_path / "v2"), load(tmp_path / "all"))
    with pytest.raises(DataError, match="no events that are new"):
        retrain(tmp_path / "v2", [], tmp_path / "v3", run=ONE)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_of_a_store_that_was_restored_no_event_is_passed_over(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    """Its numbers begin again at the backup's: what came after it has numbers that others had."""
    url = new_place(request, kind, tmp_path)
    events = [
        Event(user_id=user, item_id=item, value=value, kind="rating", time=moment)
        for user, item, value, moment in NEW
    ]
    with open_store(url) as store:
        store.append(events[:60]).result()
        backup(store, tmp_path / "backup.db")
        store.append(events[60:100]).result()
    old = written(tmp_path / "old.csv", OLD)
    train([str(old), url], "ials", tmp_path / "v1", settings=["factors=4"], run=ONE)
    restore(tmp_path / "backup.db", url, overwrite=True)
    later = StoreSettings(now=lambda: int(time.time()) + 60)
    with open_store(url, settings=later) as store:
        store.append(events[100:]).result()
        assert store.last_seq() > 100  # as many as the model had read, and more
    done = retrain(tmp_path / "v1", [], tmp_path / "v2", run=ONE)
    assert done.shares[1].events == 110
    data = load(tmp_path / "v2").data
    users, items = data.users.ids(data.user_rows), data.items.ids(data.item_rows)
    missing = {(user, item) for user, item, *_ in NEW[100:]} - set(zip(users, items, strict=True))
    assert not missing


def test_kinds_weigh_the_same_in_files_and_stores(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'events.db'}"
    file = tmp_path / "old.csv"
    file.write_text("user,item,event\n" + "".join(f"{u},{i},view\n" for u, i, *_ in OLD))
    put(url, [(u, i, 0.0, t) for u, i, _, t in NEW], "purchase")
    put(url, [("u1", "i1", 0.0, 1_650_000_000)], "wishlist")
    reading = Reading(repeats="sum", more={"kinds": {"view": 1.0, "purchase": 5.0}})
    train(file, "ease", tmp_path / "v1", reading=reading, run=ONE)
    done = retrain(tmp_path / "v1", [url], tmp_path / "v2", run=ONE)
    assert done.trained.model.data.weights.sum() == 400 + 5 * 150


def test_titles_and_items_of_both_catalogues_stay(tmp_path: Path) -> None:
    old = written(tmp_path / "old.csv", OLD)
    items = tmp_path / "items.csv"
    items.write_text("item,name,year\n" + "".join(f"i{n},Old {n},{1990 + n}\n" for n in range(25)))
    train(old, "item_knn", tmp_path / "v1", reading=Reading(items=str(items)), run=ONE)
    url = f"sqlite:///{tmp_path / 'events.db'}"
    put(url, [*NEW, ("u1", "i99", 3.0, 1_650_000_000)])
    with open_store(url) as store:
        store.put_items(
            [Item(item_id="i99", title="New 99"), Item(item_id="i3", title="Renamed 3")]
        ).result()
    data = retrain(tmp_path / "v1", [url], tmp_path / "v2", run=ONE).trained.model.data
    titles = dict(zip(data.items.ids(), data.catalogue_titles(range(data.n_items)), strict=True))
    assert (titles["i99"], titles["i3"], titles["i4"]) == ("New 99", "Renamed 3", "Old 4")
    assert data.catalogue.row(int(data.items.find(["i3"])[0]))["year"] == 1993


def test_titles_of_items_that_nobody_had_yet_come_from_the_catalogue_again(
    tmp_path: Path,
) -> None:
    """A model holds the lines of its own items: what sold first after the training had no title."""
    old = written(tmp_path / "old.csv", OLD)
    items = tmp_path / "items.csv"
    items.write_text("item,name,year\n" + "".join(f"i{n},Old {n},{1990 + n}\n" for n in range(25)))
    with items.open("a") as more:
        more.write("first,Sold later,2024\nsecond,Sold last,2025\n")
    train(old, "popularity", tmp_path / "v1", reading=Reading(items=str(items)), run=ONE)
    shelf, news = tmp_path / "v1", [*NEW, ("u1", "first", 3.0, 1_650_000_000)]
    for version in ("v2", "v3"):  # the second one knows the file by way of the first
        new = written(tmp_path / f"{version}.csv", news)
        data = retrain(shelf, [new], tmp_path / version, run=ONE).trained.model.data
        titles = dict(
            zip(data.items.ids(), data.catalogue_titles(range(data.n_items)), strict=True)
        )
        assert titles["first"] == "Sold later"
        assert titles["i4"] == "Old 4"
        shelf, news = tmp_path / "v2", [("u2", "second", 3.0, 1_660_000_000)]
    assert titles["second"] == "Sold last"
    items.unlink()
    new = written(tmp_path / "v4.csv", [("u2", "third", 3.0, 1_670_000_000)])
    data = retrain(tmp_path / "v3", [new], tmp_path / "v4", run=ONE).trained.model.data
    assert any("items.csv isn't there any more" in note for note in data.notes)
    assert data.catalogue.row(int(data.items.find(["second"])[0]))["name"] == "Sold last"


def test_what_came_from_where_is_noted(tmp_path: Path) -> None:
    old = written(tmp_path / "old.csv", OLD)
    new = written(tmp_path / "new.csv", [*NEW, ("somebody", "thing", 1.0, 1_650_000_000)])
    train(old, "popularity", tmp_path / "v1", run=ONE)
    done: Retrained = retrain(tmp_path / "v1", [new], tmp_path / "v2", run=ONE)
    known = load(tmp_path / "v1").data
    assert done.users == (known.n_users, 1)
    assert done.items == (known.n_items, 1)
    assert any("new.csv: 151 events" in note for note in done.trained.model.data.notes)


def test_old_and_new_are_measured_on_the_same_held_out_events(tmp_path: Path) -> None:
    old, new = written(tmp_path / "old.csv", OLD), written(tmp_path / "new.csv", NEW)
    train(old, "item_knn", tmp_path / "v1", run=ONE)
    retrain(tmp_path / "v1", [new], tmp_path / "v2", run=ONE)
    found = read_manifest(tmp_path / "v2").metrics["against"]
    assert found["data"] == read_manifest(tmp_path / "v1").data.fingerprint
    assert 0 < found["n"] <= 30
    assert found["new"] - found["only_new"] == found["old"] - found["only_old"] >= 0
    assert max(found["new"] + found["only_old"], found["old"] + found["only_new"]) <= found["n"]


def test_somebody_who_asked_for_it_is_forgotten(tmp_path: Path) -> None:
    old, new = written(tmp_path / "old.csv", OLD), written(tmp_path / "new.csv", NEW[:5])
    train(old, "popularity", tmp_path / "v1", run=ONE)
    gone = next(user for user, *_ in OLD if user not in {row[0] for row in NEW[:5]})
    done = retrain(tmp_path / "v1", [new], tmp_path / "v2", Changes(forget=[gone]), ONE)
    assert gone not in done.trained.model.data.users.ids()


@pytest.mark.parametrize(
    ("reading", "counts_as"), [(Reading(), 2.0), (Reading(min_value=3.0), None)]
)
def test_events_without_a_value_count_as_liked_where_the_model_ranks(
    tmp_path: Path, reading: Reading, counts_as: float | None
) -> None:
    """What a service stores of clicks has no values; what it was trained on may have."""
    rows = [
        (user, item, 2.0 + (row % 4 == 0), time) for row, (user, item, _, time) in enumerate(OLD)
    ]
    rows.append(("u1", "i2", 2.0, 1_500_000_000))
    train(
        written(tmp_path / "old.csv", rows), "popularity", tmp_path / "v1", reading=reading, run=ONE
    )
    bare = tmp_path / "bare.csv"
    bare.write_text(BARE)
    done = retrain(tmp_path / "v1", [bare], tmp_path / "v2", run=ONE)
    data = done.trained.model.data
    row = int(data.users.find(["somebody"])[0])
    assert int((data.user_rows == row).sum()) == 1
    if counts_as is None:
        assert data.values is None
    else:
        assert data.values[data.user_rows == row].tolist() == [counts_as]
        assert any("no values; each counts as 2, the median" in note for note in data.notes)


def test_events_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    train(written(tmp_path / "old.csv", OLD), "bias", tmp_path / "v1", run=ONE)
    bare = tmp_path / "bare.csv"
    bare.write_text(BARE)
    with pytest.raises(DataError, match="have no values, and the model learns values"):
        retrain(tmp_path / "v1", [bare], tmp_path / "v2", run=ONE)
    timeless = written(tmp_path / "timeless.csv", NEW, times=False)
    with pytest.raises(DataError, match="have no times, and the model's have"):
        retrain(tmp_path / "v1", [timeless], tmp_path / "v2", run=ONE)
    with pytest.raises(ArgumentError, match="name a SOURCE"):
        retrain(tmp_path / "v1", [], tmp_path / "v2", run=ONE)
    assert not (tmp_path / "v2").exists()


def test_manifests_keep_how_sources_were_read_and_older_ones_still_work(tmp_path: Path) -> None:
    import json

    old, new = written(tmp_path / "old.csv", OLD), written(tmp_path / "new.csv", NEW)
    reading = Reading(repeats="sum", columns={"value": "value"}, core=1)
    cutting = Cutting(how="time", test=0.1)
    train(old, "ease", tmp_path / "v1", reading=reading, cutting=cutting, run=ONE)
    origin = origin_of(read_manifest(tmp_path / "v1"))
    assert (origin.reading, origin.cutting) == (reading, cutting)
    assert origin_facts(origin)["settings"] == origin.config.to_dict()
    place = tmp_path / "v1" / "manifest.json"
    manifest = json.loads(place.read_text())
    for name in ("reading", "cutting", "settings"):
        del manifest["run"][name]
    place.write_text(json.dumps(manifest))
    # The notes tell that pairs were added up.
    assert origin_of(read_manifest(tmp_path / "v1")).reading.repeats == "sum"
    retrain(tmp_path / "v1", [new], tmp_path / "v2", run=ONE)
    both = written(tmp_path / "both.csv", OLD, NEW)
    train(both, "ease", tmp_path / "all", reading=Reading(repeats="sum"), run=ONE)
    assert_equal(load(tmp_path / "v2"), load(tmp_path / "all"))


def test_the_command_reads_the_store_beside_the_version_that_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import json

    from cofactor.cli.main import main

    models = tmp_path / "models"
    train(written(tmp_path / "old.csv", OLD), "ease", models / "v1", run=ONE)
    put(f"sqlite:///{tmp_path / 'models-events.db'}", NEW)
    words = ["retrain", str(models), "--out", str(models / "v2"), "--threads", "1", "--quiet"]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["events"] for one in told["shares"]] == [len(load(models / "v1").data), 150]
    assert told["result"]["n_users"] > 0
    # The new version answers nobody before it is promoted.
    assert json.loads((models / "current").read_text())["version"] == "v1"
    both = written(tmp_path / "both.csv", OLD, NEW)
    train(both, "ease", tmp_path / "all", run=ONE)
    assert_equal(load(models / "v2"), load(tmp_path / "all"))
    # The next one goes on from there: v2 knows the store.
    capsys.readouterr()
    assert main(["retrain", str(models / "v2"), "--out", str(models / "v3")]) == 1
    assert "no events that are new" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "part", "name", "value"),
    [
        (["--core", "0"], "reading", "core", 0),
        (["--repeats=last"], "reading", "repeats", "last"),
        (["--on-bad", "error"], "reading", "on_bad", "error"),
        (["--test", "0.2"], "cutting", "test", 0.2),
        (["--split", "per-user"], "cutting", "how", "per-user"),
        (["--validation", "0"], "cutting", "validation", 0.0),
        (["--seed", "0"], "cutting", "seed", 0),
    ],
)
def test_what_is_named_counts_also_where_it_is_the_usual(
    tmp_path: Path, words: list[str], part: str, name: str, value: object
) -> None:
    """It was taken for not given, and no option took the other one back."""
    from cofactor.cli.main import main

    kept = Reading(core=2, repeats="max", on_bad="skip")
    cut = Cutting(how="random", test=0.3, validation=0.1, seed=5)
    old, new = written(tmp_path / "old.csv", OLD), written(tmp_path / "new.csv", NEW)
    train(old, "popularity", tmp_path / "v1", reading=kept, cutting=cut, run=ONE)
    where = [str(tmp_path / "v1"), str(new), "--out", str(tmp_path / "v2")]
    assert main(["retrain", *where, "--quiet", *words]) == 0
    found = origin_of(read_manifest(tmp_path / "v2"))
    # What isn't named is as it was.
    before = {"reading": kept, "cutting": cut}
    for of, field in (("reading", "core"), ("reading", "repeats"), ("cutting", "test")):
        wanted = value if (of, field) == (part, name) else getattr(before[of], field)
        assert getattr(getattr(found, of), field) == wanted
    assert getattr(getattr(found, part), name) == value


def test_files_and_stores_are_trained_on_together(tmp_path: Path) -> None:
    from cofactor.cli.main import main

    url = f"sqlite:///{tmp_path / 'events.db'}"
    put(url, NEW)
    old = written(tmp_path / "old.csv", OLD)
    words = ["--model", "ease", "--out", str(tmp_path / "v1"), "--threads", "1"]
    assert main(["train", str(old), url, *words]) == 0
    train(written(tmp_path / "both.csv", OLD, NEW), "ease", tmp_path / "all", run=ONE)
    assert_equal(load(tmp_path / "v1"), load(tmp_path / "all"))


def test_no_password_of_a_store_is_kept() -> None:
    from cofactor.runs.data_origin import store_name

    assert store_name("postgresql://me:secret@host/shop?kinds=view") == "postgresql://me@host/shop"
    url = "postgres:///shop?password=secret&user=me&host=/run&after=7"
    assert store_name(url) == "postgresql:///shop?host=%2Frun&user=me"
