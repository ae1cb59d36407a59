"""Values on their way to workers: large arrays apart from the rest, and never read-only.

A value is pickled with its arrays out of band, so that workers of one host share their memory.
Arrays that are mapped from a file travel as the file's name: each host maps the file itself."""

from __future__ import annotations

import io
import pickle
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cofactor.base.engine import EngineError

_KEPT = 64  # opened values that a worker keeps: shards, and a model or two


class Packed(NamedTuple):
    """A pickled value: its text, and the memory of its arrays."""

    token: str
    text: bytes
    buffers: list[np.ndarray]


def pack(value: Any) -> Packed:
    """Pickle a value.

    Raises
    ------
    EngineError
        If it holds what other processes can't have: a function or class inside of a function, an
        open file.
    """
    buffers: list[pickle.PickleBuffer] = []
    stream = io.BytesIO()
    try:
        _Pickler(stream, protocol=5, buffer_callback=buffers.append).dump(value)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise EngineError(
            f"something can't be sent to workers ({error}); define functions and classes at the top"
            " of a module that every host can import, or leave the engine out."
        ) from error
    raw = [np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers]
    return Packed(uuid.uuid4().hex, stream.getvalue(), raw)


def unpack(packed: Packed, *, own: bool = False) -> Any:
    """Return the value, whose arrays are in the packed memory, or copied if it shall ``own``
    them.

    Raises
    ------
    EngineError
        If it needs a module that this process can't import.
    """
    buffers = [b.copy() if own else writable(b) for b in packed.buffers]
    try:
        return pickle.loads(packed.text, buffers=buffers)
    except (ImportError, AttributeError) as error:
        raise EngineError(
            f"a worker can't import what it was sent ({error}); put functions and classes in a"
            " module that is installed on every host, not in the script itself."
        ) from error


_opened: OrderedDict[str, Any] = OrderedDict()


def opened(value: Any) -> Any:
    """Return what an argument stands for in a worker; packed values are kept for later calls, with
    what they cache.
    """
    if isinstance(value, np.ndarray):
        return value if value.flags.writeable else writable(value)
    if not isinstance(value, Packed):
        return value
    if value.token in _opened:
        _opened.move_to_end(value.token)
    else:
        _opened[value.token] = unpack(value)
        while len(_opened) > _KEPT:
            _opened.popitem(last=False)
    return _opened[value.token]


def is_plain(value: Any) -> bool:
    """Return whether a value needs no packing: an array of its own memory, a number, a text."""
    if isinstance(value, np.ndarray):
        return mapped_array(value) is None
    return value is None or isinstance(value, (bool, int, float, str, bytes))


def writable(array: np.ndarray) -> np.ndarray:
    """Return the same memory as an array that isn't read-only.

    Kernels would be compiled a second time for read-only arrays. Nobody writes to it: a piece of
    work doesn't change its arguments."""
    if array.size == 0:
        return array.copy()
    return np.asarray(_Writable(array))


class _Writable:
    def __init__(self, array: np.ndarray) -> None:
        at, _ = array.__array_interface__["data"]
        self.__array_interface__ = {**array.__array_interface__, "data": (at, False)}
        self.array = array  # whose memory it is


def mapped_array(array: Any) -> np.memmap | None:
    """Return the array that maps a file, of which this one is a part; None if there is none."""
    found = None
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap) and array.filename is not None:
            found = array  # a part of a map says the offset of all of it: the last one counts
        array = array.base
    return found


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return NotImplemented
        base = mapped_array(value)
        if base is None or not value.flags.c_contiguous or value.size == 0:
            return NotImplemented
        offset = int(base.offset) + value.ctypes.data - base.ctypes.data
        where = (str(base.filename), value.dtype.str, offset, value.shape)
        return open_part, where


def open_part(file: str, dtype: str, offset: int, shape: Sequence[int]) -> np.ndarray:
    """Map a part of a file, which this host must see as the others do.

    Raises
    ------
    EngineError
        If it doesn't.
    """
    needed = offset + np.dtype(dtype).itemsize * int(np.prod(shape, dtype=np.int64))
    path = Path(file)
    if not path.is_file() or path.stat().st_size < needed:
        raise EngineError(
            f"{file} isn't seen by every host of the cluster as it is here; put it in a folder that"
            " all hosts share under the same path."
        )
    return np.memmap(path, dtype, "c", offset, tuple(shape)).view(np.ndarray)
