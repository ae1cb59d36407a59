"""Cold items: the tables of docs/results.md and docs/content.md. ``python
benchmarks/accuracy_cold.py TABLE [--threads 2]``.

Settings were chosen on a fifth of the training items, held out as if they were cold; test items
decided nothing."""

from __future__ import annotations

import argparse
import resource
import time
from dataclasses import replace

import numpy as np
import pyarrow as pa

from cofactor.base.run import Run
from cofactor.data import datasets
from cofactor.data.catalogue import Catalogue
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part, Split
from cofactor.data.splits import split
from cofactor.evaluation.evaluate import evaluate
from cofactor.models import registry
from cofactor.runs.cold.chosen_settings import CITATIONS, CITEULIKE, FILMS, ML1M, TAGS

# Chosen alike on ml-100k's validation part: the towers' and the table's regularization among .003,
# .01, .03, .1.
EPOCHS = (
    "factors=64",
    "epochs=30",
    "patience=3",
    "learning_rate=0.005",
    "loss=in_batch_softmax",
    "batch_size=1024",
    "regularization=0.03",
)
SMALL_IALS = ("factors=64", "regularization=0.01")
WARM = {
    "ials": SMALL_IALS,
    "feature_ials": SMALL_IALS,
    "bridge": (f"base_settings={','.join(SMALL_IALS)}",),
    "content_blend": (f"ials_settings={','.join(SMALL_IALS)}",),
    "item_knn": (),
    "content_knn": (),
    "content_ridge": (),
    "latent_factor": EPOCHS,
    "two_tower": EPOCHS,
}
# Dataset, columns, and the share of items that is new: held out with all who took them.
WARM_DATA = {
    "ml-100k": ("ml-100k", ("text=title", "features=genres,year"), 0.0),
    "amazon-scientific": ("amazon-scientific", ("text=text",), 0.0),
    "ml-1m": ("ml-1m", FILMS, 0.0),
    "ml-1m-new": ("ml-1m", FILMS, 0.2),
}


def fitted(
    name: str, settings: tuple[str, ...], data: Interactions, run: Run
) -> tuple[object, float]:
    kind = registry.get(name)
    began = time.perf_counter()
    model = kind(kind.Config.from_text(settings)).fit(data, run=run)
    return model, time.perf_counter() - began


def line(label: str, result: object, seconds: float) -> None:
    cells = [f"{n} {s.value:.4f} [{s.low:.4f}, {s.high:.4f}]" for n, s in result.summary.items()]
    print(f"| {label:22s} | {' | '.join(cells)} | {seconds:7.1f} s |", flush=True)


def random_and_genres(parts: Split, metrics: list[str], run: Run) -> None:
    """Two floors: items in a random order, and by the popularity of their genres among training
    interactions.
    """
    from cofactor.models.baselines.popularity import Popularity

    class Fixed(Popularity):
        def _score(self, states, item_rows):
            scores = np.broadcast_to(self.order, (len(states), len(self.order)))
            return scores if item_rows is None else scores[:, item_rows]

    orders = {"random": np.random.default_rng(run.seed).random(parts.train.n_items)}
    if "genres" in parts.train.catalogue.column_names:
        genres = parts.train.catalogue.table.column("genres").to_pylist()
        sums: dict[str, list[int]] = {}
        for one, count in zip(genres, parts.train.item_counts.tolist(), strict=True):
            for genre in one or [] if count else []:
                sums.setdefault(genre, []).append(count)
        means = {g: float(np.mean(c)) for g, c in sums.items()}
        orders["popularity of genre"] = np.array(
            [np.mean([means.get(g, 0.0) for g in one]) if one else 0.0 for one in genres]
        )
    for label, order in orders.items():
        model = Fixed().fit(parts.train)
        model.order = order.astype(np.float32)
        line(label, evaluate(model, parts, metrics, run=run), 0.0)


def citeulike(run: Run, models: list[str], columns: tuple[str, ...] = TAGS) -> None:
    """The new articles of CiteULike-a, known by their tags."""
    parts = datasets.load_split("citeulike-a", fold="cold")
    metrics = ["recall@100", "ndcg@100"]
    random_and_genres(parts, metrics, run)
    for name, settings in CITEULIKE.items():
        if not models or name in models:
            model, seconds = fitted(name, columns + settings, parts.train, run)
            line(name, evaluate(model, parts, metrics, run=run), seconds)


def citations(run: Run, models: list[str]) -> None:
    """The same with the citations too, and with the settings that were chosen for tags alone."""
    citeulike(run, models, CITATIONS)


def films(run: Run, models: list[str]) -> None:
    from cofactor.runs.source import interactions

    data = replace(interactions("ml-1m"), values=None)
    parts = split(data, "items", test=0.2, seed=0)
    metrics = ["recall@100", "ndcg@100"]
    print(parts.sentence)
    random_and_genres(parts, metrics, run)
    for name, settings in ML1M.items():
        if not models or name in models:
            model, seconds = fitted(name, FILMS + settings, parts.train, run)
            line(name, evaluate(model, parts, metrics, run=run), seconds)
            print("   ", model.notes[-1] if model.notes else "")


def warm(run: Run, models: list[str]) -> None:
    """With features and without: items with interactions ranked among each other. ``--models``:
    of the names in `WARM_DATA`.
    """
    from cofactor.runs.source import interactions

    for label, (source, columns, new) in WARM_DATA.items():
        if models and label not in models:
            continue
        data = replace(interactions(source), values=None)
        if new:
            data = split(data, "items", test=new, seed=0).train
        parts = split(data, "per-user", test=0.2, validation=0.1, seed=0)
        known = np.flatnonzero(parts.train.item_counts)
        print(label, parts.sentence)
        for name, settings in WARM.items():
            content = uses_content(name)
            kind = registry.get(name)
            config = kind.Config.from_text(settings + (columns if content else ()))
            began = time.perf_counter()
            # Validation stops the two that train in epochs, and nothing else; the twins are in the
            # table by name.
            model = kind(config.replace(compare_without_features=False) if content else config).fit(
                parts.train, validation=parts.validation, run=run
            )
            line(
                name,
                evaluate(model, parts, ["ndcg@10", "recall@20"], run=run, candidates=known),
                time.perf_counter() - began,
            )


def calibrate_exposure(run: Run, models: list[str]) -> None:
    """Warm and new items in one list, with content vectors scaled and as they come; ``--models``:
    datasets.
    """
    from cofactor.runs.source import interactions

    for source, columns in (("ml-100k", ("text=title", "features=genres,year")), ("ml-1m", FILMS)):
        if models and source not in models:
            continue
        data = replace(interactions(source), values=None)
        for label, known in (
            ("a fifth of the films is new", split(data, "items", test=0.2, seed=0).train),
            ("no film is held out", data),
        ):
            parts = split(known, "per-user", test=0.2, seed=0)
            trained = parts.train.user_rows * np.int64(data.n_items) + parts.train.item_rows
            truth = data.where(
                ~np.isin(data.user_rows * np.int64(data.n_items) + data.item_rows, trained)
            )
            cold = parts.train.item_counts == 0
            both = replace(parts, test=Part(truth, parts.train))
            print(
                f"{source}, {label}: {cold[truth.item_rows].mean():.1%} of what is held out is of"
                " new items"
            )
            _calibrated_models(both, columns, run)


def _calibrated_models(parts: Split, columns: tuple[str, ...], run: Run) -> None:
    cold = parts.train.item_counts == 0
    for name, more in (
        ("ials", ()),
        ("feature_ials", ("calibrate_exposure=true",)),
        ("feature_ials", ("calibrate_exposure=false",)),
    ):
        settings = SMALL_IALS + (columns if more else ()) + more
        model, seconds = fitted(name, settings, parts.train, run)
        result = evaluate(model, parts, ["ndcg@10", "recall@20"], run=run)
        line(f"{name} {' '.join(more)}", result, seconds)
        batch = model.user_batch(parts.test.user_rows[:2000])
        best = model.topk(batch, 10, excluded=batch.seen)
        print(f"    new items take {cold[best.rows].mean():.1%} of the top 10")


def uses_content(name: str) -> bool:
    """Whether a model reads features."""
    return "text" in registry.get(name).Config.defaults()


def scale(run: Run, models: list[str]) -> None:
    """100,000 items with 200 words each: encode, train, add 1,000 items."""
    rng = np.random.default_rng(0)
    words = np.array([f"w{n}" for n in range(50_000)])
    weights = 1 / np.arange(1, 50_001) ** 0.9
    n_items, n_users, n = 100_000, 20_000, 1_000_000
    began = time.perf_counter()
    drawn = rng.choice(50_000, (n_items + 1000, 200), p=weights / weights.sum())
    texts = pa.array([" ".join(words[row]) for row in drawn])
    data = Interactions.from_rows(
        rng.integers(0, n_users, n), rng.integers(0, n_items, n), users=n_users, items=n_items
    )
    data = replace(data, catalogue=Catalogue(pa.table({"description": texts.slice(0, n_items)})))
    print(f"made in {time.perf_counter() - began:.1f} s")
    few = {
        "content_knn": (),
        "feature_ials": ("factors=32", "epochs=3"),
        "two_tower": ("factors=32", "epochs=1"),
    }
    for name, settings in few.items():
        if models and name not in models:
            continue
        model, seconds = fitted(name, ("text=description", *settings), data, run)
        new = pa.table(
            {
                "item_id": pa.array(np.arange(n_items, n_items + 1000)),
                "description": texts.slice(n_items),
            }
        )
        began = time.perf_counter()
        model = model.with_items(new)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        added = time.perf_counter() - began
        print(
            f"| {name} | fit {seconds:.1f} s | 1,000 items added in {added:.2f} s | peak {peak:.2f}"
            " GiB |",
            flush=True,
        )


TABLES = {
    "citeulike": citeulike,
    "citations": citations,
    "ml-1m": films,
    "warm": warm,
    "calibrate_exposure": calibrate_exposure,
    "scale": scale,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", choices=tuple(TABLES))
    parser.add_argument("--models", nargs="*", default=[])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    TABLES[given.table](Run(seed=given.seed, threads=given.threads), given.models)
