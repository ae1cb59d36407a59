"""Where data lies: a file, a member of a zip or a folder; each opened as a stream of unpacked
bytes.
"""

from __future__ import annotations

import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from cofactor.base.errors import DataError
from cofactor.base.names import nearest

BLOCK = 1 << 25
_GZIP = b"\x1f\x8b"
# Well below the blocks that are asked for, which then are read into their place without a copy.
_BUFFER = 1 << 17


@dataclass(frozen=True)
class Entry:
    """One file: on disk, or a member of a zip; gzip is seen through.

    Parameters
    ----------
    path
        The file on disk.
    member
        The member, when the file is a zip.
    """

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """The file's own name, without folders and without ``.gz``."""
        return (
            PurePosixPath(self.member).name.removesuffix(".gz")
            if self.member
            else self.path.name.removesuffix(".gz")
        )

    @property
    def suffix(self) -> str:
        """The last suffix of `name`, in lower case, with its dot."""
        return PurePosixPath(self.name).suffix.lower()

    @property
    def shown(self) -> str:
        """How messages name it."""
        return f"{self.path}:{self.member}" if self.member else str(self.path)

    @property
    def packed_bytes(self) -> int:
        """Its size as it is stored, for progress bars."""
        if self.member is None:
            return self.path.stat().st_size
        with zipfile.ZipFile(self.path) as archive:
            return archive.getinfo(self.member).compress_size

    @property
    def plain_bytes(self) -> int | None:
        """Its size unpacked; None where that isn't known beforehand."""
        if self.member is None:
            with self.path.open("rb") as raw:
                return None if raw.read(2) == _GZIP else self.path.stat().st_size
        with zipfile.ZipFile(self.path) as archive:
            return None if self.member.endswith(".gz") else archive.getinfo(self.member).file_size

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open it for reading unpacked bytes; damage shows as DataError."""
        with _damage(self.shown):
            if self.member is None:
                with self.path.open("rb", buffering=0) as raw:
                    yield _unpacked(raw)
            else:
                with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as raw:
                    yield _unpacked(raw)

    def head(self, size: int = 1 << 18) -> bytes:
        """Return its first bytes, unpacked."""
        with self.open() as stream:
            return _read(stream, size)

    def read(self) -> bytes:
        """Return all of its bytes, unpacked."""
        with self.open() as stream:
            return stream.read()

    def blocks(self, size: int = BLOCK) -> Iterator[bytes]:
        """Yield its unpacked bytes in blocks."""
        with self.open() as stream:
            while block := _read(stream, size):
                yield block


class Place:
    """A folder or a zip: named files that belong together, wherever in it they stand, gzipped or
    not.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[Entry]
        if path.is_dir():
            self.entries = [Entry(found) for found in sorted(path.rglob("*")) if found.is_file()]
            self._names = [found.path.relative_to(path).as_posix() for found in self.entries]
        else:
            with _damage(str(path)), zipfile.ZipFile(path) as archive:
                members = [info.filename for info in archive.infolist() if not info.is_dir()]
            members = [
                m
                for m in members
                if not m.startswith("__MACOSX/") and PurePosixPath(m).name[:1] != "."
            ]
            self.entries = [Entry(path, member) for member in members]
            self._names = members

    def find(self, name: str) -> Entry | None:
        """Return the file whose path ends in ``name`` (``.gz`` aside), the one nearest to the
        top; None if there is none.
        """
        hits = [
            (stored.count("/"), number)
            for number, stored in enumerate(self._names)
            if ("/" + stored.removesuffix(".gz")).endswith("/" + name)
        ]
        return self.entries[min(hits)[1]] if hits else None

    def get(self, name: str) -> Entry:
        """Return the file whose path ends in ``name``; raise DataError that names the nearest
        ones if there is none.
        """
        found = self.find(name)
        if found is None:
            names = [e.name for e in self.entries]
            close = nearest(name, names) or sorted(names)[:5]
            raise DataError(
                f"{name!r} is missing in it; there are {', '.join(close) or 'no files'}.",
                source=str(self.path),
            )
        return found

    def matching(self, ending: str) -> list[Entry]:
        """Return the files whose names end in ``ending`` (``.gz`` aside)."""
        return [entry for entry in self.entries if entry.name.endswith(ending)]


def ahead(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the same blocks, each made while the one before it is worked on (unpacking and
    decoding leave the GIL).
    """
    with ThreadPoolExecutor(1, "cofactor-read") as pool:
        coming = pool.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = pool.submit(next, blocks, None)
            yield block


def is_zip(path: Path) -> bool:
    """Return whether a file is a zip (Parquet and others that merely end in its bytes aside)."""
    with path.open("rb") as stream:
        return stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


@contextmanager
def _damage(source: str) -> Iterator[None]:
    try:
        yield
    except EOFError:
        raise DataError(
            "the gzip stream ends before its end marker, so the file is cut short; fetch or copy it"
            " again.",
            source=source,
        ) from None
    except (gzip.BadGzipFile, zlib.error, zipfile.BadZipFile, lzma.LZMAError) as error:
        raise DataError(
            f"the compressed data is damaged ({error}); fetch or copy it again.", source=source
        ) from None


def _unpacked(raw: Any) -> IO[bytes]:
    buffered = io.BufferedReader(raw, _BUFFER)
    if buffered.peek(2)[:2] == _GZIP:
        return io.BufferedReader(gzip.GzipFile(fileobj=buffered), _BUFFER)
    return buffered


def _read(stream: IO[bytes], size: int) -> bytes:
    # A gzip stream may give less than was asked for before its end.
    parts, missing = [], size
    while missing > 0 and (part := stream.read(missing)):
        parts.append(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
