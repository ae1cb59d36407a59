"""A csv of the shape of MovieLens 25M: grouped by user, items of skewed popularity, half stars, seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from cofactor.data.interactions import Interactions


def write(path: Path, rows: int, *, users: int = 162_541, items: int = 59_047, seed: int = 0) -> None:
    """Write ``userId,movieId,rating,timestamp`` and so many rows."""
    rng = np.random.default_rng(seed)
    activity = np.cumsum(rng.lognormal(0, 1.3, users))
    user_ids = np.searchsorted(activity, np.sort(rng.random(rows)) * activity[-1]) + 1
    popularity = np.cumsum(1 / (np.arange(items) + 60.0))
    item_ids = np.searchsorted(popularity, rng.random(rows) * popularity[-1]) * 3 + 1
    half_stars = rng.integers(1, 11, rows) / 2
    times = rng.integers(789_652_009, 1_574_327_703, rows)
    _write(path, user_ids, item_ids, half_stars, times)


def write_interactions(path: Path, data: Interactions) -> None:
    """Write interactions that have values and times, in the order of their rows."""
    assert data.values is not None
    assert data.times is not None
    _write(path, data.user_rows, data.item_rows, data.values, data.times)


def _write(path: Path, *columns: np.ndarray) -> None:
    table = pa.table(dict(zip(("userId", "movieId", "rating", "timestamp"), columns, strict=True)))
    csv.write_csv(table, path, csv.WriteOptions(quoting_style="none"))
