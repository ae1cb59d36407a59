"""Recommendations, and items similar to an item."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from cofactor.base.errors import CofactorError
from cofactor.service.answering.answers import allowed_mask, recommended
from cofactor.service.answering.content_reasons import shared
from cofactor.service.answering.loaded import Loaded
from cofactor.service.errors import RequestError, invalid, not_found
from cofactor.service.http.context import Context
from cofactor.service.http.route import Route
from cofactor.service.replies import Recommendations, Recommended, Similar
from cofactor.service.wire import RecommendRequest, SimilarQuery, SimilarRequest, UserQuery

_WORDS = 4  # the most shared words of an item and a description in a response


async def recommend(
    context: Context, path: dict[str, str], request: RecommendRequest
) -> Recommendations:
    """Recommend to a user, to a history, or to somebody of whom only features or a text are
    known.
    """
    given = [
        name
        for name in ("user_id", "history", "features", "text")
        if getattr(request, name) is not None
    ]
    if len(given) != 1:
        got = f"got {' and '.join(given)}" if given else "got none"
        raise invalid(
            f"give exactly one of user_id, history, features and text; {got}.",
            given[1] if given else "user_id",
        )
    context.checked_k(request.k)
    context.checked_ids(request.allow, "allow")
    context.checked_ids(request.block, "block")
    if request.history is not None and len(request.history) > context.settings.max_history:
        raise invalid(
            f"history must have at most {context.settings.max_history:,} items, not"
            f" {len(request.history):,}.",
            "history",
        )
    if request.user_id is not None and request.version is None and request.cursor is None:
        answer = await context.traffic.recommend(context.scorer, request)
    else:
        loaded = await _version(context, request)
        if request.features is not None or request.text is not None:
            answer = await described(context, loaded, request)
        else:
            answer = await context.scorer.recommend(loaded, request)
    context.telemetry.recommended(answer.source, answer.model.version)
    return answer


async def _version(context: Context, request: RecommendRequest) -> Loaded:
    """The version that answers a request; lists from a description have no pages."""
    described = request.features is not None or request.text is not None
    if described and request.cursor is not None:
        raise invalid(
            "lists from a description can't be paged; leave out paged and cursor.", "cursor"
        )
    return await context.version(request.version, request.cursor)


async def for_user(context: Context, path: dict[str, str], query: UserQuery) -> Recommendations:
    """Recommend to a user by id."""
    request = RecommendRequest(
        user_id=path["user_id"],
        k=query.k,
        where=query.where,
        exclude_seen=query.exclude_seen,
        reasons=query.reasons,
        version=query.version,
        rerank=None if query.rerank is None else [] if query.rerank == "none" else [query.rerank],
        paged=query.paged,
        cursor=query.cursor,
    )
    return await recommend(context, path, request)


async def described(context: Context, loaded: Loaded, request: RecommendRequest) -> Recommendations:
    """Recommend to somebody described by words or features, in models that read them."""
    items = await _near_description(context, loaded, request.text, request.features, request)
    source = "text" if request.text is not None else "features"
    return Recommendations(items=items, source=source, model=loaded.name, history_used=0)


async def similar(context: Context, path: dict[str, str], request: SimilarRequest) -> Similar:
    """Find what is like an item, known by its id or described."""
    if sum(part is not None for part in (request.item_id, request.text, request.features)) != 1:
        raise invalid(
            "give exactly one of item_id, text, and features of an item that needn't exist.",
            "item_id",
        )
    context.checked_k(request.k)
    context.checked_ids(request.allow, "allow")
    context.checked_ids(request.block, "block")
    loaded = await context.version(request.version, None)
    if request.item_id is None:
        items = await _near_description(context, loaded, request.text, request.features, request)
        return Similar(
            items=items, source="text" if request.text else "features", model=loaded.name
        )
    row = _similar_row(context, loaded, request.item_id)
    rows, scores = await context.scorer.call(
        loaded, partial(_neighbours, loaded, row, request, context.settings.threads)
    )
    ids, titles = loaded.view.ids(np.array([row])), loaded.view.titles(np.array([row]))
    return Similar(
        items=recommended(loaded, rows, scores),
        source="model",
        model=loaded.name,
        item_id=ids[0],
        title=titles[0],
    )


def _similar_row(context: Context, loaded: Loaded, item_id: Any) -> int:
    """The row of an item that others are to be like."""
    state = context.live.state(str(item_id))
    if state != "visible":
        what = "was deleted" if state == "deleted" else "is hidden"
        raise not_found(f"the item {str(item_id)!r} {what}.", "item_id")
    row = loaded.model.data.items.find_one(item_id)
    if row < 0:
        raise not_found(
            f"the model doesn't know the item {str(item_id)!r}; it was added after the"
            " training, or doesn't exist.",
            "item_id",
        )
    loaded.check_similar()
    return row


async def similar_to(context: Context, path: dict[str, str], query: SimilarQuery) -> Similar:
    """Find what is like an item by its id."""
    request = SimilarRequest(
        item_id=path["item_id"], k=query.k, where=query.where, version=query.version
    )
    return await similar(context, path, request)


def _neighbours(
    loaded: Loaded, row: int, request: SimilarRequest, n_threads: int
) -> tuple[np.ndarray, np.ndarray]:
    best = loaded.model.similar_item_rows(
        np.array([row], np.int32), request.k, _mask(loaded, request), n_threads
    )
    return best.of(0)


def _mask(loaded: Loaded, request: SimilarRequest | RecommendRequest) -> np.ndarray:
    """What may come back: visible, allowed, and not blocked."""
    chosen = allowed_mask(loaded, request.allow, request.where)
    mask = loaded.view.visible if chosen is None else chosen
    if request.block:
        mask = mask.copy()
        rows = loaded.model.data.items.find(request.block)
        mask[rows[rows >= 0]] = False
    return mask


async def _near_description(
    context: Context,
    loaded: Loaded,
    text: str | None,
    features: dict[str, Any] | None,
    request: Any,
) -> list[Recommended]:
    """The items nearest to one that needn't exist, in models that read text or features; others
    can't tell.
    """
    model, what = loaded.model, "text" if text is not None else "features"
    if not model.traits.uses_features:
        raise RequestError(
            409,
            "model_cannot",
            f"{model.name} learns from interactions alone, so it can't place what is only"
            " described; serve a model with content (two_tower, feature_ials, content_knn ...) to"
            " ask by text and features.",
            what,
        )

    if features is not None:
        checked_description(features)

    def near() -> list[Recommended]:
        try:
            description = model.described([text if text is not None else features])
        except (ArithmeticError, TypeError, ValueError) as error:
            if isinstance(error, CofactorError):
                raise
            # A text where the catalogue has numbers, and the like, in Arrow's words.
            reason = " ".join(str(error).split())
            raise invalid(f"these don't fit the catalogue's columns: {reason}.", what) from None
        best = model.similar_to_features(description, request.k, _mask(loaded, request))
        rows, scores = best.of(0)
        return recommended(loaded, rows, scores, words=shared(model, description, rows, _WORDS))

    return await context.scorer.call(loaded, near)


def checked_description(features: dict[str, Any]) -> None:
    """Refuse features that no column of a catalogue can hold: objects, mixed or nested lists."""
    for name, value in features.items():
        many = value if isinstance(value, list) else [value]
        kinds = {str if isinstance(one, str) else type(one) for one in many if one is not None}
        numbers = kinds <= {int, float}
        fits = (kinds <= {str} or kinds <= {bool} or numbers) and not any(
            isinstance(one, int) and not -(2**63) <= one < 2**63 for one in many
        )
        if not fits:
            raise invalid(
                f"feature {name!r} must be a text, a number, true, false, null, or a list of texts"
                " or of numbers.",
                "features",
            )


ROUTES = [
    Route(
        "POST",
        "/v1/recommend",
        "read",
        recommend,
        "Recommendations for a user, a posted history, or a description.",
        timed=True,
    ),
    Route(
        "GET",
        "/v1/users/{user_id}/recommendations",
        "read",
        for_user,
        "Recommendations for a user.",
        timed=True,
    ),
    Route("POST", "/v1/similar", "read", similar, "Items like one that is known or described."),
    Route("GET", "/v1/items/{item_id}/similar", "read", similar_to, "Items like a known one."),
]
