"""`cofactor shard`, and the folder that it makes as the source of other commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import forked
from cli.conftest import Ran

pytest.importorskip("duckdb")
SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture
def buys(tmp_path: Path) -> Path:
    file = tmp_path / "buys.csv"
    lines = (f"u{n * 7 % 90},i{n * n % 41},{n % 5 + 1},{1_500_000_000 + n}\n" for n in range(3000))
    file.write_text("user,item,rating,timestamp\n" + "".join(lines))
    return file


def test_a_folder_of_shards_gives_the_same_model_as_its_source(
    cofactor: Callable[..., Ran], buys: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "shards"
    made = cofactor("shard", buys, "--out", folder, "--memory", "300MB", "--json")
    assert made.code == 0, made.err
    assert made.json["n_users"] == 90
    saved = []
    for n, source in enumerate((buys, folder)):
        model = tmp_path / f"model-{n}"
        done = cofactor(
            "train", source, "--model", "ials", "--set", "epochs=2", "--out", model, "--threads", 1
        )
        assert done.code == 0, done.err
        saved.append((model / "tensors.safetensors").read_bytes())
    assert saved[0] == saved[1]
    described = [cofactor("describe", s, "--json").json for s in (buys, folder)]
    assert {k: v for k, v in described[0].items() if k not in ("source", "notes")} == {
        k: v for k, v in described[1].items() if k not in ("source", "notes")
    }
    compared = cofactor("compare", folder, "--models", "popularity,ials", "--quiet")
    assert compared.code == 0, compared.err


def test_failures_are_one_sentence(
    cofactor: Callable[..., Ran], buys: Path, tmp_path: Path
) -> None:
    cases = [
        (("shard", buys, "--out", tmp_path), "exists already"),
        (("shard", buys, "--out", tmp_path / "s", "--memory", "lots"), "500MB or 2GB"),
        (("shard", buys, "--out", tmp_path / "s", "--memory", "10MB"), "memory"),
        (("shard", tmp_path / "no.csv", "--out", tmp_path / "s"), "no.csv"),
    ]
    for words, part in cases:
        done = cofactor(*words)
        assert done.code == 1, words
        assert part in done.sentence
        assert done.err.count("\n") == 1
    folder = tmp_path / "shards"
    assert cofactor("shard", buys, "--out", folder, "--memory", "300MB").code == 0
    for words, part in (
        (("describe", folder, folder), "holds shards, and several sources have to be files"),
        (("describe", buys, tmp_path), "is a folder, and several sources have to be files"),
        (("inspect", folder), "holds shards, not a model; `cofactor describe` shows them"),
    ):
        done = cofactor(*words)
        assert (done.code, part in done.sentence) == (1, True), done.err
    done = cofactor("describe", folder, "--repeats", "sum")
    assert (done.code, "must be given to `cofactor shard`" in done.sentence) == (1, True)


def test_duckdb_is_imported_by_shard_alone(buys: Path) -> None:
    program = (
        "import sys; from cofactor.runs.source import interactions\n"
        f"interactions({str(buys)!r})\n"
        "import cofactor.cli.train_command, cofactor.data.readers.chunks\n"
        "print(sorted({'duckdb', 'ray'} & set(sys.modules)))"
    )
    done = forked.run(program)
    assert done.stdout.strip() == "[]", done.stderr
    files = [
        path.relative_to(SOURCE / "cofactor").as_posix()
        for path in SOURCE.rglob("*.py")
        if '"duckdb", purpose' in path.read_text(encoding="utf-8")
        or "import duckdb" in path.read_text(encoding="utf-8")
    ]
    assert files == ["data/readers/numbered_ids.py"]


def test_a_catalogue_and_kept_repeats_are_those_of_the_source(
    cofactor: Callable[..., Ran], buys: Path, tmp_path: Path
) -> None:
    items, folder = tmp_path / "items.csv", tmp_path / "shards"
    items.write_text("code,name\n" + "".join(f"i{n},Thing {n}\n" for n in range(50)))
    how = ("--items", items, "--item-id", "code", "--repeats", "keep")
    assert cofactor("shard", buys, "--out", folder, *how, "--memory", "300MB").code == 0
    lists = []
    for source, more in ((buys, how), (folder, ())):
        model = tmp_path / f"model-{source.name}"
        words = ("--model", "content_knn", "--text", "name", "--out", model, "--threads", 1)
        assert cofactor("train", source, *words, *more).code == 0
        shown = cofactor("recommend", model, "--user", "u1", "-k", 50, "--json", "--keep-seen")
        lists.append(shown.json["recommendations"])
    assert lists[0] == lists[1]
    assert {line["item_id"] for line in lists[0]} >= {"i49", "i48"}
    done = cofactor("shard", buys, "--out", tmp_path / "s", "--item-id", "code")
    assert (done.code, "give --items too" in done.sentence) == (1, True)


@pytest.mark.parametrize(
    ("option", "value"), [("--kinds", "view=1"), ("--time-unit", "ms"), ("--item-id", "code")]
)
def test_how_a_source_is_read_is_refused_for_shards(
    cofactor: Callable[..., Ran], buys: Path, tmp_path: Path, option: str, value: str
) -> None:
    folder = tmp_path / "shards"
    assert cofactor("shard", buys, "--out", folder, "--memory", "300MB").code == 0
    done = cofactor("train", folder, "--model", "ials", "--out", tmp_path / "m", option, value)
    assert done.code == 1
    assert "which were read already" in done.sentence
