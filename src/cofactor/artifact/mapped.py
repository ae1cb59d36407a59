"""Arrays of a saved model, mapped from their file: processes that load it share its memory."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

_DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U64": np.uint64,
    "U32": np.uint32,
    "U16": np.uint16,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


def header_of(path: Path) -> bytes:
    """Return the header of a safetensors file that was opened before: its JSON."""
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        return stream.read(length)


def mapped_tensors(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a safetensors file without reading them.

    They may be written into: what is written stays this process's own. The file must not be
    changed in place meanwhile; saved models never are, they are replaced.

    Raises
    ------
    ValueError
        If the file isn't one, or holds another kind of numbers.
    """
    from safetensors import safe_open

    with safe_open(path, framework="np") as opened:  # it checks the header and all offsets
        names = list(opened.keys())
    text = header_of(path)
    header, length = json.loads(text), len(text)
    whole = np.memmap(path, np.uint8, mode="c")
    found = {}
    for name in names:
        facts = header[name]
        if facts["dtype"] not in _DTYPES:
            raise ValueError(f"the array {name!r} holds {facts['dtype']}")
        dtype = np.dtype(_DTYPES[facts["dtype"]])
        start, stop = (8 + length + at for at in facts["data_offsets"])
        part = np.asarray(whole[start:stop])
        # An array that doesn't begin where its numbers may begin is copied.
        aligned = start % dtype.itemsize == 0
        found[name] = (part if aligned else part.copy()).view(dtype).reshape(facts["shape"])
    return found
