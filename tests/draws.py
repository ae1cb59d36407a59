"""What tests draw at random: the same in every run, so that none fails by chance; or, with
COFACTOR_EXPLORE, something else in each, to find what no run has found before.
"""

from __future__ import annotations

import os
import random

EXPLORE = bool(os.environ.get("COFACTOR_EXPLORE"))


def chance(name: str) -> random.Random:
    """Return a generator that is seeded by a name."""
    return random.Random(None if EXPLORE else name)
