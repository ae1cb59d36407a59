"""P-values and paired tests in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cofactor.evaluation.significance import Comparison

# Below this, digits mean nothing.
_SMALLEST_P = 1e-16


def counted(n: int, name: str) -> str:
    """Return a number of things: ``1 user``, ``2,000 users``."""
    return f"{n:,} {name}{'s' * (n != 1)}"


def listed(names: Sequence[str]) -> str:
    """Return names as they stand within a sentence: ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def p_words(p: float) -> str:
    """Return a p-value as text."""
    return f"< {_SMALLEST_P:g}" if p < _SMALLEST_P else f"{p:.2g}"


def p_fact(p: float) -> str:
    """Return a p-value as it stands within a sentence: ``p = 0.03``, ``p < 1e-16``."""
    words = p_words(p)
    return f"p {words}" if words.startswith("<") else f"p = {words}"


def verdict(test: Comparison, label: str) -> str:
    """Say in a sentence whether a model is significantly better than the other one of a test."""
    first = test.first == label
    other, lead = (test.second, test.difference) if first else (test.first, -test.difference)
    if math.isnan(test.p_adjusted):
        return f"Too few users to compare {label} with {other} ({test.metric} {lead:+.4f})."
    if test.equal:
        return f"{label} and {other} are equal ({test.metric}, each user)."
    facts = f"{test.metric} {lead:+.4f}, {p_fact(test.p_adjusted)}"
    if test.better is None:
        return f"{label} isn't significantly better than {other} ({facts})."
    judged = "better" if test.better == label else "worse"
    return f"{label} is significantly {judged} than {other} ({facts})."
