"""Items: searched, looked at, described, hidden, deleted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np

from cofactor.service.answering.loaded import Loaded
from cofactor.service.errors import invalid, not_found
from cofactor.service.http.context import Context
from cofactor.service.http.handlers.events import acknowledged
from cofactor.service.http.route import Route
from cofactor.service.replies import AckOut, Found, ItemOut
from cofactor.service.wire import BrowseQuery, ItemIdsRequest, ItemsRequest, Nothing, SearchQuery
from cofactor.store import Ack, Item


async def search(context: Context, path: dict[str, str], request: SearchQuery) -> Found:
    """Find items by words of their titles."""
    loaded = context.models.current
    found = await context.slowly(loaded.view.search, request.q, request.limit)
    counts = loaded.model.data.item_counts
    items = [
        ItemOut(
            item_id=i,
            state="visible",
            title=t,
            known_to_model=row >= 0,
            interactions=int(counts[row]) if row >= 0 else None,
        )
        for i, t, row in found
    ]
    return Found(items=items, model=loaded.name)


async def browse(context: Context, path: dict[str, str], request: BrowseQuery) -> Found:
    """Return items, the most popular first, or those that are hidden."""
    loaded = context.models.current
    if request.state == "hidden":
        return await context.slowly(_hidden, context, loaded, request)
    mask = loaded.view.visible
    if request.where is not None:
        mask = await context.slowly(loaded.view.where, request.where)
    rows = loaded.popular[mask[loaded.popular]] if request.offset else _first(loaded, mask, request)
    rows = rows[request.offset : request.offset + request.limit]
    counts = loaded.model.data.item_counts[rows].tolist()
    images = loaded.view.images.of(rows) or [None] * len(rows)
    listed = zip(loaded.view.ids(rows), loaded.view.titles(rows), images, counts, strict=True)
    items = [
        ItemOut(item_id=i, state="visible", title=t, image=m, known_to_model=True, interactions=n)
        for i, t, m, n in listed
    ]
    return Found(items=items, model=loaded.name, total=int(mask.sum()))


def _first(loaded: Loaded, mask: np.ndarray, request: BrowseQuery) -> np.ndarray:
    """The first rows of a mask, the most popular first, without looking at all where not needed."""
    part = loaded.popular[: request.limit + 1_000]
    rows = part[mask[part]]
    few = len(rows) < request.limit
    return loaded.popular[mask[loaded.popular]] if few else rows


def _hidden(context: Context, loaded: Loaded, request: BrowseQuery) -> Found:
    ids = sorted(one.item_id for one in context.live.described.values() if one.state == "hidden")
    chosen = ids[request.offset : request.offset + request.limit]
    return Found(
        items=[_item(context, loaded, item_id) for item_id in chosen],
        model=loaded.name,
        total=len(ids),
    )


async def show(context: Context, path: dict[str, str], request: Nothing) -> ItemOut:
    """Return one item: what the catalogue and the store know of it."""
    return await context.slowly(_item, context, context.models.current, path["item_id"])


def _item(context: Context, loaded: Loaded, item_id: str) -> ItemOut:
    stored = context.store.item(item_id)
    row = loaded.model.data.items.find_one(item_id)
    if stored is None and row < 0:
        raise not_found(f"there is no item {item_id!r}.", "item_id")
    if stored is not None and stored.state == "deleted":
        raise not_found(f"the item {item_id!r} was deleted.", "item_id")
    data = loaded.model.data
    features: dict[str, Any] = data.catalogue.row(row) if row >= 0 else {}
    known_title = (
        features.pop(data.catalogue.title_column, None) if data.catalogue.title_column else None
    )
    out = ItemOut(
        item_id=loaded.view.ids(np.array([row]))[0] if row >= 0 else item_id,
        state="visible",
        title=known_title,
        features=features or None,
        image=(loaded.view.images.of(np.array([row])) or [None])[0] if row >= 0 else None,
        known_to_model=row >= 0,
        interactions=int(data.item_counts[row]) if row >= 0 else None,
    )
    if stored is not None:
        out.state = stored.state
        out.title = stored.title if stored.title is not None else out.title
        out.text = stored.text
        out.features = {**features, **(stored.features or {})} or None
    return out


async def describe(context: Context, path: dict[str, str], request: ItemsRequest) -> AckOut:
    """Describe items, new ones or known ones."""
    limit = context.settings.max_items
    if len(request.items) > limit:
        raise invalid(
            f"items must have at most {limit:,} entries, not {len(request.items):,}; send several"
            " requests.",
            "items",
        )
    items = [
        Item(item_id=i.item_id, title=i.title, text=i.text, features=i.features, hidden=i.hidden)
        for i in request.items
    ]
    return await _changed(context, [i.item_id for i in items], context.store.put_items(items))


async def hide(context: Context, path: dict[str, str], request: ItemIdsRequest) -> AckOut:
    """Hide items: from the acknowledgement on, no answer holds them."""
    return await _changed(
        context, request.item_ids, context.store.hide_items(request.item_ids), grows=False
    )


async def unhide(context: Context, path: dict[str, str], request: ItemIdsRequest) -> AckOut:
    """Show hidden items again."""
    return await _changed(context, request.item_ids, context.store.show_items(request.item_ids))


async def delete(context: Context, path: dict[str, str], request: ItemIdsRequest) -> AckOut:
    """Delete items."""
    return await _changed(
        context, request.item_ids, context.store.delete_items(request.item_ids), grows=False
    )


async def delete_one(context: Context, path: dict[str, str], request: Nothing) -> AckOut:
    """Delete one item."""
    return await delete(context, path, ItemIdsRequest(item_ids=[path["item_id"]]))


async def _changed(
    context: Context, item_ids: Sequence[str | int], write: Future[Ack], *, grows: bool = True
) -> AckOut:
    """Wait for the disk, then for the copy in memory; only then is it acknowledged. Models that
    place new items by their content do so beside it where it takes longer: the items are stored.
    """
    ack = await context.settled(write, after=context.followed(write, item_ids))
    if grows:
        growing = context.models.growing()
        # It is stored, and that is the answer, also if the time is up meanwhile.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({growing}, timeout=context.settings.timeout / 4)
    return acknowledged(ack)


ROUTES = [
    Route("GET", "/v1/search", "read", search, "Items whose titles hold the words."),
    Route("GET", "/v1/items", "read", browse, "Items, the most popular first, or hidden ones."),
    Route(
        "POST",
        "/v1/items",
        "write",
        describe,
        "Describe items: title, text, features.",
        ingest=True,
    ),
    Route(
        "POST",
        "/v1/items/hide",
        "write",
        hide,
        "Hide items: no answer holds them from then on.",
        ingest=True,
    ),
    Route("POST", "/v1/items/show", "write", unhide, "Show hidden items again.", ingest=True),
    Route("POST", "/v1/items/delete", "write", delete, "Delete items.", ingest=True),
    Route("GET", "/v1/items/{item_id}", "read", show, "One item."),
    Route("DELETE", "/v1/items/{item_id}", "write", delete_one, "Delete one item.", ingest=True),
]
