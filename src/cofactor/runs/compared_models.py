"""The models of a comparison as users write them: names with settings and labels, or studies."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cofactor.base import checks
from cofactor.base.config import Config, Settings
from cofactor.base.errors import ArgumentError
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.runs.study import best_of_study

Models = str | Iterable[str | Recommender] | Mapping[str, str | Recommender]

_STUDIES = (".db", ".sqlite", ".sqlite3")
# Settings are separated by semicolons, or by commas before another NAME=.
_BETWEEN = re.compile(r";|,(?=\s*[\w-]+=)")


def split_entries(text: str) -> list[str]:
    """Split ``ials,big=ials:factors=256,epochs=20`` into its models.

    A comma separates the settings of a model; before a model, or LABEL=MODEL, it separates models.
    """
    found: list[str] = []
    for word in (word.strip() for word in text.split(",")):
        if found and ":" in found[-1] and not _begins(word):
            found[-1] += f",{word}"
        elif word:
            found.append(word)
    return found


def _begins(word: str) -> bool:
    """Whether a word begins another model: MODEL, LABEL=MODEL, with settings or without, or a
    study.
    """
    head = word.partition(":")[0]
    name = head.rpartition("=")[2].strip()
    return ":" in word or name in registry.MODELS or is_study(name)


def is_study(name: str) -> bool:
    """Whether a name is that of a study's file."""
    return name.casefold().endswith(_STUDIES)


def unfitted(models: Models, settings: Mapping[str, Settings]) -> dict[str, Recommender]:
    """Return unfitted models by label.

    Parameters
    ----------
    models
        Each ``NAME``, ``NAME:SETTING=VALUE,SETTING=VALUE``, the file of a study, or one of these
        after ``LABEL=``; or a model, whose settings are taken, and whose label is its name; or one
        text of several, as `split_entries` takes it; or a mapping from label to any of these.
    settings
        Label -> more settings.

    Raises
    ------
    ArgumentError
        For two models of one label, or settings of a label that isn't there.
    UnknownNameError
        For a model or setting that doesn't exist.
    """
    made: dict[str, Recommender] = {}
    checks.of_kind(models, "models", Iterable, "models or names of them")
    checks.of_kind(settings, "settings", Mapping, "a mapping from label to settings")
    for label, model in _labelled(models):
        given = settings.get(label, ())
        if label in made:
            cure = (
                f"mine={model.partition(':')[0]}:SETTING=VALUE"
                if isinstance(model, str)
                else "models={'mine': model, ...}"
            )
            raise ArgumentError(f"two models are called {label!r}; give one a label: {cure}.")
        made[label] = _of_words(model, given) if isinstance(model, str) else _of(model, given)
    if not made:
        raise ArgumentError("models must name at least one model, such as 'ease'.")
    unknown = sorted(set(settings) - set(made))
    if unknown:
        raise ArgumentError(
            f"settings are given for {', '.join(unknown)}, but the models are {', '.join(made)}."
        )
    return made


def _labelled(models: Models) -> Iterator[tuple[str, str | Recommender]]:
    """The models with their labels, without those in their words."""
    if isinstance(models, Mapping):
        pairs = [(str(label), model) for label, model in models.items()]
    else:
        each = split_entries(models) if isinstance(models, str) else models
        pairs = [("", model) for model in each]
    for label, model in pairs:
        if isinstance(model, Recommender):
            yield label or model.name, model
            continue
        checks.of_kind(model, "models", str, "models or names of them")
        head, colon, own = model.partition(":")
        inner, equals, name = head.partition("=")
        if not (name if equals else head).strip() or (equals and not inner.strip()):
            raise ArgumentError(
                f"a model must be written NAME or LABEL=NAME, with :SETTING=VALUE behind it if"
                f" wanted, not {model!r}."
            )
        words = f"{name}{colon}{own}" if equals else model
        yield label or (inner if equals else model), words


def _of_words(text: str, more: Settings) -> Recommender:
    """A model by its name with settings, or by a study's."""
    name, colon, own = text.partition(":")
    words = [*(w.strip() for w in _BETWEEN.split(own) if colon and w.strip())]
    return (_of_study if is_study(name) else _of_model)(name, words, more)


def _of(model: Recommender, more: Settings) -> Recommender:
    """An unfitted model like another, with some settings changed."""
    config = without_comparison(model.config.replace(**_given(type(model), [], more)))
    return model.clone().set_params(**config.to_params())  # a class may want more than settings


def _of_model(name: str, words: list[str], more: Settings) -> Recommender:
    kind = registry.get(name)
    return kind(without_comparison(kind.Config().replace(**_given(kind, words, more))))


def _given(kind: Any, words: list[str], more: Settings) -> dict[str, Any]:
    """The values that are given for some settings: in words, and in more words or by name."""
    by_name = more.changed() if isinstance(more, Config) else more
    if not isinstance(by_name, Mapping):
        words, by_name = [*words, *by_name], {}
    read = kind.Config.from_text(words).to_params()
    return {**{name: read[name] for name in map(name_of, words)}, **by_name}


def name_of(word: str) -> str:
    """Return the name of the setting that a word like ``factors=64`` gives."""
    return word.partition("=")[0].strip().replace("-", "_")


def _of_study(name: str, words: list[str], more: Settings) -> Recommender:
    name = os.path.expanduser(name)
    if not Path(name).is_file():
        raise ArgumentError(f"there is no study {name}; cofactor tune --out {name} makes one.")
    model, config = best_of_study(name)
    kind = registry.get(model)
    return kind(without_comparison(config.replace(**_given(kind, words, more))))


def without_comparison(config: Any) -> Any:
    """Return the settings without the comparison with the same model without features.

    A comparison names all models it compares, and it times fits.
    """
    if "compare_without_features" in config.defaults():
        return config.replace(compare_without_features=False)
    return config
