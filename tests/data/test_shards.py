"""Shards: the same interactions as `Interactions.build` makes, by any source and any size of chunk;
nothing that opens after an interruption or on a full disk.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

import cofactor
import forked
from cofactor.base.errors import ArgumentError, DataError
from cofactor.data import sorting
from cofactor.data.interactions import KEEP, REPEATS, Interactions
from cofactor.data.readers import chunks, items_side, numbered_ids, read, sharded, users_side
from cofactor.data.readers.columns import Options
from cofactor.data.shards import MANIFEST, is_shards, open_shards

pytest.importorskip("duckdb")


def table(
    kind: str, *, n: int = 3000, values: bool = True, times: bool = True, seed: int = 0
) -> pa.Table:
    """Events with repeats and equal times, in no order."""
    draw = np.random.default_rng(seed)
    users, items = draw.integers(0, 150, n), draw.integers(-20, 40, n)
    made = {
        "int": lambda ids: ids,
        "string": lambda ids: [f"id {i} ü" for i in ids],
        "digits": lambda ids: [str(i) for i in ids],
        # the last chunk alone shows that these are no integers
        "late": lambda ids: [*map(str, ids[:-1]), "007"],
    }[kind]
    columns = {"user_id": made(users), "item_id": made(items)}
    if values:
        columns["rating"] = draw.integers(1, 6, n).astype(np.float32)
    if times:
        columns["timestamp"] = 1_500_000_000 + draw.integers(0, 50, n)
    return pa.table(columns)


def make_small(patch: pytest.MonkeyPatch) -> None:
    """Chunks of 500 events, shards of 400, 700 events a pass over the items, and sorted ids that
    come three at a time.
    """
    patch.setattr(sharded, "LEAST_ROWS", 500)
    patch.setattr(sharded, "_CHUNK_BYTES", 1 << 40)
    patch.setattr(sharded, "SHARD_EVENTS", 400)
    patch.setattr(items_side, "_SPREAD_BYTES", (256 << 20) // 4 // 700)
    patch.setattr(chunks, "TEXT_BLOCK", 1 << 13)
    patch.setattr(chunks, "MANY", 1000)
    patch.setattr(numbered_ids, "BATCH", 3)
    patch.setattr(numbered_ids, "FEW", 60)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)


def assert_equal(ours: Interactions, theirs: Interactions) -> None:
    assert ours.users == theirs.users
    assert ours.items == theirs.items
    for name in ("indptr", "item_rows", "values", "times", "order"):
        a, b = getattr(ours, name), getattr(theirs, name)
        assert (a is None) == (b is None), name
        if a is not None:
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b, err_msg=name)
    for a, b in zip(ours.by_item, theirs.by_item, strict=True):
        np.testing.assert_array_equal(a, b)
    assert ours.fingerprint == theirs.fingerprint
    del ours.__dict__["fingerprint"]  # as it comes from the manifest; and computed:
    assert ours.fingerprint == theirs.fingerprint


@pytest.mark.parametrize("kind", ["int", "string", "digits", "late"])
@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_shards_equal_what_build_makes(tmp_path: Path, small: None, kind: str, format: str) -> None:
    file = tmp_path / f"events.{format}"
    if format == "parquet":
        pq.write_table(table(kind), file, row_group_size=700)
    else:
        table(kind).to_pandas().to_csv(file, index=False)
    made = sharded.shard([file], tmp_path / "out", memory=256 << 20)
    assert_equal(made, Interactions.build(read(file)))
    assert is_shards(tmp_path / "out")
    assert not is_shards(file)


@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("repeats", [*REPEATS, KEEP])
@pytest.mark.parametrize("values", [True, False])
@pytest.mark.parametrize("times", [True, False])
def test_repeats_are_merged_as_by_build(
    tmp_path: Path,
    small: None,
    monkeypatch: pytest.MonkeyPatch,
    repeats: str,
    values: bool,
    times: bool,
    large: bool,
) -> None:
    if large:
        monkeypatch.setattr(sorting, "LARGE", 1)
    file = tmp_path / "events.parquet"
    pq.write_table(table("string", values=values, times=times), file)
    made = sharded.shard([file], tmp_path / "out", memory=256 << 20, repeats=repeats)
    whole = Interactions.build(read(file), repeats=repeats)
    assert_equal(made, whole)
    assert set(whole.notes) <= set(made.notes)


def test_counts_without_repeats_leave_no_values(tmp_path: Path, small: None) -> None:
    file = tmp_path / "events.csv"
    file.write_text("user,item\n" + "".join(f"u{n},i{n % 9}\n" for n in range(1200)))
    made = sharded.shard([file], tmp_path / "out", memory=256 << 20, repeats="sum")
    assert made.values is None
    assert_equal(made, Interactions.build(read(file), repeats="sum"))


def test_several_sources_follow_each_other_and_titles_come_along(
    tmp_path: Path, small: None
) -> None:
    parts = [table("int", seed=seed) for seed in (1, 2)]
    for n, part in enumerate(parts):
        pq.write_table(part, tmp_path / f"{n}.parquet")
    items = tmp_path / "items.csv"
    items.write_text("item_id,title\n3,Three\n-4,Minus four\n999,Nobody's\n")
    made = sharded.shard(
        [tmp_path / "0.parquet", tmp_path / "1.parquet"],
        tmp_path / "out",
        memory=256 << 20,
        items=items,
    )
    pq.write_table(pa.concat_tables(parts), tmp_path / "both.parquet")
    whole = Interactions.build(read(tmp_path / "both.parquet", items=items))
    assert_equal(made, whole)
    assert made.catalogue.table.equals(whole.catalogue.table)
    assert made.catalogue_titles(range(made.n_items)) == whole.catalogue_titles(
        range(whole.n_items)
    )


def test_text_with_quotes_over_lines_and_other_sources_too(tmp_path: Path, small: None) -> None:
    file = tmp_path / "quoted.csv"
    lines = "".join(f'"u\n{n % 31}","i,{n % 17}",{n % 5}\n' for n in range(2000))
    file.write_text("user,item,rating\n" + lines)
    made = sharded.shard([file], tmp_path / "quoted", memory=256 << 20)
    assert_equal(made, Interactions.build(read(file)))
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(f'{{"user": {n % 7}, "item": "b{n % 5}"}}\n' for n in range(40)))
    made = sharded.shard([rows], tmp_path / "rows", memory=256 << 20)
    assert_equal(made, Interactions.build(read(rows)))


def test_bad_rows_are_refused_with_their_line_or_skipped(tmp_path: Path, small: None) -> None:
    file = tmp_path / "bad.csv"
    good = [f"{n % 50},{n % 30},3" for n in range(3000)]
    file.write_text(
        "user,item,rating\n" + "\n".join([*good[:2500], "4,5,much", *good[2500:]]) + "\n"
    )
    with pytest.raises(DataError, match="line 2502: '4,5,much'"):
        sharded.shard([file], tmp_path / "out", memory=256 << 20)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.csv"]
    made = sharded.shard([file], tmp_path / "out", memory=256 << 20, options=Options(on_bad="skip"))
    assert_equal(made, Interactions.build(read(file, on_bad="skip")))


def test_missing_ids_and_slices_of_dictionaries_in_parquet(tmp_path: Path, small: None) -> None:
    file, whole = tmp_path / "gaps.parquet", table("string")
    ids = whole.column("user_id").to_pylist()
    gaps = pa.array([None if n in (7, 1900) else word for n, word in enumerate(ids)])
    coded = whole.column("item_id").combine_chunks().dictionary_encode()
    pq.write_table(whole.set_column(0, "user_id", gaps).set_column(1, "item_id", coded), file)
    made = sharded.shard([file], tmp_path / "out", memory=256 << 20, options=Options(on_bad="skip"))
    assert_equal(made, Interactions.build(read(file, on_bad="skip")))
    assert len(made.notes)


def test_a_folder_that_is_there_and_parts_of_unlike_columns_are_refused(
    tmp_path: Path, small: None
) -> None:
    pq.write_table(table("int"), tmp_path / "a.parquet")
    pq.write_table(table("int", times=False), tmp_path / "b.parquet")
    with pytest.raises(DataError, match="have times and others don't"):
        sharded.shard(
            [tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path / "out", memory=256 << 20
        )
    with pytest.raises(ArgumentError, match="exists already"):
        sharded.shard([tmp_path / "a.parquet"], tmp_path, memory=256 << 20)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ArgumentError, match="exists already"):
        sharded.shard([tmp_path / "a.parquet"], tmp_path / "link", memory=256 << 20)
    with pytest.raises(
        ArgumentError, match=r"can't write .*a\.parquet.out: .*choose another place"
    ):
        sharded.shard([tmp_path / "b.parquet"], tmp_path / "a.parquet" / "out", memory=256 << 20)


def test_full_disk_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "events.parquet"
    pq.write_table(table("string"), file)
    inner, written = users_side.GrowingArray.append, []

    def append(self: object, array: np.ndarray) -> None:
        written.append(len(array))
        if len(written) > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        inner(self, array)  # type: ignore[arg-type]

    monkeypatch.setattr(users_side.GrowingArray, "append", append)
    with pytest.raises(DataError, match=r"the disk is full; .* Nothing was kept"):
        sharded.shard([file], tmp_path / "out", memory=256 << 20)
    assert [p.name for p in tmp_path.iterdir()] == ["events.parquet"]


def test_a_run_that_was_killed_leaves_nothing_that_opens(tmp_path: Path) -> None:
    file = tmp_path / "events.parquet"
    pq.write_table(table("string", n=20_000), file)
    program = (
        "import sys, os, signal\n"
        "from cofactor.data.readers import sharded\n"
        "sharded.items_side.write = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"sharded.shard([{str(file)!r}], {str(tmp_path / 'out')!r}, memory=256 << 20)\n"
    )
    done = forked.run(program)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    with pytest.raises(DataError, match="holds no shards"):
        open_shards(tmp_path / "out")
    for left in tmp_path.glob(".out.*"):
        assert not is_shards(left)
        assert not is_shards(left / "made")
    assert len(sharded.shard([file], tmp_path / "out", memory=256 << 20))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file and its shards."""
    folder = tmp_path_factory.mktemp("sound")
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch)
        pq.write_table(table("string"), folder / "events.parquet")
        sharded.shard([folder / "events.parquet"], folder / "out", memory=256 << 20)
    return folder


@pytest.fixture
def made(sound: Path, tmp_path: Path, small: None) -> Path:
    """A copy of the shards that a test may damage."""
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    return tmp_path / "out"


@pytest.mark.parametrize(
    ("file", "change", "word"),
    [
        ("by_user/item_rows.npy", lambda a: a.__setitem__(7, 10**6), "aren't all in"),
        ("by_user/item_rows.npy", lambda a: a.__setitem__(7, -1), "aren't all in"),
        ("by_item/positions.npy", lambda a: a.__setitem__(7, 2**62), "aren't all in"),
        ("by_user/item_rows.npy", lambda a: a.__setitem__(1, a[0]), "ascend"),
        ("by_item/user_rows.npy", lambda a: a.__setitem__(1, a[0]), "ascend"),
        ("by_item/positions.npy", lambda a: a.__setitem__(1, a[0]), "ascend"),
        ("by_user/indptr.npy", lambda a: a.__setitem__(7, 2**62), "descends"),
        (
            "by_user/indptr.npy",
            lambda a: a.__setitem__(slice(1, 4), [2**62, -(2**63), -(2**62)]),
            "descends",
        ),
        ("by_item/indptr.npy", lambda a: a.__setitem__(-1, 3), "doesn't begin"),
    ],
)
def test_damaged_rows_are_refused_before_a_kernel_sees_them(
    made: Path, file: str, change: object, word: str
) -> None:
    array = np.load(made / file)
    change(array)  # type: ignore[operator]
    np.save(made / file, array)
    with pytest.raises(DataError, match=word):
        open_shards(made)


def test_other_damage_is_found_by_size_or_checksum(made: Path) -> None:
    times = np.load(made / "by_user/times.npy")
    times[3] += 1
    np.save(made / "by_user/times.npy", times)
    open_shards(made)
    with pytest.raises(DataError, match=r"by_user/times\.npy has another checksum"):
        open_shards(made, verify=True)
    (made / "by_user/times.npy").unlink()
    with pytest.raises(DataError, match="is missing or of another size"):
        open_shards(made)
    manifest = json.loads((made / MANIFEST).read_text())
    (made / MANIFEST).write_text(json.dumps({**manifest, "format": "cofactor-shards/9"}))
    with pytest.raises(DataError, match="cofactor-shards/9"):
        open_shards(made)
    (made / MANIFEST).write_text("{")
    with pytest.raises(DataError, match="can't be read"):
        open_shards(made)


@pytest.mark.parametrize(("number", "word"), [(None, "twice"), (-1, "isn't all"), (2**62, "isn't")])
def test_positions_in_the_source_are_verified(made: Path, number: int | None, word: str) -> None:
    order = np.load(made / "by_user/order.npy")
    order[7] = order[6] if number is None else number
    np.save(made / "by_user/order.npy", order)
    manifest = json.loads((made / MANIFEST).read_text())
    content = (made / "by_user/order.npy").read_bytes()
    manifest["files"]["by_user/order.npy"]["sha256"] = hashlib.sha256(content).hexdigest()
    (made / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=f"by_user/order .*{word}"):
        open_shards(made, verify=True)


def test_a_folder_may_be_copied_and_moved_but_not_sharded_again(made: Path, tmp_path: Path) -> None:
    whole = open_shards(made).fingerprint
    shutil.copytree(made, tmp_path / "copy")
    made.rename(tmp_path / "moved")
    (tmp_path / "events.parquet").unlink()
    for name in ("copy", "moved"):
        opened = open_shards(tmp_path / name, verify=True)
        del opened.__dict__["fingerprint"]
        assert opened.fingerprint == whole
    with pytest.raises(ArgumentError, match="holds shards already"):
        sharded.shard([tmp_path / "moved"], tmp_path / "again", memory=256 << 20)


def test_writing_to_opened_arrays_leaves_the_files_as_they_are(made: Path) -> None:
    before = (made / "by_user/values.npy").read_bytes()
    opened = open_shards(made)
    assert opened.values is not None
    opened.values[:] = 7
    assert (made / "by_user/values.npy").read_bytes() == before


def test_shards_are_data_wherever_data_is_taken(made: Path) -> None:
    opened = open_shards(made)
    model = cofactor.IALS(factors=4, epochs=1).fit(str(made), run=cofactor.Run(threads=1))
    assert model.data.fingerprint == opened.fingerprint
    assert cofactor.describe(made).users == opened.n_users
    assert cofactor.split(made, test=0.2).train.n_users == opened.n_users
    with pytest.raises(DataError, match="holds shards, which were read already"):
        cofactor.read(made)
