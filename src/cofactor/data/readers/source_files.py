"""Where data lies: a file, a member of a zip or a folder; each opened as a stream of unpacked
bytes.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO

from cofactor.base import names
from cofactor.base.cached import cached_property
from cofactor.base.errors import DataError
from cofactor.base.names import nearest
from cofactor.data.readers.no_tables import refuse_zipped
from cofactor.data.readers.unpack import SUFFIXES, damage, packing, refuse_bomb, unpacked

BLOCK = 1 << 25
# Bytes that are kept of a file's beginning.
_START = 1 << 12
# Bytes up to which starting threads takes longer than they save.
SMALL = 1 << 20
# No line of a table is longer.
LONGEST = 1 << 24
# Files of a folder that isn't a data set but a disk.
_MOST_FILES = 100_000
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_TAR = (".tar", ".tgz", ".tbz2", ".txz")


@dataclass(frozen=True)
class SourceFile:
    """One file: on disk, or a member of a zip or tar; what packs it is seen through.

    Parameters
    ----------
    path
        The file on disk.
    member
        The member, when the file is a zip or a tar.
    label
        How messages name it, if not by its path (a copy of standard input, say).
    archive
        The open zip that the member is in, which all of its members share: each time that one is
        opened, the list of all members is read.
    """

    path: Path
    member: str | None = None
    label: str | None = None
    archive: zipfile.ZipFile | None = field(default=None, repr=False, compare=False)

    @cached_property
    def name(self) -> str:
        """The file's own name, without folders and without ``.gz`` and the like."""
        name = PurePosixPath(self.member or self.label or self.path.name).name
        return next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)

    @cached_property
    def suffix(self) -> str:
        """The last suffix of `name`, in lower case, with its dot."""
        return PurePosixPath(self.name).suffix.lower()

    @cached_property
    def shown(self) -> str:
        """How messages name it."""
        path = self.label or str(self.path)
        return f"{path}:{self.member}" if self.member else path

    @property
    def packed_bytes(self) -> int:
        """Its size as it is stored, for progress bars."""
        stored = self.path.stat().st_size
        return stored if self.member is None else min(self._sizes[1], stored)

    @property
    def plain_bytes(self) -> int | None:
        """Its size unpacked; None where that isn't known beforehand."""
        if self.member is None:
            return None if packing(self._stored) else self.path.stat().st_size
        return None if self.member.endswith(SUFFIXES) else self._sizes[0]

    @property
    def _sizes(self) -> tuple[int, int]:
        """The size of a member, and what it takes at most in its archive."""
        assert self.member is not None
        with damage(self.shown):
            if self.archive is not None:
                info = self.archive.getinfo(self.member)
                return info.file_size, info.compress_size
            with _tar(self.path) as (_, held):
                return held(self.member).size, self.path.stat().st_size

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open it for reading unpacked bytes; damage shows as DataError."""
        with damage(self.shown):
            if self.member is None:
                with self.path.open("rb", buffering=0) as raw:
                    yield unpacked(raw, self.shown)
                return
            refuse_bomb(*self._sizes, self.shown)
            if self.archive is not None:
                with self.archive.open(self.member) as packed:
                    yield unpacked(packed, self.shown)
            else:
                with _tar(self.path) as (tar, held):
                    stream = tar.extractfile(held(self.member))
                    if stream is None:
                        raise DataError("the member isn't a file.", source=self.shown)
                    yield unpacked(stream, self.shown)

    def head(self, size: int = 1 << 18) -> bytes:
        """Return its first bytes, unpacked."""
        start, whole = self._start
        if whole or size <= len(start):
            return start[:size]
        with self.open() as stream:
            return _read(stream, size)

    @cached_property
    def _stored(self) -> bytes:
        """The first bytes of the file on disk, as they stand there."""
        return _first_bytes(self.path, _START + 1)

    @cached_property
    def _start(self) -> tuple[bytes, bool]:
        """The first bytes, which every detection looks at, and whether they are all."""
        if self.member is None and len(self._stored) <= _START and not packing(self._stored):
            return self._stored, True
        with self.open() as stream:
            start = _read(stream, _START + 1)
        return start[:_START], len(start) <= _START

    def read(self, limit: int | None = None) -> bytes:
        """Return all of its bytes, unpacked; more than ``limit`` are refused."""
        found, whole = self._start
        if not whole:
            with self.open() as stream:
                found = stream.read() if limit is None else _read(stream, limit + 1)
        if limit is not None and len(found) > limit:
            raise DataError(
                f"it has more than {limit >> 20:,} MiB, which this format holds in memory at once;"
                " write it as JSON lines, csv or Parquet.",
                source=self.shown,
            )
        return found

    def blocks(self, size: int = BLOCK) -> Iterator[bytes]:
        """Yield its unpacked bytes in blocks."""
        start, whole = self._start
        if whole:
            yield from (start[n : n + size] for n in range(0, len(start), size))
            return
        with self.open() as stream:
            while block := _read(stream, size):
                yield block


class Source:
    """A folder or a zip: named files that belong together, wherever in it they stand, gzipped or
    not.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[SourceFile]
        if path.is_dir():
            self.entries = [SourceFile(found) for found in sorted(_below(path), key=in_order)]
            self._names = [found.path.relative_to(path).as_posix() for found in self.entries]
        else:
            archive, members = _members(path)
            self._names = [name for name in members if not is_debris(name)]
            self.entries = [SourceFile(path, name, archive=archive) for name in self._names]

    def find(self, name: str) -> SourceFile | None:
        """Return the file whose path ends in ``name`` (``.gz`` aside), the one nearest to the
        top; None if there is none.
        """
        hits = [
            (path.count("/"), number)
            for number, path in enumerate(self._paths)
            if path.endswith("/" + name)
        ]
        return self.entries[min(hits)[1]] if hits else None

    @cached_property
    def _paths(self) -> list[str]:
        """The path of each file from the top, which is a slash; without ``.gz`` and the like."""
        named = zip(self._names, self.entries, strict=True)
        # A damaged archive may have a part without a name.
        return ["/" + str(PurePosixPath(path).parent / entry.name) for path, entry in named]

    def get(self, name: str) -> SourceFile:
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

    def matching(self, ending: str) -> list[SourceFile]:
        """Return the files whose names end in ``ending`` (``.gz`` aside)."""
        return [entry for entry in self.entries if entry.name.endswith(ending)]


def _below(folder: Path) -> list[Path]:
    """The files of a folder and those below it, without debris; refused are a folder that holds
    all there is, and links that lead nowhere.
    """
    there = (one for one in folder.rglob("*") if one.is_file() or one.is_symlink())
    found = list(islice(there, _MOST_FILES + 1))
    if len(found) > _MOST_FILES:
        raise DataError(
            f"it holds more than {_MOST_FILES:,} files; give the folder of the data alone.",
            source=str(folder),
        )
    files = [one for one in found if not is_debris(one.relative_to(folder).as_posix())]
    lost = next((one for one in files if not one.exists()), None)
    if lost is not None:
        raise missing(lost)
    return [one for one in files if one.is_file()]


@dataclass(frozen=True)
class HeldFile(SourceFile):
    """Bytes in memory as a file of their own: some lines of one, or one put together in memory.

    Parameters
    ----------
    content
        The bytes, unpacked.
    """

    content: bytes = field(default=b"", repr=False)

    @property
    def packed_bytes(self) -> int:
        """Nothing, so that it isn't read as a large file, by its place on disk."""
        return 0

    @property
    def plain_bytes(self) -> int | None:
        """Its size."""
        return len(self.content)

    @cached_property
    def _start(self) -> tuple[bytes, bool]:
        return self.content[:_START], len(self.content) <= _START

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open it for reading."""
        yield io.BytesIO(self.content)


def ahead(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the same blocks, each made while the one before it is worked on (unpacking and
    decoding leave the GIL); a file of one block starts no thread.
    """
    first = next(blocks, b"")
    if first:
        yield first
    if 2 * len(first) < BLOCK:
        yield from blocks
        return
    with ThreadPoolExecutor(1, "cofactor-read") as pool:
        coming = pool.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = pool.submit(next, blocks, None)
            yield block


def missing(path: str | os.PathLike[str], what: str = "file or folder") -> DataError:
    """Return the error for a path where nothing is; a link that leads nowhere is named as one."""
    said = names.missing(path, what)
    if os.path.islink(path):
        target = os.readlink(path)
        said = f"it is a link to {target!r}, which isn't there; point it elsewhere, or remove it."
    return DataError(said, source=os.fspath(path))


def in_order(path: Path) -> list[tuple[int, str]]:
    """Return by what files are ordered: their paths, in which 2 comes before 10."""
    pieces = re.split(r"(\d+)", path.as_posix())
    return [(int(p) if p.isdecimal() and len(p) < 20 else -1, p) for p in pieces]


def is_debris(name: str) -> bool:
    """Return whether a path in a folder or archive is what systems leave behind, and no data:
    ``.DS_Store``, ``_SUCCESS``, checksums, hidden folders.
    """
    parts = PurePosixPath(name).parts
    own = parts[-1].lower() if parts else ""
    return (
        any((part[:1] == "." and part != "..") or part == "__MACOSX" for part in parts)
        or own in ("thumbs.db", "desktop.ini")
        # Of a workbook that is open.
        or own.startswith("~$")
        or (own.startswith("_") and "." not in own)
        or own.endswith((".crc", ".md5", ".sha256", "~", ".bak", ".old", ".orig", ".tmp", ".swp"))
    )


def is_zip(path: Path) -> bool:
    """Return whether a file is a zip (Parquet and others that merely end in its bytes aside)."""
    return _first_bytes(path, 4) in _ZIP


def is_workbook(entry: SourceFile) -> bool:
    """Return whether a file is a workbook of Excel, by its name (it may be damaged) or what the zip
    holds.
    """
    if entry.suffix in (".xlsx", ".xlsm"):
        return True
    if entry.member is not None or entry._stored[:4] not in _ZIP:
        return False
    try:
        with damage(entry.shown), zipfile.ZipFile(entry.path) as held:
            return "xl/workbook.xml" in held.namelist()
    except DataError:
        return False


def is_archive(entry: SourceFile) -> bool:
    """Return whether a file on disk is a zip or a tar (packed or not); a workbook of Excel is
    none.
    """
    if is_workbook(entry):
        return False
    name = entry.path.name.lower()
    packed = next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)
    begin = entry._stored
    return begin[:4] in _ZIP or packed.endswith(_TAR) or begin[257:262] == b"ustar"


def _first_bytes(path: Path, size: int) -> bytes:
    with path.open("rb", buffering=0) as stream:
        return _read(stream, size)


def _members(path: Path) -> tuple[zipfile.ZipFile | None, list[str]]:
    """The names of an archive's files, and the archive, open, if it is a zip."""
    with damage(str(path)):
        if is_zip(path):
            archive = zipfile.ZipFile(path)  # closed with the last of its files
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
            refuse_zipped(names, str(path))
            return archive, names
        with _tar(path) as (tar, _):
            return None, [info.name for info in tar if info.isfile()]


@contextmanager
def _tar(path: Path) -> Iterator[tuple[tarfile.TarFile, Callable[[str], tarfile.TarInfo]]]:
    """A tar, open, and what finds a member. Python's own module unpacks no zstd: such a tar is a
    stream, whose members are found once, on the way.
    """
    if packing(_first_bytes(path, 6)) != "zstd":
        with tarfile.open(path) as tar:
            yield tar, tar.getmember
        return
    with (
        path.open("rb", buffering=0) as raw,
        unpacked(raw, str(path)) as stream,
        tarfile.open(fileobj=stream, mode="r|") as tar,
    ):
        yield tar, lambda name: next(info for info in tar if info.name == name)


def _read(stream: IO[bytes], size: int) -> bytes:
    # A gzip stream may give less than was asked for before its end.
    parts, missing = [], size
    while missing > 0 and (part := stream.read(missing)):
        parts.append(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
