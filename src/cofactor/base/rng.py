"""Random generators by seed and purpose; there is no global random state."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return a PCG64 generator that depends on the seed and on what it is for.

    Two purposes get independent streams, so drawing more for one doesn't move the other.

    Parameters
    ----------
    seed
        The run's seed, an integer from 0.
    names
        The purpose, outer to inner: ``("split", "random")``, ``("bpr", "epoch", 3)``.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *map(_word, names)])))


def state64(seed: int, *names: str | int) -> int:
    """Return a nonzero 63-bit seed for a kernel's own generator, for one named purpose."""
    return int(generator(seed, *names).integers(1, 2**63 - 1))


def _word(name: str | int) -> int:
    return name if isinstance(name, int) else zlib.crc32(name.encode())
