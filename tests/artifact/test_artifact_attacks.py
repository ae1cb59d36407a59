"""Saved models malicious: their checksums are right, and what they hold is refused by name,
before a kernel sees it and before it costs memory.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

import cofactor
from cofactor.artifact import format as fmt
from cofactor.base.errors import ArtifactError
from cofactor.data.interactions import Interactions
from cofactor.data.synthetic import shop


def sealed(folder: Path) -> None:
    """Make the manifest say what the files are now, as a forger would."""
    manifest = json.loads((folder / fmt.MANIFEST).read_text())
    for name in fmt.FILES:
        facts = fmt.file_facts(folder / name)
        manifest["files"][name] = {"bytes": facts.bytes, "sha256": facts.sha256}
    arrays = load_file(folder / fmt.TENSORS)
    manifest["arrays"] = fmt.array_facts(arrays)
    (folder / fmt.MANIFEST).write_text(json.dumps(manifest))


def with_arrays(folder: Path, **changes: np.ndarray) -> None:
    """Replace arrays (dots in their names written as two underscores)."""
    arrays = load_file(folder / fmt.TENSORS)
    arrays.update({name.replace("__", "."): array for name, array in changes.items()})
    save_file(arrays, folder / fmt.TENSORS)
    sealed(folder)


def with_table(folder: Path, name: str, change: Callable[[pa.Table], pa.Table]) -> None:
    """Replace a table."""
    pq.write_table(change(pq.ParquetFile(folder / name).read()), folder / name, compression="zstd")
    sealed(folder)


def with_config(folder: Path, **settings: object) -> None:
    """Change settings in the manifest."""
    manifest = json.loads((folder / fmt.MANIFEST).read_text())
    manifest["config"].update(settings)
    (folder / fmt.MANIFEST).write_text(json.dumps(manifest))


@contextmanager
def ends_within(seconds: int) -> Iterator[None]:
    """Fail, rather than hang, when the body takes longer."""

    def late(*_: object) -> None:
        raise TimeoutError(f"it took more than {seconds} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def data() -> Interactions:
    """Sixty users and forty items with titles and features."""
    return shop(n_users=60, n_items=40)


@pytest.fixture
def popularity(data: Interactions, tmp_path: Path) -> Path:
    """A saved model that reads nothing but the history."""
    return cofactor.save(cofactor.Popularity().fit(data), tmp_path / "model")


def wrapped(last: int, steps: int) -> np.ndarray:
    """Offsets whose differences are all positive modulo 2^64, and that lead far out of bounds."""
    wild = [0, 2**62, -(2**63), -(2**62)]
    return np.array(wild + [last] * (steps + 1 - len(wild)), np.int64)


def test_history_offsets_that_wrap_around_are_refused(popularity: Path, data: Interactions) -> None:
    with_arrays(popularity, history__indptr=wrapped(len(data), data.n_users))
    with pytest.raises(ArtifactError, match=r"history\.indptr"):
        cofactor.load(popularity)


@pytest.mark.parametrize("make", [cofactor.ItemKNN, lambda: cofactor.EASE(keep=5)])
def test_weight_offsets_that_wrap_around_are_refused(
    make: Callable[[], cofactor.Recommender], data: Interactions, tmp_path: Path
) -> None:
    path = cofactor.save(make().fit(data), tmp_path / "model")
    count = len(load_file(path / fmt.TENSORS)["model.weight_items"])
    with_arrays(path, model__weight_offsets=wrapped(count, data.n_items))
    with pytest.raises(ArtifactError, match="weight_offsets"):
        cofactor.load(path)


@pytest.mark.parametrize("best", [2, 2**62, -2, -(2**63)])
def test_a_best_epoch_that_was_none_is_refused(
    data: Interactions, tmp_path: Path, best: int
) -> None:
    path = cofactor.save(cofactor.IALS(factors=2, epochs=2).fit(data), tmp_path / "model")
    assert "last 2" in repr(cofactor.load(path).curve)
    with_arrays(path, model__history_best_epoch=np.array([best], np.int64))
    with pytest.raises(ArtifactError, match="history_best_epoch must be one of 2 epochs"):
        cofactor.load(path)


@pytest.mark.parametrize("probes", [[], [-1], [10**6]])
def test_a_content_blend_without_probes_is_refused(tmp_path: Path, probes: list[int]) -> None:
    books = shop(n_users=40, n_items=30)
    path = cofactor.save(cofactor.ContentBlend().fit(books), tmp_path / "model")
    with_arrays(path, model__probes=np.array(probes, np.int64))
    with pytest.raises(ArtifactError, match="'probes' (names no|must hold rows of) items"):
        cofactor.load(path)


def test_item_rows_that_do_not_ascend_or_repeat_are_refused(
    popularity: Path, data: Interactions
) -> None:
    user = int(np.argmax(data.user_counts))
    start = data.indptr[user]
    for rows in ([1, 0], [1, 1]):
        changed = data.item_rows.copy()
        changed[start : start + 2] = changed[start + np.array(rows)]
        with_arrays(popularity, history__item_rows=changed)
        with pytest.raises(ArtifactError, match=r"history\.item_rows"):
            cofactor.load(popularity)


def test_times_and_positions_beyond_reason_are_refused(
    popularity: Path, data: Interactions
) -> None:
    for name in ("history__times", "history__order"):
        with_arrays(popularity, **{name: np.full(len(data), -(2**63), np.int64)})
        with pytest.raises(ArtifactError, match=name.replace("__", r"\.")):
            cofactor.load(popularity)
        with_arrays(popularity, **{name: np.arange(len(data))})
        cofactor.load(popularity)


def test_positions_below_0_or_twice_of_one_user_are_refused(
    popularity: Path, data: Interactions
) -> None:
    user = int(np.argmax(data.user_counts))
    start, end = data.indptr[user : user + 2]
    for position in (-1, end - 1, start + 1):
        order = np.arange(len(data))
        order[start] = position
        with_arrays(popularity, history__order=order)
        with pytest.raises(ArtifactError, match=r"history\.order.*position"):
            cofactor.load(popularity)
    # Two users may well have been read from two sources; positions leave gaps, and may be far away.
    rising = np.arange(len(data))
    for order in (rising - data.indptr[data.user_rows], 1000 * rising, rising[::-1] + 2**40):
        with_arrays(popularity, history__order=order)
        cofactor.load(popularity)


def many_items(tmp_path: Path, n_items: int) -> Path:
    rows = np.arange(n_items)
    data = Interactions.from_rows(
        np.zeros(n_items, np.int64), rows, users=1, items=n_items, source="rows"
    )
    return cofactor.save(cofactor.Popularity().fit(data), tmp_path / "model")


@pytest.mark.parametrize("as_list", [False, True])
def test_a_long_text_that_repeats_is_refused_before_it_is_unpacked(
    tmp_path: Path, as_list: bool
) -> None:
    path = many_items(tmp_path, 1600)
    column: pa.Array = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(1600, np.int32)), pa.array(["x" * 1_000_000])
    )
    if as_list:
        column = pa.ListArray.from_arrays(pa.array(np.arange(1601, dtype=np.int32)), column)
    table = pq.ParquetFile(path / fmt.ITEMS).read().append_column("text", column)
    # Without Arrow's own schema it is read as plain texts.
    pq.write_table(table, path / fmt.ITEMS, compression="zstd", store_schema=False)
    sealed(path)
    assert (path / fmt.ITEMS).stat().st_size < 20_000
    with pytest.raises(ArtifactError, match=r"items\.parquet.*bytes"):
        cofactor.load(path)


def test_a_table_of_other_length_is_refused_by_its_own_count(tmp_path: Path) -> None:
    path = many_items(tmp_path, 10)
    n = 5_000_000
    table = pa.table({fmt.ID_COLUMN: pa.nulls(n, pa.int64())})
    pq.write_table(table, path / fmt.ITEMS, compression="zstd")

    sealed(path)
    before = pa.total_allocated_bytes()
    with pytest.raises(ArtifactError, match=r"10 rows"):
        cofactor.load(path)
    assert pa.total_allocated_bytes() - before < 2**20


@pytest.mark.parametrize("name", [fmt.USERS, fmt.ITEMS])
def test_ids_that_repeat_are_refused(popularity: Path, name: str) -> None:
    with_table(
        popularity,
        name,
        lambda table: table.set_column(
            table.column_names.index(fmt.ID_COLUMN),
            fmt.ID_COLUMN,
            pa.array([7] * table.num_rows),
        ),
    )
    with pytest.raises(ArtifactError, match="twice"):
        cofactor.load(popularity)


def test_columns_that_stand_twice_are_refused(popularity: Path) -> None:
    for column in (fmt.ID_COLUMN, "title"):
        with_table(
            popularity,
            fmt.ITEMS,
            lambda t, c=column: t.append_column(c, t.column(c)),  # type: ignore[misc]
        )
        with pytest.raises(ArtifactError, match=f"{column}.* twice"):
            cofactor.load(popularity)
        with_table(popularity, fmt.ITEMS, lambda t: t.remove_column(t.num_columns - 1))


def no_text(count: int) -> pa.Array:
    raw = pa.array([b"\xff\xfe%d" % n for n in range(count)], pa.binary())
    return pa.Array.from_buffers(pa.string(), count, raw.buffers())


@pytest.mark.parametrize("column", [fmt.ID_COLUMN, "title"])
def test_texts_that_are_no_unicode_are_refused(popularity: Path, column: str) -> None:
    with_table(
        popularity,
        fmt.ITEMS,
        lambda t: t.set_column(t.column_names.index(column), column, no_text(t.num_rows)),
    )
    with pytest.raises(ArtifactError, match=r"items\.parquet"):
        cofactor.load(popularity)


@pytest.mark.parametrize("name", [fmt.MANIFEST, *fmt.FILES])
@pytest.mark.parametrize("kind", ["fifo", "zero", "kmsg", "folder", "itself"])
def test_what_is_no_plain_file_is_refused_at_once(popularity: Path, name: str, kind: str) -> None:
    path = popularity / name
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to({"zero": "/dev/zero", "kmsg": "/proc/kmsg"}.get(kind, path.name))
    with ends_within(10), pytest.raises(ArtifactError, match=name.replace(".", r"\.")):
        cofactor.load(popularity)


def test_a_link_to_a_plain_file_is_read(popularity: Path, tmp_path: Path) -> None:
    for name in (fmt.MANIFEST, *fmt.FILES):
        (popularity / name).rename(tmp_path / name)
        (popularity / name).symlink_to(tmp_path / name)
    assert cofactor.load(popularity).name == "popularity"


@pytest.mark.parametrize(
    ("model", "setting"),
    [("BPR", "fold_in_epochs"), ("WARP", "fold_in_epochs"), ("LogisticMF", "fold_in_steps")],
)
def test_settings_that_would_never_end_are_refused(
    model: str, setting: str, data: Interactions, tmp_path: Path
) -> None:
    made = getattr(cofactor, model)(factors=4, epochs=1).fit(data)
    path = cofactor.save(made, tmp_path / "model")
    with_config(path, **{setting: 2**31})
    with pytest.raises(ArtifactError, match=setting):
        cofactor.load(path)


@pytest.mark.parametrize("name", ["MLP", "NeuMF"])
def test_layers_that_the_weights_do_not_fill_are_refused_before_they_are_made(
    name: str, data: Interactions, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    path = cofactor.save(getattr(cofactor, name)(epochs=1).fit(data), tmp_path / "model")
    with_config(path, hidden=[65536] * 3)
    with ends_within(20), pytest.raises(ArtifactError, match="settings"):
        cofactor.load(path)


def spec_of(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(bytes(load_file(path / fmt.TENSORS)["model.spec"]))
    return found


@pytest.mark.parametrize(
    "change",
    [
        {"vectors": [2**19] * 400, "columns": [[f"v{n}", "vector"] for n in range(400)]},
        {"vectors": [float("inf")]},
        {"vectors": [10**400]},
        {"text_weight": 10**400},
        {"text_weight": float("nan")},
        {"columns": [["title"]]},
        {"columns": {"a": 1}},
        {"columns": None},
        {"notes": 3},
    ],
)
def test_a_description_of_features_beyond_reason_is_refused(
    change: dict[str, object], data: Interactions, tmp_path: Path
) -> None:
    path = cofactor.save(cofactor.ContentKNN().fit(data), tmp_path / "model")
    said = json.dumps({**spec_of(path), **change})
    with_arrays(path, model__spec=np.frombuffer(said.encode(), np.uint8))
    with pytest.raises(ArtifactError, match="spec"):
        cofactor.load(path)


def test_a_description_of_features_nested_without_end_is_refused(
    data: Interactions, tmp_path: Path
) -> None:
    path = cofactor.save(cofactor.ContentKNN().fit(data), tmp_path / "model")
    with_arrays(path, model__spec=np.frombuffer(b"[" * 100_000, np.uint8))
    with pytest.raises(ArtifactError, match="spec"):
        cofactor.load(path)


def test_an_array_of_a_foreign_dtype_is_refused(popularity: Path) -> None:
    raw = (popularity / fmt.TENSORS).read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    name = next(n for n in header if n.startswith("model."))
    header[name]["dtype"] = "F8_E4M3"
    low, high = header[name]["data_offsets"]
    header[name]["shape"] = [high - low]
    text = json.dumps(header).encode()
    (popularity / fmt.TENSORS).write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + size :])
    manifest = json.loads((popularity / fmt.MANIFEST).read_text())
    facts = fmt.file_facts(popularity / fmt.TENSORS)
    manifest["files"][fmt.TENSORS] = {"bytes": facts.bytes, "sha256": facts.sha256}
    (popularity / fmt.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=r"tensors\.safetensors"):
        cofactor.load(popularity)


def test_a_list_of_endless_nothing_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = many_items(tmp_path, 3)
    nothing = pa.ListArray.from_arrays(
        pa.array([0, 0, 0, 40_000_000], pa.int32()), pa.nulls(40_000_000, pa.int32())
    )
    with_table(path, fmt.ITEMS, lambda table: table.append_column("list", nothing))
    with pytest.raises(ArtifactError, match=r"items\.parquet.*bytes"):
        cofactor.load(path)


@pytest.mark.parametrize("kind", [cofactor.BiasedMF, cofactor.SVDpp])
def test_reasons_by_vectors_beyond_measure_are_finite(
    kind: type[cofactor.Recommender], data: Interactions
) -> None:
    model = kind(factors=4, epochs=1).fit(data)
    for name in [name for name in model.state() if name.endswith("item_factors")]:
        # Their system isn't solvable in float64.
        setattr(model, name, np.full_like(getattr(model, name), 1e30))
    person = model.user_batch(np.array([0]))
    assert np.isfinite(model.explain_rows(person, np.array([1])).added).all()


@pytest.mark.parametrize("count", [0, 1, 3, 31])
def test_a_damping_of_another_length_is_refused(
    data: Interactions, tmp_path: Path, count: int
) -> None:
    folder = cofactor.save(cofactor.Bias().fit(data), tmp_path / "model")
    with_arrays(folder, model__fold_in_penalties=np.ones(count))
    with pytest.raises(ArtifactError, match="fold_in_penalties"):
        cofactor.load(folder)
