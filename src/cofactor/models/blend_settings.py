"""Settings of a blend's models by name, as ``2.factors`` or ``ials.factors``: what is searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cofactor.base.config import Config
from cofactor.base.search import Search


def search_of(configs: Sequence[Config]) -> dict[str, Search]:
    """Return what the models' configurations declare, each setting after its model's number."""
    return {
        f"{n}.{name}": one
        for n, config in enumerate(configs, 1)
        for name, one in config.search.items()
    }


def owner_of(name: str, models: Sequence[str]) -> int | None:
    """Return the place of the model that a dotted name is of, or None; of one name the first."""
    owner, dot, _ = name.partition(".")
    places = [n for n, model in enumerate(models) if owner in (model, str(n + 1))]
    return places[0] if dot and places else None


def with_words(words: Sequence[str], changes: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a blend's ``model_settings`` with some settings changed."""
    kept = [word for word in words if word.partition("=")[0].strip() not in changes]
    return (*kept, *(f"{name}={_text(value)}" for name, value in changes.items()))


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return str(getattr(value, "name", value))
