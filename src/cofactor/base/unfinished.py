"""Long work that makes a folder: what it has done lies beside the target until that is complete, so
that the same work, begun again after an interruption, continues from there.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cofactor.base.disk import replace_file, sync
from cofactor.base.errors import ArgumentError, DataError
from cofactor.base.locks import lock
from cofactor.base.progress import Progress

PERIOD = 10.0  # seconds between two checkpoints, about: so much is done again at most
_LOCK, _STATE = "lock", "state.json"


class Unfinished:
    """The folder of one run, and its checkpoints.

    Parameters
    ----------
    folder
        Where everything that the run makes has to lie; its lock is held.
    key
        What the result depends on (sources, settings, version), as JSON; None if that can't be
        known beforehand, and so no run continues from another.
    """

    def __init__(self, folder: Path, key: Any) -> None:
        self.folder, self.key = folder, None if key is None else json.loads(json.dumps(key))
        self.stage = ""
        self.facts: dict[str, Any] = {}
        self.last = time.monotonic()
        self.pool = ThreadPoolExecutor(1, "cofactor-checkpoint")
        self.pending: Future[None] | None = None

    def resume(self) -> str:
        """Take over what an interrupted run left, as ``stage`` and ``facts``; return a sentence
        about it, empty if there was nothing.
        """
        state = self._read()
        if state is not None and state["key"] == self.key and self._is_whole(state["files"]):
            self.stage, self.facts = state["stage"], state["facts"]
            self._keep_only(state["files"])
            return f"continuing from what an interrupted run left in {self.folder}"
        self._keep_only({})
        if state is None:
            return ""
        return (
            f"starting over: what an interrupted run left in {self.folder} is of other sources,"
            " settings or another version, or damaged"
        )

    def is_due(self) -> bool:
        """Return whether a checkpoint should be made now."""
        ready = self.pending is None or self.pending.done()
        return self.key is not None and ready and time.monotonic() - self.last >= PERIOD

    def end_stage(
        self, stage: str, files: Sequence[Path], facts: Mapping[str, Any], spent: Sequence[Path]
    ) -> None:
        """Make a checkpoint if it is due, or an earlier one needs the files that are spent now; see
        `save`.
        """
        if self.stage or self.pending is not None or self.is_due():
            self.save(stage, files, facts, spent=spent)
            return
        for path in spent:
            path.unlink()

    def save(
        self,
        stage: str,
        files: Sequence[Path],
        facts: Mapping[str, Any],
        *,
        spent: Sequence[Path] = (),
    ) -> None:
        """Make a checkpoint, in a thread of its own, which waits for the disk.

        Parameters
        ----------
        stage, facts
            What another run gets, the latter as JSON.
        files
            All files that it needs, flushed; what is appended to them later is cut off.
        spent
            Files that no run needs any more once this checkpoint is on the disk: they go.
        """
        self.wait()
        sizes = {path.relative_to(self.folder).as_posix(): path.stat().st_size for path in files}
        state = {"key": self.key, "stage": stage, "facts": facts, "files": sizes}
        self.pending = self.pool.submit(self._write, json.dumps(state).encode(), files, spent)
        self.last = time.monotonic()

    def wait(self) -> None:
        """Wait for the last checkpoint to be on the disk."""
        if self.pending is not None:
            self.pending.result()

    def close(self, *, keep: bool) -> None:
        """Remove what no other run can use: everything, unless there is a checkpoint to keep."""
        self.pool.shutdown(wait=True)
        state = self._read() if keep else None
        self._keep_only({} if state is None else state["files"])

    def _write(self, state: bytes, files: Sequence[Path], spent: Sequence[Path]) -> None:
        for path in (*files, *{path.parent for path in files}):
            sync(path)
        replace_file(self.folder / _STATE, state)
        for path in spent:
            path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any] | None:
        try:
            found = json.loads((self.folder / _STATE).read_bytes())
        except (OSError, ValueError):
            return None
        names = {"key", "stage", "facts", "files"}
        return found if isinstance(found, dict) and names <= set(found) else None

    def _is_whole(self, files: Mapping[str, int]) -> bool:
        for name, size in files.items():
            path = self.folder / name
            if ".." in path.parts or not path.is_file() or path.stat().st_size < size:
                return False
        return True

    def _keep_only(self, files: Mapping[str, int]) -> None:
        """Remove other files and empty folders, and cut these to their sizes."""
        own = {self.folder / name: size for name, size in files.items()}
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                with suppress(OSError):
                    path.rmdir()
            elif path in own:
                if path.stat().st_size > own[path]:
                    os.truncate(path, own[path])
            elif path.relative_to(self.folder).as_posix() not in (_LOCK, *(_STATE,) * bool(own)):
                path.unlink()


def folder_of(target: Path) -> Path:
    """Return where what is done of a target lies until it is complete."""
    return target.with_name(f".{target.name}.unfinished")


@contextmanager
def unfinished(target: Path, key: Any, progress: Progress) -> Iterator[Unfinished]:
    """Yield what an interrupted run towards the same target left, or a new folder to work in.

    It goes when the work is done, and when it fails by a fault of its data or arguments, which it
    would meet again; what else interrupts it leaves the last checkpoint.

    Parameters
    ----------
    target
        The folder that is made in the end, by renaming one of these.
    key
        See `Unfinished`.
    progress
        Where it is said what the run continues from.

    Raises
    ------
    ArgumentError
        If another process is at work on the same target, or nothing can be written there.
    """
    folder = folder_of(target)
    handle = _locked(folder, target)
    try:
        run = Unfinished(folder, key)
        if said := run.resume():
            progress.say(said)
        keep = False
        try:
            yield run
        except BaseException as error:
            keep = not isinstance(error, (ArgumentError, DataError))
            raise
        finally:
            run.close(keep=keep)
    finally:
        _release(handle, folder)


def _locked(folder: Path, target: Path) -> int:
    """An open file whose lock is held, so that one process at a time works in the folder."""
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(target, error) from None
        try:
            handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:  # another process has just finished, and removed the folder
            continue
        try:
            lock(handle)
        except OSError as error:
            os.close(handle)
            if not isinstance(error, BlockingIOError):
                raise _unwritable(target, error) from None
            raise ArgumentError(
                f"another process is making {target}; wait for it, or choose another folder."
            ) from None
        with suppress(OSError):
            if os.path.samestat(os.fstat(handle), os.stat(folder / _LOCK)):
                return handle
        os.close(handle)


def _unwritable(target: Path, error: OSError) -> ArgumentError:
    return ArgumentError(f"can't write {target}: {error.strerror or error}; choose another place.")


def _release(handle: int, folder: Path) -> None:
    if (folder / _STATE).exists():
        os.close(handle)
        return
    if os.name == "nt":  # which removes no open file
        os.close(handle)
    with suppress(OSError):
        (folder / _LOCK).unlink()
        folder.rmdir()
    if os.name != "nt":
        os.close(handle)
