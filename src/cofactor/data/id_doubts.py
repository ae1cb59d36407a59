"""What is said of ids that are kept as they are, and perhaps shouldn't be: those that may stand for
many, are nearly alike, or were changed by what wrote them.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.names import counted

# What exports write for somebody or something that isn't known.
_NOBODY = (
    *("-", "--", "?", ".", "-1", "unknown", "guest", "anonymous", "anon", "nobody", "not set"),
    *("(not set)", "(none)", "(unknown)", "n.a.", "nil", "missing", "no id", "default", "test"),
    *("[deleted]", "[removed]", "(deleted)", "deleted user", "a google user", "amazon customer"),
    *("gast", "gastkunde", "unbekannt", "anonym", "inconnu", "anonyme", "desconocido", "anonimo"),
    "00000000-0000-0000-0000-000000000000",
)
# Nothing to be seen around an id: zero bytes that fill a field, marks of width, of direction and of
# bytes, soft hyphens.
INVISIBLE = "\x00\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e" + (
    "\u2060\u2066\u2067\u2068\u2069\ufeff"
)
_HARDLY_SEEN = rf"[{INVISIBLE}]|\s\s|[\t\r\n]"
# How ids look that a program has changed, and what is said of them.
_CHANGED = (
    (
        "\ufffd",
        "have lost characters (\ufffd), so that different ones may have become one; export them"
        " again as UTF-8",
    ),
    (
        "[ÃÐÑ][\x80-\xbf\u0152-\u0178\u201a-\u20ac]|â€",
        "hold UTF-8 that was read as Latin-1; export them again, unless they are always written so",
    ),
    (
        r"&(amp|quot|lt|gt|#x?[0-9a-fA-F]{2,6});",
        "are written as in HTML (&amp;), and others than those that aren't",
    ),
)


def doubts_of_words(distinct: pa.Array) -> list[str]:
    """Return notes on distinct ids (strings) that may stand for many users, or are nearly alike."""
    plain = pc.utf8_normalize(distinct, "NFKC")
    if pc.match_substring_regex(plain, _HARDLY_SEEN).true_count:
        plain = pc.replace_substring_regex(plain, f"[{INVISIBLE}]", "")
        plain = pc.replace_substring_regex(plain, r"\s+", " ")
    return doubts(distinct, pc.utf8_lower(plain))


def changed_words(words: pa.Array) -> list[str]:
    """Return notes on distinct ids that a program has changed: they hold a sign for whatever isn't
    ASCII, or the writing of UTF-8 or of HTML instead of characters.
    """
    notes = []
    for form, what in _CHANGED:
        hits = pc.match_substring_regex(words, form)
        if hits.true_count:
            notes.append(f"ids such as {words.filter(hits)[0].as_py()!r} {what}")
    return notes


def doubts(words: pa.Array, plain: pa.Array) -> list[str]:
    """Return notes on distinct ids that are kept apart, or together, and perhaps shouldn't be.

    Parameters
    ----------
    words
        The ids, strings.
    plain
        Their normalised characters in lower case.
    """
    notes = []
    some = pc.is_in(plain, value_set=pa.array(_NOBODY, pa.string()))
    nobody = words.filter(some) if some.true_count else words[:0]
    if not len(nobody) and pc.starts_with(plain, "##").true_count:
        # A number that was too wide for its cell.
        nobody = words.filter(pc.match_substring_regex(plain, "^#{2,}$"))
    if len(nobody):
        notes.append(nobody_note(nobody[0].as_py()))
    if any(pc.starts_with(plain, sign).true_count for sign in "+0"):
        plain = pc.replace_substring_regex(plain, r"^\+?0*([0-9]+)$", r"\1")
    if plain.equals(words):
        return notes
    coded = pc.dictionary_encode(plain)
    alike = len(plain) - len(coded.dictionary)
    if alike:
        codes = np.asarray(coded.indices)
        twice = np.flatnonzero(codes == np.flatnonzero(np.bincount(codes) > 1)[0])
        first, second = words.take(pa.array(twice[:2])).to_pylist()
        notes.append(
            f"{counted(alike, 'id')} like {second!r} beside {first!r}: alike but for case, zeros in"
            " front, blanks or the writing of a character, and kept apart"
        )
    return notes


def nobody_note(text: str) -> str:
    """Return the note on an id that exports write for somebody or something that isn't known."""
    return f"{text!r} is kept as an id, though it may stand for many"
