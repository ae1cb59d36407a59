"""Rules of reranking as the service uses them: prepared once, and again when items change."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from cofactor.base.errors import ArgumentError, UnknownIdError
from cofactor.retrieval.rerank.item_attributes import ItemSide
from cofactor.retrieval.rerank.limits import Exposure
from cofactor.retrieval.rerank.reranker import Find, Reranker
from cofactor.retrieval.rerank.rules import Rerank, as_rules
from cofactor.retrieval.topk import Exclusions, TopK
from cofactor.service.answering.loaded import Loaded
from cofactor.service.errors import invalid

log = logging.getLogger("cofactor.service")
_KEPT = 32  # sets of rules of a version
_OLD = 3_600.0  # seconds after which ages are counted again


@dataclass(eq=False)
class ServedRules:
    """Rules, prepared for one version as its items stand.

    Parameters
    ----------
    reranker
        The rules.
    exposure
        The lists that were made under them, where they cap exposure.
    own
        Whether a request brought them; else they are the service's.
    """

    reranker: Reranker
    exposure: Exposure | None
    own: bool

    @property
    def text(self) -> str:
        """The rules as text."""
        return self.reranker.rules.text

    def lists(self, find: Find, k: int, past: Exclusions, visible: np.ndarray) -> TopK:
        """Return one person's list.

        Raises
        ------
        RequestError
            422 if the request pins what may not be recommended. Of the service's own rules such
            pins are left out.
        """
        if self.own:
            self.reranker.check_pins(visible, "are hidden, deleted or filtered out")
        return self.reranker.lists(find, k, past, allowed=visible, exposure=self.exposure)


class _Held(NamedTuple):
    """Rules, how often the items had changed, and when."""

    changes: int
    since: float
    rules: ServedRules | None


# Rules by their text, and whether a request brought them.
_Sets = OrderedDict[tuple[str, bool], _Held]


class Rerankers:
    """The sets of rules that are in use.

    Parameters
    ----------
    default
        The rules of requests that bring none, as text.
    """

    def __init__(self, default: str) -> None:
        self._default = as_rules(default)
        # A version that is let go takes its rules along.
        self._held: WeakKeyDictionary[Loaded, _Sets] = WeakKeyDictionary()

    def matter(self, given: list[str] | None) -> bool:
        """Return whether a request's list is chosen by rules."""
        return bool(given) or (given is None and self._default is not None)

    def check(self, loaded: Loaded) -> None:
        """Refuse rules of the service's own that don't fit a version.

        Raises
        ------
        ArgumentError
            If they name what its items don't have.
        """
        if self._default is not None:
            _prepared(loaded, self._default, own=False, now=time.time())

    def of(self, loaded: Loaded, given: list[str] | None) -> ServedRules | None:
        """Return a request's rules, or the service's own; None for the model's order.

        Raises
        ------
        ArgumentError
            If the request's rules can't be read, or don't fit the version's items. The service's
            own are left out then, and the log says so.
        """
        rules = self._default if given is None else as_rules(given)
        if rules is None:
            return None
        sets = self._held.setdefault(loaded, OrderedDict())
        key = (rules.text, given is not None)
        changes, now = loaded.view.changes, time.time()
        held = sets.get(key)
        # A clock that was set right makes other ages, too.
        if held is not None and held.changes == changes and abs(now - held.since) < _OLD:
            sets.move_to_end(key)
            return held.rules
        made: ServedRules | None = None
        try:
            made = _prepared(loaded, rules, given is not None, now)
        except ArgumentError as error:
            if given is not None:
                raise
            log.warning("rules left out", extra={"facts": {"problem": str(error)}})
        if made is not None and held is not None and held.rules is not None:
            made.exposure = held.rules.exposure
        sets[key] = _Held(changes, now, made)
        while len(sets) > _KEPT:
            sets.popitem(last=False)
        return made


def _prepared(loaded: Loaded, rules: Rerank, own: bool, now: float) -> ServedRules:
    model = loaded.model
    vectors = model.item_vectors if model.traits.has_vectors else None
    side = ItemSide(model.data, loaded.view.catalogue(), vectors, now)
    try:
        reranker = Reranker(rules, side, strict=own)
    except UnknownIdError as error:
        raise invalid(str(error), "rerank") from None
    return ServedRules(reranker, reranker.exposure(), own)
