"""`cofactor events`: the store from the command line."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from cofactor.cli.main import main
from cofactor.store import open_store


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["events", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_store_is_filled_counted_exported_backed_up_and_restored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/events.db"
    (tmp_path / "e.csv").write_text(
        "user,item,rating,timestamp\n"
        + "".join(f"{n % 4},i{n},{n % 5 + 1},{1000 + n}\n" for n in range(20))
    )
    (tmp_path / "i.jsonl").write_text(
        '{"item_id": "i1", "title": "One"}\n{"item_id": "i2", "hidden": true}\n'
    )
    code, out, _ = run(capsys, "import", url, tmp_path / "e.csv", "-q")
    assert (code, "20 lines: 20 stored, 0 there already, 0 refused" in out) == (0, True)
    assert (
        json.loads(run(capsys, "import", url, tmp_path / "e.csv", "--json")[1])["unchanged"] == 20
    )
    assert run(capsys, "import", url, tmp_path / "i.jsonl", "--items", "-q")[0] == 0
    facts = json.loads(run(capsys, "stats", url, "--json")[1])
    assert (facts["events"], facts["users"], facts["items"], facts["hidden"], facts["kinds"]) == (
        20,
        4,
        2,
        1,
        {"rating": 20},
    )
    assert "rating" in run(capsys, "stats", url)[1]
    assert "5 events written" in run(capsys, "export", url, tmp_path / "u.jsonl", "--user", 3)[1]
    assert "2 items written" in run(capsys, "export", url, tmp_path / "items.parquet", "--items")[1]
    assert "found sound: 20 events, 2 items" in run(capsys, "backup", url, tmp_path / "b.db")[1]
    assert json.loads(run(capsys, "verify", tmp_path / "b.db", "--json")[1])["rows"]["events"] == 20
    assert run(capsys, "restore", tmp_path / "b.db", f"sqlite:///{tmp_path}/again.db")[0] == 0
    with open_store(f"sqlite:///{tmp_path}/again.db") as store:
        assert store.counts().events == 20


def test_a_table_is_read_as_train_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, packed = f"sqlite:///{tmp_path}/events.db", tmp_path / "export.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.txt", '1;"one\n2;two\n')
        archive.writestr("notes.txt", "nothing to read\n")
    reading = ("--member", "a.txt", "--no-header", "--no-quote", "--format", "delimited")
    code, out, err = run(capsys, "import", url, packed, *reading, "-q")
    assert (code, err) == (0, "")
    assert "2 lines: 2 stored" in out
    with open_store(url) as store:
        assert {event.item_id for event in store.events()} == {'"one', "two"}


def test_refused_lines_are_shown_and_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/events.db"
    (tmp_path / "e.jsonl").write_text('{"user_id": 1, "item_id": 2}\n{"user_id": 1}\n')
    code, _, err = run(capsys, "import", url, tmp_path / "e.jsonl")
    assert code == 1
    assert "1 line is refused" in err
    assert "line 2" in err
    code, out, _ = run(
        capsys,
        "import",
        url,
        tmp_path / "e.jsonl",
        "--on-bad",
        "skip",
        "--rejects",
        tmp_path / "r.jsonl",
    )
    assert code == 0
    assert "2 lines: 1 stored, 0 there already, 1 refused" in out
    assert [
        json.loads(line)["line"] for line in (tmp_path / "r.jsonl").read_text().splitlines()
    ] == [2]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["stats", "sqlite:///none.db"], 1, "there is no event store at none.db"),
        (["look", "sqlite:///none.db"], 2, "no such command 'look'"),
        (["backup", "sqlite:///none.db"], 2, "missing argument 'FILE'"),
        (["restore", "b.db"], 2, "missing argument 'URL'"),
        (["stats", "sqlite:///none.db", "x"], 2, "extra argument"),
        (
            ["export", "sqlite:///none.db", "x", "--items", "--user", "3"],
            2,
            "--user goes with the export of events",
        ),
        (["prune", "sqlite:///none.db"], 2, "give --keep-impressions"),
        (
            ["import", "sqlite:///none.db", "x", "--user", "3"],
            2,
            "no such option",
        ),
        (["verify", "none.db"], 1, "there is no none.db; a backup is a file and its manifest"),
    ],
)
def test_failures_are_one_sentence(
    words: list[str],
    code: int,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    found, out, err = run(capsys, *words)
    assert (found, out) == (code, "")
    assert sentence in " ".join(err.replace("│", " ").split())
    assert not list(tmp_path.iterdir())


def test_events_are_imported_beside_the_process_that_has_the_store_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from cofactor.store.beside import serve_beside

    url = f"sqlite:///{tmp_path}/e.db"
    (tmp_path / "e.csv").write_text("user,item\nu1,i1\nu2,i2\n")
    with open_store(url) as store:
        assert run(capsys, "import", url, tmp_path / "e.csv", "-q")[0] == 1  # nobody takes writes
        writes = serve_beside(store)
        assert writes is not None
        place = tmp_path / "e.db.writes"
        assert place.stat().st_mode & 0o777 == 0o600
        assert "2 stored" in run(capsys, "import", url, tmp_path / "e.csv", "-q")[1]
        assert store.history("u1").item_ids == ("i1",)
        assert "2 there already" in run(capsys, "import", url, tmp_path / "e.csv", "-q")[1]
        assert "0 kept" in run(capsys, "prune", url, "--max-impressions", 5)[1]
        (tmp_path / "i.jsonl").write_text('{"item_id": "i1", "title": "One"}\n')
        assert run(capsys, "import", url, tmp_path / "i.jsonl", "--items", "-q")[0] == 0
        assert [one.title for one in store.all_items()] == ["One"]
        writes.close()
        assert not place.exists()
        code, _, said = run(capsys, "import", url, tmp_path / "e.csv", "-q")
        assert (code, "is open for writing elsewhere" in said) == (1, True)


def test_a_table_keeps_its_kinds_and_is_read_as_train_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They became views all, and a file of day-first dates or of other names was refused."""
    url = f"sqlite:///{tmp_path}/events.db"
    (tmp_path / "e.csv").write_text(
        "customer;sku;event;when\nu1;A1;View;03.04.2024 10:00\nu1;A2;add to cart;13.04.2024 11:00\n"
    )
    words = ("--columns", "time=when", "--time-format", "%d.%m.%Y %H:%M", "--delimiter", ";")
    code, out, err = run(capsys, "import", url, tmp_path / "e.csv", *words)
    assert (code, "count the same" in out + err) == (0, False)
    with open_store(url) as store:
        found = [(one.kind, one.time) for one in store.user_events("u1")]
    assert found == [("view", 1_712_138_400), ("add_to_cart", 1_713_006_000)]
    again = tmp_path / "again.db"
    assert run(capsys, "import", f"sqlite:///{again}", tmp_path / "e.csv", "--kind", "like")[0] == 0
    with open_store(f"sqlite:///{again}") as store:
        assert {one.kind for one in store.user_events("u1")} == {"like"}


def test_a_table_with_values_keeps_its_kinds_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its kinds were ignored (all became ratings), and a view without a value was refused."""
    url = f"sqlite:///{tmp_path}/events.db"
    (tmp_path / "e.csv").write_text(
        "user,item,action,rating\nu1,A1,view,\nu1,A2,Purchase,5\nu1,A3,view,3\n"
    )
    code, out, err = run(capsys, "import", url, tmp_path / "e.csv")
    assert (code, "not read" in out + err) == (0, False)
    with open_store(url) as store:
        found = [(one.kind, one.value) for one in store.user_events("u1")]
    assert found == [("view", None), ("purchase", 5.0), ("view", 3.0)]
    # What stands there and is no number is refused still, and so is no value of no kind.
    for row in ("u1,A4,view,many", "u1,A4,,", "u1,A4,view,inf"):
        (tmp_path / "bad.csv").write_text(f"user,item,action,rating\nu1,A9,view,1\n{row}\n")
        code, _, err = run(capsys, "import", url, tmp_path / "bad.csv", "-q")
        assert (code, "line 3" in err) == (1, True)


def test_a_catalogue_of_any_columns_describes_items(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/events.db"
    (tmp_path / "c.csv").write_text(
        "SKU,Product name,Description,Price,Genre\n"
        f"A1,Tea pot,{'A pot for tea. ' * 8},12.5,kitchen\nA2,Kettle,,,\n"
    )
    (tmp_path / "long.csv").write_text(f"code,title,price\nA3,{'x ' * 501},3\nA4,Cup,4\n")
    assert run(capsys, "import", url, tmp_path / "c.csv", "--items", "-q")[0] == 0
    words = ("--items", "--item-id", "code", "--on-bad", "skip", "--rejects", tmp_path / "r.jsonl")
    code, out, _ = run(capsys, "import", url, tmp_path / "long.csv", *words)
    assert (code, "1 stored, 0 there already, 1 refused" in out) == (0, True)
    assert "title" in json.loads((tmp_path / "r.jsonl").read_text())["reason"]
    with open_store(url) as store:
        pot, kettle = (store.items(["A1", "A2"])[name] for name in ("A1", "A2"))
        assert "A4" in store.items(["A4"])
    assert (pot.title, pot.features) == ("Tea pot", {"Price": 12.5, "Genre": "kitchen"})
    assert (pot.text or "").startswith("A pot for tea.")
    assert (kettle.title, kettle.text, kettle.features) == ("Kettle", None, None)
