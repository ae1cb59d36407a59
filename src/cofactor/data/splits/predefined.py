"""Given parts: published files, so that published figures can be compared with ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.data.events import Events
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part, Split

OVERLAPS = ("refuse", "drop", "keep")
_DONE = {"drop": "left out of it", "keep": "kept"}


def predefined(
    train: Events | Interactions,
    test: Events | Interactions,
    validation: Events | Interactions | None = None,
    *,
    test_history: Events | Interactions | None = None,
    validation_history: Events | Interactions | None = None,
    negatives: Any = None,
    cold_items: bool = False,
    overlap: str = "refuse",
    repeats: str = "last",
) -> Split:
    """Build a split from given parts.

    Parameters
    ----------
    train, test, validation
        The parts: events, interactions, or what `cofactor.read` takes. The id maps hold the ids of
        all of them, ascending.
    test_history, validation_history
        What is shown of the held-out users where they are new to the model (strong generalisation);
        the parts then have ``fold_in=True``. None: the users are known, and their history is the
        training part.
    negatives
        Published candidates: outside item ids, [n_test, n_negatives], one line per line of
        ``test``.
    cold_items
        Whether each part ranks only items that aren't in training.
    overlap
        What becomes of held-out pairs that stand in the part's history too, and so can't be
        recommended: ``"refuse"`` them, ``"drop"`` them from the held-out part, or ``"keep"`` them.
    repeats
        How events of one pair within one part are merged; see `Interactions.build`.

    Raises
    ------
    ArgumentError
        If a part is empty, or pairs overlap and should not.
    """
    checks.choice(overlap, "overlap", OVERLAPS)
    given = {
        "train": _read(train),
        "test history": test_history,
        "validation history": validation_history,
        "validation": validation,
        "test": _read(test),
    }
    parts = {name: _read(part) for name, part in given.items() if part is not None}
    if empty := [name for name, part in parts.items() if not len(part)]:
        raise ArgumentError(f"the {empty[0]} part is empty.")
    listed = [] if negatives is None else [_negative_ids(negatives, parts["test"])]
    users = IdMap.of(*(_ids(part, "users") for part in parts.values()))
    found = [_ids(part, "items") for part in parts.values()]
    items = IdMap.of(*found, *(ids.reshape(-1) for ids in listed))
    made, test_start = _one_map(parts, users, items, repeats)
    notes: list[str] = []
    sides = {
        name: _part(made, name, cold_items, overlap, notes)
        for name in ("test", "validation")
        if name in made
    }
    if listed:
        sides["test"] = _with_negatives(sides["test"], listed[0], test_start)
    sources = ", ".join(f"{name} from {part.source}" for name, part in made.items())
    sentence = " ".join([f"Parts as given: {sources}; they share one id map.", *notes])
    return Split(made["train"], sides["test"], sides.get("validation"), sentence)


def _read(part: Any) -> Events | Interactions:
    """A part as it is, or read from what `cofactor.read` takes."""
    if isinstance(part, (Events, Interactions)):
        return part
    from cofactor.data.readers import read

    found: Events = read(part)
    return found


def _one_map(
    parts: dict[str, Events | Interactions], users: IdMap, items: IdMap, repeats: str
) -> tuple[dict[str, Interactions], int]:
    """The parts on common id maps, and where the test part starts in the order of the source."""
    made: dict[str, Interactions] = {}
    start = test_start = 0
    for name, part in parts.items():
        # The test part comes last, so what stays in test_start is where it starts.
        test_start, made[name] = start, _mapped(part, users, items, repeats, start)
        start = int(made[name].order.max()) + 1
    return _sharing_catalogue(made), test_start


def _ids(part: Events | Interactions, side: str) -> pa.Array | pa.ChunkedArray:
    column = getattr(part, side)
    return column.arrow if isinstance(column, IdMap) else column


def _negative_ids(negatives: Any, test: Events | Interactions) -> np.ndarray:
    if not isinstance(test, Events):
        raise ArgumentError(
            "negatives belong to the lines of test, so test must be Events, not Interactions."
        )
    ids = np.asarray(negatives)
    if ids.ndim != 2 or ids.shape[0] != len(test):
        raise ArgumentError(
            f"negatives must be [{len(test)}, n_negatives], one line per line of the test part, not"
            f" {list(ids.shape)}."
        )
    return ids


def _mapped(
    part: Events | Interactions, users: IdMap, items: IdMap, repeats: str, start: int
) -> Interactions:
    """A part on the shared id maps; its order goes on after that of the parts before it."""
    if isinstance(part, Events):
        made = Interactions.build(part, repeats=repeats, users=users, items=items)
        return replace(made, source_order=made.order + start)
    user_rows = users.rows(part.users.arrow, what="user")[part.user_rows]
    item_rows = items.rows(part.items.arrow, what="item")[part.item_rows]
    made = Interactions.from_rows(
        user_rows, item_rows, part.values, part.times, users=users, items=items
    )
    return replace(
        made,
        source_order=part.order[made.order] + start,
        catalogue=part.catalogue.realigned(part.items, items),
        profiles=part.profiles.realigned(part.users, users),
        source=part.source,
        notes=part.notes,
    )


def _sharing_catalogue(made: dict[str, Interactions]) -> dict[str, Interactions]:
    """The parts with one catalogue and one set of profiles: those of the first part that has
    any.
    """
    catalogues = [part.catalogue for part in made.values()]
    profiles = [part.profiles for part in made.values()]
    catalogue = next((c for c in catalogues if c.column_names), catalogues[0])
    profile = next((p for p in profiles if p.column_names), profiles[0])
    return {
        name: replace(part, catalogue=catalogue, profiles=profile) for name, part in made.items()
    }


def _part(
    made: dict[str, Interactions], name: str, cold_items: bool, overlap: str, notes: list[str]
) -> Part:
    truth, train = made[name], made["train"]
    fold_in = f"{name} history" in made
    history = made[f"{name} history"] if fold_in else train
    both = np.isin(_pairs(truth), _pairs(history))
    if both.any():
        n_both = int(both.sum())
        if overlap == "refuse":
            raise ArgumentError(
                f"{n_both:,} pairs of the {name} part are in its users' histories too, so they"
                " could never be recommended; pass overlap='drop' to leave them out of it, or"
                " 'keep'."
            )
        notes.append(
            f"{n_both:,} pairs of the {name} part are in the histories too and were"
            f" {_DONE[overlap]}."
        )
        if overlap == "drop":
            truth = truth.where(~both)
    if not len(truth):
        raise ArgumentError(
            f"nothing of the {name} part is left: all its pairs are in the histories."
        )
    candidates = None
    if cold_items:
        new = (truth.item_counts > 0) & (train.item_counts == 0)
        candidates = np.flatnonzero(new).astype(np.int32)
        if not len(candidates):
            raise ArgumentError(
                f"the {name} part has no item that training hasn't; leave out cold_items=True."
            )
    return Part(truth, history, fold_in, candidates)


def _with_negatives(part: Part, ids: np.ndarray, start: int) -> Part:
    """The part with its published candidates as rows, in the order of its truth."""
    lines = part.truth.order - start
    rows = part.truth.items.rows(ids.reshape(-1), what="item").reshape(ids.shape)
    return replace(part, negatives=np.ascontiguousarray(rows[lines], np.int32))


def _pairs(part: Interactions) -> np.ndarray:
    """One number for each pair of user and item, int64 [n], ascending."""
    pairs: np.ndarray = part.user_rows.astype(np.int64) * part.n_items + part.item_rows
    return pairs
