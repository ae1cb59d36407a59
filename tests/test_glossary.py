"""The field's words: retired words stand nowhere in source, messages, docs and the page."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# The retired word as a regular expression, and the term that stands in its place (glossary.md).
RETIRED: dict[str, str] = {
    r"strangers?": "unseen user",
    r"\b(nobody|somebody|user|users|who|they|people) (has |have |had )?met\b|\bwho met\b": (
        "interacted with"
    ),
    r"\bnewcomers?": "new items",
    r"\btastes?\b|\bTastes?\b": "user profile",
    r"\baudiences?\b|\bAudience": "user batch",
    r"\bfloors? (to beat|for rankings|for ratings)": "baseline",
    r"(?<!power )\blaws?\b": "sampling distribution, tie-breaking rule, rule",
    r"\btold\b": "metadata, response, shown",
    r"\bstop_on\b|\bkeep_at\b": "monitor, checkpoint_to",
    r"\bkeepers?\b|\bKeeper": "monitor",
    r"\blevelling\b": "score normalisation",
    r"\bhalf_at\b": "feature_prior_count",
    r"\b(plain )?twins?\b": "reference implementation, no-features baseline",
    r"\bshort way\b|\bshort_way\b|\blong way\b": "fast path, slow path",
    r"\b(at hand)\b": "available locally",
    r"\bdressed\b": "prepare_version",
    r"\baskers\b": "sample_users",
    r"\bbeaten\b": "auc_shares",
    r"\bbelongs_to\b": "fingerprint",
    r"\bimagined\b": "pseudo-ratings",
    r"\banew\b|\bmend(s|ed|ing)?\b": "again, fix",
    r"\bdoors?\b|\bDoors?\b": "fast path; every reader",
    r"\bwatched\b": "run_context, monitor",
    r"\bclass Standing\b": "true item ranks",
    r"\b(who|people|user|users) took\b|\btook what\b": "interacted with",
    r"\b(_publish|_prepare|_begin|_rated)\b": "_copy_weights, _build_cache, _initialise",
    r"\bnobody was asked\b": "the list is empty",
    r"\blikeness\b": "similarity",
    r"\bwithout doubles\b|\bdoubled and left\b": "known events",
    r"\bspeaks? for (itself|themselves)\b": "weigh more",
    r"\btest (part|items) (was|wasn't|were|weren't) asked\b|\basks? the test part\b": (
        "measured on the test part"
    ),
    r"\bnegative_law\b|\bfrequency_power\b": "negative_sampling, frequency_exponent",
}
PLACES = ("src/cofactor", "docs", "README.md", "CONTRIBUTING.md")
SUFFIXES = {".py", ".pyi", ".md", ".js", ".html", ".css"}
# Where old names are read from saved models, and where the terms are listed.
# Words of synthetic titles and plots are data: another word is another data set.
EXEMPT = {"docs/glossary.md", "src/cofactor/data/synthetic/shop_words.py"}


def _files() -> list[Path]:
    found: list[Path] = []
    for place in PLACES:
        path = ROOT / place
        found += [path] if path.is_file() else sorted(path.rglob("*"))
    return [p for p in found if p.suffix in SUFFIXES and str(p.relative_to(ROOT)) not in EXEMPT]


@cache
def _lines() -> list[tuple[str, str]]:
    """Each line that counts, behind its place."""
    return [
        (f"{path.relative_to(ROOT)}:{n}", line)
        for path in _files()
        for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "renamed" not in line and "glossary: old name" not in line
    ]


@cache
def _text() -> str:
    return "\n".join(line for _, line in _lines()).lower()


def _may_occur(word: str) -> bool:
    """Whether the letters stand anywhere at all: a pattern that begins with letters is found many
    times as fast as one that begins at a word's edge.
    """
    return re.search(re.sub(r"\\b|\(\?<!.*?\)", "", word).lower(), _text()) is not None


@pytest.mark.parametrize("word", RETIRED)
def test_a_retired_word_stands_nowhere(word: str) -> None:
    pattern = re.compile(word, re.IGNORECASE)
    # The whole first: a line at a time takes five times as long.
    uses = [
        f"{place}: {line.strip()[:90]}"
        for place, line in (_lines() if _may_occur(word) and pattern.search(_text()) else ())
        if pattern.search(line)
    ]
    assert not uses, f"say {RETIRED[word]!r}:\n" + "\n".join(uses[:40])


def test_a_retired_word_stands_in_no_name_of_a_test() -> None:
    named = re.compile(r'def test_(\w+)|name=f?"([^"]+)"|^        f?"([^"]+)",$', re.MULTILINE)
    tests = sorted((ROOT / "tests").rglob("*.py"))
    names = [(path, path.stem.replace("_", " ")) for path in tests]
    for path in tests:
        found = named.findall(path.read_text(encoding="utf-8"))
        names += [(path, "".join(one).replace("_", " ")) for one in found]
    retired = re.compile("|".join(f"({word})" for word in RETIRED), re.IGNORECASE)
    uses = [f"{p.relative_to(ROOT)}: {name}" for p, name in names if retired.search(name)]
    assert not uses, "\n".join(uses)


def test_the_glossary_has_a_line_with_a_source_for_each_term() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 40
    assert all(row.count("|") == 5 for row in rows)
    terms = [row.split("|")[1].strip() for row in rows]
    assert len(set(terms)) == len(terms)


def test_two_classes_do_not_share_a_name() -> None:
    pattern = re.compile(r"^class (\w+)", re.MULTILINE)
    places: dict[str, list[str]] = {}
    for path in sorted((ROOT / "src" / "cofactor").rglob("*.py")):
        for name in pattern.findall(path.read_text(encoding="utf-8")):
            places.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert not {name: where for name, where in places.items() if len(where) > 1}
