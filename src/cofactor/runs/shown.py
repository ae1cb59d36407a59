"""How results of runs are shown: data frames, LaTeX, reprs, notebooks; where they come from."""

from __future__ import annotations

import platform
import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cofactor.artifact.versions import library_versions
from cofactor.base import markup
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.evaluation import charts


def origin_of_comparison(data: Interactions, run: Run) -> dict[str, str]:
    """Return where a comparison comes from: data, date, versions, seed and threads by name."""
    versions = ", ".join(f"{name} {version}" for name, version in library_versions().items())
    return {
        "Data": (
            f"{_without_password(data.source)}: {data.n_users:,} users, {data.n_items:,} items,"
            f" {len(data):,} interactions"
        ),
        "Data's fingerprint": data.fingerprint,
        "Date": datetime.now(UTC).isoformat(timespec="seconds"),
        "Versions": f"{versions}, Python {platform.python_version()} on {platform.platform()}",
        "Seed of the fits": str(run.seed),
        "Threads": str(run.n_threads),
    }


def command_line(words: Sequence[str]) -> str:
    """Return a command as typed, without the passwords of databases."""
    return _without_password(shlex.join(["cofactor", *words]))


def _without_password(text: str) -> str:
    return re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", text)


def compared_text(done: Any) -> str:
    """Return the table as text."""
    rows = done.rows()
    names = list(rows[0])
    table = markup.aligned([names, *([_cell(row[name]) for name in names] for row in rows)])
    failed = [f"{name} failed: {why}" for name, why in done.failures.items()]
    return "\n".join([table, done.split.sentence, *failed])


def _cell(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def compared_html(done: Any) -> str:
    """Return the table, the intervals of the first metric, and how it was measured."""
    results = [done.results[name] for name in done.order]
    said = results[0].how.protocol
    failed = [f"{name} failed: {why}" for name, why in done.failures.items()]
    rows = done.rows()
    best = next(n for n, row in enumerate(rows) if row["model"] == done.best)
    origin = markup.folded("How it was measured", markup.facts(done.origin.items()))
    return markup.framed(
        markup.heading("Comparison", said),
        markup.table(rows, best=best),
        charts.forest(results, done.metric),
        f"<div>{markup.safe(done.split.sentence)}</div>",
        markup.notes(failed),
        origin,
    )


def lines_html(
    title: str, rows: Sequence[Mapping[str, Any]], sentences: Sequence[str], best: int | None = None
) -> str:
    """Return a table and sentences about it."""
    said = "".join(f"<div>{markup.safe(one)}</div>" for one in sentences)
    return markup.framed(markup.heading(title), markup.table(rows, best=best), said)


def trained_text(done: Any) -> str:
    """Return which model was trained, where it was saved, and its result."""
    on = "all of the data" if done.refitted or done.result is None else "the training part"
    head = f"{done.model.name}, fitted on {on} in {done.seconds:.1f} s, saved to {done.path}"
    return head if done.result is None else f"{head}\n{done.result!r}"


def trained_html(done: Any) -> str:
    """Return the model, where it was saved, and its result."""
    result = "" if done.result is None else done.result._repr_html_()
    place = markup.framed(f"<div>saved to {markup.safe(done.path)} in {done.seconds:.1f} s</div>")
    return done.model._repr_html_() + place + result
