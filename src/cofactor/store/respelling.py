"""Ids that an earlier version stored, written as the present rule for ids has them.

A request's ids are cleaned by the rule (`data.id_text`) before they are looked up. So a store that
was written under an earlier rule is brought up to the present one when it is opened for writing,
once: what it holds would else be found by no spelling, and not erased either."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cofactor.data.id_text import RULE, clean_one
from cofactor.store.operations import Work
from cofactor.store.schema import DELETED, HIDDEN, NOTE

_FACT = "ids"
_PAGE = 20_000
_FIELDS = "title, text, features, state, time"
_UPDATE = (
    "UPDATE items SET title = ?, text = ?, features = ?, state = ?, time = ? WHERE item_id = ?"
)


def respell(work: Work) -> None:
    """Write the ids of users and items by the present rule, unless that was done before.

    What isn't an id by the rule (a word for none) stays as it is; nobody can ask for it. Lists that
    were shown keep the ids that they had.
    """
    if work.session.rows("SELECT 1 FROM store_meta WHERE name = ? AND value = ?", (_FACT, RULE)):
        return
    _events(work)
    _lists(work)
    _items(work)
    work.session.run(NOTE, (_FACT, RULE))


def _changed(ids: Iterable[str]) -> dict[str, str]:
    """Those ids that the rule changes -> what it makes of them."""
    pairs = ((one, clean_one(one)) for one in ids)
    return {one: new for one, new in pairs if new is not None and new != one}


def _events(work: Work) -> None:
    written, users = list[tuple[str, str, int]](), dict[str, str]()
    for page in _pages(work):
        found = _changed({one for _, *ids in page for one in ids})
        users |= {user: found[user] for _, user, _ in page if user in found}
        written += [
            (found.get(user, user), found.get(item, item), seq)
            for seq, user, item in page
            if user in found or item in found
        ]
    before = work.alive({*users, *users.values()})
    work.session.run_many("UPDATE events SET user_id = ?, item_id = ? WHERE seq = ?", written)
    # Two spellings of one user are one.
    work.deltas["users"] += len(work.alive({*users.values()})) - len(before)


def _pages(work: Work) -> Iterator[list[tuple[Any, ...]]]:
    last = 0
    while page := work.session.rows(
        "SELECT seq, user_id, item_id FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (last, _PAGE)
    ):
        yield page
        last = page[-1][0]


def _lists(work: Work) -> None:
    if "impressions" not in work.database.tables(work.session):
        return
    rows = work.session.rows("SELECT DISTINCT user_id FROM impressions")
    given = [(new, old) for old, new in _changed(row[0] for row in rows).items()]
    work.session.run_many("UPDATE impressions SET user_id = ? WHERE user_id = ?", given)


def _items(work: Work) -> None:
    found = _changed(row[0] for row in work.session.rows("SELECT item_id FROM items"))
    given = [(new, old) for old, new in found.items()]
    work.session.run_many("UPDATE item_changes SET item_id = ? WHERE item_id = ?", given)
    known = work.stored("items", f"item_id, {_FIELDS}", [*{*found, *found.values()}])
    for old, new in found.items():
        mine, other = known.pop(old), known.get(new)
        work.session.run("DELETE FROM items WHERE item_id = ?", (old,))
        if other is None:
            known[new] = (new, *mine[1:])
            work.session.run(
                f"INSERT INTO items (item_id, {_FIELDS}) VALUES (?, ?, ?, ?, ?, ?)", known[new]
            )
            continue
        # The later description; hidden or deleted under either spelling, it is so.
        later, state = max(mine, other, key=lambda row: row[5]), max(mine[4], other[4])
        known[new] = (new, *later[1:4], state, later[5])
        work.session.run(
            _UPDATE,
            (*known[new][1:], new),
        )
        for was, sign in ((mine[4], -1), (other[4], -1), (state, 1)):
            work.deltas["items"] += sign * (was != DELETED)
            work.deltas["hidden"] += sign * (was == HIDDEN)
