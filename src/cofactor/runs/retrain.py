"""Retrain: what a saved model was trained on, joined with what came since, learned again with the
same settings.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.artifact.load import inspect, load
from cofactor.artifact.save import check_target
from cofactor.base.errors import ArgumentError, DataError
from cofactor.base.names import counted
from cofactor.base.run import Run, run_of
from cofactor.data.catalogue import Catalogue
from cofactor.data.events import Events
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions
from cofactor.data.joins import merged
from cofactor.data.readers.folders import joined
from cofactor.runs.data_origin import bounded, catalogue_file, origin_of, overridden
from cofactor.runs.replacement import Incumbent
from cofactor.runs.reread_catalogue import CatalogueAgain, catalogue_again
from cofactor.runs.source import Cutting, Reading, events_of
from cofactor.runs.train import Limits, Trained, train

_ADDED = ("sum", "mean")
_LATER = " and later events"


@dataclass(frozen=True)
class Share:
    """What one source gave.

    Parameters
    ----------
    source
        Its name.
    events
        How many it holds.
    known
        How many of them the model or an earlier source had already; they are left out.
    """

    source: str
    events: int
    known: int = 0


@dataclass(frozen=True)
class Retrained:
    """What a retraining gave.

    Parameters
    ----------
    trained
        As `cofactor.runs.train.train` gives it.
    shares
        What came from where: the old model first.
    users, items
        How many the old model knew, and how many are new.
    """

    trained: Trained
    shares: tuple[Share, ...]
    users: tuple[int, int]
    items: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What a retraining does otherwise than the old model's training.

    Parameters
    ----------
    reading, cutting
        What isn't as usual in them takes the place of how the model's sources were read and cut,
        which the model knows (one of an earlier version: the usual).
    named
        Fields of them that take its place though they are as usual: ``{"core"}`` for a core of 0.
    seed
        Every random draw follows from it; None for the old model's.
    forget
        Users whose old interactions are left out, such as those who asked for it.
    shown
        User ids and item ids, pair by pair: what a service had shown to whom. Events on those say
        nothing of whether the new model is better than the one that chose the lists.
    metrics, refit, overwrite, plot, resume, limits
        As for `cofactor.runs.train.train`.
    """

    reading: Reading = field(default_factory=Reading)
    cutting: Cutting = field(default_factory=Cutting)
    named: Collection[str] = ()
    seed: int | None = None
    forget: Sequence[str | int] = ()
    shown: tuple[Sequence[str], Sequence[str]] = ((), ())
    metrics: Sequence[str] | None = None
    refit: bool = True
    overwrite: bool = False
    plot: str | os.PathLike[str] | None = None
    resume: bool = False
    limits: Limits = field(default_factory=Limits)


def retrain(
    model: str | os.PathLike[str],
    sources: Sequence[Any],
    out: str | os.PathLike[str],
    changes: Changes = Changes(),
    run: Run | None = None,
) -> Retrained:
    """Train a saved model again on its own training data and on new events.

    Parameters
    ----------
    model
        The folder of the saved model. It isn't changed.
    sources
        Where the new events are: what `cofactor.read` takes. Of an event store that the model was
        trained on already, only later events are read. Empty for those stores themselves.
    out
        The folder to save to.
    changes
        What differs from the old model's training.
    run
        Threads, device and progress.

    Returns
    -------
    Retrained
        The model equals the one that training on the joined sources gives, unless the filters left
        out some of the old events: these aren't in the model, and don't come back.

    Raises
    ------
    DataError
        If nothing is new, or old and new events don't fit together (one has values or times, the
        other has none).
    """
    run = run_of(run)
    check_target(out, overwrite=changes.overwrite)
    manifest = inspect(model)
    kept = origin_of(manifest)
    seed = changes.seed if changes.seed is not None else manifest.run.get("seed", run.seed)
    reading = overridden(kept.reading_on, changes.reading, changes.named)
    places = _new_sources(model, sources, reading)
    before = load(model)
    old = before.data
    places, ends = bounded(places, reading.stores, manifest.created)
    news = [events_of(place, reading, run) for place in places]
    news = [_fitting(old, new, reading, before.traits.predicts_ratings) for new in news]
    again = catalogue_again(IdMap.of(old.items.arrow, *(new.items for new in news)), reading)
    whole, shares = _whole(old, news, reading, changes.forget, again)
    trained = train(
        whole,
        manifest.model,
        out,
        settings=kept.config,
        reading=_held(reading, ends),
        cutting=overridden(kept.cutting, changes.cutting, changes.named),
        metrics=changes.metrics,
        refit=changes.refit,
        overwrite=changes.overwrite,
        plot=changes.plot,
        resume=changes.resume,
        limits=changes.limits,
        run=replace(run, seed=seed),
        old=Incumbent(before, *changes.shown),
    )
    data = trained.model.data
    return Retrained(trained, shares, _new(old.users, data.users), _new(old.items, data.items))


def _held(reading: Reading, ends: Mapping[str, int]) -> Reading:
    """How sources are read of which the data holds all by now."""
    stores = {**reading.stores, **ends}
    return replace(reading, items=None, items_file=catalogue_file(reading), stores=stores)


def _new_sources(
    model: str | os.PathLike[str], sources: Sequence[Any], reading: Reading
) -> list[Any]:
    """The sources that are given, else the event stores that the model was trained on."""
    found = list(sources) or list(reading.stores)
    if not found:
        raise ArgumentError(
            f"{os.fspath(model)} wasn't trained on an event store; name a SOURCE that holds new"
            " events."
        )
    return found


def _new(old: IdMap, new: IdMap) -> tuple[int, int]:
    known = int((new.find(old.arrow) >= 0).sum())
    return known, len(new) - known


def _whole(
    old: Interactions,
    news: Sequence[Events],
    reading: Reading,
    forget: Sequence[str | int],
    again: CatalogueAgain,
) -> tuple[Events, tuple[Share, ...]]:
    """Old and new events as one, each once, with what is known of items."""
    first = _without(_above(trained_events(old), reading.min_value), forget)
    parts = _valued([first, *news])
    known = _known(parts, reading)
    shares = (
        Share("the model", len(first)),
        *(Share(p.source, len(p), int(d.sum())) for p, d in zip(parts[1:], known, strict=True)),
    )
    fresh = [part.where(~twice) for part, twice in zip(parts[1:], known, strict=True)]
    if not any(map(len, fresh)):
        summary = ", ".join(f"{share.source} ({share.events:,})" for share in shares[1:])
        raise DataError(f"nothing is new: the model was trained on all events of {summary}.")
    catalogues = [parts[0].item_table, again.table, *(part.item_table for part in parts[1:])]
    tables = [_titled(table, old.catalogue) for table in catalogues]
    whole = joined(
        [replace(part, item_table=None) for part in (parts[0], *fresh)],
        old.source.removesuffix(_LATER) + _LATER,
    )
    notes = (*_notes(shares, reading), *again.notes, *whole.notes)
    return replace(whole, item_table=merged(tables, "item_id"), notes=notes), shares


def _notes(shares: Sequence[Share], reading: Reading) -> list[str]:
    summary = "; ".join(
        f"{one.source}: {counted(one.events, 'event')}"
        + (f", {one.known:,} of them known and left out" if one.known else "")
        for one in shares
    )
    lost = [f"core={reading.core}"] if reading.core > 1 else []
    if reading.min_value is not None and reading.repeats in _ADDED:
        lost.append(f"min_value={reading.min_value:g}")
    if not lost:
        return [summary]
    return [summary, f"what {' and '.join(lost)} left out of the old events stays left out"]


def _above(events: Events, least: float | None) -> Events:
    """Old events that a threshold has made of ratings, with the least value that it lets pass: it
    will do so again.
    """
    if least is None or events.values is not None:
        return events
    value = np.float32(least)
    if value < least:
        value = np.nextafter(value, np.float32(np.inf))
    return replace(events, values=np.full(len(events), value))


def _without(events: Events, users: Sequence[str | int]) -> Events:
    if not users:
        return events
    ids = pc.cast(events.users, pa.string())
    out = np.asarray(pc.is_in(ids, value_set=pa.array([str(user) for user in users], pa.string())))
    return events.where(~out)


def trained_events(data: Interactions) -> Events:
    """Return interactions as events again, in the order of their source, with their catalogue."""
    if data.log is not None:
        log = data.log
        user_rows, item_rows, values, times = log.owners, log.item_rows, log.values, log.times
    else:
        by = np.argsort(data.order, kind="stable")
        user_rows, item_rows = data.user_rows[by], data.item_rows[by]
        values, times = (None if c is None else c[by] for c in (data.values, data.times))
    return Events(
        users=pa.chunked_array([data.users.take(user_rows)]),
        items=pa.chunked_array([data.items.take(item_rows)]),
        values=values,
        times=times,
        item_table=_table(data.items, data.catalogue, "item_id"),
        user_table=_table(data.users, data.profiles, "user_id"),
        source=data.source,
    )


def _table(ids: IdMap, catalogue: Catalogue, column: str) -> pa.Table | None:
    if not catalogue.column_names:
        return None
    table = catalogue.table.select(catalogue.column_names)
    return table.append_column(column, ids.arrow)


def _titled(table: pa.Table | None, old: Catalogue) -> pa.Table | None:
    """A new catalogue whose titles stand in the column in which the old one has them."""
    place = old.title_column
    if table is None or place is None or place in table.column_names:
        return table
    theirs = Catalogue(table.drop_columns(["item_id"])).title_column
    if theirs is None or theirs in old.column_names:
        return table
    return table.rename_columns([place if n == theirs else n for n in table.column_names])


def _fitting(old: Interactions, new: Events, reading: Reading, rates: bool) -> Events:
    """New events with values and times where the old ones have them, and without where not."""
    counted = reading.repeats in (*_ADDED, "max") or "kinds" in reading.more
    least = reading.min_value
    if (old.values is not None or least is not None) and new.values is None and not counted:
        new = _valued_as(old, new, least, rates)
    elif old.values is None and least is None and new.values is not None and not counted:
        new = replace(new, values=None).noted(
            f"{new.source}: values left out, as the model was trained without"
        )
    if old.times is not None and new.times is None:
        raise DataError(
            "its events have no times, and the model's have; name their column (time=NAME).",
            source=new.source,
        )
    return new if old.times is not None else replace(new, times=None)


def _valued_as(old: Interactions, new: Events, least: float | None, rates: bool) -> Events:
    """Events without values, with one that the model's events have: a click in a service says that
    an item was liked, not how much.
    """
    if least is not None:
        return _above(new, least).noted(f"{new.source}: no values; each counts as {least:g}")
    if rates:
        raise DataError(
            "its events have no values, and the model learns values; name their column"
            " (value=NAME), or in an event store the kinds of events that are ratings"
            " (?kinds=rating).",
            source=new.source,
        )
    usual = float(np.quantile(np.asarray(old.values), 0.5, method="lower"))
    note = f"{new.source}: no values; each counts as {usual:g}, the median of the model's"
    return replace(new, values=np.full(len(new), usual, np.float32)).noted(note)


def _valued(parts: list[Events]) -> list[Events]:
    """The events, counted as 1 each in sources without values where others have them."""
    if all(part.values is None for part in parts):
        return parts
    return [
        part if part.values is not None else replace(part, values=np.ones(len(part), np.float32))
        for part in parts
    ]


def _known(parts: Sequence[Events], reading: Reading) -> list[np.ndarray]:
    """Which events of each source but the first an earlier one holds too, bool [n_events].

    Without times nobody can tell an event from one like it, so none is known. Values that were
    added up don't tell single events: of a pair that the model knows, those that aren't later than
    the model's last one are taken as known.
    """
    lengths = np.cumsum([len(part) for part in parts])[:-1]
    if parts[0].times is None:
        return [np.zeros(len(part), bool) for part in parts[1:]]
    times = np.concatenate([part.times for part in parts if part.times is not None])
    pairs = _pairs(parts)
    values = np.concatenate(
        [np.zeros(len(p), np.float32) if p.values is None else p.values for p in parts]
    )
    if reading.min_value is not None:
        values = values >= reading.min_value
    codes = _codes(pairs, times, values)
    source = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    # The first source of each code.
    first = np.full(int(codes.max()) + 1, len(parts))
    np.minimum.at(first, codes, source)
    twice = first[codes] < source
    if reading.repeats in _ADDED:
        latest = np.full(int(pairs.max()) + 1, np.iinfo(np.int64).min)
        old = source == 0
        np.maximum.at(latest, pairs[old], times[old])
        twice = twice | (times <= latest[pairs])
    return list(np.split(twice, lengths)[1:])


def _pairs(parts: Sequence[Events]) -> np.ndarray:
    """A number for each pair of user and item, the same in all sources."""
    columns = []
    for name in ("users", "items"):
        cells = [getattr(part, name) for part in parts]
        ids = IdMap.of(*cells)
        columns.append(np.concatenate([ids.find(one) for one in cells]))
    return _codes(*columns)


def _codes(*columns: np.ndarray) -> np.ndarray:
    """A number for each distinct row of some columns, int64 [n]."""
    codes = np.unique(columns[0], return_inverse=True)[1].astype(np.int64)
    for column in columns[1:]:
        distinct, more = np.unique(column, return_inverse=True)
        codes = np.unique(codes * len(distinct) + more, return_inverse=True)[1].astype(np.int64)
    return codes
