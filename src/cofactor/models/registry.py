"""The list of models: a name, where it lives, and one line about it. Importing this loads no
model.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cofactor.base.errors import UnknownNameError
from cofactor.base.extras import naming_extras
from cofactor.base.names import unknown_name

if TYPE_CHECKING:
    from cofactor.models.recommender import Recommender


@dataclass(frozen=True)
class Entry:
    """Where a model lives (below ``cofactor.models``), its class, and what it is in one line."""

    module: str
    class_name: str
    summary: str

    @property
    def family(self) -> str:
        """The folder it lives in: ``baselines``, ``explicit``, ``implicit``, ``neural``,
        ``sequence``, ``content`` or ``blends``.
        """
        return self.module.partition(".")[0]


MODELS: dict[str, Entry] = {
    "popularity": Entry(
        "baselines.popularity", "Popularity", "the most popular items; the baseline for rankings"
    ),
    "bias": Entry(
        "baselines.bias", "Bias", "mean plus user and item bias; the baseline for ratings"
    ),
    "item_knn": Entry(
        "implicit.item_knn", "ItemKNN", "neighbours among items, by their common users"
    ),
    "ease": Entry(
        "implicit.ease", "EASE", "the best linear item model, in closed form; one dense matrix"
    ),
    "graph_filter": Entry(
        "implicit.graph_filter",
        "GraphFilter",
        "low-pass filters of the normalised interactions, in closed form; no dense square",
    ),
    "ials": Entry(
        "implicit.ials", "IALS", "matrix factorisation over all pairs by alternating least squares"
    ),
    "bpr": Entry("implicit.bpr", "BPR", "pairwise ranking: a user's items above the others"),
    "warp": Entry(
        "implicit.warp", "WARP", "pairwise ranking by estimated rank: good at the top of the list"
    ),
    "logistic_mf": Entry(
        "implicit.logistic_mf",
        "LogisticMF",
        "the probability of an interaction, users and items in turn",
    ),
    "biased_mf": Entry(
        "explicit.biased_mf", "BiasedMF", "ratings by matrix factorisation with biases, SGD or ALS"
    ),
    "svdpp": Entry(
        "explicit.svdpp", "SVDpp", "biased MF plus implicit feedback from the set of rated items"
    ),
    "bayesian_mf": Entry(
        "explicit.bayesian_mf",
        "BayesianMF",
        "ratings by a sampled factorisation machine, with intervals and level probabilities",
    ),
    "latent_factor": Entry(
        "neural.latent_factor", "LatentFactor", "matrix factorisation in PyTorch, with any loss"
    ),
    "simplex": Entry(
        "neural.simplex", "SimpleX", "cosines with the mean of a history, by contrast to many items"
    ),
    "mlp": Entry("neural.mlp", "MLP", "a tower of layers on joined embeddings"),
    "dense_net": Entry("neural.mlp", "DenseNet", "one hidden layer on joined embeddings"),
    "collab_fnet": Entry(
        "neural.mlp", "CollabFNet", "ReLU and dropout on joined embeddings, then one hidden layer"
    ),
    "neumf": Entry("neural.neumf", "NeuMF", "factorisation and a tower side by side"),
    "content_knn": Entry(
        "content.content_knn",
        "ContentKNN",
        "items similar to the user's, by words and features alone",
    ),
    "content_ridge": Entry(
        "content.content_ridge",
        "ContentRidge",
        "interactions regressed on the items' content: for new items",
    ),
    "feature_ials": Entry(
        "content.feature_ials",
        "FeatureIALS",
        "implicit ALS whose vectors are regularized towards features",
    ),
    "two_tower": Entry(
        "content.two_tower",
        "TwoTower",
        "vectors from ids and content together, in PyTorch, with any loss",
    ),
    "content_blend": Entry(
        "content.content_blend",
        "ContentBlend",
        "weighted sum of content ridge and implicit ALS with features",
    ),
    "bridge": Entry(
        "content.bridge",
        "Bridge",
        "a model with item vectors, and content mapped to them for new items",
    ),
    "transitions": Entry(
        "sequence.transitions", "Transitions", "what came next, counted; learns new events exactly"
    ),
    "sequence_linear": Entry(
        "sequence.sequence_linear",
        "SequenceLinear",
        "the next item regressed on the decayed history, in closed form",
    ),
    "session_knn": Entry(
        "sequence.session_knn", "SessionKNN", "what the most similar recent sessions had"
    ),
    "blend": Entry(
        "blends.blend", "Blend", "any models' scores in one list, weights chosen on validation data"
    ),
    "transformer": Entry(
        "sequence.transformer", "Transformer", "the next item by causal attention: SASRec and kin"
    ),
    "gru4rec": Entry("sequence.gru4rec", "GRU4Rec", "the next item by gated recurrent units"),
    "lstm_rating": Entry(
        "sequence.lstm_rating", "LSTMRating", "ratings predicted from the ones before, by an LSTM"
    ),
}


def names() -> list[str]:
    """Return the names of all models, in the order of the list."""
    return list(MODELS)


# Names of models elsewhere, without spaces and marks -> what is most like them here.
_ELSEWHERE = {
    **dict.fromkeys(("als", "wals", "wrmf", "implicitals"), "ials"),
    **dict.fromkeys(("sasrec", "gsasrec", "esasrec", "bert4rec"), "transformer"),
    **dict.fromkeys(("mf", "pmf", "svd", "funksvd"), "biased_mf (ratings) or ials (lists)"),
    **dict.fromkeys(("pop", "mostpop", "mostpopular", "toppop", "toppopular"), "popularity"),
    **dict.fromkeys(("slim", "easer"), "ease"),
    **dict.fromkeys(("ncf", "neuralcf"), "neumf"),
    **dict.fromkeys(("knn", "userknn", "cosine"), "item_knn"),
    "lightgcn": "graph_filter",
    "lightfm": "warp, or with content feature_ials",
}


def get(name: str) -> type[Recommender]:
    """Return the class of a model by its name.

    Raises
    ------
    UnknownNameError
        If there is none of that name; the nearest names are offered.
    """
    if name not in MODELS:
        if other := _ELSEWHERE.get(re.sub("[^a-z0-9+]", "", str(name).casefold())):
            raise UnknownNameError(f"unknown model {name!r}; the nearest here is {other}.")
        raise unknown_name("model", name, MODELS)
    entry = MODELS[name]
    with naming_extras(f"the model {name}"):
        module = importlib.import_module(f"cofactor.models.{entry.module}")
    found: type[Recommender] = getattr(module, entry.class_name)
    return found


def create(name: str, **settings: Any) -> Recommender:
    """Make an unfitted model by its name, with some settings changed from their defaults."""
    return get(name)(**settings)
