"""Cursors: where a list that is read page by page goes on.

A cursor holds the moment at which the list began, the version that made it and what was shown, so
that no page repeats an item, whatever happens meanwhile. It isn't a secret and grants nothing: all
that somebody could do with one of their own making is to leave out items of their own list."""

from __future__ import annotations

import base64
import binascii
import zlib
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from cofactor.service.errors import RequestError, invalid
from cofactor.store import MAX_ID

MOST_SHOWN = 1_000
_MOST_BYTES = 1 << 16
_UNREADABLE = "the cursor can't be read; begin with the first page."


class Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where a list goes on.

    Parameters
    ----------
    version
        The version of the model that makes the list.
    query
        What the list was asked by, as a digest: a cursor goes on with the same request alone.
    seq
        The last event that counts for the list.
    time
        Seconds since 1970, when the list began.
    rows
        What was shown, item rows as int32, ascending.
    ids
        Ids of what was shown and has no row.
    """

    version: Annotated[str, Meta(max_length=200)]
    query: bytes
    # Whoever made a cursor of their own gets no further than to a refusal.
    seq: Annotated[int, Meta(ge=0, le=2**62)]
    time: Annotated[int, Meta(ge=0, le=2**53)]
    rows: bytes = b""
    ids: tuple[Annotated[str, Meta(max_length=MAX_ID)], ...] = ()

    @property
    def shown(self) -> np.ndarray:
        """What was shown, int32, ascending."""
        return np.frombuffer(self.rows, np.int32)

    def after(self, rows: np.ndarray, ids: tuple[str, ...] = ()) -> Cursor | None:
        """Return the cursor behind one more page; None where the list has shown all it may."""
        shown = np.union1d(self.shown, rows).astype(np.int32)
        if len(shown) + len(self.ids) + len(ids) >= MOST_SHOWN or not len(rows) + len(ids):
            return None
        return msgspec.structs.replace(self, rows=shown.tobytes(), ids=(*self.ids, *ids))

    def text(self) -> str:
        """The cursor as a word for a URL."""
        packed = zlib.compress(msgspec.msgpack.encode(self), 6)
        return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def digest_of(*parts: Any) -> bytes:
    """Return a digest of a list's request."""
    return blake2b(msgspec.json.encode(parts, enc_hook=str), digest_size=8).digest()


def read_cursor(text: str, query: bytes, n_items: int) -> Cursor:
    """Read a cursor.

    Parameters
    ----------
    text
        What `Cursor.text` wrote.
    query
        The digest of the request.
    n_items
        How many items the version has.

    Raises
    ------
    RequestError
        422 for a cursor that can't be read, or that belongs to another request.
    """
    found = _opened(text)
    if found is None:
        raise invalid(_UNREADABLE, "cursor")
    if found.query != query:
        raise invalid(
            "the cursor belongs to another request; send it with the same parameters as the first"
            " page.",
            "cursor",
        )
    rows = found.shown
    if len(rows) + len(found.ids) > MOST_SHOWN or (
        len(rows) and (rows.min() < 0 or rows.max() >= n_items)
    ):
        raise invalid(_UNREADABLE, "cursor")
    return found


def expired(version: str) -> RequestError:
    """Return the error for a cursor whose version is gone."""
    return RequestError(
        410, "expired", f"the version {version!r} of this list is gone; begin with the first page."
    )


def version_of(text: str) -> str | None:
    """Return the version that a cursor names, before it is read with its request."""
    found = _opened(text)
    return None if found is None else found.version


def _opened(text: str) -> Cursor | None:
    """What a text holds; None where that isn't a cursor, cut off or too long."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        opened = zlib.decompressobj()
        packed = opened.decompress(raw, _MOST_BYTES)
        if opened.unconsumed_tail or not opened.eof:
            return None
        found = msgspec.msgpack.decode(packed, type=Cursor)
        return found if len(found.rows) % 4 == 0 else None
    except (ValueError, zlib.error, binascii.Error, msgspec.MsgspecError):
        return None
