"""Where compiled kernels are kept: wherever this user may write, or nowhere; damaged files are
thrown away.

Numba keeps code beside the package, else in the user's cache folder, and takes both for granted:
without either, importing a kernel fails, and so does every call once a file is damaged or the disk
is full. Here the next place is a folder of the user's own among the temporary files, then none; and
whatever can't be read is compiled again. Of several processes that start together, one compiles a
kernel and the others wait for its code.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import time
import warnings
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache

from cofactor.base.locks import lock
from cofactor.kernels.cpu._source_stamp import stamp_of

# Seconds for which a process waits for another one's code. No kernel takes as long; a process that
# couldn't compile one, and still runs, keeps others waiting.
LONGEST_WAIT = 60.0
CURE = "set NUMBA_CACHE_DIR to a folder that this user may write to"
_said: set[str] = set()


def cache_of(function: Any) -> Any:
    """Return the cache for a kernel: Numba's own where it finds a place, else one among the
    temporary files, else none; the last two are said once.
    """
    try:
        return _KeptCode(function)
    except RuntimeError:  # "no locator available": nothing could be written
        pass
    folder = _temporary_folder()
    if folder is not None:
        # Numba looks this up whenever it makes a cache, so that it holds for all further kernels.
        numba.config.CACHE_DIR = str(folder)
        with suppress(RuntimeError):
            kept = _KeptCode(function)
            _say_once(
                f"Compiled kernels are kept in {folder}, where they may be lost, since neither the"
                f" package's folder nor a cache folder of this user can be written; {CURE}."
            )
            return kept
    _say_once(
        "Compiled kernels can't be kept on this machine and are compiled again by each process;"
        f" {CURE}."
    )
    return NullCache()


class CodeFiles(IndexDataCacheFile):  # type: ignore[misc]  # numba has no types
    """The files of one kernel's code, each named by the signature and the source that it is for.

    Numba numbers them, and writes the index before the code. Then of two processes that compile at
    the same time, both may write the same number for two signatures, and a third may find the code
    of an older source under a new index: it would run what was compiled for other arguments."""

    _claim: weakref.finalize[Any, Any] | None = None

    def load(self, key: Any) -> Any:
        """Return the code for a key; None where this process is to compile it, and then `save` it
        or `release` the kernel. While another process compiles the kernel, wait for that.
        """
        found = super().load(key)
        if found is None and (self._claim is None or not self._claim.alive):
            self._claim_kernel()
            # It may have been kept since.
            found = super().load(key)
            if found is not None:
                self.release()
        return found

    def release(self) -> None:
        """Let other processes go on that wait for this kernel."""
        if self._claim is not None:
            self._claim()

    def _claim_kernel(self) -> None:
        """Have this kernel for this process alone, or wait until whoever has it is done with it or
        has ended. Where files can't be locked, several processes compile the same.
        """
        path = self._index_path.removesuffix("nbi") + "lock"
        until = time.monotonic() + LONGEST_WAIT
        with suppress(OSError):
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            claim = weakref.finalize(self, _let_go, handle, path)
            while True:
                try:
                    lock(handle)
                except BlockingIOError:
                    if time.monotonic() > until:
                        os.close(handle)
                        claim.detach()
                        return
                    time.sleep(0.02)
                else:
                    self._claim = claim
                    return

    def save(self, key: Any, data: Any) -> None:
        """Keep the code for a key: first the code, then the index that names it."""
        words = repr((key, self._source_stamp)).encode()
        number = int.from_bytes(hashlib.blake2b(words, digest_size=8).digest())
        name = self._data_name(number)
        self._save_data(name, data)
        known = self._load_index()
        if not known:
            self._remove_others(name)
        # What another process adds meanwhile is lost from the index: it is compiled again.
        self._save_index({**known, key: name})

    def _remove_others(self, name: str) -> None:
        """Remove code of older sources, which no index names."""
        begins = self._index_name.removesuffix("nbi")
        with suppress(OSError):
            for other in os.listdir(self._cache_path):
                if other.startswith(begins) and other.endswith(".nbc") and other != name:
                    os.unlink(os.path.join(self._cache_path, other))


class _KeptCode(FunctionCache):  # type: ignore[misc]  # numba has no types
    """Numba's cache of one kernel, which a damaged file or a full disk doesn't stop."""

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self._cache_file = CodeFiles(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=_stamp_of(function, self._impl.locator),
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled code for a signature; None where there is none that can be read."""
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # an empty, cut or garbled file raises whatever unpickling can
            self._discard(error)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the compiled code for a signature, if that can be."""
        try:
            self._save_overload_or_say(sig, data)
        finally:
            self._cache_file.release()

    def _save_overload_or_say(self, sig: Any, data: Any) -> None:
        for attempt in range(2):
            try:
                super().save_overload(sig, data)
                return
            except OSError as error:
                _say_once(
                    f"Compiled kernels can't be kept in {self.cache_path} ({error})"
                    f" and are compiled again by each process; free some space, or {CURE}."
                )
                return
            except Exception as error:
                # The index is read before it is written, and what can't be read is written again.
                if attempt:
                    raise
                self._discard(error)

    def _discard(self, error: Exception) -> None:
        """Begin the index again; what it named is overwritten as kernels are compiled."""
        _say_once(
            f"A file of compiled kernels in {self.cache_path} can't be read"
            f" ({type(error).__name__}); it is made again."
        )
        with suppress(OSError):
            self.flush()


def _stamp_of(function: Any, locator: Any) -> Any:
    """What changes whenever the kernel would be compiled to something else."""
    try:
        return stamp_of(Path(function.__code__.co_filename))
    except OSError:  # the package is in an archive, say
        return locator.get_source_stamp()


def _let_go(handle: int, path: str) -> None:
    """Unlock a kernel. Who waits for it has the file open; who comes later makes another."""
    with suppress(OSError):
        os.unlink(path)
    os.close(handle)


def _temporary_folder() -> Path | None:
    """This user's own folder among the temporary files, made if need be; None where it can't be
    had, or isn't theirs alone: whoever could write there could have code run.
    """
    user = os.getuid() if hasattr(os, "getuid") else "user"
    try:
        folder = Path(tempfile.gettempdir()) / f"cofactor-kernels-{user}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    if not stat.S_ISDIR(found.st_mode):
        return None
    if hasattr(os, "getuid") and (found.st_uid != user or found.st_mode & 0o022):
        return None
    return folder


def _say_once(sentence: str) -> None:
    if sentence not in _said:
        _said.add(sentence)
        warnings.warn(sentence, RuntimeWarning, stacklevel=3)
