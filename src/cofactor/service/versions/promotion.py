"""Promotion without a running service: the same checks, the same atomic step; a service that uses
the folder notices.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cofactor.artifact.load import load
from cofactor.base.errors import ArtifactError
from cofactor.service.answering.items import LiveItems
from cofactor.service.answering.loaded import checked_model, load_version
from cofactor.service.settings import Settings
from cofactor.service.versions.comparison import (
    LOADING_CHECKS,
    check_knowledge,
    check_measured,
    compared,
)
from cofactor.service.versions.versions import Folder
from cofactor.store import Store


@dataclass(frozen=True)
class Promoted:
    """What a promotion or a rollback did.

    Parameters
    ----------
    version, previous
        What answers now, and what did before.
    checks
        What was looked at, in words.
    seconds
        How long it took.
    """

    version: str
    previous: str
    checks: tuple[str, ...]
    seconds: float


def promote(path: Path, version: str, store: Store | None, *, force: bool = False) -> Promoted:
    """Check a version of a folder and let it answer.

    Parameters
    ----------
    path
        The folder of versions.
    version
        One of its subfolders.
    store
        The service's events, open for reading; None if there are none: then there is nothing to
        compare the versions on.
    force
        Whether to skip all comparisons with the current version; files, checksums and scores are
        checked all the same.

    Raises
    ------
    ArtifactError
        If the version is damaged, or gives scores that aren't finite numbers.
    RequestError
        If it is significantly worse than the one that answers now, knows far less, lacks titles or
        content that it has, or was measured on too few people.
    """
    started = time.monotonic()
    folder = Folder(path)
    before = folder.pointer().version
    where, settings = folder.folder(version), Settings()
    folder.check_changeable()
    checks = list(LOADING_CHECKS)
    compares = not force and version != before
    if store is None:
        manifest, model = checked_model(where, version)
        if compares:
            with _comparable(version, before):
                old_data = load(folder.path / folder.current()).data
                old_manifest = folder.manifest(before)
            checks.append(check_knowledge(version, model.data, old_data))
            checks.append(check_measured(version, manifest, old_manifest))
        checks.append("no stored events to compare on")
    else:
        live = LiveItems(store)
        new = load_version(where, version, live, store, settings)
        if compares:
            with _comparable(version, before):
                old = load_version(folder.path / folder.current(), before, live, store, settings)
            checks.append(check_knowledge(version, new.model.data, old.model.data))
            checks.append(compared(new, old, store))
    folder.promote(version)
    return Promoted(version, before, tuple(checks), time.monotonic() - started)


@contextlib.contextmanager
def _comparable(version: str, before: str) -> Iterator[None]:
    """Say of a current version that can't be loaded what it stands in the way of."""
    try:
        yield
    except ArtifactError as error:
        raise ArtifactError(
            f"version {version!r} can't be compared with the current one, {before!r}:"
            f" {str(error).rstrip('.')}; --force promotes it without a comparison."
        ) from error


def roll_back(path: Path) -> Promoted:
    """Let the version before the current one answer again, once its files, checksums and scores are
    checked as `promote` does. It isn't compared with the current one: that is what it replaces.

    Raises
    ------
    ArgumentError
        If there is none.
    ArtifactError
        If it is damaged, or gives scores that aren't finite numbers; the current one stays.
    """
    started = time.monotonic()
    folder = Folder(path)
    now, version = folder.pointer().version, folder.before()[0]
    checked_model(folder.folder(version), version)
    folder.roll_back(version)
    return Promoted(version, now, LOADING_CHECKS, time.monotonic() - started)
