"""Which source a kernel's compiled code was made from.

Numba compares the kernel's own file alone, but code of other files is compiled into a kernel:
helpers, the instructions of `kernels/cpu/llvm`, constants, and the options in `jit`. After an
update that changes one of these, a kernel in an unchanged file would go on running the old code.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parents[1]
_IMPORTED = re.compile(r"^\s*(?:from|import) +cofactor\.kernels\.([\w.]+)", re.MULTILINE)


@cache
def stamp_of(path: Path) -> str:
    """Return a digest of a kernel's file, inside the package or not, and of all files of the
    kernels that it imports, directly or not.

    Raises
    ------
    OSError
        If the file can't be read, as in an archive.
    """
    digest = hashlib.blake2b(digest_size=16)
    for content in sorted(_read(file)[0] for file in _compiled_in(path)):
        digest.update(content)
    return digest.hexdigest()


def _compiled_in(path: Path) -> set[Path]:
    """A file and those of the kernels that it imports, directly or not."""
    known: set[Path] = set()
    found = [path]
    while found:
        file = found.pop()
        if file not in known:
            known.add(file)
            found += _read(file)[1]
    return known


@cache
def _read(path: Path) -> tuple[bytes, list[Path]]:
    """A file's digest, and the files of the kernels that it imports itself."""
    content = path.read_bytes()
    modules = (
        _FOLDER.joinpath(*name.split(".")) for name in _IMPORTED.findall(content.decode("utf-8"))
    )
    files = [module.with_suffix(".py") for module in modules]
    return hashlib.blake2b(content).digest(), [file for file in files if file.is_file()]
