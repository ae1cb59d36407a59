"""The data of the cases, written once as plain arrays that every side reads: no side prepares what
another doesn't.

An ``npz`` holds ``n_items``, and for the parts ``train`` and ``test`` CSR arrays: ``train_indptr``,
``train_items`` and, for ratings, ``train_values``."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.data.splits import split
from cofactor.data.synthetic.shapes import power_law

Arrays = dict[str, np.ndarray]


class NoData(Exception):
    """The data of a case isn't at hand."""


def prepared(name: str, folder: Path, *, quick: bool = False) -> Path:
    """Return the file of a data set; written first if it isn't there.

    Parameters
    ----------
    name
        A key of `MAKERS`.
    folder
        Where the file is kept.
    quick
        Small synthetic data of the same kind instead.
    """
    path = folder / f"{name}{'-quick' if quick else ''}.npz"
    if not path.exists():
        partial = path.with_name("part-" + path.name)
        np.savez(partial, **(small(name) if quick else MAKERS[name]()))
        partial.rename(path)
    return path


def small(name: str) -> Arrays:
    """A few thousand interactions in place of a real data set: whether a case works, not how
    fast.
    """
    data = power_law(400, 300, 9_000, rated=name.endswith("ratings"), seed=1)
    arrays = parts(split(data, "per-user", test=0.2, seed=1))
    return arrays | _with_factors(arrays) if name == "gowalla-factors" else arrays


def gowalla() -> Arrays:
    """The published Gowalla training part, a tenth of each user's interactions held out: the
    validation part.
    """
    from cofactor.data.datasets import load_split

    home_of("lightgcn-gowalla")
    return parts(split(load_split("lightgcn-gowalla").train, "per-user", test=0.1, seed=1))


def gowalla_popular() -> Arrays:
    """The 15,000 most popular items of the same training part: what a matrix of items by items
    costs, in a twentieth of the time.
    """
    from cofactor.data.datasets import load_split

    home_of("lightgcn-gowalla")
    train = load_split("lightgcn-gowalla").train
    popular = np.sort(np.argsort(-train.item_counts, kind="stable")[:15_000])
    new = np.full(train.n_items, -1)
    new[popular] = np.arange(len(popular))
    kept = new[train.item_rows] >= 0
    cut = Interactions.from_rows(
        train.user_rows[kept], new[train.item_rows[kept]], users=train.n_users, items=len(popular)
    )
    return parts(split(cut, "per-user", test=0.1, seed=1))


def gowalla_factors() -> Arrays:
    """Gowalla with the factors of a trained iALS, for tasks that begin with a model."""
    arrays = gowalla()
    return arrays | _with_factors(arrays)


def ml_1m() -> Arrays:
    """MovieLens 1M as implicit feedback, a tenth of each user's interactions held out."""
    users, items, _ = _movielens_1m(range(1, 6))
    data = Interactions.from_rows(users, items, users=6040, items=3952).compact()
    return parts(split(data, "per-user", test=0.1, seed=1))


def ml_1m_ratings() -> Arrays:
    """Fold 1 of MovieLens 1M's ratings."""
    return _ratings(_movielens_1m(range(2, 6)), _movielens_1m([1]), 6040, 3952)


def ml_100k_ratings() -> Arrays:
    """Fold u1 of MovieLens 100K's ratings."""
    home = home_of("ml-100k")
    parts = [np.loadtxt(home / f"u1.{part}", dtype=np.int64) for part in ("base", "test")]
    train, test = ((p[:, 0] - 1, p[:, 1] - 1, p[:, 2].astype(np.float32)) for p in parts)
    return _ratings(train, test, 943, 1682)


def sasrec_ml_1m(n_users: int = 1000) -> Arrays:
    """The histories of some users of SASRec's file, drawn at random, each in its own order; the
    part ``test`` holds their validation items. Items that none of them has are left out.
    """
    from cofactor.data.datasets import load_split

    home_of("sasrec-ml-1m")
    cut = load_split("sasrec-ml-1m")
    assert cut.validation is not None
    users = np.sort(np.random.default_rng(0).permutation(cut.train.n_users)[:n_users])
    train, truth = cut.train.histories(users), cut.validation.truth
    targets = truth.item_rows[truth.indptr[users]]
    known, rows = np.unique(train.item_rows, return_inverse=True)
    places = np.minimum(np.searchsorted(known, targets), len(known) - 1)
    inside = known[places] == targets
    return {
        "n_items": np.array(len(known)),
        "train_indptr": train.indptr,
        "train_items": rows.astype(np.int32),
        "test_indptr": np.append(0, np.cumsum(inside)),
        "test_items": places[inside].astype(np.int32),
    }


MAKERS: dict[str, Callable[[], Arrays]] = {
    "gowalla": gowalla,
    "gowalla-popular": gowalla_popular,
    "gowalla-factors": gowalla_factors,
    "ml-1m": ml_1m,
    "ml-1m-ratings": ml_1m_ratings,
    "ml-100k-ratings": ml_100k_ratings,
    "sasrec-ml-1m": sasrec_ml_1m,
    "sasrec-ml-1m-250": partial(sasrec_ml_1m, 250),
}


def home_of(name: str) -> Path:
    """The folder of a data set; NoData if it isn't at hand."""
    home = os.environ.get("COFACTOR_DATA")
    if not home or not (Path(home) / name).is_dir():
        raise NoData(f"needs {name} in the folder COFACTOR_DATA")
    return Path(home) / name


def _movielens_1m(folds: range | list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    import gzip

    table = []
    for fold in folds:
        with gzip.open(home_of("ml-1m") / f"folds/test_1m{fold}.dat.gz") as file:
            table.append(np.loadtxt(file, delimiter=",", dtype=np.float32))
    joined = np.concatenate(table)
    return joined[:, 0].astype(np.int64) - 1, joined[:, 1].astype(np.int64) - 1, joined[:, 2]


def _ratings(
    train: tuple[np.ndarray, ...], test: tuple[np.ndarray, ...], users: int, items: int
) -> Arrays:
    made: Arrays = {"n_items": np.array(items)}
    for name, (u, i, v) in (("train", train), ("test", test)):
        data = Interactions.from_rows(u, i, v, users=users, items=items)
        made |= _csr(name, data)
    return made


def parts(cut: Split) -> Arrays:
    """The parts ``train`` and ``test`` of a split."""
    return (
        {"n_items": np.array(cut.train.n_items)}
        | _csr("train", cut.train)
        | _csr("test", cut.test.truth)
    )


def _csr(name: str, data: Interactions) -> Arrays:
    found = {f"{name}_indptr": data.indptr, f"{name}_items": data.item_rows}
    return found if data.values is None else found | {f"{name}_values": data.values}


def interactions(arrays: Arrays, part: str = "train") -> Interactions:
    """A part as `Interactions`."""
    indptr, items = arrays[f"{part}_indptr"], arrays[f"{part}_items"]
    users = np.repeat(np.arange(len(indptr) - 1, dtype=np.int32), np.diff(indptr))
    return Interactions.from_rows(
        users,
        items,
        arrays.get(f"{part}_values"),
        users=len(indptr) - 1,
        items=int(arrays["n_items"]),
    )


def _with_factors(arrays: Arrays) -> Arrays:
    from cofactor.models.implicit.ials import IALS

    model = IALS(factors=64, unobserved_weight=0.007, regularization=0.005, epochs=5).fit(
        interactions(arrays)
    )
    factors = {"user_factors": model.user_factors, "item_factors": model.item_factors}
    return factors | {f"state_{name}": array for name, array in model.state().items()}
