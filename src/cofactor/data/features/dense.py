"""The dense features of a table: numbers and dates as standard scores, and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.data.features.columns import Column, dates
from cofactor.data.features.forms import days_of
from cofactor.data.features.plain import numbers_of
from cofactor.data.features.texts import as_text


def numbers_in(table: pa.Table, columns: Sequence[Column]) -> list[np.ndarray]:
    """Return numbers and dates (in days), float64, NaN where missing; a column that isn't there is
    missing everywhere.
    """
    return [_number(table, column) for column in columns if column.kind in ("number", "date")]


def scale_of(values: np.ndarray) -> tuple[float, float]:
    """Return the mean and the standard deviation of the numbers that are there."""
    good = values[np.isfinite(values)]
    if not len(good):
        return 0.0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = float(good.mean()), float(good.std())
    if np.isfinite(deviation) and (deviation > 0 or good.min() == good.max()):
        return mean, deviation
    unit = np.abs(good).max()  # in units of it, no square is too large or too small
    return float((good / unit).mean() * unit), float((good / unit).std() * unit)


def standard_scores(table: pa.Table, columns: Sequence[Column], scales: np.ndarray) -> np.ndarray:
    """Return the scores of numbers and the marks of missing ones, float32 [n_rows, 2 n_numbers]."""
    made = np.zeros((table.num_rows, 2 * len(scales)), np.float32)
    for n, (values, (mean, deviation)) in enumerate(
        zip(numbers_in(table, columns), scales, strict=False)
    ):
        missing = ~np.isfinite(values)
        if deviation > 0:
            made[:, 2 * n] = np.clip(
                np.where(missing, 0, (np.where(missing, mean, values) - mean) / deviation),
                -3,
                3,
            )
        made[:, 2 * n + 1] = missing
    return made * np.float32(0.3 / np.sqrt(max(1, len(scales))))


def unit_vectors(
    table: pa.Table, columns: Sequence[Column], lengths: Sequence[int], weight: float
) -> list[np.ndarray]:
    """Return each vector column, float32 [n_rows, length], at length ``weight``; zeros where it is
    missing.
    """
    made = []
    for column, length in zip((c for c in columns if c.kind == "vector"), lengths, strict=True):
        rows = np.zeros((table.num_rows, length), np.float32)
        if column.name in table.column_names and not pa.types.is_null(
            table.column(column.name).type
        ):
            lists = table.column(column.name).to_pylist()
            for n, one in enumerate(lists):
                if isinstance(one, list) and len(one) == length and _numeric(one):
                    rows[n] = [np.nan if cell is None else cell for cell in one]
        rows = np.where(np.isfinite(rows), rows, 0)
        made.append(
            rows
            * (weight / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)).astype(
                np.float32
            )
        )
    return made


def _numeric(cells: list[Any]) -> bool:
    return all(cell is None or isinstance(cell, (int, float)) for cell in cells)


def _number(table: pa.Table, column: Column) -> np.ndarray:
    if column.name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    values = table.column(column.name)
    if pa.types.is_null(values.type):
        return np.full(table.num_rows, np.nan)
    if column.kind == "date":
        if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
            return (
                np.asarray(
                    values.cast(pa.timestamp("s"), safe=False)
                    .cast(pa.int64())
                    .cast(pa.float64())
                    .fill_null(np.nan),
                    np.float64,
                )
                / 86400
            )
        texts = as_text(values)
        return days_of(texts, column.form) if column.form else dates(texts)[0]
    return numbers_of(values)
