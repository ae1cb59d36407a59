"""The results of the public calls: ranked tables with outside ids, and explanations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from cofactor.base.extras import require
from cofactor.base.latex import latex_table
from cofactor.base.markup import aligned, shortened

if TYPE_CHECKING:
    from cofactor.data.catalogue import Catalogue
    from cofactor.data.ids import IdMap
    from cofactor.data.interactions import Interactions
    from cofactor.models.user_batch import Shares
    from cofactor.retrieval.topk import TopK


class RankedTable:
    """Rankings for several queries, one row per answer: query, rank, answer, title, score.

    Parameters
    ----------
    table
        Arrow table with the columns ``<query>``, ``rank`` (int32, from 1), ``<answer>``, ``title``
        (only where titles are known) and ``score`` (float32); sorted by query, then by rank.
    query
        The name of the column with the queries: ``"user_id"``, ``"item_id"`` or ``"history"`` (its
        number, from 0).
    answer
        The name of the column with the answers: ``"item_id"``, ``"user_id"``, ``"similar_item_id"``
        ...
    """

    def __init__(self, table: pa.Table, *, query: str, answer: str) -> None:
        self._table = table
        self.query = query
        self.answer = answer
        # Set by models with content: the share of the rows whose item has no interactions.
        self.cold_share: float | None = None

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._table.to_pylist())

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)

    def __getitem__(self, key: int | slice | str) -> Any:
        """Return a row by its number, some rows by a slice, or a column by its name."""
        if isinstance(key, str):
            return self._table.column(key).to_pylist()
        if isinstance(key, slice):
            lines = self._table.take(list(range(len(self)))[key])
            return RankedTable(lines, query=self.query, answer=self.answer)
        return self._table.slice(range(len(self))[key], 1).to_pylist()[0]

    @property
    def ids(self) -> list[Any]:
        """The answers' ids, in order."""
        return list(self._table.column(self.answer).to_pylist())

    @property
    def scores(self) -> list[float]:
        """The answers' scores, in order."""
        return list(self._table.column("score").to_pylist())

    def to_arrow(self) -> pa.Table:
        """Return the Arrow table."""
        return self._table

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame (pandas must be installed)."""
        require("pandas", purpose="to_pandas()")
        return self._table.to_pandas()

    def to_polars(self) -> Any:
        """Return a polars DataFrame (polars must be installed)."""
        return require("polars", purpose="to_polars()").from_arrow(self._table)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return one dictionary per row."""
        return list(self._table.to_pylist())

    def to_latex(self, caption: str | None = None) -> str:
        """Return a table for LaTeX (the document loads ``booktabs``)."""
        return latex_table(self.to_dicts(), caption=caption)

    def _repr_html_(self) -> str:
        from cofactor.models.answering.model_html import ranked_html

        return ranked_html(self)

    def __repr__(self) -> str:
        shown = self._table.slice(0, 20).to_pylist()
        names = self._table.column_names
        lines = [[_cell(row[name]) for name in names] for row in shown]
        text = aligned([names, *lines])
        cold = (
            f"\n{self.cold_share:.0%} of the lines are items without interactions"
            if self.cold_share
            else ""
        )
        return text + (f"\n… {len(self) - 20:,} more lines" if len(self) > 20 else "") + cold


def answer_table(
    queries: pa.Array, best: TopK, answer: str, ids: IdMap, catalogue: Catalogue | None = None
) -> pa.Table:
    """Return the best rows of each query by their ids; with titles where a catalogue has them."""
    question, rank, found, score = best.flat()
    columns = {
        "query": queries.take(pa.array(question)),
        "rank": pa.array(rank),
        answer: ids.take(found),
    }
    if catalogue is not None and catalogue.title_column is not None:
        columns["title"] = pa.array(catalogue.titles(found), pa.string())
    return pa.table({**columns, "score": pa.array(score)})


def ranked(parts: list[pa.Table], query: str, answer: str) -> RankedTable:
    """Return the rankings of several blocks as one table, and name its first column."""
    table = pa.concat_tables(parts)
    names = [query if name == "query" else name for name in table.column_names]
    return RankedTable(table.rename_columns(names), query=query, answer=answer)


@dataclass(frozen=True)
class Reason:
    """One past item (or word, or feature) and its contribution to a score."""

    id: Any
    title: str | None
    contribution: float


@dataclass(frozen=True)
class Explanation:
    """Why an item has its score for a user.

    The contributions of all past items plus ``rest`` add up to ``score``.

    Parameters
    ----------
    item, title
        The explained item.
    score
        Its score for this user.
    reasons
        The contributions of past items, the largest first.
    rest
        The part of the score that belongs to no single past item: biases, the mean.
    features
        In models with content, the contributions of the item's words and features to the part of
        the score that comes from content, the largest first.
    """

    item: Any
    title: str | None
    score: float
    reasons: tuple[Reason, ...]
    rest: float
    features: tuple[Reason, ...] = ()

    @classmethod
    def of(
        cls, data: Interactions, item_row: int, shares: Shares, features: tuple[Reason, ...]
    ) -> Explanation:
        """Return it from the shares of one item."""
        past, (added,), (rest,) = shares
        order = np.argsort(-added, kind="stable")
        ids, titles = data.items.ids(past[order]), data.catalogue.titles(past[order])
        each = zip(ids, titles, added[order], strict=True)
        return cls(
            item=data.items.ids([item_row])[0],
            title=data.catalogue.titles([item_row])[0],
            score=float(added.sum(dtype=np.float64) + rest),
            reasons=tuple(Reason(i, title, float(a)) for i, title, a in each),
            rest=float(rest),
            features=features,
        )

    def _repr_html_(self) -> str:
        from cofactor.models.answering.model_html import explanation_html

        return explanation_html(self)

    def __repr__(self) -> str:
        head = f"{self.title or self.item}: {self.score:.4g}"
        lines = [f"  {r.contribution:+.4f}  {r.title or r.id}" for r in self.reasons[:10]]
        more = [f"  … {len(self.reasons) - 10} more past items"] if len(self.reasons) > 10 else []
        words = ", ".join(f"{r.title} {r.contribution:+.3f}" for r in self.features[:8])
        content = [f"  by its words and features: {words}"] if words else []
        return "\n".join(
            [head, *lines, *more, f"  {self.rest:+.4f}  belongs to no single item", *content]
        )


def _cell(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else shortened(value)
