"""A line per user: ``user item item ...`` (the LightGCN splits, and sequences in order of time)."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.errors import DataError
from cofactor.data.events import Events
from cofactor.data.readers.assemble import assemble
from cofactor.data.readers.columns import Options
from cofactor.data.readers.id_columns import canonical
from cofactor.data.readers.layout import Layout, parts, text_table
from cofactor.data.readers.no_tables import comments
from cofactor.data.readers.raw import Raw
from cofactor.data.readers.sniff import leads_with_owner
from cofactor.data.readers.source_files import Source, SourceFile
from cofactor.data.readers.text_encoding import lines_of
from cofactor.data.split import Part, Split

# Lines from which on their first words can be judged.
_BASKETS = 10
# Lines from which on a number that always says how many items there are is no item.
_COUNTED = 3
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
        lines = pc.replace_substring_regex(lines, r"^\s*([^:]+):\s*", f"\\1:{sign}")
    spaced = rf"[\t{separators}]\s*[^\s{separators}]+ +[^\s{separators}]"
    if separators and pc.any(pc.match_substring_regex(lines, spaced)).as_py():
        lines = pc.replace_substring_regex(lines, rf"^[\s{separators}]+|[\s{separators}]+$", "")
        return pc.split_pattern_regex(lines, rf"\s*[\t{separators}]+\s*")
    if separators:
        lines = pc.replace_substring_regex(lines, f"[{separators}]", " ")
    return pc.utf8_split_whitespace(pc.utf8_trim_whitespace(lines))


def read_lists(entry: SourceFile, options: Options, separators: str = "") -> Events:
    """Read a file with a line per user, the user first and then the items in their order; users
    without items are left out.
    """
    words, lengths = token_lists(entry, separators)
    starts = np.cumsum(lengths) - lengths
    is_user = np.zeros(len(words), bool)
    is_user[starts] = True
    heads = words.filter(pa.array(is_user))
    if pc.all(pc.match_substring_regex(heads, r".:$")).as_py():
        heads = pc.utf8_rtrim(heads, ":")
    heads = canonical(heads)
    counted = counts_before(heads, lengths)
    if counted:
        heads = pa.array(np.arange(len(lengths)))
    beside = None if counted else _counts_beside(words, lengths)
    if beside is not None:
        words, is_user, lengths = words.filter(pa.array(~beside)), is_user[~beside], lengths - 1
    owners = heads.take(pa.array(np.repeat(np.arange(len(lengths)), lengths - 1)))
    items = words.filter(pa.array(~is_user))
    raw = Raw(
        users=pa.chunked_array([owners]),
        items=pa.chunked_array([canonical(items)]),
        values=None,
        times=None,
        source=entry.shown,
        locate=lambda rows: [],
        notes=_notes(items, lengths, counted=counted, beside=beside is not None),
    )
    return assemble(raw, options)


def _notes(items: pa.Array, lengths: np.ndarray, *, counted: bool, beside: bool) -> list[str]:
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
    idle = int((lengths == 1).sum())
    return [*notes, f"{idle:,} users have no items there"] if idle else notes


def _counts_beside(words: pa.Array, lengths: np.ndarray) -> np.ndarray | None:
    """Which words merely count the items of their line, second or last on every line: bool
    [n_words]; None if none do, or lines are too few or too equal to tell.
    """
    if len(lengths) < _COUNTED or lengths.min() < 3 or len(np.unique(lengths)) < 2:
        return None
    starts = np.cumsum(lengths) - lengths
    wanted = pa.array((lengths - 2).astype(str).tolist())
    for places in (starts + 1, starts + lengths - 1):
        if words.take(pa.array(places)).equals(wanted):
            beside = np.zeros(len(words), bool)
            beside[places] = True
            return beside
    return None


def refuse_baskets(entry: SourceFile, separators: str = "") -> None:
    """Raise DataError if lines may be baskets without a user: they begin with few different words,
    which stand among the items of other lines too.
    """
    words, lengths = token_lists(entry, separators)
    starts = np.cumsum(lengths) - lengths
    is_user = np.zeros(len(words), bool)
    is_user[starts] = True
    heads = pc.unique(words.filter(pa.array(is_user)))
    counted = counts_before(canonical(words.filter(pa.array(is_user))), lengths)
    if counted or len(lengths) < _BASKETS or 2 * len(heads) > len(lengths):
        return
    items = words.filter(pa.array(~is_user))
    if 2 * (pc.sum(pc.is_in(heads, value_set=pc.unique(items))).as_py() or 0) > len(heads):
        raise DataError(
            f"{len(lengths):,} lines begin with {len(heads):,} different words, most of which stand"
            " among the items of other lines too: are these baskets without a user? Number them"
            " ('1 milk bread'), or give format='lists' if a line's first word is its user.",
            source=entry.shown,
        )


def counts_before(heads: pa.Array, lengths: np.ndarray) -> bool:
    """Return whether the first word of every line is the number of words that follow it."""
    if not pa.types.is_integer(heads.type) or len(lengths) < 2:
        return False
    return bool((np.asarray(heads) == lengths - 1).all()) and bool((lengths > 1).any())


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
    train, test = (read_lists(place.get(name), options) for name in ("train.txt", "test.txt"))
    train = replace(
        train, item_table=_originals(place, "item"), user_table=_originals(place, "user")
    )
    fitted, truth = parts([train, test])
    return Split(
        fitted, Part(truth, fitted), None, f"the published split of {what}, as its authors cut it"
    )


def read_both(place: Source, options: Options) -> Events:
    """Read all interactions of such a split, those of training first."""
    from cofactor.data.readers.layout import appended

    train, test = (read_lists(place.get(name), options) for name in ("train.txt", "test.txt"))
    whole = appended(train, test)
    whole = replace(
        whole,
        item_table=_originals(place, "item"),
        user_table=_originals(place, "user"),
        source=str(place.path),
    )
    return whole.noted("train.txt and test.txt together; load_split gives the published split")


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
