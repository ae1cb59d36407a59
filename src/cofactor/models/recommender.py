"""Recommenders: the calls that take and return outside ids, written once for all models.

Recommending, filters, similar items, new items, explanations: these calls take and return outside
ids, which exist no further down. The calls by rows, for evaluation and services, are in
`row_calls`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa

from cofactor.base import checks
from cofactor.base.errors import ArgumentError, TraitError
from cofactor.base.run import Run, run_of
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.kernels.work import run_context
from cofactor.models.answering.answers import Explanation, RankedTable, answer_table, ranked
from cofactor.models.answering.descriptions import descriptions
from cofactor.models.answering.fold_in import read_histories
from cofactor.models.answering.new_items import with_new_items
from cofactor.models.answering.one_fit import of_one_fit
from cofactor.models.answering.requested_users import profiled, rows_of, user_batches
from cofactor.models.answering.reranking import RerankedLists
from cofactor.models.hooks import ConfigT
from cofactor.models.model import Model
from cofactor.retrieval.topk import TopK, items_unchanged

if TYPE_CHECKING:
    from cofactor.models.answering.explore import ModelExplorer
    from cofactor.retrieval.filters import Filters
    from cofactor.retrieval.rerank.rules import Rerank


class Recommender(Model[ConfigT]):
    """Base class of all models: they learn from interactions, and answer by user and item ids.

    `fit` returns the model itself. Trained users are given by id, unseen ones by a history, which
    is folded in without retraining. Threads may call a fitted model at the same time.

    Parameters
    ----------
    config
        The model's settings, an instance of its ``Config``; None for the defaults.
    settings
        Settings by name, in place of those of ``config``: ``IALS(factors=32)``.

    Raises
    ------
    UnknownNameError
        For a setting that doesn't exist.
    ArgumentError
        For a value out of its range.
    """

    @of_one_fit
    def recommend(
        self,
        users: Any = None,
        k: int = 10,
        *,
        history: Any = None,
        features: Any = None,
        exclude_seen: bool = True,
        filters: Filters | None = None,
        unknown: str = "error",
        rerank: Rerank | str | Iterable[str] | None = None,
        run: Run | None = None,
    ) -> RankedTable:
        """Recommend items to users by id, or to unseen users by their histories.

        Parameters
        ----------
        users
            One user id or several; None means all users (unless a history is given).
        k
            Number of items; fewer are returned only if fewer may be recommended.
        history
            Instead of users: one list of item ids, oldest first, a mapping of item id to value, or
            several of them.
        features
            The profile of an unseen user, a mapping of the profiles' columns, or a list of
            profiles; with a history or alone. For models that were fitted with profiles.
        exclude_seen
            Whether items that a user has interacted with are left out.
        filters
            Which items may be recommended.
        unknown
            What to do with unknown ids: ``"error"`` raises an error that names them; ``"fallback"``
            treats an unknown user as one without history, and skips unknown items of a history.
        rerank
            How lists are chosen from the best items: a `Rerank`, or its text such as
            ``"mmr=0.7 by genres; cap=2 by author"``. Scores stay the model's.
        run
            Threads and progress.

        Returns
        -------
        RankedTable
            Columns ``user_id`` (or ``history``, its number from 0), ``rank``, ``item_id``,
            ``title``, ``score``.

        Raises
        ------
        UnknownIdError
            For unknown ids, unless ``unknown="fallback"``.
        ArgumentError
            For k below 1, users together with a history or features, or rules that can't be read.
        """
        checks.integer(k, "k", low=1)
        exclude_seen = checks.boolean(exclude_seen, "exclude_seen")
        checks.choice(unknown, "value of unknown", ("error", "fallback"))
        if users is not None and (history is not None or features is not None):
            raise ArgumentError("give users, or a history or features of an unseen user, not both.")
        run = run_of(run)
        allowed = _allowed(self.data, filters)
        queries, batches = (
            user_batches(self, users, history, unknown)
            if features is None
            else profiled(self, history, features, unknown)
        )
        lists = RerankedLists.of(self, rerank, len(queries), allowed)
        topk = self.topk if lists is None else lists.topk
        parts = []
        with run_context(run), items_unchanged():
            for start, batch in batches:
                seen = batch.seen if exclude_seen else None
                best = topk(batch, k, excluded=seen, allowed=allowed, n_threads=run.n_threads)
                part = queries.slice(start, len(batch))
                parts.append(self._item_table(part, best, "item_id"))
        name = "user_id" if history is None and features is None else "history"
        table = ranked(parts, name, "item_id")
        if self.traits.uses_features and len(table):
            table.cold_share = _cold_share(self.data, table.to_arrow().column("item_id"))
        return table

    @of_one_fit
    def score(self, users: Any, items: Any = None) -> np.ndarray:
        """Return the scores of items for users, by ids, float32 [n_users, n_items].

        ``items=None`` scores all items, in row order. Scores rank the items of one user; their
        scale depends on the model. Without users or items the array is empty ([0, n_items] or
        [n_users, 0]). Unknown ids raise `UnknownIdError`.
        """
        item_rows = None if items is None else self.data.items.rows(items, what="item")
        return self.score_rows(self.data.users.rows(users, what="user"), item_rows)

    @of_one_fit
    def predict(self, users: Any, items: Any) -> np.ndarray:
        """Return the predicted value of each pair of user and item, float32 [n], on the data's
        scale.

        For an unknown user the prediction depends on the item alone, for an unknown item on the
        user alone; if both are unknown, it is the mean. Without pairs the array is empty.

        Raises
        ------
        TraitError
            If the model doesn't predict ratings.
        """
        if not self.traits.predicts_ratings:
            raise TraitError(
                f"{self.name} doesn't predict ratings; it ranks. Ask for score() or recommend()."
            )
        user_rows, item_rows = self._pair_rows(users, items)
        values = np.empty(len(user_rows), np.float32)
        known = user_rows >= 0
        if known.any():
            distinct, which = np.unique(user_rows[known], return_inverse=True)
            values[known] = self.predict_batch(self.user_batch(distinct), which, item_rows[known])
        if not known.all():
            unseen = self.fold_in(Histories.of([[]], self.data.n_items))
            queries = item_rows[~known]
            values[~known] = self.predict_batch(unseen, np.zeros(len(queries), np.int64), queries)
        return values

    @of_one_fit
    def similar_items(
        self, items: Any, k: int = 10, *, filters: Filters | None = None, run: Run | None = None
    ) -> RankedTable:
        """Return the k most similar items of each item, without the item itself.

        Returns
        -------
        RankedTable
            Columns ``item_id``, ``rank``, ``similar_item_id``, ``title``, ``score`` (cosine of the
            vectors, unless the model's own documentation says otherwise).

        Raises
        ------
        TraitError
            If the model doesn't support similar items.
        """
        self._require_similarity(k)
        run = run_of(run)
        rows = rows_of(self.data.items, items, "item")
        with run_context(run):
            best = self.similar_item_rows(rows, k, _allowed(self.data, filters), run.n_threads)
        return ranked(
            [self._item_table(self.data.items.take(rows), best, "similar_item_id")],
            "item_id",
            "similar_item_id",
        )

    @of_one_fit
    def similar_users(self, users: Any, k: int = 10, *, run: Run | None = None) -> RankedTable:
        """Return the k most similar users of each user, without the user.

        Returns
        -------
        RankedTable
            Columns ``user_id``, ``rank``, ``similar_user_id``, ``score``: the cosine of the users'
            vectors, or of their histories in models without vectors.

        Raises
        ------
        TraitError
            If the model doesn't support similar users.
        """
        self._require_similarity(k)
        run = run_of(run)
        rows = rows_of(self.data.users, users, "user")
        with run_context(run):
            best = self.similar_user_rows(rows, k, run.n_threads)
        ids = self.data.users
        table = answer_table(ids.take(rows), best, "similar_user_id", ids)
        return ranked([table], "user_id", "similar_user_id")

    def with_items(self, items: Any, *, id_column: str | None = None, known: str = "error") -> Self:
        """Return a new model with more items, represented by their descriptions, without
        retraining.

        They can be recommended at once. This model doesn't change, and both may answer at the same
        time.

        Parameters
        ----------
        items
            A file, a table, or a list of dictionaries: an id and the catalogue's columns, one line
            an item.
        id_column
            Which column has the ids; None to find it by the usual names.
        known
            What to do with ids that the model has already: ``"error"`` or ``"skip"``.

        Raises
        ------
        TraitError
            If the model reads no content.
        """
        checks.choice(known, "known", ("error", "skip"))
        if not self.traits.uses_features:
            raise TraitError(
                f"{self.name} reads no content, so it can't add new items; use"
                " content_blend, feature_ials or another model with content."
            )
        data = with_new_items(self.data, items, id_column=id_column, known=known)
        with run_context(Run()):
            return self.with_data(data)

    @of_one_fit
    def similar_to(
        self, description: Any, k: int = 10, *, filters: Filters | None = None
    ) -> RankedTable:
        """Return the k items most similar to a description: a sentence, or a mapping of the
        catalogue's columns.

        Returns
        -------
        RankedTable
            Columns ``description`` (its number, from 0), ``rank``, ``similar_item_id``, ``title``,
            ``score`` (cosine of the features).

        Raises
        ------
        TraitError
            If the model reads no content.
        """
        checks.integer(k, "k", low=1)
        given = descriptions(description)
        matrix = self.described(given)
        best = self.similar_to_features(matrix, k, _allowed(self.data, filters))
        queries = pa.array(np.arange(len(given)))
        return ranked(
            [self._item_table(queries, best, "similar_item_id")],
            "description",
            "similar_item_id",
        )

    @of_one_fit
    def explain(self, user: Any = None, item: Any = None, *, history: Any = None) -> Explanation:
        """Return the contributions of past items to an item's score, for a user by id or by
        history; with the rest, they add up to the score.

        Raises
        ------
        TraitError
            If the score isn't linear in the history.
        ArgumentError
            Without exactly one item, and one user or one history.
        """
        if (user is None) == (history is None) or item is None:
            raise ArgumentError("give an item, and either a user or a history.")
        if not self.traits.explains:
            raise self._not_linear()
        data = self.data
        rows = data.items.rows(item, what="item")
        if len(rows) != 1:
            raise ArgumentError(f"explain takes one item, not {len(rows)}.")
        if user is not None:
            batch = self.user_batch(data.users.rows(user, what="user"))
        else:
            batch = self.fold_in(read_histories(history, data.items))
        if len(batch) != 1:
            raise ArgumentError(f"explain takes one user or one history, not {len(batch)}.")
        shares = self.explain_rows(batch, rows)
        return Explanation.of(data, int(rows[0]), shares, *self.explain_features(batch, rows))

    def explore(self, k: int = 10) -> ModelExplorer:
        """Return a widget for notebooks: recommendations, reasons, similar items."""
        from cofactor.models.answering.explore import ModelExplorer

        return ModelExplorer(self, k)

    def _repr_html_(self) -> str:
        from cofactor.models.answering.model_html import model_html

        return model_html(self)

    # Helpers.

    def _item_table(self, queries: pa.Array, best: TopK, answer: str) -> pa.Table:
        return answer_table(queries, best, answer, self.data.items, self.data.catalogue)

    def _pair_rows(self, users: Any, items: Any) -> tuple[np.ndarray, np.ndarray]:
        """The rows of pairs of ids; -1 where one is unknown."""
        user_rows, item_rows = self.data.users.find(users), self.data.items.find(items)
        if len(user_rows) != len(item_rows):
            raise ArgumentError(
                f"users and items must be pairs, not {len(user_rows)} users and {len(item_rows)}"
                " items."
            )
        return user_rows, item_rows

    def _require_similarity(self, k: int) -> None:
        if not self.traits.finds_similar:
            raise TraitError(
                f"{self.name} doesn't support similar items; use a model with vectors or"
                " neighbours."
            )
        checks.integer(k, "k", low=1)


def _cold_share(data: Interactions, items: Any) -> float:
    return float((data.item_counts[data.items.find(items)] == 0).mean())


def _allowed(data: Interactions, filters: Filters | None) -> np.ndarray | None:
    if filters is None:
        return None
    from cofactor.retrieval.filters import Filters

    if not isinstance(filters, Filters):
        raise ArgumentError(
            f"filters must be Filters (cofactor.Filters(block=[...])), not {filters!r}."
        )
    return filters.mask(data.items, data.catalogue)
