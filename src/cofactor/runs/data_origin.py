"""Where a saved model's data came from and how it was read, kept in the manifest so that a
retraining reads new data in the same way.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from cofactor.artifact.format import Manifest
from cofactor.base.config import Config
from cofactor.base.errors import ArtifactError, CofactorError
from cofactor.data.interactions import KEEP
from cofactor.data.readers.event_store import URL_PARAMETERS
from cofactor.data.readers.sources import is_url
from cofactor.data.readers.sql import arrival_of, last_event
from cofactor.models import registry
from cofactor.runs.source import Cutting, Reading

# These belong to one file, not to how data of this origin is read in general.
_OF_ONE_FILE = ("rejects", "member")
_SECRET = ("password", "sslpassword")
_Given = TypeVar("_Given", Reading, Cutting)


@dataclass(frozen=True)
class Origin:
    """How a model's data was read and cut, and its settings.

    Parameters
    ----------
    reading, cutting
        How its sources were read and cut.
    config
        Its settings as given; the saved ones may hold the epochs that early stopping chose.
    """

    reading: Reading
    cutting: Cutting
    config: Config

    @property
    def reading_on(self) -> Reading:
        """How new data is read: the model holds the old catalogue, except rows of items without
        interactions.
        """
        return replace(self.reading, items=None, items_file=self.reading.items)


def origin_facts(origin: Origin) -> dict[str, Any]:
    """Return an origin as plain values for the manifest; `origin_of` reads them again."""
    reading = origin.reading
    kept = asdict(replace(reading, items=None, more={}, stores={})) | {
        "items": catalogue_file(reading),
        "stores": dict(reading.stores),
        "more": {n: _plain(v) for n, v in reading.more.items() if n not in _OF_ONE_FILE},
    }
    del kept["items_file"]
    return {
        "reading": kept,
        "cutting": asdict(origin.cutting),
        "settings": origin.config.to_dict(),
    }


def catalogue_file(reading: Reading) -> str | None:
    """Return the absolute path of the catalogue's file; None without one."""
    items = reading.items
    if items is None:
        return reading.items_file
    return os.path.abspath(items) if isinstance(items, (str, os.PathLike)) else None


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def origin_of(manifest: Manifest) -> Origin:
    """Return the origin recorded in a manifest; fields that an older manifest lacks have their
    defaults.

    Raises
    ------
    ArtifactError
        If the record is invalid.
    """
    run = manifest.run
    try:
        config = registry.get(manifest.model).Config.from_dict(run.get("settings", manifest.config))
        usual = {"repeats": _repeats(manifest)}
        return Origin(
            _known(Reading, run.get("reading", usual)),
            _known(Cutting, run.get("cutting", {})),
            config,
        )
    except (CofactorError, TypeError, ValueError, LookupError, AttributeError) as error:
        raise ArtifactError(
            f"the manifest's facts of how its data was read can't be used: {error}."
        ) from None


def _repeats(manifest: Manifest) -> str:
    """How an older model's repeated pairs were merged, according to its notes."""
    if "history.log_indptr" in manifest.arrays:
        return KEEP
    merging = re.search(r"repeated pairs? merged \((\w+)\)", " ".join(manifest.data.notes))
    return merging[1] if merging else "last"


def _known(kind: type[_Given], record: Mapping[str, Any]) -> _Given:
    names = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in record.items() if name in names})


def overridden(kept: _Given, given: _Given, named: Collection[str] = ()) -> _Given:
    """Return the kept values, replaced by the given ones that aren't defaults, or are named."""
    usual = type(given)()
    changed = {
        field.name: getattr(given, field.name)
        for field in fields(given)
        if field.name in named or getattr(given, field.name) != getattr(usual, field.name)
    }
    if isinstance(kept, Reading) and "more" in changed:
        changed["more"] = {**kept.more, **changed["more"]}
    return replace(kept, **changed)


def bounded(
    source: Any, known: Mapping[str, int] = {}, made: str = ""
) -> tuple[Any, dict[str, int]]:
    """Return a source whose event stores end at their present last event, and the numbers of these
    events by `store_name`. Stores in ``known`` begin after the event given there, if they are the
    same as when a model was ``made`` (ISO 8601).

    Events that arrive while the rest is being read are left to the next training.
    """
    if isinstance(source, list):
        found = [bounded(one, known, made) for one in source]
        return [one for one, _ in found], {n: last for _, ends in found for n, last in ends.items()}
    if not is_url(source) or not (last := last_event(source)):
        return source, {}
    name = store_name(source)
    before = known.get(name, 0)
    same = 0 < before <= last and not _was_replaced(source, before, made)
    span = {"until": last} | ({"after": before} if same else {})
    place, _, query = source.partition("?")
    return f"{place}?{urlencode({**span, **dict(parse_qsl(query))})}", {name: last}


def _was_replaced(source: str, place: int, made: str) -> bool:
    """Whether an event store isn't the one that a model has read up to a place: one that was
    restored from a backup gives the numbers behind it once more, to events that the model can't
    know. (One that is shorter than it was has been replaced too.)
    """
    try:
        moment = datetime.fromisoformat(made).timestamp()
    except ValueError:
        return False
    arrived = arrival_of(source, place)
    return arrived is not None and arrived > moment + 1  # `made` is in full seconds


def store_name(url: str) -> str:
    """Return the URL that identifies a store, without its password and options of reading."""
    place, _, query = url.partition("?")
    if place.startswith("sqlite:///"):
        return f"sqlite:///{Path(place.removeprefix('sqlite:///')).absolute()}"
    parts = urlsplit(place)
    login, at, host = parts.netloc.rpartition("@")
    rest = [pair for pair in parse_qsl(query) if pair[0] not in (*URL_PARAMETERS, *_SECRET)]
    name = f"postgresql://{login.partition(':')[0]}{at}{host}{parts.path}"
    return f"{name}?{urlencode(sorted(rest))}" if rest else name
