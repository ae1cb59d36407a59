"""What an evaluation returns: per-user values, summaries with intervals, and how it was
measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base import markup
from cofactor.base.extras import require
from cofactor.base.latex import latex_table
from cofactor.base.names import unknown_name
from cofactor.evaluation.intervals import Summary


@dataclass(frozen=True)
class How:
    """How something was measured.

    Parameters
    ----------
    split
        How the data was cut, in one sentence.
    fingerprint
        SHA-256 of what was held out and what was known; equal means comparable.
    protocol
        What was ranked, in one sentence: all items, or sampled ones.
    sampled
        Whether true items were ranked among a few candidates only. Such numbers are not those of
        the full ranking.
    exclude_seen
        Whether the items of the history were left out of the answers.
    ties
        The tie-breaking rule.
    n_candidates
        How many items could be recommended.
    dropped
        How many true interactions were left out since they could not be recommended.
    confidence, resamples, seed
        Of the intervals and of what was drawn.
    seconds
        Scoring and counting, without the intervals; a first call's compilation of kernels is in it.
    rerank
        The rules by which the lists were chosen, as text; empty for the model's own order.
    """

    split: str
    fingerprint: str
    protocol: str
    sampled: bool
    exclude_seen: bool
    ties: str
    n_candidates: int
    dropped: int
    confidence: float
    resamples: int
    seed: int
    seconds: float
    rerank: str = ""


@dataclass(frozen=True, eq=False)
class Result:
    """One model, measured.

    Parameters
    ----------
    model
        What it is called in tables.
    config
        Its hyperparameters.
    metrics
        The names of the metrics, in the given order.
    user_rows
        int32 [n_users]: the users that were measured, ascending.
    user_ids
        Their outside ids, in the same order.
    values
        For each metric that users have, float64 [n_users]; NaN where it isn't defined. Metrics of
        all lists together (coverage, Gini) have none.
    summary
        For each metric its value and interval.
    how
        How it was measured.
    groups
        The same, restricted to the true items of a group; users without one are left out there.
    """

    model: str
    config: dict[str, Any]
    metrics: tuple[str, ...]
    user_rows: np.ndarray
    user_ids: pa.Array
    values: dict[str, np.ndarray]
    summary: dict[str, Summary]
    how: How
    groups: Mapping[str, Result] = field(default_factory=dict)

    @property
    def n_users(self) -> int:
        """The number of users that were measured."""
        return len(self.user_rows)

    @property
    def users_per_second(self) -> float:
        """How many users were measured in a second."""
        return self.n_users / max(self.how.seconds, 1e-9)

    def __getitem__(self, metric: str) -> float:
        if metric not in self.summary:
            raise unknown_name("metric of this result", metric, self.summary)
        return self.summary[metric].value

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the per-user values as plain values for JSON."""
        return {
            "model": self.model,
            "config": self.config,
            "n_users": self.n_users,
            "users_per_second": self.users_per_second,
            "metrics": {name: self.summary[name].to_dict() for name in self.metrics},
            "how": dict(vars(self.how)),
            "groups": {name: group.to_dict() for name, group in self.groups.items()},
        }

    def kept(self) -> dict[str, Any]:
        """Return the values, and how they were measured, as a manifest keeps them."""
        record = self.to_dict()
        how = {name: record["how"][name] for name in ("protocol", "fingerprint")}
        return {"n_users": record["n_users"], "metrics": record["metrics"], **how}

    def to_arrow(self) -> pa.Table:
        """Return the per-user values as an Arrow table: ``user_id`` and a column for each
        metric.
        """
        return pa.table(
            {
                "user_id": self.user_ids,
                **{name: pa.array(column) for name, column in self.values.items()},
            }
        )

    def to_pandas(self) -> Any:
        """Return the per-user values as a pandas DataFrame (pandas must be installed)."""
        require("pandas", purpose="to_pandas()")
        return self.to_arrow().to_pandas()

    def rows(self) -> list[dict[str, Any]]:
        """Return a line for each metric, and for each of each group: value, interval, users."""
        parts: dict[str, Result] = {"": self, **self.groups}
        lines = []
        for group, part in parts.items():
            for name in part.metrics:
                one = part.summary[name]
                line: dict[str, Any] = {"metric": name} | ({"group": group} if self.groups else {})
                ends = {end: math.nan if v is None else v for end, v in one.ends.items()}
                lines.append({**line, "value": one.value, **ends, "users": one.n_users})
        return lines

    def to_frame(self) -> Any:
        """Return the metrics as a pandas DataFrame of numbers (pandas must be installed); the
        values of each user are `to_pandas`.
        """
        return require("pandas", purpose="to_frame()").DataFrame(self.rows())

    def to_latex(self, caption: str | None = None) -> str:
        """Return the metrics as a table for LaTeX (the document loads ``booktabs``)."""
        return latex_table(self.rows(), caption=caption)

    def _repr_html_(self) -> str:
        said = f"{self.n_users:,} users; {self.how.protocol}"
        split = f"<div>{markup.safe(self.how.split)}</div>"
        return markup.framed(markup.heading(self.model, said), markup.table(self.rows()), split)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        lines = [f"{self.model}: {self.n_users:,} users; {self.how.protocol}", *_table(self)]
        for name, group in self.groups.items():
            lines += [f"{name}: {group.n_users:,} users", *_table(group)]
        pace = f"{self.how.seconds:.2f} s, {self.users_per_second:,.0f} users/s"
        return "\n".join([*lines, f"  split: {self.how.split}", f"  {pace}; {self.how.ties}"])


def _table(result: Result) -> list[str]:
    width = max((len(name) for name in result.metrics), default=0)
    lines = []
    for name in result.metrics:
        one = result.summary[name]
        line = f"  {name.ljust(width)}  {one.value:.4f}"
        if ends := one.interval:
            line += f"  [{ends[0]:.4f}, {ends[1]:.4f}]"
        if one.n_users != result.n_users:
            line += f"  ({one.n_users:,} users)"
        lines.append(line)
    return lines
