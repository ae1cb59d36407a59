"""From outside ids to rows and back: the public calls of every model, written once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from cofactor.base import checks
from cofactor.base.errors import ArgumentError, TraitError
from cofactor.base.progress import SILENT
from cofactor.base.run import Run
from cofactor.base.threads import native_threads
from cofactor.data.histories import Histories
from cofactor.data.ids import as_ids
from cofactor.models.answers import Explanation, RankedTable, Reason
from cofactor.models.fold_in import read_histories
from cofactor.retrieval.topk import TopK

if TYPE_CHECKING:
    from cofactor.models.base import Audience, Recommender
    from cofactor.retrieval.filters import Filters

# This many users are asked about at a time: 4 MiB of scores for each thousand items, where scores are held at all.
BLOCK = 1024


@contextmanager
def watched(run: Run) -> Iterator[None]:
    """Run the body with the run's native threads; tell the user when kernels are compiled in it."""
    from cofactor.kernels.cpu.jit import compilation_shown

    with ExitStack() as stack:
        stack.enter_context(native_threads(run.n_threads))
        if run.progress is not SILENT:
            stack.enter_context(compilation_shown(run.progress.say))
        yield


def recommend(
    model: Recommender,
    users: Any,
    k: int,
    *,
    history: Any,
    features: Any,
    exclude_seen: bool,
    filters: Filters | None,
    unknown: str,
    run: Run | None,
) -> RankedTable:
    """Recommend to users or histories; see `Recommender.recommend`."""
    checks.integer(k, "k", low=1)
    checks.choice(unknown, "unknown", ("error", "fallback"))
    if users is not None and (history is not None or features is not None):
        raise ArgumentError("give users, or a history or features of somebody unseen, not both.")
    run = run if run is not None else Run()
    allowed = _allowed(model, filters)
    asked, audiences = _audiences(model, users, history, unknown) if features is None else _profiled(model, history, features, unknown)
    parts = []
    with watched(run):
        for start, audience in audiences:
            seen = audience.seen if exclude_seen else None
            best = model.topk(audience, k, excluded=seen, allowed=allowed, n_threads=run.n_threads)
            parts.append(_item_table(model, asked.slice(start, len(audience)), best, "item_id"))
    name = "user_id" if history is None and features is None else "history"
    ranked = _ranked(parts, name, "item_id")
    if model.traits.uses_features and len(ranked):
        rows = model.data.items.find(ranked.to_arrow().column("item_id"))
        ranked.cold_share = float((model.data.item_counts[rows] == 0).mean())
    return ranked


def predict(model: Recommender, users: Any, items: Any) -> np.ndarray:
    """Predict values pair by pair; see `Recommender.predict`."""
    if not model.traits.predicts_ratings:
        raise TraitError(f"{model.name} doesn't predict ratings; it ranks. Ask for score() or recommend().")
    user_rows, item_rows = model.data.users.find(users), model.data.items.find(items)
    if len(user_rows) != len(item_rows):
        raise ArgumentError(f"users and items must be pairs, not {len(user_rows)} users and {len(item_rows)} items.")
    values = np.empty(len(user_rows), np.float32)
    known = user_rows >= 0
    if known.any():
        distinct, which = np.unique(user_rows[known], return_inverse=True)
        values[known] = model._predict(model.audience(distinct).states, which, item_rows[known])
    if not known.all():
        stranger = model.fold_in(Histories.of([[]], model.data.n_items))
        asked = item_rows[~known]
        values[~known] = model._predict(stranger.states, np.zeros(len(asked), np.int64), asked)
    return values


def similar_items(
    model: Recommender, items: Any, k: int, *, filters: Filters | None, run: Run | None
) -> RankedTable:
    """Find an item's neighbours; see `Recommender.similar_items`."""
    _require_similarity(model)
    checks.integer(k, "k", low=1)
    run = run if run is not None else Run()
    rows = model.data.items.rows(items, what="item")
    with watched(run):
        best = model._similar_items(rows, k, _allowed(model, filters), run.n_threads)
    return _ranked([_item_table(model, model.data.items.take(rows), best, "similar_item_id")], "item_id", "similar_item_id")


def similar_users(model: Recommender, users: Any, k: int, *, run: Run | None) -> RankedTable:
    """Find a user's neighbours; see `Recommender.similar_users`."""
    _require_similarity(model)
    checks.integer(k, "k", low=1)
    run = run if run is not None else Run()
    rows = model.data.users.rows(users, what="user")
    with watched(run):
        best = model._similar_users(rows, k, run.n_threads)
    question, rank, found, score = best.flat()
    asked = model.data.users.take(rows[question])
    table = pa.table({"asked": asked, "rank": rank, "similar_user_id": model.data.users.take(found), "score": score})
    return _ranked([table], "user_id", "similar_user_id")


def explain(model: Recommender, user: Any, item: Any, *, history: Any) -> Explanation:
    """Split a score among past items; see `Recommender.explain`."""
    if (user is None) == (history is None) or item is None:
        raise ArgumentError("give an item, and either a user or a history.")
    if not model.traits.explains:
        raise TraitError(f"{model.name} isn't linear in a user's past, so a score can't be split among past items.")
    data = model.data
    row = int(data.items.rows(item, what="item")[0])
    if user is not None:
        audience = model.audience(data.users.rows(user, what="user"))
    else:
        audience = model.fold_in(read_histories(history, data.items))
    if len(audience) != 1:
        raise ArgumentError(f"explain takes one user or one history, not {len(audience)}.")
    past, added, rest = model._explain(audience, row)
    order = np.argsort(-added, kind="stable")
    ids, titles = data.items.ids(past[order]), data.catalogue.titles(past[order])
    reasons = tuple(Reason(i, t, float(a)) for i, t, a in zip(ids, titles, added[order], strict=True))
    score = float(added.sum(dtype=np.float64) + rest)
    features = model.explain_features(audience, np.array([row]))[0]
    return Explanation(data.items.ids([row])[0], data.catalogue.titles([row])[0], score, reasons, float(rest), features)


def add_items(model: Any, items: Any, *, id_column: str | None, known: str) -> Any:
    """Add new items; see `Recommender.add_items`."""
    from cofactor.models.content.new_items import with_new_items

    checks.choice(known, "known", ("error", "skip"))
    if not model.traits.uses_features:
        model._add_items(model.data)
    data = with_new_items(model.data, items, id_column=id_column, known=known)
    if data.n_items > model.data.n_items:
        with watched(Run()):
            model._add_items(data)
    return model


def similar_to(model: Recommender, description: Any, k: int, *, filters: Filters | None) -> RankedTable:
    """Find what is like something described; see `Recommender.similar_to`."""
    from cofactor.models.content.base import ContentFeatures

    checks.integer(k, "k", low=1)
    if not isinstance(model, ContentFeatures):
        raise TraitError(f"{model.name} reads no content, so it can't answer a description; use a model with content.")
    given = description if isinstance(description, (list, tuple)) else [description]
    matrix = model.described(given)
    best = model.similar_to_features(matrix, k, _allowed(model, filters))
    asked = pa.array(np.arange(len(given)))
    return _ranked([_item_table(model, asked, best, "similar_item_id")], "description", "similar_item_id")


def _audiences(
    model: Recommender, users: Any, history: Any, unknown: str
) -> tuple[pa.Array, Iterator[tuple[int, Audience]]]:
    """The questions as a column, and the audiences of their blocks with where each begins."""
    ids, n_items = model.data.users, model.data.n_items
    if history is not None:
        policy = "skip" if unknown == "fallback" else "error"
        histories = read_histories(history, model.data.items, unknown=policy)
        spans = _spans(len(histories))
        return pa.array(np.arange(len(histories))), ((s, model.fold_in(histories.take(rows))) for s, rows in spans)
    if users is None:
        return ids.arrow, ((s, model.audience(rows)) for s, rows in _spans(len(ids)))
    if unknown == "error":
        known = ids.rows(users, what="user")
        return ids.take(known), ((s, model.audience(known[span])) for s, span in _spans(len(known)))
    found = ids.find(users)
    # Strangers are folded in with an empty history, one by one: their states can't be mixed with trained ones in a batch.
    stranger = Histories.of([[]], n_items)
    if (found < 0).any():
        return as_ids(users), ((n, _one(model, int(row), stranger)) for n, row in enumerate(found))
    return as_ids(users), ((s, model.audience(found[span])) for s, span in _spans(len(found)))


def _profiled(model: Recommender, history: Any, features: Any, unknown: str) -> tuple[pa.Array, Iterator[tuple[int, Audience]]]:
    """Somebody, or several, known by a profile each, and perhaps by a history."""
    from cofactor.models.base import Audience

    profiles = [features] if isinstance(features, Mapping) else list(features)
    if not profiles or not all(isinstance(one, Mapping) for one in profiles):
        raise ArgumentError("features must be a mapping of the profiles' columns ({'age': 31}), or a list of them.")
    policy = "skip" if unknown == "fallback" else "error"
    n_items = model.data.n_items
    histories = Histories.of([[]] * len(profiles), n_items)
    if history is not None:
        histories = read_histories(history, model.data.items, unknown=policy)
    if len(histories) != len(profiles):
        raise ArgumentError(f"features and history must be of as many people: {len(profiles)} and {len(histories)}.")
    states = model._fold_in_profiles(histories, pa.Table.from_pylist([dict(one) or {"": None} for one in profiles]))
    indptr, item_rows, values = histories.csr
    audience = Audience(states, np.zeros(len(profiles), bool), (indptr, item_rows), None if histories.values is None else values)
    return pa.array(np.arange(len(profiles))), iter([(0, audience)])


def _one(model: Recommender, row: int, stranger: Histories) -> Audience:
    """A trained user by row, or (row -1) somebody without history."""
    return model.audience(np.array([row], np.int32)) if row >= 0 else model.fold_in(stranger)


def _spans(count: int) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, count, BLOCK):
        yield start, np.arange(start, min(start + BLOCK, count))


def _allowed(model: Recommender, filters: Filters | None) -> np.ndarray | None:
    return None if filters is None else filters.mask(model.data.items, model.data.catalogue)


def _require_similarity(model: Recommender) -> None:
    if not model.traits.finds_similar:
        raise TraitError(f"{model.name} knows no similarity; use a model with vectors or neighbours.")


def _item_table(model: Recommender, asked: pa.Array, best: TopK, answer: str) -> pa.Table:
    question, rank, found, score = best.flat()
    columns = {"asked": asked.take(pa.array(question)), "rank": pa.array(rank), answer: model.data.items.take(found)}
    if model.data.catalogue.title_column is not None:
        columns["title"] = pa.array(model.data.catalogue.titles(found), pa.string())
    return pa.table({**columns, "score": pa.array(score)})


def _ranked(parts: list[pa.Table], asked: str, answer: str) -> RankedTable:
    if not parts:
        raise ArgumentError("nobody was asked about: the list is empty.")
    table = pa.concat_tables(parts)
    names = [asked if name == "asked" else name for name in table.column_names]
    return RankedTable(table.rename_columns(names), asked=asked, answer=answer)
