"""The versions of the model: which one answers, and how that changes without anybody noticing.

A folder of versions holds one saved model per subfolder, and the file ``current``::

    models/
      current          {"version": "2026-11-22", "before": ["2026-11-15", "2026-11-08"]}
      2026-11-22/      manifest.json, tensors.safetensors ...
      2026-11-15/

``current`` is replaced in one atomic step. Without it the version saved last answers. The folder of
a single saved model is served too; it is its own only version."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec

from cofactor.artifact.format import MANIFEST, Manifest
from cofactor.artifact.load import inspect
from cofactor.base import checks
from cofactor.base.disk import stamp_of
from cofactor.base.errors import ArgumentError, ArtifactError
from cofactor.base.names import is_text
from cofactor.base.state_file import StateError, read_state, write_state

CURRENT = "current"
_REMEMBERED = 50


class Pointer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file ``current`` holds: the version that answers, and those before it, the latest
    first.
    """

    version: str
    before: list[str] = []


class Folder:
    """A folder of versions, or of one saved model.

    Parameters
    ----------
    path
        The folder.

    Raises
    ------
    ArtifactError
        If there is no model in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = checks.path(path, "folder")
        self.single = (self.path / MANIFEST).is_file()
        self._lock = threading.Lock()
        if not self.single and not self.versions():
            what = "holds no saved model" if self.path.is_dir() else "doesn't exist"
            raise ArtifactError(
                f"{self.path} {what}; give the folder that `cofactor train --out` wrote, or a"
                " folder of several such."
            )

    def versions(self) -> list[str]:
        """Return the names of all versions, ascending."""
        if self.single:
            return [self.path.name]
        if not self.path.is_dir():
            return []
        return sorted(
            p.name
            for p in self.path.iterdir()
            if not p.name.startswith(".") and is_text(p.name) and (p / MANIFEST).is_file()
        )

    def folder(self, version: str) -> Path:
        """Return the folder of a version.

        Raises
        ------
        ArgumentError
            If there is none of that name.
        """
        # The name must be one of those that are there: it can't lead out of the folder.
        if version not in self.versions():
            raise ArgumentError(
                f"version: there is no version {version!r}; there are"
                f" {', '.join(self.versions()[:20])}."
            )
        return self.path if self.single else self.path / version

    def manifest(self, version: str) -> Manifest:
        """Return what a version is."""
        return inspect(self.folder(version))

    def pointer(self) -> Pointer:
        """Return which version is to answer.

        Raises
        ------
        ArtifactError
            If the file ``current`` can't be read.
        """
        if self.single:
            return Pointer(self.path.name)
        try:
            return read_state(self.path / CURRENT, Pointer)
        except FileNotFoundError:
            return Pointer(self._latest())
        except StateError as error:
            raise ArtifactError(
                f"{self.path / CURRENT} can't be read: {error}; delete it: without it the version"
                " saved last answers."
            ) from None

    def current(self) -> str:
        """Return the version that is to answer.

        Raises
        ------
        ArtifactError
            If the file ``current`` can't be read, or names a version that isn't there.
        """
        version, there = self.pointer().version, self.versions()
        if version not in there:
            raise ArtifactError(
                f"{self.path / CURRENT} names the version {version!r}, which isn't there; `cofactor"
                f" promote {self.path} VERSION --force` lets another one answer:"
                f" {', '.join(there[:20])}."
            )
        return version

    def stamp(self) -> tuple[int, int] | None:
        """Return something that changes whenever ``current`` is replaced."""
        return stamp_of(self.path / CURRENT)

    def promote(self, version: str) -> Pointer:
        """Make a version the one that answers, in one atomic step."""
        self.check_changeable()
        with self._lock:
            self.folder(version)
            now = self.pointer()
            # Of the version that answers too: who serves it looks whether it was saved again.
            before = [now.version, *now.before] if now.version != version else now.before
            return self._write(Pointer(version, before[:_REMEMBERED]))

    def before(self) -> list[str]:
        """Return the versions before the current one that are still there, the latest first.

        Raises
        ------
        ArgumentError
            If there is none.
        """
        self.check_changeable()
        there = self.versions()
        left = [one for one in self.pointer().before if one in there]
        if not left:
            raise ArgumentError(
                "version: there is no version before the current one to go back to."
            )
        return left

    def roll_back(self, version: str) -> Pointer:
        """Make the version before the current one, which was checked, answer again.

        Raises
        ------
        ArgumentError
            If it isn't the version before the current one (any more).
        """
        with self._lock:
            left = self.before()
            if left[0] != version:
                raise ArgumentError(
                    f"version: {left[0]!r}, no longer {version!r}, is before the current one, which"
                    " was changed meanwhile; look, and roll back again."
                )
            return self._write(Pointer(version, left[1:]))

    def _write(self, pointer: Pointer) -> Pointer:
        write_state(self.path / CURRENT, msgspec.json.encode(pointer) + b"\n")
        return pointer

    def check_changeable(self) -> None:
        """Raise ArgumentError if it is a single saved model, which has no other versions to
        promote.
        """
        if self.single:
            raise ArgumentError(
                f"version: {self.path.name} is a single saved model; serve a folder that holds one"
                " saved model per subfolder to promote."
            )

    def _latest(self) -> str:
        """The version that was saved last; of several the last by name."""
        made = []
        for version in self.versions():
            try:
                made.append((self.manifest(version).created, version))
            except ArtifactError:
                continue
        if not made:
            raise ArtifactError(
                f"none of the versions in {self.path} can be read; `cofactor inspect` says why."
            )
        return max(made)[1]
