"""Events: in, durably, and undone."""

from __future__ import annotations

from cofactor.service.errors import invalid
from cofactor.service.http.context import Context
from cofactor.service.http.route import Route
from cofactor.service.replies import AckOut
from cofactor.service.wire import EventsRequest, UndoRequest
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
    fresh = made_ids(sum(event.event_id is None for event in request.events))
    for place, event in enumerate(request.events):
        if event.event_id is None:
            named = request.request_id is not None
            event.event_id = f"{request.request_id}/{place}" if named else next(fresh)
    ids = tuple(str(event.event_id) for event in request.events)
    ack = await context.settled(context.store.append(request.events), ids)
    context.telemetry.ingested(ack.changed)
    return acknowledged(ack, with_ids=True)


async def undo(context: Context, path: dict[str, str], request: UndoRequest) -> AckOut:
    """Undo events: they count no longer."""
    return acknowledged(
        await context.settled(context.store.undo(request.event_ids, request.user_id))
    )


def acknowledged(ack: Ack, *, with_ids: bool = False) -> AckOut:
    """Return an acknowledgement as it goes out."""
    out = AckOut(outcome="stored", changed=ack.changed, unchanged=ack.unchanged, seq=ack.seq)
    if with_ids:
        out.event_ids = list(ack.event_ids)
    return out


ROUTES = [
    Route(
        "POST",
        "/v1/events",
        "write",
        add,
        EventsRequest,
        AckOut,
        "Store events; answered once they are on disk.",
        ingest=True,
    ),
    Route(
        "POST",
        "/v1/events/undo",
        "write",
        undo,
        UndoRequest,
        AckOut,
        "Undo events by their ids.",
        ingest=True,
    ),
]
