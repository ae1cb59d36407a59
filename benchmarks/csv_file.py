"""Interactions as a csv like MovieLens' own: grouped by user, half stars, seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from cofactor.data.interactions import Interactions


def write_interactions(path: Path, data: Interactions) -> None:
    """Write interactions that have values and times, in the order of their rows."""
    assert data.values is not None
    assert data.times is not None
    _write(path, data.user_rows, data.item_rows, data.values, data.times)


def _write(path: Path, *columns: np.ndarray) -> None:
    table = pa.table(dict(zip(("userId", "movieId", "rating", "timestamp"), columns, strict=True)))
    csv.write_csv(table, path, csv.WriteOptions(quoting_style="none"))
