"""What is in some data: counts, density, time span, values, the long tail, and what was dropped
on the way.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cofactor.base.names import counted
from cofactor.data import moments
from cofactor.data.catalogue import Catalogue
from cofactor.data.conversion import as_interactions
from cofactor.data.interactions import Interactions

if TYPE_CHECKING:
    from cofactor.data.conversion import DataLike

QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
TOPS = (0.01, 0.1, 0.2)
MAX_BARS = 12


@dataclass(frozen=True)
class Tail:
    """How unevenly interactions are spread over users or items that have any.

    Parameters
    ----------
    gini
        0 where all have the same number, towards 1 where one has them all.
    top_shares
        The share of the interactions that the top 1 %, 10 % and 20 % hold (by number of
        interactions; at least one).
    below_five
        How many have fewer than five interactions.
    quantiles
        Of the number of interactions: smallest, 10 %, 25 %, median, 75 %, 90 %, 99 %, largest.
    mean
        The mean number of interactions.
    """

    gini: float
    top_shares: dict[str, float]
    below_five: int
    quantiles: dict[str, float]
    mean: float


@dataclass(frozen=True)
class Values:
    """What the values are.

    Parameters
    ----------
    low, high, mean, deviation
        Their range, mean and standard deviation.
    distinct
        How many different ones there are.
    histogram
        ``(label, count)`` in ascending order: each value by itself if there are at most 12, else 10
        equal ranges.
    """

    low: float
    high: float
    mean: float
    deviation: float
    distinct: int
    histogram: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Span:
    """When it happened: seconds since 1970 (UTC), the same as text, and how many interactions share
    their time.

    ``tied`` is the share of interactions that have the same time as another one of the same user;
    for them the order of the source decides."""

    first: int
    last: int
    first_text: str
    last_text: str
    days: float
    tied: float


@dataclass(frozen=True, repr=False)
class Description:
    """A summary of interactions; `to_dict` for machines, `str` for people.

    Parameters
    ----------
    users, items, interactions
        How many, of users and items those with any interaction.
    idle_users, idle_items
        How many have none.
    density
        The share of pairs of active users and items that are interactions.
    user_tail, item_tail
        How interactions are spread.
    values, span
        None where the data has none.
    item_columns, user_columns
        The catalogue's and the profiles' columns, with the share of rows that have something there.
    memory
        Bytes that the arrays of the interactions take, without ids and catalogue.
    notes
        What was done to the data on the way.
    """

    source: str
    users: int
    items: int
    interactions: int
    idle_users: int
    idle_items: int
    density: float
    user_tail: Tail
    item_tail: Tail
    values: Values | None
    span: Span | None
    item_columns: dict[str, float]
    user_columns: dict[str, float]
    memory: int
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values that JSON can hold."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from cofactor.data.data_html import description_html

        return description_html(self)

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def describe(data: DataLike) -> Description:
    """Summarise interactions.

    Parameters
    ----------
    data
        Interactions, or what `Recommender.fit` takes: a data frame, a sparse matrix, a path. They
        aren't changed.

    Returns
    -------
    Description
        Counts, density, time span, quantiles and long tail; `str` gives it as text.
    """
    data = as_interactions(data)
    users, items = data.user_counts, data.item_counts
    n_users, n_items = int(np.count_nonzero(users)), int(np.count_nonzero(items))
    arrays = (data.indptr, data.item_rows, data.values, data.times, data.source_order)
    return Description(
        source=data.source,
        users=n_users,
        items=n_items,
        interactions=len(data),
        idle_users=data.n_users - n_users,
        idle_items=data.n_items - n_items,
        density=len(data) / max(1, n_users * n_items),
        user_tail=tail(users),
        item_tail=tail(items),
        values=_values(data.values),
        span=_span(data),
        item_columns=_filled(data.catalogue),
        user_columns=_filled(data.profiles),
        memory=sum(array.nbytes for array in arrays if array is not None),
        notes=data.notes,
    )


def tail(counts: np.ndarray) -> Tail:
    """Describe how unevenly counts are spread, zeros left out.

    ``G = Σ_i (2 i - n - 1) c_i / (n Σ c)`` with the counts c in ascending order, i from 1.

    Parameters
    ----------
    counts
        int64 [n]: the number of interactions of each user or item.
    """
    ranked = np.sort(counts[counts > 0]).astype(np.float64)
    n, total = len(ranked), ranked.sum()
    if n == 0:
        return Tail(
            0.0, {_label(top): 0.0 for top in TOPS}, 0, {_label(q): 0.0 for q in QUANTILES}, 0.0
        )
    gini = float(((2 * np.arange(1, n + 1) - n - 1) * ranked).sum() / (n * total))
    shares = {
        _label(top): float(ranked[n - max(1, round(top * n)) :].sum() / total) for top in TOPS
    }
    found = np.quantile(ranked, QUANTILES).tolist()
    quantiles = {_label(q): number for q, number in zip(QUANTILES, found, strict=True)}
    return Tail(gini, shares, int((ranked < 5).sum()), quantiles, float(total / n))


def _values(values: np.ndarray | None) -> Values | None:
    if values is None or not len(values):
        return None
    distinct, counts = np.unique(values, return_counts=True)
    low, high = float(distinct[0]), float(distinct[-1])
    if len(distinct) <= MAX_BARS:
        histogram = tuple(
            (f"{value:g}", int(count)) for value, count in zip(distinct, counts, strict=True)
        )
    else:
        bars, edges = np.histogram(distinct.astype(np.float64), bins=10, weights=counts)
        histogram = tuple(
            (f"{edges[n]:.4g}..{edges[n + 1]:.4g}", int(bar)) for n, bar in enumerate(bars)
        )
    mean = float(values.mean(dtype=np.float64))
    deviation = float(
        np.sqrt(((distinct.astype(np.float64) - mean) ** 2 * counts).sum() / counts.sum())
    )
    return Values(low, high, mean, deviation, len(distinct), histogram)


def _span(data: Interactions) -> Span | None:
    if data.times is None or not len(data):
        return None
    positions = data.chronological
    times, owners = data.times[positions], data.user_rows
    same = (times[1:] == times[:-1]) & (owners[1:] == owners[:-1])
    tied = np.append(same, False) | np.append(False, same)
    first, last = int(times.min()), int(times.max())
    return Span(
        first,
        last,
        moments.text(first),
        moments.text(last),
        (last - first) / 86_400,
        float(tied.mean()),
    )


def _filled(catalogue: Catalogue) -> dict[str, float]:
    n_rows = max(1, len(catalogue))
    return {
        name: 1 - catalogue.table.column(name).null_count / n_rows
        for name in catalogue.column_names
    }


def _label(share: float) -> str:
    return f"{share * 100:g} %"


def _lines(found: Description) -> list[str]:
    idle = f" (and {found.idle_users:,} users, {found.idle_items:,} items without any)" * bool(
        found.idle_users or found.idle_items
    )
    lines = [
        found.source,
        (
            f"  {found.users:,} users × {found.items:,} items, {found.interactions:,}"
            f" interactions{idle}"
        ),
        f"  density {found.density:.4%}, {found.memory / 2**20:,.1f} MiB",
    ]
    if found.span is not None:
        span = found.span
        lines.append(f"  from {span.first_text} to {span.last_text} ({span.days:,.0f} days)")
        tied = round(span.tied * found.interactions)
        if tied:
            lines.append(
                f"  {tied:,} interactions ({span.tied:.1%}) share their time with another one of"
                " the same user; their order is that of the source"
            )
    if found.values is not None:
        lines += _value_lines(found.values, found.interactions)
    for name, spread in (("user", found.user_tail), ("item", found.item_tail)):
        lines += _tail_lines(name, spread)
    for name, columns in (("item", found.item_columns), ("user", found.user_columns)):
        if columns:
            lines.append(
                f"  {name} columns: "
                + ", ".join(f"{column} {share:.0%}" for column, share in columns.items())
            )
    return lines + [f"  - {note}" for note in found.notes]


def _tail_lines(name: str, spread: Tail) -> list[str]:
    low, _, first, median, third, _, most, high = spread.quantiles.values()
    shares = ", ".join(
        f"the top {top:.0%} have {share:.1%}"
        for top, share in zip(TOPS, spread.top_shares.values(), strict=True)
    )
    return [
        f"  interactions per {name}: mean {spread.mean:,.1f}, median {median:,.0f}, from {low:,.0f}"
        f" to {high:,.0f}; the middle half has {first:,.0f} to {third:,.0f}, 99% have at most"
        f" {most:,.0f}",
        f"    {shares} of the interactions (Gini {spread.gini:.3f});"
        f" {counted(spread.below_five, name)} with fewer than 5",
    ]


def _value_lines(values: Values, total: int) -> list[str]:
    head = (
        f"  values {values.low:g}..{values.high:g}, mean {values.mean:.3f}, deviation"
        f" {values.deviation:.3f}"
    )
    most = max(count for _, count in values.histogram)
    width = max(len(label) for label, _ in values.histogram)
    bars = [
        f"    {label:>{width}} {'█' * round(30 * count / most):<30} {count:,} ({count / total:.1%})"
        for label, count in values.histogram
    ]
    return [head, *bars]
