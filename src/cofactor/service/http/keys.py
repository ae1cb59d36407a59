"""API keys: random, kept as hashes, each with a scope.

A file of keys has one line a key: its scope, the SHA-256 of the key in hex, and a label. A key is
32 random bytes, so a plain hash is enough: there is nothing to guess."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cofactor.base.disk import naming_full
from cofactor.base.errors import ArgumentError
from cofactor.base.names import unknown_name
from cofactor.service.errors import RequestError

# Each scope holds those before it.
SCOPES = ("public", "read", "write", "admin")
_PREFIX = "cof_"
_MOST = 1 << 20  # bytes of a file of keys: some ten thousand


@dataclass(frozen=True)
class Key:
    """What is known of a key: its scope and its hash, never itself."""

    scope: str
    digest: str


class Keys:
    """The keys that a service knows.

    Parameters
    ----------
    known
        SHA-256 in hex -> key. Empty: no keys are required (on the loopback only).
    """

    def __init__(self, known: Mapping[str, Key] | None = None) -> None:
        self._known = dict(known or {})

    def __len__(self) -> int:
        return len(self._known)

    @classmethod
    def read(cls, path: Path) -> Keys:
        """Read a file of keys.

        Raises
        ------
        ArgumentError
            If it can't be read, a line is damaged, or it holds no key.
        """
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise ArgumentError(
                f"keys: {path} can't be read: {error.strerror}; `cofactor serve --new-key read"
                f" --keys {path}` makes one."
            ) from None
        known = _known(path, raw)
        if not known:
            raise ArgumentError(
                f"keys: {path} holds no key; `cofactor serve --new-key read --keys {path}` makes"
                " one."
            )
        return cls(known)

    def digest_of(self, key: bytes) -> str:
        """Return the digest of a key that is known, empty of another."""
        found = hashed(key.decode("latin-1"))
        return found if found in self._known else ""

    def check(self, header: str | None, scope: str) -> Key | None:
        """Return the key of an ``Authorization`` header if it may do what the scope allows; None
        where no keys are required.

        Raises
        ------
        RequestError
            401 without a key or with an unknown one, 403 with one of a lesser scope.
        """
        if not self._known or scope == "public":
            return None
        kind, _, given = (header or "").partition(" ")
        if kind.lower() != "bearer" or not given:
            raise RequestError(
                401, "no_key", "this needs an API key: send the header 'Authorization: Bearer KEY'."
            )
        # Looked up by its hash: the time that takes says nothing of a key.
        key = self._known.get(hashed(given.strip()))
        if key is None:
            raise RequestError(401, "unknown_key", "this API key is unknown.")
        if SCOPES.index(key.scope) < SCOPES.index(scope):
            raise RequestError(
                403,
                "scope",
                f"this needs a key of the scope {scope!r}; the one that was sent has"
                f" {key.scope!r}.",
            )
        return key


def _known(path: Path, raw: bytes) -> dict[str, Key]:
    """The keys in a file's bytes; raises ArgumentError where it isn't a file of keys."""
    try:
        lines = raw.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ArgumentError(f"keys: {path} isn't a file of keys: it isn't text.") from None
    known: dict[str, Key] = {}
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if (
            len(words) < 2
            or words[0] not in SCOPES[1:]
            or len(words[1]) != 64
            or set(words[1]) - set("0123456789abcdef")
        ):
            raise ArgumentError(
                f"keys: line {number} of {path} must be a scope, a SHA-256 in hex and a label."
            )
        if known.setdefault(words[1], Key(*words[:2])).scope != words[0]:
            raise ArgumentError(
                f"keys: line {number} of {path} gives a key another scope than a line before;"
                " leave one of them."
            )
    return known


def hashed(key: str) -> str:
    """Return a key's SHA-256 in hex."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def new_key(path: Path, scope: str) -> str:
    """Make a key, add its hash to a file, and return the key; it can't be found out again.

    Raises
    ------
    UnknownNameError
        If the scope doesn't exist.
    ArgumentError
        If there is a file that isn't one of keys; it is left as it was.
    CofactorError
        If the disk is full; the file is as it was.
    """
    if scope not in SCOPES[1:]:
        raise unknown_name("scope", scope, SCOPES[1:])
    key = _PREFIX + secrets.token_urlsafe(32)
    if path.exists() and not path.is_file():
        raise ArgumentError(f"keys: {path} must be a file of keys, or not exist; nothing was made.")
    with naming_full(path, "no key was made"), _opened(path) as stream:
        # What isn't a file of keys, because its name was mistaken, stays as it is.
        size = stream.seek(0, os.SEEK_END)
        if size > _MOST:
            raise ArgumentError(f"keys: {path} isn't a file of keys: it has {size:,} bytes.")
        stream.seek(0)
        before = stream.read()
        _known(path, before)
        with contextlib.suppress(OSError):  # a file that others could read
            os.chmod(path, 0o600)
        # An editor may have left the last line without its end.
        start = "\n" if before and not before.endswith(b"\n") else ""
        line = f"{start}{scope} {hashed(key)} {scope}\n"
        try:
            # A full disk takes a part of it without an error, and the rest with one.
            rest = memoryview(line.encode())
            while rest:
                rest = rest[stream.write(rest) :]
            os.fsync(stream.fileno())
        except OSError:
            stream.truncate(size)
            raise
    return key


def _opened(path: Path) -> io.FileIO:
    """A file of keys, made if need be, to read and to write to its end."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(handle, "r+b", buffering=0)
