"""Runs kept in a folder, to be listed, shown and compared: results, settings and data.

Each run is a folder of its own. ``values.parquet`` has the values by user (``user_id``, ``model``,
and a column for each metric), so that two runs on the same split can be tested against each other;
``run.json`` has the rest."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import cofactor
from cofactor.base import checks
from cofactor.base.disk import naming_full
from cofactor.base.errors import ArgumentError, DataError, UnknownNameError
from cofactor.base.names import nearest, word
from cofactor.base.staging import staging_folder
from cofactor.evaluation.result import Result
from cofactor.evaluation.significance import p_value
from cofactor.metrics.table import parse_metric
from cofactor.models import registry

_FACTS, _VALUES = "run.json", "values.parquet"


@dataclass(frozen=True)
class KeptRun:
    """One run.

    Parameters
    ----------
    id
        The name of its folder.
    command
        What was run: ``train``, ``compare`` or ``tune``.
    created
        When, ISO 8601 UTC.
    source, split, fingerprint
        What was read, how it was cut, and the SHA-256 of the parts.
    models
        Label -> ``model``, ``config``, ``metrics`` (each value, low, high) and ``fit_seconds``.
    more
        Other output of the command: sentences, tests, failures, the choice of auto.
    version
        Of Cofactor.
    """

    id: str
    command: str
    created: str
    source: str
    split: str
    fingerprint: str
    models: Mapping[str, Mapping[str, Any]]
    more: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""

    @property
    def metric(self) -> str:
        """The first metric that all models have."""
        tables = [list(one["metrics"]) for one in self.models.values()]
        return next((m for m in tables[0] if all(m in one for one in tables)), tables[0][0])

    @property
    def best(self) -> str:
        """The best model on that metric."""
        return max(self.models, key=lambda label: self._goodness(label, self.metric))

    def value(self, label: str, metric: str) -> float:
        """A model's value of a metric."""
        return float(self.models[label]["metrics"][metric]["value"])

    def settings(self, label: str) -> list[str]:
        """Return a model's settings that differ from the defaults, as ``factors=64``."""
        one = self.models[label]
        try:
            usual = registry.get(one["model"]).Config.defaults()
        except UnknownNameError:  # a model of the user's own
            usual = {}
        return [
            f"{name}={word(value)}"
            for name, value in one["config"].items()
            if name not in usual or word(value) != word(usual[name])
        ]

    def _goodness(self, label: str, metric: str) -> float:
        sign = parse_metric(metric).sign
        return sign * self.value(label, metric)

    def rows(self) -> list[dict[str, Any]]:
        """Return a line for each model, the best first."""
        order = sorted(self.models, key=lambda label: -self._goodness(label, self.metric))
        return [
            {
                "model": label,
                **{name: one["value"] for name, one in self.models[label]["metrics"].items()},
                "fit s": self.models[label].get("fit_seconds"),
            }
            for label in order
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values for JSON."""
        return asdict(self)


def run_of(
    command: str,
    results: Sequence[Result],
    *,
    source: str,
    models: Mapping[str, str],
    seconds: Mapping[str, float],
    more: Mapping[str, Any],
) -> KeptRun:
    """Return the record of a run.

    Parameters
    ----------
    command
        What was run.
    results
        Of each model, on one split.
    source
        What was read.
    models
        Label -> the model's name in the registry.
    seconds
        Of each fit, by label.
    more
        Other plain values to keep.
    """
    now = datetime.now(UTC)
    return KeptRun(
        id=f"{now:%Y%m%d-%H%M%S}-{command}-{secrets.token_hex(2)}",
        command=command,
        created=now.isoformat(timespec="seconds"),
        source=source,
        split=results[0].how.split,
        fingerprint=results[0].how.fingerprint,
        models={
            one.model: {
                "model": models[one.model],
                "config": one.config,
                "n_users": one.n_users,
                "metrics": {name: each.to_dict() for name, each in one.summary.items()},
                "fit_seconds": seconds.get(one.model),
            }
            for one in results
        },
        more=more,
        version=cofactor.__version__,
    )


def keep_run(folder: str | Path, run: KeptRun, results: Sequence[Result]) -> Path:
    """Keep a run in a folder, which is created if needed; return the run's own folder."""
    place = checks.path(folder, "folder") / run.id
    place.parent.mkdir(parents=True, exist_ok=True)
    with naming_full(place), staging_folder(place) as staging:
        text = json.dumps(run.to_dict(), indent=2, default=_plain)
        (staging / _FACTS).write_text(text + "\n", encoding="utf-8")
        pq.write_table(_values(results), staging / _VALUES, compression="zstd")
        staging.rename(place)
    return place


def check_folder(folder: str) -> None:
    """Refuse a folder in which runs can't be kept, before any work.

    Raises
    ------
    ArgumentError
        If it is a file, or can't be created or written to.
    """
    place = checks.path(folder, "runs")
    if place.exists() and not place.is_dir():
        raise ArgumentError(f"--runs {folder}: this is a file; name a folder.")
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(f"--runs {folder} can't be made: {error.strerror}.") from None
    if not os.access(place, os.W_OK | os.X_OK):
        raise ArgumentError(
            f"--runs {folder} can't be written to by this user; choose another folder."
        )


def list_runs(folder: str | Path) -> list[KeptRun]:
    """Return the runs of a folder, the oldest first.

    Raises
    ------
    ArgumentError
        If there is no such folder.
    """
    place = checks.path(folder, "folder")
    if not place.is_dir():
        raise ArgumentError(
            f"there is no folder of runs {folder}; --runs of train, compare and tune makes one."
        )
    found = sorted(path.parent for path in place.glob(f"*/{_FACTS}"))
    return [_read(path) for path in found]


def load_run(folder: str | Path, name: str) -> KeptRun:
    """Return one run by its id, a unique prefix of it, or ``last``.

    Raises
    ------
    ArgumentError
        If no run or several runs match.
    """
    runs = list_runs(folder)
    if name == "last" and runs:
        return runs[-1]
    found = [run for run in runs if run.id == name] or [r for r in runs if r.id.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ArgumentError(f"{name} begins the ids of {len(found)} runs of {folder}; write more.")
    close = nearest(name, [run.id for run in runs])
    cure = f"did you mean {close[0]}?" if close else f"cofactor runs list {folder} lists them."
    raise ArgumentError(f"{folder} holds no run {name}; {cure}")


def compare_runs(folder: str | Path, first: KeptRun, second: KeptRun) -> list[dict[str, Any]]:
    """Compare two runs: models with the same label in both, else the best of each.

    Returns
    -------
    list of dict
        ``model``, ``metric``, the values, the ``difference`` (second minus first), and ``p`` of the
        paired t-test over users, None on different splits. Not corrected for their number.
    """
    place = checks.path(folder, "folder")
    shared = [label for label in first.models if label in second.models]
    pairs = [(label, label) for label in shared] or [(first.best, second.best)]
    same = first.fingerprint == second.fingerprint
    tables = [pq.read_table(place / run.id / _VALUES) if same else None for run in (first, second)]
    lines = []
    for one, other in pairs:
        for metric in first.models[one]["metrics"]:
            if metric not in second.models[other]["metrics"]:
                continue
            values = first.value(one, metric), second.value(other, metric)
            lines.append(
                {
                    "model": one if one == other else f"{one} / {other}",
                    "metric": metric,
                    "first": values[0],
                    "second": values[1],
                    "difference": values[1] - values[0],
                    "p": _paired_p(tables, (one, other), metric),
                }
            )
    return lines


def _paired_p(
    tables: Sequence[pa.Table | None], labels: tuple[str, str], metric: str
) -> float | None:
    columns = []
    for table, label in zip(tables, labels, strict=True):
        if table is None or metric not in table.column_names:
            return None
        own = table.filter(pc.equal(table.column("model"), label))
        columns.append((own.column("user_id").to_numpy(), own.column(metric).to_numpy()))
    (users, here), (others, there) = columns
    _, left, right = np.intersect1d(users, others, return_indices=True)
    difference = there[right] - here[left]
    p = p_value(difference[~np.isnan(difference)], "t")
    return None if np.isnan(p) else p


def _values(results: Sequence[Result]) -> pa.Table:
    names = list(dict.fromkeys(name for result in results for name in result.values))
    columns: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for result in results:
        for name in names:
            missing = np.full(result.n_users, np.nan)
            columns[name].append(result.values.get(name, missing))
    sizes = [result.n_users for result in results]
    labels = np.repeat(np.array([result.model for result in results], object), sizes)
    return pa.table(
        {
            "user_id": pa.concat_arrays([result.user_ids for result in results]),
            "model": pa.array(labels, pa.string()),
            **{name: np.concatenate(parts) for name, parts in columns.items()},
        }
    )


def _read(path: Path) -> KeptRun:
    try:
        facts = json.loads((path / _FACTS).read_text(encoding="utf-8"))
        run = KeptRun(**facts)
        if not run.models or run.id != path.name:
            raise ValueError("it lacks models, or is of another folder")
        return run
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"this run can't be read: {error}.", source=str(path)) from None


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
