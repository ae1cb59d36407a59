"""Saved models: what is written is what is loaded, whole or not at all; damaged and hostile
files are refused by name.
"""

from __future__ import annotations

import errno
import json
import os
import pickletools
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from safetensors.numpy import load_file, save_file

import cofactor
from cofactor.artifact import format as fmt
from cofactor.artifact import save as saving
from cofactor.artifact.card import CARD
from cofactor.base.errors import ArtifactError
from cofactor.data.catalogue import Catalogue
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions
from cofactor.models.baselines.popularity import Popularity


@pytest.fixture
def model() -> Popularity:
    """A fitted model with string ids, titles, values and times; one user and one item without
    interactions.
    """
    data = Interactions.from_rows(
        np.array([0, 0, 1, 2, 2, 2]),
        np.array([0, 3, 1, 0, 1, 2]),
        np.arange(1, 7, dtype=np.float32),
        np.arange(10, 16),
        users=IdMap(pa.array(["a b", "é", "ü" * 300, "🎬"])),
        items=IdMap(np.array([5, 7, 2**63 - 1, -(2**63), 9])),
    )
    titles = Catalogue(
        pa.table({"title": ["A", None, "C", "D", "E"], "tags": [["x"], [], None, ["y", "z"], []]})
    )
    object.__setattr__(data, "catalogue", titles)
    return Popularity(half_life_days=2.0).fit(data)


@pytest.fixture
def saved(model: Popularity, tmp_path: Path) -> Path:
    """The same model, saved."""
    return cofactor.save(model, tmp_path / "model", metrics={"ndcg@10": 0.5}, split="all of it")


def test_loaded_model_scores_the_same_and_keeps_ids_titles_and_history(
    model: Popularity, saved: Path
) -> None:
    again = cofactor.load(saved)
    assert type(again) is Popularity
    assert again.config == model.config
    rows = np.arange(4)
    np.testing.assert_array_equal(again.score_rows(rows), model.score_rows(rows))
    assert again.data.users == model.data.users
    assert again.data.items == model.data.items
    assert again.data.fingerprint == model.data.fingerprint
    assert again.data.catalogue.table.equals(model.data.catalogue.table)
    assert again.recommend("é", k=2).to_dicts() == model.recommend("é", k=2).to_dicts()


def test_inspect_reads_the_manifest_alone(saved: Path) -> None:
    (saved / fmt.TENSORS).unlink()
    manifest = cofactor.inspect(saved)
    assert (manifest.model, manifest.metrics, manifest.data.n_users) == (
        "popularity",
        {"ndcg@10": 0.5},
        4,
    )
    assert manifest.config == {"count": "users", "half_life_days": 2.0}


def test_no_file_of_an_artifact_is_a_pickle(saved: Path) -> None:
    for path in saved.iterdir():
        with pytest.raises(ValueError, match=r"."):
            list(pickletools.genops(path.read_bytes()))


def test_the_folder_holds_the_four_files_of_the_format_and_nothing_is_left_beside_it(
    saved: Path,
) -> None:
    assert sorted(p.name for p in saved.iterdir()) == sorted([fmt.MANIFEST, *fmt.FILES, CARD])
    assert [p.name for p in saved.parent.iterdir()] == ["model"]


def test_a_saved_model_may_be_read_by_whoever_may_read_other_folders(saved: Path) -> None:
    plain = saved.parent / "plain"
    plain.mkdir()
    (plain / "file").touch()
    assert saved.stat().st_mode == plain.stat().st_mode
    assert {path.stat().st_mode for path in saved.iterdir()} == {(plain / "file").stat().st_mode}


@pytest.mark.parametrize("mask", [0o000, 0o027, 0o077])
def test_a_saved_model_has_the_permissions_of_other_files(
    model: Popularity, tmp_path: Path, mask: int
) -> None:
    before = os.umask(mask)
    try:
        folder = cofactor.save(model, tmp_path / "model")
        cofactor.save(model, folder, overwrite=True)
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o777 & ~mask
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o666 & ~mask}


def test_a_disk_that_fills_at_any_file_leaves_the_old_model_whole(
    model: Popularity, saved: Path
) -> None:
    import resource

    cofactor.save(model, saved, overwrite=True)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in sorted({0, *(path.stat().st_size - 1 for path in saved.iterdir())}):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            with pytest.raises(ArtifactError, match="ulimit -f.*nothing was saved"):
                cofactor.save(model, saved, overwrite=True)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert [path.name for path in saved.parent.iterdir()] == ["model"]
        cofactor.load(saved)


@pytest.mark.parametrize("name", fmt.FILES)
def test_one_flipped_byte_is_found_and_named(saved: Path, name: str) -> None:
    raw = bytearray((saved / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (saved / name).write_bytes(raw)
    with pytest.raises(ArtifactError, match=rf"{name} isn't what was saved"):
        cofactor.load(saved)


@pytest.mark.parametrize("name", fmt.FILES)
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(ArtifactError, match=f"lacks the file {name}"):
        cofactor.load(saved)


def test_a_truncated_file_is_named_with_both_sizes(saved: Path) -> None:
    raw = (saved / fmt.TENSORS).read_bytes()
    (saved / fmt.TENSORS).write_bytes(raw[:-10])
    with pytest.raises(
        ArtifactError, match=rf"has {len(raw) - 10:,} bytes and should have {len(raw):,}"
    ):
        cofactor.load(saved)


def _forge(
    folder: Path, change: Callable[[dict[str, np.ndarray]], None], *, honest: bool = True
) -> None:
    """Change the arrays and, as a forger would, the checksum (and with ``honest`` the list of
    arrays) with them.
    """
    arrays = load_file(folder / fmt.TENSORS)
    change(arrays)
    save_file(arrays, folder / fmt.TENSORS)
    manifest = json.loads((folder / fmt.MANIFEST).read_text())
    facts = fmt.file_facts(folder / fmt.TENSORS)
    manifest["files"][fmt.TENSORS] = {"bytes": facts.bytes, "sha256": facts.sha256}
    if honest:
        manifest["arrays"] = fmt.array_facts(arrays)
    (folder / fmt.MANIFEST).write_text(json.dumps(manifest))


def _set(name: str, array: np.ndarray) -> Callable[[dict[str, np.ndarray]], None]:
    return lambda arrays: arrays.__setitem__(name, array)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("model.item_scores", np.full(5, np.nan, np.float32)), "'item_scores' holds NaN"),
        (_set("model.item_scores", np.ones(4, np.float32)), "'item_scores' must have 5 items"),
        (_set("model.item_scores", np.ones((5, 1), np.float32)), "'item_scores' must have axes"),
        (
            _set("model.item_scores", np.ones(5, np.float64)),
            "'item_scores' must be of float32, not float64",
        ),
        (_set("model.surprise", np.ones(5, np.float32)), "unknown arrays"),
        (_set("surprise", np.ones(5, np.float32)), "unknown arrays"),
        (lambda arrays: arrays.pop("model.item_scores"), "lacks the array 'item_scores'"),
        (lambda arrays: arrays.pop("history.order"), "lacks the array 'history.order'"),
        (_set("history.item_rows", np.array([0, 3, 1, 0, 1, 99], np.int32)), "don't fit together"),
        (_set("history.indptr", np.array([0, 2, 1, 6, 6])), "don't fit together"),
        (_set("history.indptr", np.array([0, 2, 3, 6])), "don't fit together"),
        (_set("history.values", np.full(6, np.inf, np.float32)), "'history.values' holds NaN"),
        (
            _set("history.times", np.zeros(6, np.float32)),
            "'history.times' must be a vector of int64",
        ),
    ],
)
def test_forged_arrays_are_refused_by_name(
    saved: Path, change: Callable[[dict[str, np.ndarray]], None], message: str
) -> None:
    _forge(saved, change)
    with pytest.raises(ArtifactError, match=message):
        cofactor.load(saved)


def test_arrays_that_the_manifest_does_not_list_are_named(saved: Path) -> None:
    _forge(saved, _set("model.item_scores", np.ones(6, np.float32)), honest=False)
    with pytest.raises(ArtifactError, match=r"these differ: model\.item_scores"):
        cofactor.load(saved)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("format", 2, "format 2, a newer one"),
        ("model", "os.system", "unknown model 'os.system'"),
        ("config", {"half_lif_days": 1}, "did you mean half_life_days"),
        ("config", {"half_life_days": -1}, "half_life_days must be"),
        ("files", {"../../etc/passwd": {"bytes": 1, "sha256": ""}}, "lists the files"),
        ("surprise", 1, "is damaged"),
        ("arrays", "no", "is damaged"),
    ],
)
def test_forged_manifests_are_refused(saved: Path, field: str, value: object, message: str) -> None:
    manifest = json.loads((saved / fmt.MANIFEST).read_text())
    manifest[field] = value
    (saved / fmt.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=message):
        cofactor.load(saved)


@pytest.mark.parametrize("field", ["files", "arrays", "config", "model", "versions"])
def test_what_a_forged_manifest_says_of_itself_is_shown_in_part(saved: Path, field: str) -> None:
    manifest = json.loads((saved / fmt.MANIFEST).read_text())
    facts = {"files": {"bytes": 1, "sha256": ""}, "arrays": ["float32", [1]], "versions": 1}
    many = {f"name-{n}-{'x' * 20}": facts.get(field, 1) for n in range(20_000)}
    manifest[field] = "x" * 500_000 if field == "model" else many
    (saved / fmt.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError) as refused:
        cofactor.load(saved)
    assert len(str(refused.value)) < 1_500


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b'{"format": "1"}', b"null"]
)
def test_a_manifest_that_is_no_manifest_is_refused(saved: Path, raw: bytes) -> None:
    (saved / fmt.MANIFEST).write_bytes(raw)
    with pytest.raises(ArtifactError, match="is damaged"):
        cofactor.load(saved)


def test_a_folder_without_a_model_and_a_missing_folder_say_so(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="has no manifest.json"):
        cofactor.load(tmp_path)
    with pytest.raises(ArtifactError, match="doesn't exist"):
        cofactor.load(tmp_path / "none")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArtifactError, match="is a file"):
        cofactor.load(tmp_path / "file")


def test_saving_never_replaces_what_is_no_model_and_a_model_only_on_request(
    model: Popularity, saved: Path, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match="holds a model already"):
        cofactor.save(model, saved)
    (tmp_path / "photos").mkdir()
    with pytest.raises(ArtifactError, match="isn't a saved model"):
        cofactor.save(model, tmp_path / "photos", overwrite=True)
    again = Popularity(count="values").fit(model.data)
    cofactor.save(again, saved, overwrite=True)
    assert cofactor.load(saved).config.count == "values"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model", "photos"]


def test_an_unwritable_place_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArtifactError, match="can't write to"):
        saving.check_target(tmp_path / "file" / "model")


def test_a_full_disk_leaves_nothing_behind(
    model: Popularity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(saving, "_write_table", full)
    with pytest.raises(ArtifactError, match="the disk is full"):
        cofactor.save(model, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_save_leaves_the_old_model_whole(
    model: Popularity, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(saving, "_write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cofactor.save(Popularity(count="values").fit(model.data), saved, overwrite=True)
    assert cofactor.load(saved).config.count == "users"
    assert [p.name for p in saved.parent.iterdir()] == ["model"]


def test_a_failed_replacement_puts_the_old_model_back(
    model: Popularity, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.rename

    def rename(source: Path, target: Path) -> None:
        if Path(target) == saved and Path(source).name != "model":
            raise OSError(errno.EIO, "no")
        real(source, target)

    monkeypatch.setattr(saving, "exchange", lambda one, other: False)
    monkeypatch.setattr(saving.os, "rename", rename)
    with pytest.raises(ArtifactError, match="nothing was saved"):
        cofactor.save(model, saved, overwrite=True)
    assert cofactor.load(saved).name == "popularity"


def test_a_copied_folder_loads_anywhere(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path / "elsewhere")
    assert cofactor.load(tmp_path / "elsewhere").name == "popularity"


def test_a_diverged_model_is_not_saved(model: Popularity, tmp_path: Path) -> None:
    model.item_scores = np.full(5, np.inf, np.float32)
    with pytest.raises(ArtifactError, match="training diverged"):
        cofactor.save(model, tmp_path / "model")


@pytest.mark.skipif(sys.platform != "linux", reason="needs renameat2")
def test_replacing_a_model_never_leaves_a_moment_without_one(
    model: Popularity, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = saving.sync
    seen: list[bool] = []

    def run_context(path: Path) -> None:
        seen.append((saved / fmt.MANIFEST).is_file())
        real(path)

    def killed(*_: object) -> None:
        raise AssertionError("the old model was moved away before the new one stood in its place")

    monkeypatch.setattr(saving, "sync", run_context)
    monkeypatch.setattr(saving.os, "rename", killed)
    cofactor.save(Popularity(count="values").fit(model.data), saved, overwrite=True)
    assert seen
    assert all(seen)
    assert cofactor.load(saved).config.count == "values"
    assert [p.name for p in saved.parent.iterdir()] == ["model"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs renameat2")
def test_whoever_loads_while_a_model_is_replaced_gets_a_whole_one(
    model: Popularity, saved: Path
) -> None:
    ways = [Popularity(count="values").fit(model.data), Popularity(count="users").fit(model.data)]
    failures: list[BaseException] = []
    loads = 0
    stop = threading.Event()

    def read() -> None:
        nonlocal loads
        while not stop.is_set():
            try:
                assert cofactor.load(saved).config.count in ("users", "values")
                assert cofactor.inspect(saved).model == "popularity"
                loads += 1
            except BaseException as error:
                failures.append(error)
                return

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(25):
        cofactor.save(ways[n % 2], saved, overwrite=True)
    stop.set()
    reader.join()
    assert not failures
    assert loads > 0
