"""Feeds: trending items, popular items of a category, rows like what a user liked."""

from __future__ import annotations

from functools import partial

import numpy as np

from cofactor.service.answering.answers import recommended
from cofactor.service.answering.cursors import Cursor, digest_of, read_cursor
from cofactor.service.answering.feeds import (
    because_rows,
    categories,
    category_mask,
    trending_page,
)
from cofactor.service.answering.loaded import Loaded
from cofactor.service.answering.paging import next_of
from cofactor.service.errors import invalid
from cofactor.service.http.context import Context
from cofactor.service.http.route import Route
from cofactor.service.replies import Feed, FeedRow, FeedRows, Recommended
from cofactor.service.wire import BecauseQuery, CategoriesQuery, PopularQuery, TrendingQuery


async def trending(context: Context, path: dict[str, str], query: TrendingQuery) -> Feed:
    """Return what users did most lately."""
    context.checked_k(query.k)
    loaded = await context.version(None, query.cursor)
    return await context.slowly(_trending, context, loaded, query)


def _trending(context: Context, loaded: Loaded, query: TrendingQuery) -> Feed:
    digest = digest_of("trending", query.half_life, query.where)
    feed, half_life = context.trending, query.half_life
    if query.cursor is None:
        ranking = feed.now(half_life)
        page = Cursor(loaded.version, digest, ranking.seq, ranking.moment)
    else:
        page = read_cursor(query.cursor, digest, loaded.model.data.n_items)
        ranking = feed.as_of(page.seq, page.time, half_life)
    mask = None if query.where is None else loaded.view.where(query.where)
    shown = set(page.shown.tolist()), set(page.ids)
    found = trending_page(ranking, loaded, context.live, query.k, mask, shown)
    items = []
    for row, item_id, score in found:
        if row >= 0:
            (item,) = recommended(loaded, np.array([row]), np.array([score]))
        else:
            title = context.live.described[item_id].title
            item = Recommended(item_id=item_id, score=score, title=title)
        items.append(item)
    rows = np.array([row for row, *_ in found if row >= 0], np.int32)
    others = tuple(item_id for row, item_id, _ in found if row < 0)
    cursor = None if len(found) < query.k else next_of(page, rows, others)
    return Feed(items=items, source="trending", model=loaded.name, next=cursor)


async def popular(context: Context, path: dict[str, str], query: PopularQuery) -> Feed:
    """Return the most popular items, of a category if one is named."""
    context.checked_k(query.k)
    if (query.column is None) != (query.value is None):
        raise invalid(
            "give column and value together, or neither for the most popular of all items.",
            "value" if query.value is None else "column",
        )
    loaded = await context.version(None, query.cursor)
    return await context.slowly(_popular, loaded, query)


def _popular(loaded: Loaded, query: PopularQuery) -> Feed:
    digest = digest_of("popular", query.column, query.value)
    page = Cursor(loaded.version, digest, 0, loaded.profiles.store.settings.moment())
    if query.cursor is not None:
        page = read_cursor(query.cursor, digest, loaded.model.data.n_items)
    mask = loaded.view.visible
    if query.column is not None and query.value is not None:
        mask = category_mask(loaded, query.column, query.value)
    rows = loaded.most_popular(query.k, mask, page.shown)
    cursor = None if len(rows) < query.k else next_of(page, rows)
    items = recommended(loaded, rows, loaded.shares(rows))
    return Feed(items=items, source="popularity", model=loaded.name, next=cursor)


async def by_category(context: Context, path: dict[str, str], query: CategoriesQuery) -> FeedRows:
    """Return a row of popular items for each of the largest categories."""
    context.checked_k(query.k)
    return await context.slowly(_by_category, context.models.current, query)


def _by_category(loaded: Loaded, query: CategoriesQuery) -> FeedRows:
    shown = np.zeros(0, np.int32)
    rows = []
    for value in categories(loaded, query.column, query.rows):
        mask = category_mask(loaded, query.column, value)
        found = loaded.most_popular(query.k, mask, shown)
        shown = np.concatenate([shown, found])
        items = recommended(loaded, found, loaded.shares(found))
        if items:
            rows.append(FeedRow(title=value, value=value, items=items))
    return FeedRows(rows=rows, source="popularity", model=loaded.name)


async def because(context: Context, path: dict[str, str], query: BecauseQuery) -> FeedRows:
    """Return rows of items like the last ones that a user liked."""
    context.checked_k(query.k)
    loaded = context.models.current
    call = partial(_because, loaded, path["user_id"], query, context.settings.threads)
    found: FeedRows = await context.scorer.call(loaded, call)
    return found


def _because(loaded: Loaded, user_id: str, query: BecauseQuery, n_threads: int) -> FeedRows:
    profile = loaded.profiles.of_user(user_id)
    rows = []
    for liked, found, scores in because_rows(loaded, profile, query.rows, query.k, n_threads):
        at = np.array([liked])
        item_id, title = loaded.view.ids(at)[0], loaded.view.titles(at)[0]
        rows.append(
            FeedRow(
                title=f"Because you liked {title if title is not None else item_id}",
                item_id=item_id,
                items=recommended(loaded, found, scores),
            )
        )
    return FeedRows(rows=rows, source="because", model=loaded.name)


ROUTES = [
    Route(
        "GET",
        "/v1/feeds/trending",
        "read",
        trending,
        "What users did most lately, decayed; pages by cursor.",
    ),
    Route(
        "GET",
        "/v1/feeds/popular",
        "read",
        popular,
        "The most popular items, of a category if one is named; pages by cursor.",
    ),
    Route(
        "GET",
        "/v1/feeds/categories",
        "read",
        by_category,
        "A row of popular items for each of the largest categories.",
    ),
    Route(
        "GET",
        "/v1/users/{user_id}/because",
        "read",
        because,
        "Rows of items like the last ones that a user liked.",
    ),
]
