"""Session sets: training sessions, a line each; prefixes with the item that came next."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from cofactor.base.errors import DataError
from cofactor.base.offsets import offsets
from cofactor.data.events import Events
from cofactor.data.histories import Histories
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions
from cofactor.data.readers.assemble import assemble
from cofactor.data.readers.columns import Options
from cofactor.data.readers.id_columns import canonical
from cofactor.data.readers.layout import Layout
from cofactor.data.readers.lists import raw_of_lists, token_lists
from cofactor.data.readers.source_files import Source
from cofactor.data.readers.text_encoding import lines_of
from cofactor.data.sessions import part_of, questions
from cofactor.data.split import Split

TRAIN, TEST = "train.sessions.txt", "test.prefix_target.txt"
FOLDS = ("published", "validation")
# The share of the training sessions, the latest, by which settings are chosen.
_HELD_OUT = 10


def read_sessions(place: Source, options: Options) -> Events:
    """Read the training sessions: a line each, items oldest first; its number, from 0, is its id.

    The sessions are anonymous and in order of time, so their numbers are too.
    """
    entry = place.get(TRAIN)
    words, lengths = token_lists(entry)
    sessions = pa.array(np.arange(len(lengths)))
    notes = ["anonymous sessions, a line each, oldest first; no times"]
    return assemble(raw_of_lists(sessions, lengths, words, entry.shown, notes), options)


def split_sessions(place: Source, fold: str, options: Options) -> Split:
    """Read the published split, or ``"validation"``: its training sessions without their last
    tenth, and every prefix of those as a question.
    """
    events = read_sessions(place, options)
    prefixes, lengths, targets = _prefixes(place)
    items = IdMap.of(events.items, prefixes, targets)
    train = Interactions.build(events, items=items, repeats="keep")
    if fold == "validation":
        n_train = train.n_users - train.n_users // _HELD_OUT
        held = train.histories(np.arange(n_train, train.n_users))
        return Split(
            train.where(train.user_rows < n_train),
            questions(held, items),
            None,
            "for choosing settings: the last tenth of the published training sessions held out,"
            " the next item of every prefix of them predicted",
        )
    indptr = offsets(lengths)
    rows = items.rows(prefixes, what="item")
    histories = Histories(indptr, rows, None, None, len(items))
    test = part_of(histories, items.rows(targets, what="item"), items)
    return Split(train, test, None, "the published training sessions and test prefixes (GCE-GNN)")


def _prefixes(place: Source) -> tuple[pa.Array, np.ndarray, pa.Array]:
    """The items of all prefixes, the length of each, and the item that came next."""
    entry = place.get(TEST)
    lines = [line for line in lines_of(entry.read().decode("utf-8-sig")) if line.strip()]
    halves = [line.rstrip().split("\t") for line in lines]
    for number, half in enumerate(halves, 1):
        if len(half) != 2 or not half[0].strip() or len(half[1].split()) != 1:
            raise DataError(
                f"line {number} must be a prefix, a tab and one item, not"
                f" {lines[number - 1][:60]!r}.",
                source=entry.shown,
            )
    words = [half[0].split() for half in halves]
    lengths = np.array([len(one) for one in words], np.int64)
    flat = pa.array([item for one in words for item in one], pa.string())
    return canonical(flat), lengths, canonical(pa.array([half[1].strip() for half in halves]))


LAYOUTS = (
    Layout(
        "sessions, a line each, with test prefixes",
        lambda place: bool(place.find(TRAIN) and place.find(TEST)),
        read_sessions,
    ),
)
