"""A book shop: readers, books with titles and descriptions, ratings; the demonstration where no
real data is available locally.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cofactor.base import checks, rng
from cofactor.base.offsets import owners_of
from cofactor.data.events import Events
from cofactor.data.interactions import Interactions
from cofactor.data.synthetic.shop_words import (
    FIRST_NAMES,
    GENRES,
    LAST_NAMES,
    PLACES,
    THEMES,
    Genre,
    Theme,
)

# How strongly preference, beside fame and chance, decides what is read and how it is rated.
_PREFERENCE_IN_CHOICE = 3.0
_PREFERENCE_IN_RATING = 0.55
_BLOCK = 2_000_000
_FACTS = ("History", "Cookery", "Nature", "Biography")


def shop(n_users: int = 1500, n_items: int = 1000, seed: int = 0) -> Interactions:
    """Make the interactions of a synthetic book shop; every book has a row, also those that nobody
    has read.

    See `shop_events` for the parameters and for how they come about.
    """
    return Interactions.build(shop_events(n_users, n_items, seed), keep_catalogue_items=True)


def shop_events(n_users: int = 1500, n_items: int = 1000, seed: int = 0) -> Events:
    """Make the events of a synthetic book shop: who rated which book when, and what the books are.

    Book i has two genres at most and one theme, reader u likes some of each; their match is
    the preference ``a_ui = g_u · G_i + t_u · T_i + x_u · y_i`` (standardised; x and y are small and
    hidden). Reader u takes the books that are largest in ``log fame_i + 3 a_ui + Gumbel noise``,
    and rates them ``3.5 + b_u + b_i + 0.55 (a_ui - 1.3) + noise``, in half steps of 1..5. Titles
    and descriptions are built from the words of the genre and the theme, so that content reveals
    preferences.

    Parameters
    ----------
    n_users
        Readers, from 1.
    n_items
        Books, from 20 to 20,000.
    seed
        Of everything.

    Returns
    -------
    Events
        User ids like ``"reader-0001"``, item ids like ``"book-0001"``, in the order of time;
        ``item_table`` with title, description, genres (a list of one or two), author, year and
        price.
    """
    n_users = checks.integer(n_users, "n_users", low=1, high=1_000_000)
    n_items = checks.integer(n_items, "n_items", low=20, high=20_000)
    seed = checks.seed(seed)
    books = _books(n_items, rng.generator(seed, "shop", "books"))
    readers = _readers(n_users, rng.generator(seed, "shop", "readers"))
    users, items, values, times = _ratings(books, readers, rng.generator(seed, "shop", "ratings"))
    by_time = np.argsort(times, kind="stable")
    user_ids = pa.array([f"reader-{n + 1:0{len(str(n_users))}d}" for n in range(n_users)])
    item_ids = books.table.column("item_id")
    return Events(
        users=user_ids.take(pa.array(users[by_time])),
        items=item_ids.take(pa.array(items[by_time])),
        values=values[by_time],
        times=times[by_time],
        item_table=books.table,
        source=f"synthetic book shop, seed {seed}",
    )


@dataclass(frozen=True)
class _Books:
    table: pa.Table
    features: np.ndarray  # float32 [n_items, n_genres + n_themes + n_hidden]
    fame: np.ndarray  # float64 [n_items], log
    quality: np.ndarray  # float32 [n_items]


@dataclass(frozen=True)
class _Readers:
    preferences: np.ndarray  # float32 [n_users, n_genres + n_themes + n_hidden]
    leaning: np.ndarray  # float32 [n_users]
    counts: np.ndarray  # int64 [n_users]


_HIDDEN = 4


def _books(n_items: int, generator: np.random.Generator) -> _Books:
    genres = generator.choice(len(GENRES), n_items, p=_shares(len(GENRES), generator))
    second = np.where(generator.random(n_items) < 0.35, _another(genres, generator), genres)
    themes = generator.choice(len(THEMES), n_items, p=_shares(len(THEMES), generator))
    features = np.zeros((n_items, len(GENRES) + len(THEMES) + _HIDDEN), np.float32)
    rows = np.arange(n_items)
    features[rows, second] = 0.5
    features[rows, genres] = 1.0
    features[rows, len(GENRES) + themes] = 0.8
    features[:, -_HIDDEN:] = 0.35 * generator.standard_normal((n_items, _HIDDEN))
    fame = -1.5 * np.log(generator.permutation(n_items) + 0.015 * n_items + 1)
    table = _catalogue(genres, second, themes, generator)
    quality = generator.normal(0.0, 0.35, n_items).astype(np.float32)
    return _Books(table, features, fame, quality)


def _another(genres: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A second genre for each book: fiction goes with fiction, and fact with fact."""
    facts = np.array([genre.name in _FACTS for genre in GENRES])
    fact = generator.choice(np.flatnonzero(facts), len(genres))
    fiction = generator.choice(np.flatnonzero(~facts), len(genres))
    second: np.ndarray = np.where(facts[genres], fact, fiction)
    return second


def _shares(number: int, generator: np.random.Generator) -> np.ndarray:
    weights: np.ndarray = generator.uniform(0.5, 1.5, number)
    return weights / weights.sum()


def _readers(n_users: int, generator: np.random.Generator) -> _Readers:
    genres = generator.gamma(0.25, 1.0, (n_users, len(GENRES)))
    themes = generator.gamma(0.35, 1.0, (n_users, len(THEMES)))
    hidden = generator.standard_normal((n_users, _HIDDEN))
    preferences = np.concatenate(
        [
            genres / genres.max(axis=1, keepdims=True),
            0.9 * themes / themes.max(axis=1, keepdims=True),
            hidden,
        ],
        axis=1,
    )
    leaning = generator.normal(0.0, 0.35, n_users).astype(np.float32)
    counts = np.clip(generator.lognormal(3.15, 0.9, n_users), 3, None).astype(np.int64)
    return _Readers(preferences.astype(np.float32), leaning, counts)


def _ratings(
    books: _Books, readers: _Readers, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """User rows, item rows, ratings and times, by user."""
    n_users, n_items = len(readers.preferences), len(books.features)
    counts = np.minimum(readers.counts, n_items // 2)
    chosen, preferences = [], []
    step = max(1, _BLOCK // n_items)
    for start in range(0, n_users, step):
        preference = (
            readers.preferences[start : start + step] @ books.features.T
        )  # [n_block, n_items]
        preference = (preference - preference.mean(axis=1, keepdims=True)) / preference.std(
            axis=1, keepdims=True
        )
        wish = (
            books.fame
            + _PREFERENCE_IN_CHOICE * preference
            + generator.gumbel(size=preference.shape)
        )
        ranked = np.argsort(-wish, axis=1)
        for user, order in enumerate(ranked):
            mine = order[: counts[start + user]]
            # What is wished for most comes early, but not strictly.
            mine = mine[
                np.argsort(np.arange(len(mine)) + 0.5 * len(mine) * generator.random(len(mine)))
            ]
            chosen.append(mine)
            preferences.append(preference[user, mine])
    users, items = owners_of(counts), np.concatenate(chosen)
    raw = (
        3.5
        + readers.leaning[users]
        + books.quality[items]
        + _PREFERENCE_IN_RATING * (np.concatenate(preferences) - 1.3)
    )
    raw += generator.normal(0.0, 0.55, len(raw))
    values = np.clip(np.rint(raw * 2) / 2, 1, 5).astype(np.float32)
    return users, items, values, _times(counts, generator)


def _times(counts: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Seconds, ascending within each user: three years of a shop in which each reader stays for
    a while.
    """
    day = 86_400
    begin = 1_640_995_200 + generator.integers(0, 900 * day, len(counts))
    pauses = generator.exponential(2.5 * day, int(counts.sum())).astype(np.int64) + 60
    total = np.cumsum(pauses)
    before = np.repeat(
        total[np.cumsum(counts) - counts] - pauses[np.cumsum(counts) - counts], counts
    )
    times: np.ndarray = np.repeat(begin, counts) + total - before
    return times


def _catalogue(
    genres: np.ndarray, second: np.ndarray, themes: np.ndarray, generator: np.random.Generator
) -> pa.Table:
    titles: set[str] = set()
    pairs: set[str] = set()
    columns: dict[str, list[object]] = {name: [] for name in _COLUMNS}
    authors = [f"{first} {last}" for first in FIRST_NAMES for last in LAST_NAMES]
    width = len(str(len(genres)))
    for row, (one, two, three) in enumerate(zip(genres, second, themes, strict=True)):
        genre, theme = GENRES[one], THEMES[three]
        names = [genre.name] if one == two else [genre.name, GENRES[two].name]
        price = max(3.0, genre.price * generator.lognormal(0.0, 0.25))
        line = (
            f"book-{row + 1:0{width}d}",
            _new(titles, _title, genre, theme, generator),
            _new(pairs, _description, genre, theme, generator),
            names,
            _pick(authors, generator),
            int(2024 - min(generator.exponential(14.0), 90)),
            round(float(int(price) + 0.99), 2),
        )
        for name, value in zip(_COLUMNS, line, strict=True):
            columns[name].append(value)
    return pa.table(columns)


_COLUMNS = ("item_id", "title", "description", "genres", "author", "year", "price")


def _new(
    known: set[str],
    make: Callable[[Genre, Theme, np.random.Generator], object],
    genre: Genre,
    theme: Theme,
    generator: np.random.Generator,
) -> str:
    """A text that hasn't been made yet; after many tries, the best that a number can do."""
    for _ in range(60):
        text = str(make(genre, theme, generator))
        if text not in known:
            break
    else:
        number = 2
        while f"{text} (part {number})" in known:
            number += 1
        text = f"{text} (part {number})"
    known.add(text)
    return text


def _title(genre: Genre, theme: Theme, generator: np.random.Generator) -> str:
    adjective, noun = _pick(genre.adjectives, generator), _pick(genre.nouns, generator)
    thing, place, name = (
        _pick(theme.nouns, generator),
        _pick(PLACES, generator),
        _pick(FIRST_NAMES, generator),
    )
    patterns = (
        f"The {adjective} {noun}",
        f"The {adjective} {thing}",
        f"The {noun} of {place}",
        f"The {thing} of {place}",
        f"{_possessive(name)} {adjective} {noun}",
        f"{_possessive(name)} {thing}",
        f"The {thing} and the {noun}",
        f"{adjective} {thing}, {_pick(genre.adjectives, generator)} {noun}",
        f"{noun} at {place}",
        f"Beyond the {thing}",
        f"The {adjective} {noun} of {place}",
        f"A {thing} for {name}" if thing[0] not in "AEIOU" else f"An {thing} for {name}",
    )
    title = _pick(patterns, generator)
    words = title.replace(",", "").split()
    # "Quiet Bird, Quiet Fox": one more draw is cheaper than a rule.
    telling = [word for word in words if word not in ("The", "the")]
    return title if len(set(telling)) == len(telling) else patterns[2]


def _description(genre: Genre, theme: Theme, generator: np.random.Generator) -> str:
    hero, deed = _pick(genre.heroes, generator), _pick(genre.deeds, generator)
    where, turn = _pick(theme.places, generator), _pick(theme.turns, generator)
    patterns = (
        f"{hero} {deed} {where}, until {turn}.",
        f"{_capital(where)}, {_lower(hero)} {deed}, and {turn}.",
        f"{hero} {deed} near {_pick(PLACES, generator)}; {where}, {turn}.",
        f"When {turn}, {_lower(hero)} {deed} {where}.",
    )
    return _pick(patterns, generator)


def _possessive(name: str) -> str:
    return f"{name}'" if name.endswith("s") else f"{name}'s"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _pick(words: tuple[str, ...] | list[str], generator: np.random.Generator) -> str:
    return words[int(generator.integers(len(words)))]
