"""Linear models of items, fitted in closed form."""

from __future__ import annotations

from benchmarks.case import Case, Entrant


def _ease(data: str) -> Case:
    large = data == "gowalla"
    settings = {"regularization": 200.0}
    return Case(
        f"ease-{data}",
        f"EASE, fit, {data}",
        data,
        (
            Entrant("cofactor", "ours:Model", settings={"model": "ease", "set": settings}),
            Entrant("irspack", "peers.irspack_side:EASE", "ials", settings, 1.2),
        ),
        full=large,
        alone=large,
    )


def _ours(neighbours_of: str) -> Entrant:
    # Plain cosine, as the peers have it: without the default's weighting and shrinkage.
    plain = {"weighting": "none", "shrinkage": 0.0}
    settings = {"neighbours": 100, "neighbours_of": neighbours_of, **plain}
    return Entrant("cofactor", "ours:Model", settings={"model": "item_knn", "set": settings})


def _knn(data: str) -> Case:
    peer = Entrant("implicit", "peers.implicit_side:ItemKNN", "ials", {"neighbours": 100}, 1.5)
    return Case(
        f"knn-{data}",
        f"item kNN (cosine, 100 neighbours), fit, {data}",
        data,
        (_ours("past"), peer),
    )


# implicit keeps the nearest of each past item, RecBole those of each item to be recommended: two
# models, so two cases.
KNN_RECOMMENDED = Case(
    "knn-recommended",
    "item kNN (cosine, 100 neighbours of the recommended item), fit, ml-1m",
    "ml-1m",
    (
        _ours("recommended"),
        Entrant(
            "RecBole",
            "peers.recbole_side:ItemKNN",
            "recbole",
            {"neighbours": 100},
            10.0,
            rounds=2,
            note="its similarity alone, without reading its own files",
        ),
    ),
)

CASES = (
    *(_ease(data) for data in ("ml-1m", "gowalla-popular", "gowalla")),
    *(_knn(data) for data in ("ml-1m", "gowalla")),
    KNN_RECOMMENDED,
)
