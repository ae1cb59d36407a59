"""What the filters, rules and searches of a request may cost, and how much of that one key may have
under way: the others don't wait for it.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from cofactor.retrieval.expression import MAX_LENGTH, cost_of, parse
from cofactor.retrieval.rerank.rules import LONG_TAIL, MAX_CANDIDATES, NEW, Rerank
from cofactor.service.answering.admission import Admission
from cofactor.service.errors import invalid, overloaded
from cofactor.service.settings import Settings

_JOINTS = re.compile(r"\b(?:and|or)\b", re.IGNORECASE)  # between two comparisons, or in a text
_ALWAYS = 20  # comparisons that a request may make over any number of items
_COSTLY = 1_000_000  # comparisons times items from which on a request counts as costly
_FEW_ROWS = 3
# Items of a posted history or of a block list, and reasons in all, that a plain request has at
# most: either takes a millisecond (20,000 items, ials of 64 factors, a busy machine).
_FEW_ITEMS, _FEW_REASONS, _USUAL_REASONS = 100, 1_000, 3
_COSTLY_AT_ONCE = 2  # costly requests of one key under way
# Candidates times squared length of a list that a determinantal point process chooses in the time
# of one comparison (0.8 ns to 62 ns with 25,000 items on a busy machine, November 2026).
_CHOSEN = 128


class Budgets:
    """What is under way beside plain requests, by key.

    Parameters
    ----------
    settings
        How much a request may cost.
    admission
        Counts the requests that are scored together.
    """

    def __init__(self, settings: Settings, admission: Admission) -> None:
        self._settings, self._admission = settings, admission
        self.costly: Counter[str] = Counter()

    @contextlib.contextmanager
    def spent(self, request: Any, key: str, n_items: int, *, timed: bool) -> Iterator[None]:
        """Let a request in that isn't plain if its work is within the budget, and its key hasn't
        too much under way already: the requests of others wait behind it.

        Parameters
        ----------
        request
            As it came; its ``where``, ``rerank``, ``q``, ``rows`` and ``k`` are looked at.
        key
            The digest of its key; empty where no keys are required.
        n_items
            How many items its filters are evaluated for.
        timed
            Whether it is counted among those that are scored together, where it isn't.

        Raises
        ------
        RequestError
            422 beyond the budget, 503 for a costly one too many.
        """
        guess = _guessed(request)
        busy = bool(key) and self.costly[key] >= _COSTLY_AT_ONCE
        # To read a long filter takes longer than to refuse it.
        work = guess * n_items if busy and guess > _ALWAYS else self._work(request, n_items, guess)
        costly = bool(key) and work > _COSTLY
        if costly and busy:
            raise overloaded("this key has other costly requests under way; wait for the answers.")
        self.costly[key] += costly
        self._admission.scored -= timed
        try:
            yield
        finally:
            self._admission.scored += timed
            self.costly[key] -= costly

    def _work(self, request: Any, n_items: int, guess: int) -> int:
        """Comparisons times items of a request, if they are within the budget."""
        limit = self._settings.max_filter_work
        # Most filters are short: they needn't be read twice.
        long = guess > _ALWAYS or guess * n_items > _COSTLY
        cost, name = _counted(request) if long else (guess, "")
        if cost > _ALWAYS and cost * n_items > limit:
            most = max(_ALWAYS, limit // n_items)
            what = "words" if name == "q" else "comparisons"
            cure = "" if name == "q" else "; use in (...) for many values of one column"
            raise invalid(
                f"{name} must have at most {most} {what} over this many items, not {cost}{cure}.",
                name,
            )
        chosen = _choosing(request)
        if chosen > limit:
            raise invalid(
                f"dpp takes too long for lists of {request.k:,} items; ask for a smaller k, or for"
                " fewer candidates.",
                "rerank",
            )
        # Each row of similar items looks at all items, at three times as many as it shows. Searches
        # and a few rows are what everybody asks for: those wait in turn, and that is enough.
        rows = 3 * max(0, (getattr(request, "rows", None) or 0) - _FEW_ROWS)
        words = len((getattr(request, "q", None) or "").split())
        return (cost - words + rows) * n_items + chosen


def _rule_texts(request: Any) -> list[str]:
    """The rules that a request brings."""
    given = getattr(request, "rerank", None) or []
    texts = [given] if isinstance(given, str) else list(given)
    if sum(map(len, texts)) > MAX_LENGTH:
        raise invalid(f"rerank must have at most {MAX_LENGTH:,} characters in all.", "rerank")
    return texts


def _guessed(request: Any) -> int:
    """The most comparisons that a request can make, from a look at its words."""
    texts = [getattr(request, "where", None) or "", *_rule_texts(request)]
    return sum(1 + len(_JOINTS.findall(one)) + one.count(";") for one in texts if one) + len(
        (getattr(request, "q", None) or "").split()
    )


def _counted(request: Any) -> tuple[int, str]:
    """The comparisons that a request makes, and the part of it that makes the most."""
    where, words = getattr(request, "where", None), getattr(request, "q", None) or ""
    texts = _rule_texts(request)
    rules = Rerank.parse(texts) if texts and texts != ["none"] else Rerank()
    conditions = [one for one in (*rules.boosts, *rules.at_least) if one not in (NEW, LONG_TAIL)]
    counts = {
        "where": 0 if where is None else cost_of(parse(where)),
        "rerank": sum(cost_of(parse(one)) for one in conditions),
        "q": len(words.split()),
    }
    return sum(counts.values()), max(counts, key=lambda name: counts[name])


_DPP = re.compile(r"\bdpp\s*=", re.IGNORECASE)


def _choosing(request: Any) -> int:
    """What it takes to choose a list by a determinantal point process, in comparisons times
    items.
    """
    texts = _rule_texts(request)
    if not any(_DPP.search(one) for one in texts):
        return 0
    rules = Rerank.parse(texts)
    candidates = min(max(request.k, rules.candidates), MAX_CANDIDATES)
    return 0 if rules.dpp is None else candidates * request.k**2 // _CHOSEN


_ODD = ("where", "allow", "rerank", "text", "features", "q", "rows")


def is_plain(request: Any, explains: bool) -> bool:
    """Return whether a request can be scored together with others: without a filter, rules, a
    description, words to be searched or several rows, and as short as most.

    A long history, many blocked items and many reasons (of a model that ``explains``) are work that
    is shared with nobody: together with others they would make all of them wait.
    """
    if any(getattr(request, name, None) is not None for name in _ODD):
        return False
    lists = (getattr(request, name, None) or () for name in ("history", "block"))
    if max(map(len, lists)) > _FEW_ITEMS:
        return False
    reasons = getattr(request, "reasons", None)
    named = getattr(request, "k", 0) * (_USUAL_REASONS if reasons is None else reasons)
    return not explains or named <= _FEW_REASONS
