"""A csv of the shape of MovieLens 25M: grouped by user, items of skewed popularity, half stars, seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv


def write(path: Path, rows: int, *, users: int = 162_541, items: int = 59_047, seed: int = 0) -> None:
    """Write ``userId,movieId,rating,timestamp`` and so many rows."""
    rng = np.random.default_rng(seed)
    activity = np.cumsum(rng.lognormal(0, 1.3, users))
    user_ids = np.searchsorted(activity, np.sort(rng.random(rows)) * activity[-1]) + 1
    popularity = np.cumsum(1 / (np.arange(items) + 60.0))
    item_ids = np.searchsorted(popularity, rng.random(rows) * popularity[-1]) * 3 + 1
    half_stars = rng.integers(1, 11, rows) / 2
    times = rng.integers(789_652_009, 1_574_327_703, rows)
    table = pa.table({"userId": user_ids, "movieId": item_ids, "rating": half_stars, "timestamp": times})
    csv.write_csv(table, path, csv.WriteOptions(quoting_style="none"))
