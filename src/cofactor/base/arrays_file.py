"""Writing arrays to a safetensors file."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np


def write_arrays(
    path: Path, arrays: Mapping[str, np.ndarray], head: Mapping[str, str] | None = None
) -> None:
    """Write arrays in C order, and texts beside them.

    Raises
    ------
    OSError
        If the disk is full or fails; safetensors itself reports that as text.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        save_file({n: np.array(a, order="C", copy=None) for n, a in arrays.items()}, path, head)
    except SafetensorError as error:
        found = re.search(r"(?:os error |Os \{ code: )(\d+)", str(error))
        number = int(found[1]) if found else errno.EIO
        raise OSError(number, os.strerror(number)) from error
