"""Pieces of work that fail, which workers import by name; and what models are compared by."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from cofactor.base.engine import Seat
from cofactor.base.errors import DataError


def factors_hash(model: Any) -> str:
    return hashlib.sha256(model.user_factors.tobytes() + model.item_factors.tobytes()).hexdigest()


def whole(array: np.ndarray) -> np.ndarray:
    return array * 2


def two(array: np.ndarray) -> tuple[np.ndarray, float]:
    return array[:1], float(array.sum())


def refuse(_: object) -> None:
    raise DataError("it is empty.", source="log.csv")


def facts_of(value: dict[str, np.ndarray]) -> tuple[bool, int, float]:
    array = value["array"]
    return array.flags.writeable, array.ctypes.data % 64, float(array.sum())


def dying(
    marks: str,
    how: Any,
    shard: Any,
    fixed: np.ndarray,
    *more: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """`ials_sharded.solved`, whose worker is killed in the middle of it, once for each side."""
    from cofactor.models.implicit import ials_sharded  # compiled kernels, which others don't need

    mark = Path(marks) / str(len(fixed))
    if shard.first and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return ials_sharded.solved(how, shard, fixed, *more)


def dying_once(marks: str, how: Any, *arguments: Any) -> Any:
    """`ials_sums.summed`, whose worker is killed at its first product."""
    from cofactor.models.implicit import ials_sums

    mark = Path(marks) / "died"
    if how[0] == "products" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return ials_sums.summed(how, *arguments)


def seat_of(seat: Seat) -> tuple[int, int]:
    return seat.rank, seat.size


def end_second(seat: Seat, by_death: bool) -> None:
    """The second dies or fails, and the first would wait for it."""
    if seat.rank == 1:
        if by_death:
            os.kill(os.getpid(), signal.SIGKILL)
        refuse(seat)
    time.sleep(600)
