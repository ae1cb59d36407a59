"""Models with content by default on simulated shops whose features say more or less: the table of
docs/content.md. ``python -m benchmarks.content_shapes [--features words noisy]``.

A fifth of the items is new, and ranked among each other: Recall@20, seed 0, one thread."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base.progress import SILENT
from cofactor.base.run import Run
from cofactor.data.catalogue import Catalogue
from cofactor.data.interactions import Interactions
from cofactor.data.splits import split
from cofactor.evaluation.evaluate import evaluate
from cofactor.models import registry

MODELS = ("content_knn", "content_ridge", "content_blend", "feature_ials", "bridge")
_TOPICS = 12
_SHAPE = (1200, 800, 14)  # users, items, mean number of a user's items
Drawn = tuple[np.ndarray, np.random.Generator]


def shop(n_users: int, n_items: int, mean: int, seed: int) -> tuple[Interactions, Drawn]:
    """Users who choose by fame and by topics, and the items' shares of topics."""
    rng = np.random.default_rng(seed)
    q = rng.dirichlet(np.full(_TOPICS, 0.15), n_items)
    p = rng.dirichlet(np.full(_TOPICS, 0.3), n_users)
    fame = -0.6 * np.log(rng.permutation(n_items) + 5.0)
    sizes = np.clip(rng.poisson(mean, n_users), 3, n_items // 3)
    chosen = []
    for u in range(n_users):
        score = 6.0 * (q @ p[u]) + fame + rng.gumbel(size=n_items)
        chosen.append(rng.permutation(np.argpartition(-score, sizes[u])[: sizes[u]]))
    users = np.repeat(np.arange(n_users), sizes)
    data = Interactions.from_rows(users, np.concatenate(chosen), users=n_users, items=n_items)
    return data, (q, rng)


def latin(topic: int, word: int) -> str:
    """A word of a topic."""
    return f"t{topic}w{word}"


def written(parts: int, first: int, n_letters: int, topic: int, word: int) -> str:
    """The same in another script: some parts of two letters."""
    codes = (topic * 1000 + word, word * 31 + topic)[:parts]
    return "".join(
        chr(first + (code * 7919 + n * 104729) % n_letters) for code in codes for n in (0, 1)
    )


def words(
    drawn: Drawn, *, n: int = 30, noise: float = 0.0, word: Callable[[int, int], str] = latin
) -> list[list[str]]:
    """Words of the items' topics, a share of them noise."""
    q, rng = drawn
    found = []
    for row in q:
        topics = rng.choice(_TOPICS, n, p=row)
        which = (rng.pareto(1.0, n) * 3).astype(int) % 400
        random, other = rng.random(n) < noise, rng.integers(0, 4000, n)
        found.append(
            [f"z{other[j]}" if random[j] else word(int(topics[j]), int(which[j])) for j in range(n)]
        )
    return found


def texts(drawn: Drawn, **how: Any) -> dict[str, Any]:
    """A column of text."""
    return {"description": [" ".join(one) for one in words(drawn, **how)]}


def chinese(drawn: Drawn) -> dict[str, Any]:
    """Text without spaces."""
    word = partial(written, 1, 0x4E00, 6000)
    return {"description": ["".join(one) for one in words(drawn, word=word)]}


def absent(drawn: Drawn) -> dict[str, Any]:
    """Text of two items in five."""
    found = texts(drawn)["description"]
    return {"description": [None if drawn[1].random() < 0.6 else one for one in found]}


def identical(drawn: Drawn) -> dict[str, Any]:
    """Four texts for all items."""
    return {"description": [f"a thing of kind k{best % 4}" for best in drawn[0].argmax(1)]}


def numbers(drawn: Drawn) -> dict[str, Any]:
    """The shares of topics with noise, 40 % missing."""
    q, rng = drawn
    x = q + 0.05 * rng.standard_normal(q.shape)
    x[rng.random(x.shape) < 0.4] = np.nan
    return {f"n{j}": pa.array(x[:, j], from_pandas=True) for j in range(_TOPICS)}


def categories(drawn: Drawn) -> dict[str, Any]:
    """A seller of 480 and four tags of 720."""
    q, rng = drawn
    sellers = [f"s{best}_{rng.integers(0, 40)}" for best in q.argmax(1)]
    tags = [[f"g{t}_{rng.integers(0, 60)}" for t in rng.choice(_TOPICS, 4, p=row)] for row in q]
    return {"seller": sellers, "tags": tags}


FEATURES: dict[str, Callable[[Drawn], dict[str, Any]]] = {
    "words": texts,
    "cyrillic": partial(texts, word=partial(written, 2, 0x430, 32)),
    "chinese": chinese,
    "noisy": partial(texts, noise=0.9, n=60),
    "absent": absent,
    "identical": identical,
    "numbers": numbers,
    "categories": categories,
    "unrelated": partial(texts, noise=1.0),
    "few": texts,
}


def main() -> None:
    """Print a line for each kind of features."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", nargs="*", default=list(FEATURES))
    parser.add_argument("--models", nargs="*", default=list(MODELS))
    given = parser.parse_args()
    run = Run(seed=0, threads=1, progress=SILENT)
    print(f"| Recall@20 | {' | '.join(given.models)} |")
    for name in given.features:
        shape = (2500, 2500, 4, 5) if name == "few" else (*_SHAPE, 3)
        data, drawn = shop(*shape)
        data = replace(data, catalogue=Catalogue(pa.table(FEATURES[name](drawn))))
        parts, cells = split(data, "items", test=0.2, seed=0), []
        for model in given.models:
            fitted = registry.create(model).fit(parts.train, run=run)
            found = evaluate(fitted, parts.test, ["recall@20"], run=run, resamples=0)
            cells.append(f"{float(found['recall@20']):.4f}"[1:])
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
