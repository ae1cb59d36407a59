"""A user's history, export and erasure."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import numpy as np

from cofactor.service.answering.loaded import Loaded
from cofactor.service.errors import RequestError, unknown_outcome
from cofactor.service.http.context import GONE, Context
from cofactor.service.http.handlers.events import acknowledged
from cofactor.service.http.route import Route, slowly
from cofactor.service.replies import AckOut, ExportOut, HistoryOut, PastOut
from cofactor.service.wire import HistoryQuery, Nothing


@slowly
def history(context: Context, path: dict[str, str], request: HistoryQuery) -> HistoryOut:
    """Return the last events of a user: those of the training, then those since."""
    loaded, user_id, limit = context.models.current, path["user_id"], request.limit
    data, view = loaded.model.data, loaded.view
    stored = context.store.history(user_id, limit)
    row = data.users.find_one(user_id)
    found = data.items.find(list(stored.item_ids)) if len(stored) else np.zeros(0, np.int32)
    # Hidden and deleted items stand in no answer; an export holds them.
    shown = [
        n
        for n, at in enumerate(found.tolist())
        if (view.visible[at] if at >= 0 else context.live.state(stored.item_ids[n]) == "visible")
    ]
    events = _trained(loaded, row, limit - len(shown)) if row >= 0 else []
    titles = dict(zip(found.tolist(), view.titles(np.maximum(found, 0)), strict=True))
    for n in shown:
        at = int(found[n])
        described = context.live.described.get(stored.item_ids[n])
        title = titles[at] if at >= 0 else described.title if described is not None else None
        events.append(
            PastOut(
                item_id=stored.item_ids[n] if at < 0 else view.ids(np.array([at]))[0],
                kind=stored.kinds[n],
                origin="store",
                time=stored.times[n],
                value=stored.values[n],
                title=title,
            )
        )
    return HistoryOut(user_id=user_id, events=events, known_to_model=row >= 0, model=loaded.name)


def _trained(loaded: Loaded, row: int, limit: int) -> list[PastOut]:
    """The user's events of the training data, the latest ``limit`` of them, oldest first."""
    data = loaded.model.data
    positions = np.arange(data.indptr[row], data.indptr[row + 1])
    positions = positions[loaded.view.visible[data.item_rows[positions]]]
    key = data.order[positions] if data.times is None else data.times[positions]
    positions = (
        positions[np.lexsort((data.order[positions], key))][-max(limit, 0) :]
        if limit > 0
        else positions[:0]
    )
    rows = data.item_rows[positions]
    times: list[Any] = [None] * len(rows) if data.times is None else data.times[positions].tolist()
    values: list[Any] = (
        [None] * len(rows) if data.values is None else data.values[positions].tolist()
    )
    entries = zip(loaded.view.ids(rows), loaded.view.titles(rows), times, values, strict=True)
    return [
        PastOut(item_id=i, kind="interaction", origin="training", title=t, time=at, value=v)
        for i, t, at, v in entries
    ]


async def export(context: Context, path: dict[str, str], request: Nothing) -> ExportOut:
    """Return all that is stored of a user, and what the model was trained on."""
    await context.traffic.flush()
    return await context.slowly(_export, context, path["user_id"])


def _export(context: Context, user_id: str) -> ExportOut:
    loaded = context.models.current
    data = loaded.model.data
    row = data.users.find_one(user_id)
    trained = loaded.view.ids(data.items_of(row)) if row >= 0 else []
    events = [msgspec.structs.asdict(event) for event in context.store.user_events(user_id)]
    shown = [msgspec.structs.asdict(one) for one in context.store.user_impressions(user_id)]
    return ExportOut(user_id=user_id, events=events, impressions=shown, trained_items=trained)


async def erase(context: Context, path: dict[str, str], request: Nothing) -> AckOut:
    """Erase all that is stored of a user. What a model learnt goes with the next training."""
    user_id = path["user_id"]
    if not await context.traffic.flush():
        raise RequestError(
            503,
            "storage",
            "what was shown couldn't be written, so it can't be erased yet; nothing was erased.",
            retry_after=2.0,
        )
    ack = await context.settled(context.store.erase_user(user_id))
    try:
        await _erase_shown_since(context, user_id)
    except (Exception, asyncio.CancelledError) as error:
        if error.args == (GONE,):
            raise
        raise unknown_outcome(why="what was shown meanwhile may not be erased yet") from error
    return acknowledged(ack)


async def _erase_shown_since(context: Context, user_id: str) -> None:
    """Erase the lists that were shown while their user was erased: they are written after it."""
    if not await context.traffic.flush():
        raise RequestError(503, "storage", "what was shown couldn't be written.")
    if await asyncio.to_thread(context.store.user_impressions, user_id):
        await context.settled(context.store.erase_user(user_id))


ROUTES = [
    Route("GET", "/v1/users/{user_id}/history", "read", history, "What a user did, oldest first."),
    Route("GET", "/v1/users/{user_id}/export", "admin", export, "All that is stored of a user."),
    Route(
        "DELETE",
        "/v1/users/{user_id}",
        "admin",
        erase,
        "Erase all that is stored of a user.",
        ingest=True,
    ),
]
