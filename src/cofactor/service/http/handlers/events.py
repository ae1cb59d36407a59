"""Events: in, durably, and undone."""

from __future__ import annotations

import msgspec
import numpy as np

from cofactor.service.errors import RequestError, invalid
from cofactor.service.http.context import Context
from cofactor.service.http.route import Route, slowly
from cofactor.service.replies import AckOut, EventOut, EventsOut
from cofactor.service.wire import EventsRequest, LatestQuery, UndoRequest
from cofactor.store import Ack, made_ids


async def add(context: Context, path: dict[str, str], request: EventsRequest) -> AckOut:
    """Store events. The answer comes once they are on disk, and the next recommendations know
    them.
    """
    limit = context.settings.max_events
    if len(request.events) > limit:
        raise invalid(
            f"events must have at most {limit:,} entries, not {len(request.events):,}; send several"
            " requests.",
            "events",
        )
    # Every event has an id before it is sent to the store: where the outcome stays unknown, the
    # answer names the ids under which a retry is harmless.
    own = {event.event_id: place for place, event in enumerate(request.events) if event.event_id}
    fresh = made_ids(sum(event.event_id is None for event in request.events))
    for place, event in enumerate(request.events):
        if event.event_id is None:
            named = request.request_id is not None
            event.event_id = f"{request.request_id}/{place}" if named else next(fresh)
            if named and event.event_id in own:
                raise _taken(own[event.event_id], place, event.event_id)
    ids = tuple(str(event.event_id) for event in request.events)
    ack = await context.settled(context.store.append(request.events), ids)
    context.telemetry.ingested(ack.changed)
    return acknowledged(ack, with_ids=True)


def _taken(place: int, other: int, event_id: str) -> RequestError:
    """The refusal of two events under one id, which would count as one."""
    return invalid(
        f"events[{place}].event_id is {event_id!r}, the id that events[{other}] gets from"
        " request_id; give it another.",
        f"events[{place}].event_id",
    )


async def undo(context: Context, path: dict[str, str], request: UndoRequest) -> AckOut:
    """Undo events: they count no longer."""
    return acknowledged(
        await context.settled(context.store.undo(request.event_ids, request.user_id))
    )


@slowly
def latest(context: Context, path: dict[str, str], request: LatestQuery) -> EventsOut:
    """Return the last events, of all users."""
    found = context.store.latest_events(request.limit, request.before)
    loaded = context.models.current
    rows = loaded.model.data.items.find([event.item_id for event in found])
    titles = loaded.view.titles(np.maximum(rows, 0)) if len(rows) else []
    events = []
    for event, row, title in zip(found, rows.tolist(), titles, strict=True):
        described = context.live.described.get(event.item_id)
        shown = title if row >= 0 else described.title if described is not None else None
        state = context.live.state(event.item_id)
        events.append(EventOut(**msgspec.structs.asdict(event), title=shown, state=state))
    last = found[-1].seq if len(found) == request.limit else None
    return EventsOut(events=events, next=last)


def acknowledged(ack: Ack, *, with_ids: bool = False) -> AckOut:
    """Return an acknowledgement as it goes out."""
    out = AckOut(outcome="stored", changed=ack.changed, unchanged=ack.unchanged, seq=ack.seq)
    if with_ids:
        out.event_ids = list(ack.event_ids)
    return out


ROUTES = [
    Route("GET", "/v1/events", "admin", latest, "The last events of all users, undone ones too."),
    Route(
        "POST",
        "/v1/events",
        "write",
        add,
        "Store events; answered once they are on disk.",
        ingest=True,
    ),
    Route("POST", "/v1/events/undo", "write", undo, "Undo events by their ids.", ingest=True),
]
