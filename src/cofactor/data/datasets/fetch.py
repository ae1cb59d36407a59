"""Fetching a dataset from its publisher: only on request, atomically, and verified."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path

from cofactor.base.errors import DataError, DownloadError
from cofactor.base.progress import SILENT, Progress
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
    with tempfile.TemporaryDirectory(prefix=f".{dataset.name}-", dir=cache) as folder:
        fresh = Path(folder) / dataset.name
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
    import pooch
    import requests

    known = checksums().get(f"{dataset.name}/{name}")
    digest = (
        f"sha256:{known[0]}"
        if known
        else f"md5:{dataset.md5[name]}"
        if name in dataset.md5
        else None
    )
    place = folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        pooch.get_logger().setLevel("WARNING")  # what is said goes through progress
        pooch.retrieve(
            url,
            known_hash=digest,
            fname=place.name,
            path=place.parent,
            downloader=pooch.HTTPDownloader(timeout=timeout, progressbar=False),
        )
    except requests.exceptions.RequestException as error:
        raise DownloadError(
            f"{dataset.name} couldn't be fetched from {url} ({type(error).__name__}); check the"
            " connection and try again, or set COFACTOR_DATA to a folder that holds it."
        ) from error
    except ValueError as error:
        raise DownloadError(
            f"what came from {url} has a wrong checksum; try again later ({error})."
        ) from error
    except OSError as error:
        raise DownloadError(f"{dataset.name} couldn't be written to {folder}: {error}.") from error


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
