"""Settings of a blend's models by name, as ``2.factors`` or ``ials.factors``: what is searched, and
the settings of boards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cofactor.base.config import Config
from cofactor.base.names import word
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
    return (*kept, *(f"{name}={word(value)}" for name, value in changes.items()))


# Settings of the boards in `cofactor reproduce sequences`, chosen on validation data.
PRESETS: dict[str, dict[str, Any]] = {
    "sasrec-ml-1m": {
        "models": ("sequence_linear", "transitions"),
        "model_settings": (
            "1.decays=0.4,0.8,0.97",
            "1.regularization=400",
            "2.window=10",
            "2.backward=0",
            "2.source_power=0.75",
            "2.target_power=0.2",
            "2.history_decay=0.7",
        ),
        "weights": (1.0, 0.023),
    },
    "amazon-scientific with text": {
        "models": ("transitions", "session_knn", "content_knn"),
        "model_settings": (
            "1.text_weight=1",
            "1.window=20",
            "1.source_power=0.25",
            "1.backward=0.6",
            "1.history_decay=0.7",
            "2.idf=1",
            "2.neighbours=1000",
            "3.text=text",
        ),
        "weights": (1.0, 0.22, 0.22),
    },
    "amazon-beauty-5core": {
        "models": ("transformer", "transitions"),
        "model_settings": (
            "1.popularity_prior=0",
            "1.factors=128",
            "1.initial_embeddings=spectral",
            "1.init_scale=0.04",
            "1.heads=1",
            "1.expansion=1",
            "1.low_pass=0.5",
            "1.loss=softmax",
            "1.max_length=50",
            "1.history_length=50",
            "1.batch_tokens=1600",
            "1.dropout=0.5",
            "1.attention_dropout=0.5",
            "1.event_dropout=0.1",
            "1.optimizer=adamw",
            "1.weight_decay=0.05",
            "1.learning_rate=0.0015",
            "1.schedule=cosine",
            "1.warmup_ratio=0.05",
            "1.epochs=30",
            "2.window=50",
            "2.decay=0.82",
            "2.backward=0.25",
            "2.source_power=1",
            "2.target_power=0.2",
            "2.damping=200",
            "2.history_decay=0.57",
        ),
        "weights": (1.0, 0.05),
    },
    "amazon-beauty-5core with text": {
        "models": ("transformer", "transitions"),
        "model_settings": (
            "1.popularity_prior=0",
            "1.heads=1",
            "1.expansion=1",
            "1.low_pass=0.5",
            "1.loss=sampled_softmax",
            "1.negatives=2048",
            "1.max_length=50",
            "1.history_length=50",
            "1.batch_tokens=1600",
            "1.dropout=0.5",
            "1.learning_rate=0.0015",
            "1.schedule=cosine",
            "1.warmup_ratio=0.05",
            "1.factors=128",
            "1.epochs=24",
            "1.event_dropout=0.1",
            "1.optimizer=adamw",
            "1.weight_decay=0.05",
            "1.text=title",
            "1.content_factors=512",
            "1.id_dropout=0.2",
            "2.text=title",
            "2.text_weight=0.0052",
            "2.text_neighbours=500",
            "2.window=50",
            "2.decay=0.82",
            "2.backward=0.25",
            "2.source_power=1",
            "2.target_power=0.2",
            "2.damping=200",
            "2.history_decay=0.58",
        ),
        "weights": (1.0, 0.25),
    },
}
