"""Fetching a dataset from its publisher: only on request, atomically, and verified."""

from __future__ import annotations

import hashlib
import shutil
import ssl
import zipfile
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from cofactor.base.errors import DataError, DownloadError
from cofactor.base.progress import SILENT, Progress
from cofactor.base.staging import staging_folder
from cofactor.data.datasets.registry import Dataset, checksums, verify
from cofactor.data.readers.source_files import Source


def fetch_files(
    dataset: Dataset, cache: Path, *, progress: Progress = SILENT, timeout: float = 60.0
) -> Path:
    """Fetch the files of a dataset into ``cache/name``.

    They are fetched into a folder beside it and moved there once all of them came and passed their
    checks, so that no reader ever meets half a dataset.

    Raises
    ------
    DownloadError
        With what failed and the cure.
    """
    if not dataset.downloads:
        raise DownloadError(
            f"{dataset.name} has no download that Cofactor knows; see {dataset.origin},"
            f" and put its files into {cache / dataset.name}."
        )
    target = cache / dataset.name
    cache.mkdir(parents=True, exist_ok=True)
    with staging_folder(target) as fresh:
        with progress.task(f"fetching {dataset.name}", len(dataset.downloads)) as task:
            for name, url in dataset.downloads.items():
                _fetch_one(dataset, name, url, fresh, timeout)
                task.advance()
        _check(dataset, fresh, progress)
        if target.exists():
            shutil.rmtree(target)
        fresh.rename(target)
    return target


def _fetch_one(dataset: Dataset, name: str, url: str, folder: Path, timeout: float) -> None:
    known = checksums().get(f"{dataset.name}/{name}")
    expected = known[0] if known else dataset.md5.get(name)
    digest = hashlib.sha256() if known else hashlib.md5(usedforsecurity=False)
    place = folder / name
    try:
        _download(url, place, digest, timeout)
    except (URLError, HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
        raise DownloadError(
            f"{dataset.name} couldn't be fetched from {url} ({_cause(error)}); check the"
            " connection and try again, or set COFACTOR_DATA to a folder that holds it."
        ) from error
    except OSError as error:
        raise DownloadError(f"{dataset.name} couldn't be written to {folder}: {error}.") from error
    if expected is not None and digest.hexdigest() != expected:
        raise DownloadError(
            f"what came from {url} has a wrong checksum; try again later ({digest.name}"
            f" {digest.hexdigest()}, expected {expected})."
        )


def _download(url: str, place: Path, digest: hashlib._Hash, timeout: float) -> None:
    request = Request(url, headers={"User-Agent": "cofactor"})  # some hosts refuse urllib's own
    with urlopen(request, timeout=timeout) as response:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as out:
            while block := response.read(1 << 20):
                digest.update(block)
                out.write(block)
            n_bytes, length = out.tell(), response.headers.get("Content-Length")
    if length is not None and n_bytes < int(length):  # read() by blocks doesn't notice
        raise IncompleteRead(b"", int(length) - n_bytes)


def _cause(error: Exception) -> str:
    """Return in a few words why a connection failed."""
    reason: object = error
    if isinstance(error, URLError) and isinstance(error.reason, Exception):
        reason = error.reason
    if isinstance(reason, ssl.SSLCertVerificationError):
        return (
            "its certificate can't be verified; Python from python.org on a Mac needs its 'Install"
            " Certificates.command' run once"
        )
    return str(reason) or type(reason).__name__


def _check(dataset: Dataset, folder: Path, progress: Progress) -> None:
    archives = [path for path in folder.rglob("*.zip") if path.is_file()]
    for path in archives:
        try:
            with zipfile.ZipFile(path) as archive:
                broken = archive.testzip()
        except zipfile.BadZipFile:
            broken = "its index"
        if broken is not None:
            raise DownloadError(
                f"the zip that came for {dataset.name} is damaged ({broken}); try again."
            )
    place = Source(archives[0]) if len(archives) == 1 else Source(folder)
    try:
        n_checked, unknown = verify(dataset, place)
    except DataError as error:
        raise DownloadError(
            f"what came for {dataset.name} isn't what was published: {error}"
        ) from None
    if not n_checked and not dataset.md5:
        progress.say(
            f"the checksums of {dataset.name} are unknown; only that the files are whole was"
            " checked"
        )
    elif unknown:
        progress.say(
            f"{n_checked} files of {dataset.name} are as published; {len(unknown)} have no known"
            " checksum"
        )
