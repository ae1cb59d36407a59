"""The rules of reranking, as values and as text.

A rule is written ``NAME=VALUE``, perhaps with more words, the same in Python, on the command line
and over HTTP; several are separated by ``;``::

    mmr=0.7                            cosine of the model's vectors
    mmr=0.7 by genres                  of the entries of a catalogue's column
    dpp=0.6 by genres
    calibrate=0.5 by genres            the user's own mix of entries
    cap=2 by author
    pin=B0042                          in the first place; pin=B0042 at 3
    boost=0.3 if year >= 2020          bury=0.3 if price > 100
    fresh=0.2 by released half-life 90d
    at_least=0.3 if long_tail          new, long_tail, or a condition
    exposure=0.05
    candidates=500
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.base.names import unknown_name
from cofactor.retrieval import expression

NEW, LONG_TAIL = "new", "long_tail"
OBJECTIVES = ("mmr", "dpp", "calibrate")
MAX_RULES = 30
MAX_CANDIDATES = 10_000


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """What an item's youth adds to its relevance: ``weight * 2 ** (-age / half_life)``.

    Parameters
    ----------
    weight
        Above 0; 1 lifts an item of today from the last of the candidates to the first.
    column
        A date of the catalogue, a number of seconds since 1970, or a year; None for the item's
        first training interaction.
    half_life
        Days, above 0.
    """

    weight: float
    column: str | None = None
    half_life: float = 30.0

    def __post_init__(self) -> None:
        checks.real(self.weight, "fresh: weight", above=0)
        checks.real(self.half_life, "fresh: half_life", above=0)


@dataclass(frozen=True, kw_only=True)
class Rerank:
    """How a list is chosen from a model's best items.

    The candidates' scores are scaled to relevances from 0 (the last candidate) to 1 (the first),
    user by user; ``boosts`` and ``fresh`` are added. Then the list is filled from the first place
    on, each with the item that has the largest gain (`cofactor.retrieval.rerank.objectives`) of
    those that the caps and shares allow.

    Parameters
    ----------
    mmr
        λ in [0, 1] of maximal marginal relevance; 1 is the order of relevance.
    dpp
        θ in [0, 1) of a determinantal point process; near 1 is the order of relevance.
    calibrate
        λ in [0, 1] of calibration to the user's own mix of the entries of ``by``; 0 is the order
        of relevance. At most one of these three is given.
    by
        The column whose entries (a list, or a text with ``|`` between them) make items alike; None
        for the model's item vectors.
    caps
        Column -> how many items may share an entry of it, at least 1.
    pins
        Ids for the first places, in order, or place (from 1) -> id. An item that the user has
        interacted with, or that may not be recommended, isn't pinned.
    boosts
        Condition of the filter language -> what is added to the relevance of items for which it
        holds; negative amounts bury. 1 is the distance from the last candidate to the first.
    fresh
        A `Freshness`, or its weight.
    at_least
        ``"new"``, ``"long_tail"`` or a condition -> share in (0, 1]: of the first n items at least
        ⌊share·n⌋, for every n, are such, where so many may be recommended (Geyik et al. 2019).
        New items have no training interactions; the long tail are the least popular items that
        hold a fifth of them together (Abdollahpouri et al. 2017).
    exposure
        In (0, 1]: an item is in at most this share of the lists of one call; it may always be in
        one.
    candidates
        How many of the best items of each user the list is chosen from, at least.

    Raises
    ------
    ArgumentError
        For a value out of its range, or a condition that can't be read.
    """

    mmr: float | None = None
    dpp: float | None = None
    calibrate: float | None = None
    by: str | None = None
    caps: Mapping[str, int] = field(default_factory=dict)
    pins: Mapping[int, Any] | Iterable[Any] = field(default_factory=dict)
    boosts: Mapping[str, float] = field(default_factory=dict)
    fresh: Freshness | float | None = None
    at_least: Mapping[str, float] = field(default_factory=dict)
    exposure: float | None = None
    candidates: int = 200

    def __post_init__(self) -> None:
        self._check_objective()
        for name in ("caps", "boosts", "at_least"):
            checks.of_kind(getattr(self, name), name, Mapping, "a mapping")
        for column, most in self.caps.items():
            checks.of_kind(column, "caps: a column", str, "a text")
            checks.integer(most, f"caps[{column!r}]", low=1)
        object.__setattr__(self, "pins", _placed(self.pins))
        for condition, amount in self.boosts.items():
            expression.parse(condition)
            if checks.real(amount, f"boosts[{condition!r}]") == 0:
                raise ArgumentError(f"boosts[{condition!r}] must not be 0; leave it out.")
        for group, share in self.at_least.items():
            if group not in (NEW, LONG_TAIL):
                expression.parse(group)
            checks.real(share, f"at_least[{group!r}]", above=0, high=1)
        if self.fresh is not None and not isinstance(self.fresh, Freshness):
            object.__setattr__(self, "fresh", Freshness(weight=self.fresh))
        if self.exposure is not None:
            checks.real(self.exposure, "exposure", above=0, high=1)
        checks.integer(self.candidates, "candidates", low=1, high=MAX_CANDIDATES)

    def _check_objective(self) -> None:
        given = [name for name in OBJECTIVES if getattr(self, name) is not None]
        if len(given) > 1:
            raise ArgumentError(
                f"give one of mmr, dpp and calibrate, not {' and '.join(given)}: each decides the"
                " whole order."
            )
        if self.mmr is not None:
            checks.real(self.mmr, "mmr", low=0, high=1)
        if self.dpp is not None:
            checks.real(self.dpp, "dpp", low=0, below=1)
        if self.calibrate is not None:
            checks.real(self.calibrate, "calibrate", low=0, high=1)
            if self.by is None:
                raise ArgumentError(
                    "calibrate needs a column of the catalogue: calibrate=0.5 by genres."
                )
        if self.by is not None:
            checks.of_kind(self.by, "by", str, "a column's name")
        if self.by is not None and not given:
            raise ArgumentError(
                "by names the column of mmr, dpp or calibrate; give one of them too."
            )

    def __bool__(self) -> bool:
        return self.text != "" and self.text != f"candidates={self.candidates}"

    def __repr__(self) -> str:
        return f"Rerank.parse({self.text!r})"

    @property
    def text(self) -> str:
        """The rules as `parse` reads them."""
        return "; ".join(_written(self))

    @classmethod
    def parse(cls, text: str | Iterable[str]) -> Rerank:
        """Read rules.

        Parameters
        ----------
        text
            Rules with ``;`` between them, or several such texts; see this module.

        Raises
        ------
        UnknownNameError
            For a rule that doesn't exist.
        ArgumentError
            For one that can't be read: which, and how it is written.
        """
        texts = [text] if isinstance(text, str) else list(text)
        rules = [rule for one in texts for rule in _split_rules(one) if rule]
        if len(rules) > MAX_RULES:
            raise ArgumentError(f"rerank must have at most {MAX_RULES} rules, not {len(rules)}.")
        found: dict[str, Any] = {"caps": {}, "pins": {}, "boosts": {}, "at_least": {}}
        given: set[str] = set()
        for rule in rules:
            what = _read(rule, found)
            if what in given:
                raise ArgumentError(f"rerank: {what} is given twice; leave one of them out.")
            given.add(what)
        return cls(**found)


def as_rules(given: Rerank | str | Iterable[str] | None) -> Rerank | None:
    """Return rules that were given as values or as text; None where there are none."""
    if given is None:
        return None
    if not isinstance(given, (Rerank, Iterable)):
        raise ArgumentError(f"rerank must be rules such as 'cap=2 by author', not {given!r}.")
    rules = given if isinstance(given, Rerank) else Rerank.parse(given)
    return rules if rules else None


def _placed(pins: Mapping[int, Any] | Iterable[Any]) -> dict[int, Any]:
    """Pins by place, from 1."""
    if isinstance(pins, (str, bytes)) or not isinstance(pins, Iterable):
        raise ArgumentError(f"pins must be a list of item ids, or place -> id, not {pins!r}.")
    placed = dict(pins) if isinstance(pins, Mapping) else dict(enumerate(pins, 1))
    for place in placed:
        checks.integer(place, "pins: a place", low=1)
    ids = [str(one) for one in placed.values()]
    if len(set(ids)) < len(ids):
        raise ArgumentError("pins must be different items; one of them is pinned twice.")
    return placed


# A quote within a word (O'Brien) begins nothing.
_QUOTED = re.compile(r"""(?<!\w)'(?:[^']|'')*'|(?<!\w)"(?:[^"]|"")*"|`[^`]*`|;""")


def _split_rules(text: str) -> list[str]:
    """Split a text at its ``;``, but not within quotes."""
    if not isinstance(text, str):
        raise ArgumentError(f"a rule must be a text such as 'cap=2 by author', not {text!r}.")
    cuts = [m.start() for m in _QUOTED.finditer(text) if m.group() == ";"]
    return [
        text[start:stop].strip()
        for start, stop in zip([0, *(c + 1 for c in cuts)], [*cuts, len(text)], strict=True)
    ]


# Name -> how it is written, for messages; the words that may stand behind its value.
_FORMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "mmr": ("mmr=0.7 or mmr=0.7 by COLUMN", ("by",)),
    "dpp": ("dpp=0.6 or dpp=0.6 by COLUMN", ("by",)),
    "calibrate": ("calibrate=0.5 by COLUMN", ("by",)),
    "cap": ("cap=2 by COLUMN", ("by",)),
    "pin": ("pin=ID or pin=ID at 3, an odd ID as `ID`", ("at",)),
    "boost": ("boost=0.3 if CONDITION", ("if",)),
    "bury": ("bury=0.3 if CONDITION", ("if",)),
    "fresh": ("fresh=0.2, fresh=0.2 by COLUMN half-life 90d", ("by", "half-life")),
    "at_least": ("at_least=0.3 if new, long_tail or CONDITION", ("if",)),
    "exposure": ("exposure=0.05", ()),
    "candidates": ("candidates=500", ()),
}


def _read(rule: str, found: dict[str, Any]) -> str:
    """Take in one rule, and return what may be given once: its name, with what it is about."""
    name, equals, rest = (part.strip() for part in rule.partition("="))
    if name not in _FORMS:
        raise unknown_name("rule of rerank", name, _FORMS)
    value, words = _words(rest, _FORMS[name][1])
    if not equals or not value or (name in ("cap", "boost", "bury", "at_least") and not words):
        raise _unreadable(rule, name)
    if name == "pin":
        value = _unquoted(value)
        place = _number(words.get("at", str(1 + len(found["pins"]))), rule, name)
        if place in found["pins"]:
            raise ArgumentError(f"rerank: two items are pinned to place {place:g}.")
        found["pins"][int(place) if place.is_integer() else place] = value
        return f"pin at {place:g}"
    amount = _number(value, rule, name)
    if name == "cap":
        found["caps"][words["by"]] = int(amount) if amount.is_integer() else amount
        return f"cap by {words['by']}"
    if name in ("boost", "bury"):
        found["boosts"][words["if"]] = amount if name == "boost" else -amount
        return f"boost or bury if {words['if']}"
    if name == "at_least":
        found["at_least"][words["if"]] = amount
        return f"at_least if {words['if']}"
    if name == "fresh":
        life = words.get("half-life", "30d").removesuffix("d")
        days = _number(life, rule, name)
        found["fresh"] = Freshness(weight=amount, column=words.get("by"), half_life=days)
    elif name == "candidates":
        found[name] = int(amount) if amount.is_integer() else amount
    else:
        found[name] = amount
        found.update({"by": words["by"]} if "by" in words else {})
    return name


def _words(rest: str, allowed: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """The value of a rule, and what stands behind its words; ``if`` takes all that follows it."""
    if not allowed:
        return rest, {}
    # What is quoted holds no words.
    masked = re.sub("`[^`]*`", lambda quoted: "`" * len(quoted[0]), rest)
    found = re.finditer(rf"(?:^|\s+)({'|'.join(allowed)})\s+", masked, re.IGNORECASE)
    marks = list(found)[: 1 if allowed == ("if",) else None]
    if not marks:
        return rest.strip(), {}
    ends = [*(mark.start() for mark in marks[1:]), len(rest)]
    named = [mark[1].casefold() for mark in marks]
    twice = next((one for n, one in enumerate(named) if one in named[:n]), None)
    if twice is not None:
        raise ArgumentError(
            f"rerank: {twice!r} occurs twice in {rest!r}; put a name that contains it in backticks."
        )
    words = {
        mark[1].casefold(): _unquoted(rest[mark.end() : end].strip())
        for mark, end in zip(marks, ends, strict=True)
    }
    return rest[: marks[0].start()].strip(), words


def _unquoted(text: str) -> str:
    return text[1:-1].replace("``", "`") if re.fullmatch("`(?:[^`]|``)*`", text) else text


def _quoted(text: str) -> str:
    return f"`{text.replace('`', '``')}`"


def _number(text: str, rule: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _unreadable(rule, name) from None


def _unreadable(rule: str, name: str) -> ArgumentError:
    return ArgumentError(f"rerank: can't read {rule!r}; write {_FORMS[name][0]}.")


def _written(rules: Rerank) -> Iterable[str]:
    for name in OBJECTIVES:
        if getattr(rules, name) is not None:
            by = f" by {_column(rules.by)}" if rules.by is not None else ""
            yield f"{name}={_exact(getattr(rules, name))}{by}"
    for column, most in rules.caps.items():
        yield f"cap={most} by {_column(column)}"
    assert isinstance(rules.pins, Mapping)
    for place, item in rules.pins.items():
        odd = re.search(r"[;`'\"]|^\s|\s$|\sat\s", str(item), re.IGNORECASE)
        yield f"pin={_quoted(str(item)) if odd else item} at {place}"
    for condition, amount in rules.boosts.items():
        yield f"{'boost' if amount > 0 else 'bury'}={_exact(abs(amount))} if {condition}"
    if isinstance(rules.fresh, Freshness):
        by = f" by {_column(rules.fresh.column)}" if rules.fresh.column is not None else ""
        yield f"fresh={_exact(rules.fresh.weight)}{by} half-life {_exact(rules.fresh.half_life)}d"
    for group, share in rules.at_least.items():
        yield f"at_least={_exact(share)} if {group}"
    if rules.exposure is not None:
        yield f"exposure={_exact(rules.exposure)}"
    if rules.candidates != Rerank.candidates:
        yield f"candidates={rules.candidates}"


def _column(name: str | None) -> str:
    plain = name is None or re.fullmatch(r"[^\W\d]\w*", name)
    return f"{name}" if plain else _quoted(f"{name}")


def _exact(number: float) -> str:
    short = f"{number:g}"
    return short if float(short) == number else repr(float(number))
