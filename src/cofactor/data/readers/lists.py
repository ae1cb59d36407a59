"""A line per user: ``user item item ...`` (the LightGCN splits, and sequences in order of time)."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.errors import DataError
from cofactor.base.offsets import owners_of
from cofactor.data.events import Events
from cofactor.data.readers.assemble import assemble
from cofactor.data.readers.columns import Options
from cofactor.data.readers.id_columns import canonical
from cofactor.data.readers.layout import Layout, appended, parts, text_table
from cofactor.data.readers.no_tables import FIELDS, comments
from cofactor.data.readers.ragged import leads_with_owner
from cofactor.data.readers.raw import Raw
from cofactor.data.readers.source_files import Source, SourceFile
from cofactor.data.readers.text_encoding import lines_of
from cofactor.data.split import Part, Split

# Lines from which on their first words can be judged.
_BASKETS = 10
# Lines from which on a number that always says how many items there are isn't an item.
_COUNTED = 3
# Words that are looked at, and those that stand in any text, and in programs.
_TEXT = 500
_PROSE = frozenset(
    (
        *("the", "and", "of", "to", "is", "was", "are", "with", "for", "that", "this", "from"),
        *("der", "die", "und", "mit", "les", "des", "une", "est", "que", "los", "una"),
    )
)
_SIGNS = frozenset(
    (">", "->", "→", "{", "}", "=", "==", ":=", "=>", "+=", "(", ")", "/*", "*/", "//")
)
_NUMBER = r"^\d+(\.\d+)?$"
# u1: [a, b] and u1: {a, b}.
_BRACKETED = r"^([^:]*:\s*)[\[{](.*)[\]}]\s*$"
# a:4 and a(4), of which the number may be a value.
_VALUED = r"^[^:()]+(:|\()\d+(\.\d+)?\)?$"


def token_lists(entry: SourceFile, separators: str = "") -> tuple[pa.Array, np.ndarray]:
    """Return the words of all lines as one Arrow array of strings, and how many each line has,
    int64 [n_lines]; whitespace and the ``separators`` stand between them.

    Raises
    ------
    DataError
        If the file is empty or not UTF-8.
    """
    try:
        text = entry.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"the file isn't UTF-8: {error.reason} at byte {error.start}.", source=entry.shown
        ) from None
    full = [line for line in lines_of(text) if line.strip()]
    lines = pa.array(full[comments(full[:500]) :], pa.large_string())
    if not len(lines):
        raise DataError("the file is empty.", source=entry.shown)
    words = _split_lines(lines, separators)
    return words.flatten().cast(pa.string()), np.asarray(pc.list_value_length(words)).astype(
        np.int64
    )


def _split_lines(lines: pa.Array, separators: str) -> pa.Array:
    """The words of each line; words may hold spaces only where separators stand between them."""
    between = f"[\t{separators}]" if separators else r"\s"
    some = [re.split(between, line.strip()) for line in lines.slice(0, 100).to_pylist()]
    if leads_with_owner(some):
        sign = separators[0] if separators else " "
        if not pc.match_substring_regex(lines, _BRACKETED).false_count:
            lines = pc.replace_substring_regex(lines, _BRACKETED, r"\1\2")
        lines = pc.replace_substring_regex(lines, r"^\s*([^:]+):\s*", f"\\1:{sign}")
    spaced = rf"[\t{separators}]\s*[^\s{separators}]+ +[^\s{separators}]"
    if separators and pc.any(pc.match_substring_regex(lines, spaced)).as_py():
        lines = pc.replace_substring_regex(lines, rf"^[\s{separators}]+|[\s{separators}]+$", "")
        return pc.split_pattern_regex(lines, rf"\s*[\t{separators}]+\s*")
    if separators:
        lines = pc.replace_substring_regex(lines, f"[{separators}]", " ")
    return pc.utf8_split_whitespace(pc.utf8_trim_whitespace(lines))


def parted(entry: SourceFile, separators: str = "") -> tuple[pa.Array, pa.Array, np.ndarray]:
    """Return the first word of each line, the words behind them, and how many those are, int64
    [n_lines]; see `token_lists`.
    """
    words, lengths = token_lists(entry, separators)
    is_first = np.zeros(len(words), bool)
    is_first[np.cumsum(lengths) - lengths] = True
    return words.filter(pa.array(is_first)), words.filter(pa.array(~is_first)), lengths - 1


def raw_of_lists(
    users: pa.Array, counts: np.ndarray, items: pa.Array, source: str, notes: list[str]
) -> Raw:
    """Return lists of items, one after another, of so many for each user."""
    owners = users.take(pa.array(owners_of(counts)))
    return Raw(
        users=pa.chunked_array([owners]),
        items=pa.chunked_array([canonical(items)]),
        values=None,
        times=None,
        source=source,
        locate=lambda rows: [],
        notes=notes,
    )


def read_lists(entry: SourceFile, options: Options, separators: str = "") -> Events:
    """Read a file with a line per user, the user first and then the items in their order; users
    without items are left out.
    """
    heads, items, counts = parted(entry, separators)
    if pc.all(pc.match_substring_regex(heads, r".:$")).as_py():
        heads = pc.utf8_rtrim(heads, ":")
    heads = canonical(heads)
    sized = _is_size_line(heads, counts)
    if sized:
        heads, items, counts = heads[1:], items[int(counts[0]) :], counts[1:]
    counted = counts_before(heads, counts)
    if not counted:
        _refuse_wrong_counts(heads, counts, entry.shown)
    if counted:
        heads = pa.array(np.arange(len(counts)))
    _refuse_values(items, counts, entry.shown)
    _refuse_some_values(items, entry.shown)
    _refuse_separators(heads, counts, separators, entry.shown)
    beside = None if counted else _counts_beside(items, counts)
    if beside is not None:
        items, counts = items.filter(pa.array(~beside)), counts - 1
    notes = _notes(items, counts, counted=counted, beside=beside is not None)
    if sized:
        notes.append("left out the first line, which says how many lines follow")
    return assemble(raw_of_lists(heads, counts, items, entry.shown, notes), options)


def _is_size_line(heads: pa.Array, counts: np.ndarray) -> bool:
    """Return whether the first of some lines says how many lines follow (and perhaps how many items
    there are): each of these begins with its count, or they are numbered.
    """
    n = len(counts) - 1
    if n < _COUNTED or not pa.types.is_integer(heads.type) or counts[0] > 2:
        return False
    numbers = np.asarray(heads)
    if numbers[0] != n:
        return False
    numbered = any((numbers[1:] == np.arange(start, start + n)).all() for start in (0, 1))
    return numbered or counts_before(heads[1:], counts[1:])


def _refuse_wrong_counts(heads: pa.Array, counts: np.ndarray, source: str) -> None:
    """Raise DataError if most lines, though not all, begin with the count of what follows."""
    if len(counts) < _BASKETS or not pa.types.is_integer(heads.type):
        return
    odd = np.flatnonzero(np.asarray(heads) != counts)
    if 0 < 10 * len(odd) <= len(counts):
        row = int(odd[0])
        raise DataError(
            f"{len(counts) - len(odd):,} of {len(counts):,} lines begin with the count of the items"
            f" that follow, and the {row + 1:,}th has {counts[row]:,} behind {heads[row]}; fix it,"
            " or write each line's user before its items.",
            source=source,
        )


def _refuse_separators(heads: pa.Array, counts: np.ndarray, separators: str, source: str) -> None:
    """Raise DataError for a line that isn't divided, and has other separators than the others."""
    alone = pc.cast(heads, pa.string()).filter(pa.array(counts == 0))
    odd = alone.filter(pc.match_substring_regex(alone, r"[,;|]\S"))
    if not separators and len(odd) > 0 and (counts > 0).any():
        raise DataError(
            f"items stand between blanks on most lines, and {odd[0].as_py()[:60]!r} is a line"
            " without any; write all lines in one way.",
            source=source,
        )


def _refuse_values(items: pa.Array, counts: np.ndarray, source: str) -> None:
    """Raise DataError if every second item is a number, and no other one is: a value, perhaps."""
    if len(counts) < 2 or not len(items) or (counts % 2).any() or len(np.unique(counts)) < 2:
        return
    places = np.arange(len(items))
    first, second = (items.take(pa.array(places[n::2])) for n in (0, 1))
    if pc.match_substring_regex(second, _NUMBER).false_count:
        return
    if not pc.match_substring_regex(first, _NUMBER).true_count:
        raise DataError(
            f"every second item is a number, such as {second[0].as_py()!r} behind"
            f" {first[0].as_py()!r}; if it is a value, write a row for each user, item and value.",
            source=source,
        )


def _refuse_some_values(items: pa.Array, source: str) -> None:
    """Raise DataError if some of the items are pairs of numbers (``1:5``), and all others numbers:
    an item and its value, perhaps.
    """
    pairs = pc.match_substring_regex(items, r"^\d+:\d+(\.\d+)?$")
    if not pairs.true_count or not pairs.false_count:
        return
    others = items.filter(pc.invert(pairs))
    if not pc.match_substring_regex(others, r"^\d+$").false_count:
        raise DataError(
            f"{pairs.true_count:,} items such as {items.filter(pairs)[0].as_py()!r} are pairs of"
            f" numbers, and others such as {others[0].as_py()!r} are not; if the second number is a"
            " value, write a row for each user, item and value.",
            source=source,
        )


def _notes(items: pa.Array, counts: np.ndarray, *, counted: bool, beside: bool) -> list[str]:
    """What is said of lists: where their users and counts are, which are empty."""
    notes = [
        "a line per user, which begins with the count of its items; users are numbered by line"
        " from 0"
        if counted
        else "a line per user, the user first, then items in the order given"
    ]
    if beside:
        notes.append("a number on each line counts its items, and is none of them")
    if len(items) and pc.all(pc.match_substring_regex(items, _VALUED)).as_py():
        notes.append(
            f"items such as {items[0].as_py()!r} end in a number: if it is a value, write a row"
            " for each user, item and value"
        )
    idle = int((counts == 0).sum())
    return [*notes, f"{idle:,} users have no items there"] if idle else notes


def _counts_beside(items: pa.Array, counts: np.ndarray) -> np.ndarray | None:
    """Which words behind the users merely count the others of their line, first or last on every
    line: bool [n_words]; None if none do, or lines are too few or too equal to tell.
    """
    if len(counts) < _COUNTED or counts.min() < 2 or len(np.unique(counts)) < 2:
        return None
    ends = np.cumsum(counts)
    wanted = pa.array((counts - 1).astype(str).tolist())
    for places in (ends - counts, ends - 1):
        if items.take(pa.array(places)).equals(wanted):
            beside = np.zeros(len(items), bool)
            beside[places] = True
            return beside
    return None


def _refuse_prose(words: pa.Array, source: str, *, spaced: bool) -> None:
    """Raise DataError if words (``spaced``: between spaces) are a text's or a program's."""
    some = set(words.slice(0, _TEXT).to_pylist())
    if (spaced and len(_PROSE & {word.lower() for word in some}) > 2) or some & _SIGNS:
        raise DataError(
            "this reads like a text or a program, not like a user and items on each line; give"
            " format='lists' if it is.",
            source=source,
        )


def refuse_baskets(entry: SourceFile, separators: str = "") -> None:
    """Raise DataError if lines may be baskets without a user: they begin with few different words,
    which stand among the items of other lines too; or if they aren't lists at all.
    """
    first, items, counts = parted(entry, separators)
    _refuse_prose(items, entry.shown, spaced=not separators)
    _refuse_fields(first, items, entry.shown)
    heads = pc.unique(first)
    shared = pc.sum(pc.is_in(heads, value_set=pc.unique(items))).as_py() or 0
    # Words that begin several lines and stand within others aren't users, however few they are.
    sure = len(heads) < len(counts) and not pc.match_substring_regex(heads, _NUMBER).true_count
    if sure and shared:
        shared = len(heads)
    elif (
        counts_before(canonical(first), counts)
        or len(counts) < _BASKETS
        or 2 * len(heads) > len(counts)
    ):
        return
    if 2 * shared > len(heads):
        raise DataError(
            f"{len(counts):,} lines begin with {len(heads):,} different words, which stand"
            " among the items of other lines too: are these baskets without a user? Number them"
            " ('1 milk bread'), or give format='lists' if a line's first word is its user.",
            source=entry.shown,
        )


def _refuse_fields(heads: pa.Array, items: pa.Array, source: str) -> None:
    """Raise DataError if lines may be fields of one record (``Subject: Hello``): names without a
    digit, of which none returns, no more than what stands behind them.
    """
    if len(heads) < _COUNTED or pc.match_substring_regex(heads, r"\d|[^:]$").true_count:
        return
    if all(len(pc.unique(words)) == len(words) for words in (heads, items)):
        raise DataError(
            f"this is {FIELDS[0]}, not a table; {FIELDS[1]}, or give format='lists' if they are"
            " users and their items.",
            source=source,
        )


def counts_before(heads: pa.Array, counts: np.ndarray) -> bool:
    """Return whether the first word of every line is the number of words that follow it."""
    if not pa.types.is_integer(heads.type) or len(counts) < 2:
        return False
    return bool((np.asarray(heads) == counts).all()) and bool((counts > 0).any())


def is_lists(entry: SourceFile | None) -> bool:
    """Return whether a file's lines are lists of words, of different lengths."""
    if entry is None:
        return False
    lines = [line for line in entry.head().split(b"\n")[:500] if line.strip()]
    parted = any(sign in line for line in lines[:20] for sign in b"\t,;|")
    counts = {len(line.split()) for line in lines[:-1] or lines}
    return not parted and (len(counts) > 1 or max(counts, default=0) > 4)


def read_split(place: Source, options: Options, what: str) -> Split:
    """Read a published split of two files, ``train.txt`` and ``test.txt``, with a line per user
    in each.
    """
    train, test = _halves(place, options)
    fitted, truth = parts([train, test])
    return Split(
        fitted, Part(truth, fitted), None, f"the published split of {what}, as its authors cut it"
    )


def read_both(place: Source, options: Options) -> Events:
    """Read all interactions of such a split, those of training first."""
    whole = replace(appended(*_halves(place, options)), source=str(place.path))
    return whole.noted("train.txt and test.txt together; load_split gives the published split")


def _halves(place: Source, options: Options) -> tuple[Events, Events]:
    """Both files, with the original ids beside the first."""
    train, test = (read_lists(place.get(name), options) for name in ("train.txt", "test.txt"))
    items, users = _originals(place, "item"), _originals(place, "user")
    return replace(train, item_table=items, user_table=users), test


def _originals(place: Source, kind: str) -> pa.Table | None:
    """The original ids that a renumbered set lists: a table of the new id and ``org_id``."""
    entry = place.find(f"{kind}_list.txt")
    if entry is None:
        return None
    table, _ = text_table(entry, id_column="remap_id", delimiter=" ")
    return table.rename_columns({"remap_id": f"{kind}_id"})


LAYOUTS = (
    Layout(
        "a line per user, train and test",
        lambda place: is_lists(place.find("train.txt")) and place.find("test.txt") is not None,
        read_both,
    ),
)
