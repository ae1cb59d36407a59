"""An interrupted `shard` continues from its last checkpoint, wherever it was killed, and makes the
same bytes as one that was not; what it left is never taken for shards, and goes in the end.

Set COFACTOR_SOAK for every call at which a run can be killed, instead of some.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from cofactor.base import unfinished
from cofactor.base.errors import ArgumentError, DataError
from cofactor.base.progress import SilentProgress
from cofactor.base.run import Run
from cofactor.data import fingerprints, shards, sorting
from cofactor.data.readers import chunks, items_side, numbered_ids, sharded, users_side
from cofactor.data.readers.columns import Options
from cofactor.data.shards import is_shards

pytest.importorskip("duckdb")
SOAK = bool(os.environ.get("COFACTOR_SOAK"))
# What a run calls, in about this order; it is killed as one of them begins.
CALLS: dict[str, tuple[Any, str]] = {
    "add": (numbered_ids.Numbering, "add"),
    "read": (sharded.EventFile, "append"),
    "sync": (unfinished, "sync"),
    "replace": (unfinished, "replace_file"),
    "number": (numbered_ids.Numbering, "number"),
    "deal": (sharded.DealtFile, "deal_out"),
    "sort": (users_side.GrowingArray, "append"),
    "spread": (sorting, "spread"),
    "fingerprint": (fingerprints, "fingerprint_of"),
    "finish": (shards, "write_manifest"),
}
SOME = ("read", "replace", "deal", "sort")


class Kill(BaseException):
    """Stands for SIGKILL."""


class Now:
    """Makes checkpoints at once, in the same thread."""

    def __init__(self, *_: object) -> None: ...

    def submit(self, function: Callable[..., None], *given: Any) -> Future[None]:
        done: Future[None] = Future()
        function(*given)
        done.set_result(None)
        return done

    def shutdown(self, wait: bool) -> None: ...


class Said(SilentProgress):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def say(self, text: str) -> None:
        self.sentences.append(text)


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Chunks of 120 events, shards of 200, and a checkpoint at every opportunity."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unfinished, "PERIOD", 0.0)
        patch.setattr(unfinished, "ThreadPoolExecutor", Now)
        patch.setattr(unfinished, "sync", lambda path: None)
        patch.setattr(unfinished, "replace_file", Path.write_bytes)
        patch.setattr(sharded, "LEAST_ROWS", 120)
        patch.setattr(sharded, "_CHUNK_BYTES", 1 << 40)
        patch.setattr(sharded, "SHARD_EVENTS", 200)
        patch.setattr(items_side, "_SPREAD_BYTES", (256 << 20) // 4 // 300)
        patch.setattr(chunks, "TEXT_BLOCK", 1 << 11)
        patch.setattr(chunks, "MANY", 200)
        patch.setattr(numbered_ids, "FEW", 30)
        patch.setattr(numbered_ids, "BATCH", 7)
        patch.setattr(shards, "ID_BATCH", 5)
        yield


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of three kinds, of whose ids only the last ones show that they are texts, with repeats
    and rows to skip.
    """
    draw = np.random.default_rng(1)
    columns = [
        ("user_id", draw.integers(0, 60, 900)),
        ("item_id", draw.integers(-9, 25, 900)),
        ("rating", draw.integers(1, 6, 900).astype(np.float32)),
        ("timestamp", 1_500_000_000 + draw.integers(0, 40, 900)),
    ]
    whole, folder = pa.table(dict(columns)), tmp_path_factory.mktemp("sources")
    paths = [folder / name for name in ("a.parquet", "b.csv", "c.jsonl")]
    pq.write_table(whole.slice(0, 400), paths[0], row_group_size=150)
    text = whole.slice(400, 300).to_pandas().to_csv(index=False)
    paths[1].write_text(text + "7,3,much,1500000000\nwho,é 3,4,1500000001\n")
    rows = whole.slice(700).to_pandas().to_json(orient="records", lines=True)
    paths[2].write_text(rows)
    return paths


class Undisturbed(NamedTuple):
    """A run that nothing disturbs."""

    content: dict[str, bytes]
    calls: Counter[str]


@pytest.fixture(scope="module")
def whole(
    small: None, sources: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    out = tmp_path_factory.mktemp("whole") / "out"
    with counting(out) as calls:
        run(sources, out)
    assert set(calls) == set(CALLS)
    return Undisturbed(content(out), calls)


@pytest.fixture(scope="module")
def left(small: None, sources: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run leaves that is killed while it sorts."""
    out = tmp_path_factory.mktemp("left") / "out"
    with pytest.raises(Kill), counting(out, "sort", 9, Kill()):
        run(sources, out)
    return out.with_name("snapshot")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def run(sources: list[Path], out: Path, said: Said | None = None, **how: Any) -> Any:
    how = {"options": Options(on_bad="skip"), "memory": 256 << 20, **how}
    return sharded.shard(
        list(sources), out, run=Run(threads=1, progress=said if said is not None else Said()), **how
    )


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@contextmanager
def counting(
    out: Path, name: str = "", number: int = 0, error: BaseException | None = None
) -> Iterator[Counter[str]]:
    """Count the calls, and let the ``number``-th of a name fail; a copy of what lies on the disk
    then is what a killed process leaves, whatever this one does afterwards.
    """
    counts: Counter[str] = Counter()

    def counted(function: Callable[..., Any], called: str) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            counts[called] += 1
            if (called, counts[called]) == (name, number):
                if isinstance(error, Kill):
                    shutil.copytree(unfinished.folder_of(out), out.with_name("snapshot"))
                    tear(out.with_name("snapshot"))
                assert error is not None
                raise error
            return function(*given, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for called, (owner, attribute) in CALLS.items():
            patch.setattr(owner, attribute, counted(getattr(owner, attribute), called))
        yield counts


def tear(left: Path) -> None:
    """Lengthen what is written in place by half a write."""
    for path in left.rglob("*"):
        if path.is_file() and path.name != "state.json":
            with path.open("ab") as file:
                file.write(b"\x07" * 13)


def test_a_run_that_was_killed_anywhere_continues_to_the_same_bytes(
    sources: list[Path], whole: Undisturbed, out: Path
) -> None:
    left = unfinished.folder_of(out)
    every = [(name, n) for name in CALLS for n in range(1, whole.calls[name] + 1)]
    for name, number in every if SOAK else [(name, whole.calls[name] // 2 + 1) for name in SOME]:
        with pytest.raises(Kill), counting(out, name, number, Kill()):
            run(sources, out)
        assert not out.exists()
        shutil.rmtree(left, ignore_errors=True)
        shutil.move(out.with_name("snapshot"), left)
        assert not is_shards(left / "made")
        said, had_checkpoint = Said(), (left / "state.json").exists()
        with counting(out) as again:
            run(sources, out, said)
        assert content(out) == whole.content, (name, number)
        assert not left.exists()
        assert ["continuing" in s for s in said.sentences] == [True] * had_checkpoint
        # What was done isn't done again.
        at = list(CALLS).index(name)
        assert again["read"] == 0 or at < list(CALLS).index("number")
        assert again["deal"] == 0 or at < list(CALLS).index("spread")
        shutil.rmtree(out)


@pytest.mark.parametrize("name", ["sort", "finish"])
def test_kept_repeats_continue_too(
    sources: list[Path], out: Path, tmp_path: Path, name: str
) -> None:
    run(sources, tmp_path / "whole", repeats="keep")
    with pytest.raises(Kill), counting(out, name, 9 if name == "sort" else 1, Kill()):
        run(sources, out, repeats="keep")
    left = unfinished.folder_of(out)
    shutil.rmtree(left, ignore_errors=True)
    shutil.move(out.with_name("snapshot"), left)
    said = Said()
    run(sources, out, said, repeats="keep")
    assert content(out) == content(tmp_path / "whole")
    assert any("continuing" in sentence for sentence in said.sentences)


def test_a_full_disk_keeps_what_was_done_and_says_where(
    sources: list[Path], whole: Undisturbed, out: Path
) -> None:
    left, full = unfinished.folder_of(out), OSError(errno.ENOSPC, "No space left on device")
    with (
        counting(out, "sort", 9, full),
        pytest.raises(DataError, match="run the same again") as caught,
    ):
        run(sources, out)
    assert str(left) in str(caught.value)
    assert not list(left.rglob("item_rows.npy"))  # of the stage that didn't end
    with counting(out) as again:
        run(sources, out)
    assert (again["read"], again["deal"]) == (0, 0)
    assert content(out) == whole.content
    assert not left.exists()


@pytest.mark.parametrize("change", ["file", "option", "cut", *["state", "version"] * SOAK])
def test_other_sources_settings_and_damage_start_over_and_say_so(
    monkeypatch: pytest.MonkeyPatch,
    sources: list[Path],
    whole: Undisturbed,
    out: Path,
    left: Path,
    change: str,
) -> None:
    how: dict[str, Any] = {}
    said, mine = Said(), Path(shutil.copytree(left, unfinished.folder_of(out)))
    marks = sources[1].stat()
    if change == "file":
        os.utime(sources[1], (1, 1))
    elif change == "option":
        how = {"repeats": "max"}
    elif change == "state":
        (mine / "state.json").write_text('{"key": {"version')
    elif change == "cut":
        os.truncate(mine / "work" / "dealt", 50)
    else:
        monkeypatch.setattr("cofactor.__version__", "0.1.0")
    with counting(out) as calls:
        run(sources, out, said, **how)
    os.utime(sources[1], ns=(marks.st_atime_ns, marks.st_mtime_ns))
    # Half a sentence of a state isn't one: nothing was left.
    assert ["starting over" in s for s in said.sentences] == [True] * (change != "state")
    assert calls == whole.calls
    assert (content(out) == whole.content) == (change != "option")
    assert not mine.exists()


def test_an_interrupt_keeps_what_was_done_and_bad_data_nothing(
    monkeypatch: pytest.MonkeyPatch, sources: list[Path], out: Path
) -> None:
    with counting(out, "deal", 1, KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        run(sources[:1], out)
    left = unfinished.folder_of(out)
    assert (left / "state.json").exists()
    with pytest.raises(DataError, match="line 302"):
        run(sources[1:2], out, options=Options())
    assert not left.exists()
    # A table in memory may be another one the next time.
    table = pq.read_table(sources[0])
    with counting(out, "deal", 1, KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        run([table], out)
    assert not left.exists()


def test_two_runs_at_once_are_refused(sources: list[Path], out: Path) -> None:
    with (
        unfinished.unfinished(out, None, Said()),
        pytest.raises(ArgumentError, match="another process is making"),
    ):
        run(sources, out)
