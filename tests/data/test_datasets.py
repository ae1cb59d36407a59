"""Named datasets: published counts and splits (on the real files, where they are at hand), and
fetching.
"""

from __future__ import annotations

import hashlib
import io
import ssl
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

from cofactor.base.errors import ArgumentError, DownloadError, UnknownNameError
from cofactor.data import datasets
from cofactor.data.datasets.fetch import fetch_files
from cofactor.data.interactions import Interactions
from cofactor.data.readers import read
from cofactor.data.split import Split

SETS = tuple(datasets.datasets())
HERE = [
    name for name in SETS if name not in ("ml-10m", "ml-20m", "ml-25m", "ml-32m", "goodbooks-10k")
]


@cache
def split_of(name: str, fold: str | int | None, home: Path) -> Split:
    """A published split, read once; tests don't change it."""
    return datasets.load_split(name, fold=fold, home=home)


def of(name: str) -> object:
    return pytest.param(name, marks=pytest.mark.data(name))


@pytest.mark.parametrize("name", [of(name) for name in HERE])
def test_counts_are_the_published_ones(name: str, data_home: Path) -> None:
    events = datasets.load(name, home=data_home)
    data = Interactions.build(events)
    counts = datasets.get(name).counts
    assert (data.n_users, data.n_items, len(events)) == (
        counts["users"],
        counts["items"],
        counts["interactions"],
    )


@pytest.mark.parametrize("name", [of(name) for name in (*HERE, "goodbooks-10k")])
def test_files_are_as_published(name: str, data_home: Path) -> None:
    n_checked, _ = datasets.verified(name, home=data_home)
    assert n_checked > 0


@pytest.mark.parametrize(
    ("name", "fold", "sizes"),
    [
        pytest.param("ml-100k", "u1", (80_000, None, 20_000), marks=pytest.mark.data("ml-100k")),
        pytest.param("ml-100k", "ua", (90_570, None, 9_430), marks=pytest.mark.data("ml-100k")),
        pytest.param("ml-1m", 5, (800_168, None, 200_041), marks=pytest.mark.data("ml-1m")),
        pytest.param(
            "gowalla", None, (810_128, None, 217_242), marks=pytest.mark.data("lightgcn-gowalla")
        ),
        pytest.param(
            "lcfn-ml-1m", None, (796_244, None, 99_455), marks=pytest.mark.data("lcfn-ml-1m")
        ),
        pytest.param(
            "sasrec-ml-1m", None, (987_531, 6_040, 6_040), marks=pytest.mark.data("sasrec-ml-1m")
        ),
        pytest.param(
            "amazon-beauty",
            None,
            (153_776, 22_363, 22_363),
            marks=pytest.mark.data("amazon-beauty-5core"),
        ),
        pytest.param(
            "citeulike-a", "cold", (164_210, None, 40_776), marks=pytest.mark.data("citeulike-a")
        ),
        pytest.param(
            "citeulike-a", "warm", (170_988, None, 33_998), marks=pytest.mark.data("citeulike-a")
        ),
        pytest.param(
            "ncf-ml-1m", None, (994_169, None, 6_040), marks=pytest.mark.data("ncf-ml-1m")
        ),
    ],
)
def test_published_splits_have_their_sizes(
    name: str, fold: str | int | None, sizes: tuple[int, int | None, int], data_home: Path
) -> None:
    split = split_of(name, fold, data_home)
    validation = None if split.validation is None else len(split.validation.truth)
    assert (len(split.train), validation, len(split.test.truth)) == sizes
    assert split.train.users == split.test.truth.users
    assert split.train.items == split.test.truth.items
    assert not _shared_pairs(split)


def _shared_pairs(split: Split) -> int:
    keys = [
        part.user_rows.astype(np.int64) * part.n_items + part.item_rows
        for part in (split.train, split.test.truth)
    ]
    return len(np.intersect1d(*keys, assume_unique=True))


@pytest.mark.data("ml-100k")
def test_catalogue_of_ml_100k_has_titles_genres_and_years(data_home: Path) -> None:
    data = Interactions.build(datasets.load("ml-100k", home=data_home))
    row = int(data.items.rows(["1"])[0])
    assert data.catalogue.row(row)["genres"] == ["Animation", "Children's", "Comedy"]
    assert data.catalogue.row(row)["year"] == 1995
    assert data.profiles.column_names == ["age", "gender", "occupation", "zip"]
    accented = data.catalogue.search("miserables")
    assert "Misérables, Les (1995)" in data.catalogue.titles(accented)


@pytest.mark.data("ncf-ml-1m")
def test_ncf_negatives_stand_beside_their_test_item(data_home: Path) -> None:
    split = split_of("ncf-ml-1m", None, data_home)
    negatives, truth = split.test.negatives, split.test.truth
    assert negatives is not None
    assert negatives.shape == (6_040, 99)
    # As published, 156 test items are among their own negatives, and no negative is a training
    # item.
    assert int((negatives == truth.item_rows[:, None]).any(axis=1).sum()) == 156
    train = split.train
    trained = np.zeros((train.n_users, train.n_items), bool)
    trained[train.user_rows, train.item_rows] = True
    assert not trained[truth.user_rows[:, None], negatives].any()


@pytest.mark.data("citeulike-a")
def test_cold_items_of_citeulike_have_no_training(data_home: Path) -> None:
    split = split_of("citeulike-a", "cold", data_home)
    candidates = split.test.candidates
    assert candidates is not None
    assert len(candidates) == 3_396
    assert split.train.item_counts[candidates].sum() == 0
    assert np.isin(split.test.truth.item_rows, candidates).all()
    assert "tags" in split.train.catalogue.column_names
    cited = split.train.catalogue.table.column("citations").combine_chunks()
    lengths = cited.value_lengths().to_numpy()
    members, row = cited.flatten().cast("int64").to_numpy(), np.repeat(np.arange(16_980), lengths)
    own = members == row
    assert own.sum() == 16_980
    assert len(members) - own.sum() == 89_418 - 96  # those that cite themselves
    pairs = set(zip(row.tolist(), members.tolist(), strict=True))
    assert all((b, a) in pairs for a, b in pairs)


@pytest.mark.data("sasrec-ml-1m")
def test_sasrec_test_item_is_the_last_of_the_file(data_home: Path) -> None:
    split = split_of("sasrec-ml-1m", None, data_home)
    text = read(data_home / "sasrec-ml-1m" / "ml-1m.txt.gz")
    users, items = np.asarray(text.users.cast("int64")), np.asarray(text.items.cast("int64"))
    ends = np.flatnonzero(np.append(users[1:] != users[:-1], True))
    truth = split.test.truth
    np.testing.assert_array_equal(np.asarray(truth.items.take(truth.item_rows)), items[ends])
    # What the test may see is all before: training and the validation item.
    assert len(split.test.history) == len(split.train) + 6_040


@pytest.mark.data("book-crossing")
def test_books_of_book_crossing_are_fixed(data_home: Path) -> None:
    events = datasets.load("book-crossing", variant="history", home=data_home)
    assert len(events) == 272_678
    assert events.item_table is not None
    assert events.item_table.num_rows == 17_384
    assert any(note.startswith("973 rows of items_info.dat") for note in events.notes)
    data = Interactions.build(events)
    assert (data.n_users, data.n_items) == (2_946, 17_384)


@pytest.mark.data("goodbooks-10k")
def test_goodbooks_sample_is_said_to_be_one(data_home: Path) -> None:
    events = datasets.load("goodbooks-10k", home=data_home)
    assert len(events) == 99
    assert any("not for training" in note for note in events.notes)
    assert len(Interactions.build(events, keep_catalogue_items=True).items) == 10_000


def test_names_aliases_and_unknown_ones() -> None:
    assert datasets.get("gowalla").name == "lightgcn-gowalla"
    with pytest.raises(
        UnknownNameError, match="unknown dataset 'movielens-1b'; did you mean movielens-1m"
    ):
        datasets.get("movielens-1b")
    with pytest.raises(ArgumentError, match="no split of ml-25m was published"):
        datasets.load_split("ml-25m")


def test_every_dataset_says_what_it_is() -> None:
    for name, dataset in datasets.datasets().items():
        assert dataset.name == name
        assert all(
            (
                dataset.title,
                dataset.origin.startswith("https://"),
                dataset.terms,
                dataset.citation,
                dataset.good_for,
            )
        )
        assert dataset.counts["interactions"] > 0
        assert (dataset.split is None) == (not dataset.folds)


class _Files(BaseHTTPRequestHandler):
    content: bytes = b""
    missing = 0

    def do_GET(self) -> None:
        if not self.content:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content) + self.missing))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serving(content: bytes, missing: int = 0) -> Iterator[str]:
    handler = type("_Served", (_Files,), {"content": content, "missing": missing})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/ratings.zip"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("ml/ratings.csv", "userId,movieId,rating,timestamp\n1,2,3.5,964982703\n")
        archive.writestr("ml/movies.csv", "movieId,title,genres\n2,Two (1999),Drama|War\n")
    return buffer.getvalue()


def offered(url: str, md5: str | None = None) -> datasets.Dataset:
    return replace(
        datasets.get("ml-25m"),
        downloads={"ml-25m.zip": url},
        md5={"ml-25m.zip": md5} if md5 else {},
    )


def test_fetched_zip_is_read_in_place(tmp_path: Path) -> None:
    content = zipped()
    with serving(content) as url:
        folder = fetch_files(offered(url, hashlib.md5(content).hexdigest()), tmp_path)
    assert folder == tmp_path / "ml-25m"
    events = datasets.load("ml-25m", home=tmp_path)
    assert events.items.to_pylist() == [2]
    assert events.item_table is not None
    assert events.item_table.column("genres").to_pylist() == [["Drama", "War"]]


def test_wrong_checksum_leaves_nothing_behind(tmp_path: Path) -> None:
    with serving(zipped()) as url, pytest.raises(DownloadError, match="has a wrong checksum"):
        fetch_files(offered(url, "0" * 32), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_damaged_zip_without_a_known_checksum_is_refused(tmp_path: Path) -> None:
    with (
        serving(zipped()[:-30]) as url,
        pytest.raises(DownloadError, match="the zip that came for ml-25m is damaged"),
    ):
        fetch_files(offered(url), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_refused_connection_is_one_clear_sentence(tmp_path: Path) -> None:
    with serving(b"") as url:
        pass  # the port is closed again
    with pytest.raises(
        DownloadError,
        match=r"ml-25m couldn't be fetched from http://127\.0\.0\.1.*check the connection",
    ):
        fetch_files(offered(url), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_download_that_breaks_off_is_not_taken_for_the_whole(tmp_path: Path) -> None:
    with (
        serving(zipped(), missing=5) as url,
        pytest.raises(DownloadError, match=r"couldn't be fetched .*5 more expected.*try again"),
    ):
        fetch_files(offered(url), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_download_that_is_gone_is_refused_with_the_status(tmp_path: Path) -> None:
    with serving(b"") as url, pytest.raises(DownloadError, match="HTTP Error 404: Not Found"):
        fetch_files(offered(url), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_unverifiable_certificate_says_what_a_mac_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*args: object, **kwargs: object) -> None:
        raise URLError(ssl.SSLCertVerificationError("unable to get local issuer certificate"))

    monkeypatch.setattr(sys.modules[fetch_files.__module__], "urlopen", refused)
    with pytest.raises(DownloadError, match=r"Install Certificates\.command"):
        fetch_files(offered("https://localhost/ratings.zip"), tmp_path)


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, ".cache/cofactor/datasets"),
        ("linux", {"XDG_CACHE_HOME": "/c"}, "/c/cofactor/datasets"),
        ("darwin", {}, "Library/Caches/cofactor/datasets"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/cofactor/cofactor/Cache/datasets"),
        ("linux", {"COFACTOR_CACHE": "/own"}, "/own"),
    ],
)
def test_downloads_go_to_the_platform_s_cache_folder(
    platform: str, variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("COFACTOR_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", platform)
    assert datasets.cache_folder() == Path.home() / expected


def test_dataset_without_downloads_says_where_it_is_described(tmp_path: Path) -> None:
    with pytest.raises(
        DownloadError, match="amazon-scientific has no download that Cofactor knows"
    ):
        datasets.fetch("amazon-scientific", home=tmp_path)
