"""Model cards (Mitchell et al. 2019): what a saved model is, what it was measured at, and what it
can't do; made from its manifest alone.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

from cofactor.artifact.format import Manifest
from cofactor.artifact.load import inspect
from cofactor.base import markup
from cofactor.models import registry
from cofactor.models.recommender import Recommender

CARD = "MODEL_CARD.md"
_UNSTATED = "not stated"
_LARGE = 1e300  # beyond any figure
_LISTS = ("notes", "limits")  # of the run


@dataclass(frozen=True, repr=False)
class ModelCard:
    """What people should know of a saved model.

    Parameters
    ----------
    model, summary
        The model's name, and what it is in a few words.
    created, versions
        When it was saved, and by which libraries.
    licence
        The terms on which data and model may be used, as whoever trained it said.
    data
        Source, counts, fingerprint, by name.
    notes
        What was done to the data, and remarks of the model.
    fit
        Seed, threads, seconds, what it was fitted on.
    split, protocol, users
        How the figures came about, and over how many users; None if it wasn't measured.
    figures
        A line for each metric: value and interval.
    settings
        By name.
    limits
        What it can't do, a sentence each.
    """

    model: str
    summary: str
    created: str
    versions: dict[str, str]
    licence: str
    data: dict[str, Any]
    notes: list[str]
    fit: dict[str, Any]
    split: str | None
    protocol: str | None
    users: int | None
    figures: list[dict[str, Any]]
    settings: dict[str, Any]
    limits: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values for JSON."""
        return dict(vars(self))

    def to_markdown(self) -> str:
        """Return the card as Markdown."""
        measured = _plain(f"{self.split or ''} {self.protocol or ''}")
        over = f" ({self.users:,} users)" if self.users else ""
        saved = f"Saved {self.created} by {_pairs(self.versions, ' ')}."
        parts = [
            f"# Model card: {self.model}\n\n{_plain(self.summary)}\n",
            f"{saved} Licence: {_plain(self.licence)}.\n",
            f"## Data\n\n{_table(self.data)}\n{_list(self.notes)}",
            f"## Figures\n\n{measured}{over}\n\n{_rows(self.figures)}"
            if self.figures
            else "## Figures\n\nNothing was measured.\n",
            f"## What it can't do\n\n{_list(self.limits)}",
            f"## Fit and settings\n\n{_table(self._fit_and_settings())}",
        ]
        return "\n".join(parts)

    def _fit_and_settings(self) -> dict[str, Any]:
        return {**self.fit, **{name: _setting(value) for name, value in self.settings.items()}}

    def __repr__(self) -> str:
        return self.to_markdown()

    def _repr_html_(self) -> str:
        return markup.framed(
            markup.heading(f"Model card: {self.model}", self.summary),
            markup.facts([("saved", self.created), ("licence", self.licence), *self.data.items()]),
            markup.heading("Figures", self.split or "nothing was measured"),
            markup.table(self.figures),
            markup.heading("What it can't do"),
            markup.notes(self.limits),
            markup.folded("settings", markup.facts(self._fit_and_settings().items())),
        )


def model_card(path: str | os.PathLike[str]) -> ModelCard:
    """Return the card of a saved model; no array is read.

    Parameters
    ----------
    path
        The folder that `save` made.

    Returns
    -------
    ModelCard
        Data, split, figures with intervals, limits and licence; `to_markdown` gives it as text.

    Raises
    ------
    ArtifactError
        If there is no model, or its manifest is damaged.
    """
    return card_of(inspect(path))


def card_of(manifest: Manifest) -> ModelCard:
    """Return the card of a manifest."""
    facts, run = manifest.data, manifest.run
    known = registry.MODELS.get(manifest.model)
    metrics = manifest.metrics.get("metrics", manifest.metrics)
    notes, limits = (one if isinstance(one, list) else [] for one in map(run.get, _LISTS))
    return ModelCard(
        model=manifest.model,
        summary="" if known is None else known.summary,
        created=manifest.created,
        versions=dict(manifest.versions),
        licence=str(run.get("licence") or _UNSTATED).rstrip("."),
        data={
            # Where files and databases lie is nobody's business where a card is shown.
            "source": re.split(r"[/\\]", facts.source)[-1].partition("?")[0],
            "users": facts.n_users,
            "items": facts.n_items,
            "interactions": facts.n_interactions,
            "fingerprint": facts.fingerprint,
        },
        notes=[*facts.notes, *notes],
        fit={n: run[n] for n in ("fitted_on", "seed", "threads", "fit_seconds") if n in run},
        split=facts.split,
        protocol=_text(manifest.metrics.get("protocol")),
        users=_count(manifest.metrics.get("n_users")),
        figures=[_figure(n, fact) for n, fact in _numbers(metrics).items()],
        settings=dict(manifest.config),
        limits=[str(one) for one in limits if one],
    )


def limits_of(model: Recommender[Any]) -> list[str]:
    """Return what a fitted model can't do, a sentence each."""
    traits, data = model.traits, model.data
    found = []
    if not traits.uses_features:
        idle = int((data.item_counts == 0).sum())
        found.append(
            f"It reads no content: items without interactions ({idle:,} of its own) aren't"
            " recommended, and new items need retraining."
        )
    if not traits.predicts_ratings:
        found.append("It ranks: its scores aren't ratings or probabilities.")
    else:
        found.append("It predicts ratings: items ordered by predicted rating are a poor ranking.")
    if not traits.explains:
        found.append("Its scores can't be split among the items of a user's history.")
    if not traits.finds_similar:
        found.append("It has no similar items.")
    if not traits.uses_order:
        found.append("It ignores the order of a user's interactions.")
    if data.times is None:
        found.append("Its data has no times: old interactions count as much as new ones.")
    few = int((data.user_counts < 5).sum())
    if few:
        found.append(f"{few:,} of its {data.n_users:,} users have fewer than 5 interactions.")
    found.append(
        "Its figures measure how well it finds held-out interactions, not how people would react;"
        " they hold for data like its training data."
    )
    return found


def _numbers(metrics: Any) -> dict[str, dict[str, Any]]:
    """The metrics that are numbers, with their intervals."""
    found = {}
    for name, fact in metrics.items() if isinstance(metrics, dict) else ():
        one = fact if isinstance(fact, dict) else {"value": fact}
        if _is_number(one.get("value")):
            found[name] = one
    return found


def _is_number(value: Any) -> bool:
    whole = isinstance(value, (int, float)) and not isinstance(value, bool)
    return whole and abs(value) < _LARGE


def _figure(name: str, fact: dict[str, Any]) -> dict[str, Any]:
    """A metric's line."""
    ends = {end: fact.get(end) for end in ("low", "high")}
    return {"metric": name, "value": float(fact["value"]), **ends}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _pairs(facts: dict[str, Any], between: str) -> str:
    return ", ".join(f"{name}{between}{value}" for name, value in facts.items())


def _setting(value: Any) -> Any:
    """A setting as it would be written; one that is open is found from the data, or is off."""
    if value is None:
        return "by the data, or off"
    return f"{value:g}" if isinstance(value, float) else value


def _table(facts: dict[str, Any]) -> str:
    lines = (f"| {_plain(name)} | {_plain(markup.shown(v))} |" for name, v in facts.items())
    return "\n".join(["| | |", "| --- | --- |", *lines, ""])


def _rows(lines: list[dict[str, Any]]) -> str:
    names = list(lines[0])
    head = f"| {' | '.join(names)} |\n|{' --- |' * len(names)}"
    cells = (" | ".join(_plain(markup.shown(v)) for v in line.values()) for line in lines)
    return "\n".join([head, *(f"| {one} |" for one in cells), ""])


def _list(sentences: list[str]) -> str:
    return "".join(f"- {_plain(one)}\n" for one in sentences)


def _plain(text: Any) -> str:
    """A text in which no sign is Markdown's or HTML's, on one line."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", " ".join(str(text).split()))
