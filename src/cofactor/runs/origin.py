"""Where a saved model's data came from and how it was read: kept in the manifest, so that a
retraining reads what is new in the same way.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from cofactor.artifact.format import Manifest
from cofactor.base.config import Config
from cofactor.base.errors import ArtifactError, CofactorError
from cofactor.data.interactions import KEEP
from cofactor.data.readers.event_store import URL_PARAMETERS
from cofactor.data.readers.sources import is_url
from cofactor.data.readers.sql import last_event
from cofactor.models import registry
from cofactor.runs.source import Cutting, Reading

# What belongs to a file rather than to the way in which a shop's data is read.
_OF_ONE_FILE = ("rejects", "member")
_SECRET = ("password", "sslpassword")
_Given = TypeVar("_Given", Reading, Cutting)


@dataclass(frozen=True)
class Origin:
    """How a model came to be.

    Parameters
    ----------
    reading, cutting
        How its sources were read and cut.
    config
        Its settings as they were asked for: the saved ones may hold what early stopping chose.
    """

    reading: Reading
    cutting: Cutting
    config: Config

    @property
    def reading_on(self) -> Reading:
        """How what is new is read: the old catalogue is in the model, but for its lines of items
        that nobody had yet.
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
    """Return the origin recorded in a manifest; what an older one lacks is the default.

    Raises
    ------
    ArtifactError
        If what it tells can't be.
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
    merging = re.search(r"repeated pairs merged \((\w+)\)", " ".join(manifest.data.notes))
    return merging[1] if merging else "last"


def _known(kind: type[_Given], record: Mapping[str, Any]) -> _Given:
    names = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in record.items() if name in names})


def overridden(kept: _Given, given: _Given) -> _Given:
    """Return what was kept, with what is given and isn't as usual in its place."""
    usual = type(given)()
    changed = {
        field.name: getattr(given, field.name)
        for field in fields(given)
        if getattr(given, field.name) != getattr(usual, field.name)
    }
    if isinstance(kept, Reading) and "more" in changed:
        changed["more"] = {**kept.more, **changed["more"]}
    return replace(kept, **changed)


def bounded(source: Any, known: Mapping[str, int] = {}) -> tuple[Any, dict[str, int]]:
    """Return a source whose event stores end at their present last event, and the numbers of
    these by `store_name`; of those among ``known``, what came before is left out.

    Events that arrive while the rest is read belong to the next training.
    """
    if isinstance(source, list):
        found = [bounded(one, known) for one in source]
        return [one for one, _ in found], {n: last for _, ends in found for n, last in ends.items()}
    if not is_url(source) or not (last := last_event(source)):
        return source, {}
    name = store_name(source)
    before = known.get(name, 0)
    # A store that is shorter than it was is another one in the same place.
    span = {"until": last} | ({"after": before} if 0 < before <= last else {})
    place, _, query = source.partition("?")
    return f"{place}?{urlencode({**span, **dict(parse_qsl(query))})}", {name: last}


def store_name(url: str) -> str:
    """Return the URL under which a store is remembered: no password, nothing of what is read."""
    place, _, query = url.partition("?")
    if place.startswith("sqlite:///"):
        return f"sqlite:///{Path(place.removeprefix('sqlite:///')).absolute()}"
    parts = urlsplit(place)
    login, at, host = parts.netloc.rpartition("@")
    rest = [pair for pair in parse_qsl(query) if pair[0] not in (*URL_PARAMETERS, *_SECRET)]
    name = f"postgresql://{login.partition(':')[0]}{at}{host}{parts.path}"
    return f"{name}?{urlencode(sorted(rest))}" if rest else name
