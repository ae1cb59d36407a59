"""`cofactor promote`: checked, atomic, told; a running service follows, and the way back takes
no time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cofactor.artifact.save import save
from cofactor.base.errors import ArgumentError
from cofactor.cli.main import main
from cofactor.data.synthetic import shop
from cofactor.models import registry
from cofactor.service.versions.versions import Folder
from cofactor.store import Event, open_store


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("promote") / "models"
    data = shop(n_users=70, n_items=41, seed=3)
    alone = {"popularity_weight": 0}  # with the term, the bad one would rank by popularity
    save(registry.create("ials", factors=8, **alone).fit(data), folder / "good")
    bad = {"factors": 1, "epochs": 1, "init_scale": 1e-6}
    save(registry.create("ials", **bad, **alone).fit(data), folder / "bad")
    (folder / "current").write_text('{"version": "good"}')
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(saved, tmp_path / "models"))


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(["promote", *words]) == code
    out, err = capsys.readouterr()
    return out if code == 0 else err


def test_versions_are_listed_with_the_one_that_answers(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = json.loads(said(capsys, str(folder), "--json"))
    assert (told["current"], [row["version"] for row in told["versions"]]) == (
        "good",
        ["bad", "good"],
    )
    assert "now" in said(capsys, str(folder))


def test_promotion_says_what_was_checked_and_rollback_takes_less_than_a_second(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, str(folder), "bad")
    assert "checked: files and checksums" in text
    assert "no stored events to compare on" in text
    assert "promoted: bad answers from now on (before: good)" in text
    assert Folder(folder).pointer().version == "bad"
    seconds = []
    for _ in range(3):  # one of them undisturbed by what else the process does
        started = time.process_time()
        told = json.loads(said(capsys, str(folder), "--rollback", "--json"))
        seconds.append(time.process_time() - started)
        assert (told["version"], told["previous"]) == ("good", "bad")
        if seconds[-1] < 1.0:
            break
        said(capsys, str(folder), "bad")
    assert min(seconds) < 1.0
    assert "no version before" in said(capsys, str(folder), "--rollback", code=1)


def test_much_worse_version_is_refused_on_a_store_in_use_unless_forced(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from cofactor import load

    model = load(folder / "good")
    ids = model.data.items.ids()
    # The usual place, held open for writing as a service holds it.
    with open_store(f"sqlite:///{folder.with_name('models-events.db')}") as store:
        for number in range(60):
            history = [ids[number % 41], ids[(number * 7 + 3) % 41]]
            following = model.recommend(history=dict.fromkeys(history, 4.0), k=1).ids[0]
            events = [
                Event(user_id=f"p{number}", item_id=item, time=n)
                for n, item in enumerate((*history, following))
            ]
            store.append(events).result()
        refused = said(capsys, str(folder), "bad", code=1)
        assert "isn't promoted: recall@20 on the last event of 60 users" in refused
        assert Folder(folder).pointer().version == "good"
        assert "recall@20" not in said(capsys, str(folder), "bad", "--force")
        assert Folder(folder).pointer().version == "bad"
        assert "recall@20 on the last event of 60 users" in said(capsys, str(folder), "good")


def cut_off(version: Path) -> None:
    tensors = version / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-8])


def of_no_numbers(version: Path) -> None:
    """Whole by its checksums, made again, but its sums are infinite."""
    from safetensors.numpy import load_file, save_file

    from cofactor.artifact import format as fmt

    arrays = load_file(version / fmt.TENSORS)
    for name in ("model.user_factors", "model.item_factors"):
        arrays[name] = np.full_like(arrays[name], 3e38)
    save_file(arrays, version / fmt.TENSORS)
    manifest = json.loads((version / fmt.MANIFEST).read_text())
    facts = fmt.file_facts(version / fmt.TENSORS)
    manifest["files"][fmt.TENSORS] = {"bytes": facts.bytes, "sha256": facts.sha256}
    (version / fmt.MANIFEST).write_text(json.dumps(manifest))


def without_items(version: Path) -> None:
    (version / "items.parquet").unlink()


@pytest.mark.parametrize("harm", [cut_off, of_no_numbers, without_items])
def test_rollback_checks_where_it_leads_as_promotion_does(
    folder: Path, capsys: pytest.CaptureFixture[str], harm: Callable[[Path], None]
) -> None:
    """`current` named what can't answer: the next start of the service found nothing to serve."""
    (folder / "current").write_text('{"version": "bad", "before": ["good"]}')
    harm(folder / "good")
    refused = said(capsys, str(folder), "--rollback", code=1)
    assert said(capsys, str(folder), "good", "--force", code=1) == refused
    assert Folder(folder).pointer().version == "bad"


@pytest.mark.parametrize(
    ("current", "words", "sentence"),
    [
        (
            "gone",
            ["promote", "{}", "good"],
            "'good' can't be compared with the current one, 'gone'",
        ),
        ("gone", ["promote", "{}", "good"], "; --force promotes it without a comparison."),
        ("bad", ["promote", "{}", "good"], "bad lacks the file items.parquet"),
        ("bad", ["promote", "{}", "good"], "; --force promotes it without a comparison."),
        ("gone", ["serve", "{}", "--port", "0"], "current names the version 'gone', which isn't"),
        ("gone", ["retrain", "{}", "--out", "{}/new"], "VERSION --force` lets another one answer"),
    ],
)
def test_a_current_version_that_is_gone_or_damaged_is_named_with_the_way_out(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    current: str,
    words: list[str],
    sentence: str,
) -> None:
    """It said "there is no version 'gone'" to whom named another, and nothing of a way out."""
    without_items(folder / "bad")
    (folder / "current").write_text(json.dumps({"version": current}))
    assert main([word.format(folder) for word in words]) == 1
    assert sentence in capsys.readouterr().err
    said(capsys, str(folder), "good", "--force")
    assert Folder(folder).pointer().version == "good"


def test_rollback_leads_to_what_was_checked_or_nowhere(folder: Path) -> None:
    versions = Folder(folder)
    versions.promote("bad")
    with pytest.raises(ArgumentError, match="'good', no longer 'bad', is before the current one"):
        versions.roll_back("bad")
    assert versions.pointer().version == "bad"


def test_damaged_version_single_model_and_wrong_names_are_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = folder / "bad" / "tensors.safetensors"
    raw = bytearray(tensors.read_bytes())
    raw[-1] ^= 1
    tensors.write_bytes(raw)
    assert "tensors.safetensors" in said(capsys, str(folder), "bad", "--force", code=1)
    assert Folder(folder).pointer().version == "good"
    assert "there is no version 'none'" in said(capsys, str(folder), "none", code=1)
    assert "single saved model" in said(capsys, str(folder / "good"), "good", code=1)
    assert main(["promote", str(folder), "good", "--rollback"]) == 2
