"""Packed streams seen through: gzip, bzip2, xz, zstd; bounded, and damage typed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

import pyarrow as pa

from cofactor.base.errors import DataError

# Well below the blocks that are asked for, which then are read into their place without a copy.
BUFFER = 1 << 17
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    # What is to be skipped: pzstd begins with its sizes.
    **{bytes([first]) + b"\x2a\x4d\x18": "zstd" for first in range(0x50, 0x60)},
}
SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".gzip")
# No table shrinks to less than a two-hundredth, so beyond this size such a stream is a bomb.
_RATIO, _FREE = 200, 1 << 28


def packing(head: bytes) -> str | None:
    """Return how a stream that begins so is packed; None if it isn't."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def unpacked(raw: Any, source: str, depth: int = 2) -> IO[bytes]:
    """Return a stream of unpacked bytes of a raw one; one that isn't packed as it is, and one that
    is packed again ``depth`` times at most.
    """
    buffered = io.BufferedReader(raw, BUFFER)
    kind = packing(buffered.peek(6)[:6])
    if kind is None or not depth:
        return buffered
    counted = _Counted(buffered, source)
    stream: Any
    if kind == "gzip":
        stream = gzip.GzipFile(fileobj=counted)
    elif kind == "bzip2":
        stream = bz2.BZ2File(counted)
    elif kind == "xz":
        stream = lzma.LZMAFile(cast(IO[bytes], counted))  # noqa: SIM115  # closed with its file
    else:
        stream = pa.CompressedInputStream(pa.PythonFile(counted, "r"), "zstd")
    return unpacked(_Counted(stream, source, counted), source, depth - 1)


class _Counted(io.RawIOBase):
    """A stream that knows how much was read of it, and must not be a bomb.

    Parameters
    ----------
    stream, source
        The stream, and its name in messages.
    packed
        What it is unpacked from; None for a stream that isn't packed.
    """

    def __init__(self, stream: Any, source: str, packed: _Counted | None = None) -> None:
        self._stream, self._source, self._packed = stream, source, packed
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # Arrow's streams never free what they allocate in `read` if that fails.
        size: int = self._stream.readinto(buffer)
        self.count += size
        if self._packed is not None:
            refuse_bomb(self.count, self._packed.count, self._source)
        return size


def refuse_bomb(plain: int, packed: int, source: str) -> None:
    """Raise DataError if so few packed bytes make so many that they aren't a table."""
    if plain > _FREE and plain > _RATIO * max(1, packed):
        raise DataError(
            f"it unpacks to more than {_RATIO} times its size, which no table does; unpack it"
            " first if it is one.",
            source=source,
        )


@contextmanager
def damage(source: str) -> Iterator[None]:
    """Turn what packed data raises when it is damaged into DataError."""
    try:
        yield
    except EOFError:
        raise DataError(
            "the packed stream ends before its end marker, so the file is cut short; fetch or copy"
            " it again.",
            source=source,
        ) from None
    except NotImplementedError as error:
        raise DataError(
            f"the archive is packed in a way that can't be read here ({error}); pack it again.",
            source=source,
        ) from None
    except RuntimeError as error:
        if type(error) is not RuntimeError:
            raise
        # Of zipfile: a member that is encrypted.
        raise DataError(f"the archive can't be read ({error}).", source=source) from None
    except (
        gzip.BadGzipFile,
        zlib.error,
        zipfile.BadZipFile,
        tarfile.TarError,
        lzma.LZMAError,
        struct.error,
        IndexError,
        pa.ArrowInvalid,
    ) as error:
        first = str(error).partition("\n")[0].rstrip(":")
        raise DataError(
            f"the compressed data is damaged ({first}); fetch or copy it again.", source=source
        ) from None
    except (OSError, ValueError, OverflowError, UnicodeDecodeError) as error:
        if isinstance(error, DataError) or getattr(error, "filename", None) is not None:
            raise
        raise DataError(
            f"the data can't be read ({error}); fetch or copy it again.", source=source
        ) from None
