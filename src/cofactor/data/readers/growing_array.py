"""An array on disk that is written a part at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cofactor.data import shards


class GrowingArray:
    """A one-dimensional ``.npy`` whose length is known at the end."""

    def __init__(self, path: Path) -> None:
        self.path, self.count = path, 0
        self.kind = np.dtype(shards.ARRAYS.get(f"by_user/{path.stem}", "int32"))
        self.file = path.open("wb")
        self._head()

    def append(self, array: np.ndarray) -> None:
        """Write what follows."""
        np.ascontiguousarray(array, self.kind).tofile(self.file)
        self.count += len(array)

    def close(self) -> None:
        """Write how long it is, and close the file."""
        if self.file.closed:
            return
        with self.file:
            self.file.seek(0)
            self._head()

    def _head(self) -> None:
        # NumPy leaves room in the header for the length to grow.
        np.lib.format.write_array_header_1_0(
            self.file,
            {"shape": (self.count,), "fortran_order": False, "descr": self.kind.str},
        )
