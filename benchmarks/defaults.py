"""Regret of the models' defaults: how far below the best setting found they are, on data that
nobody tuned them for.

    python -m benchmarks.defaults --kind ranking [--sets dense-100 musical] [--models item_knn bpr]
    python -m benchmarks.defaults --kind rating --trials 8 --test
    python -m benchmarks.defaults --kind few-ratings --trials 1
    python -m benchmarks.defaults --kind rating-shapes --trials 4
    python -m benchmarks.defaults --kind fresh --trials 0
    python -m benchmarks.defaults --kind order --trials 1
    python -m benchmarks.defaults --kind turning --trials 1
    python -m benchmarks.defaults --kind ranking --report

On each set of the panel (benchmarks/panel.py) each model is fitted with its defaults and with other
settings: a few that were good elsewhere, then draws from the search space that its Config declares.
All are measured on the validation part. With ``--test`` the default and the setting that was best
on the validation part are measured on the test part too; it decides nothing. Regret is what the
default is missing: 1 - nDCG@10 of the default / nDCG@10 of the best, or RMSE of the default / RMSE
of the best - 1. Of few ratings (600 users with 3 to 15 each, five seeds) what is printed is how far
each model's RMSE is above that of ``bias``; of fresh shapes, by which nothing was chosen, nDCG@10
itself; where the order of events says little (``order``, each user's last event but one) and where
the catalogue turns over (``turning``, split by time), nDCG@10 without and with the term of
popularity, the mean of the seeds. "Below" counts sets where the default is below popularity (for
ratings: bias).

What is measured is kept, a line of JSON each, and never measured twice (``--again`` measures the
defaults once more, after they have changed), so that the panel can be run in parts."""

from __future__ import annotations

import argparse
import json
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import panel, rating_shapes
from benchmarks.tried import (
    FEW,
    NEURAL,
    ORDER,
    RANKING,
    RATING,
    TURNING,
    VARIANTS,
    Settings,
)
from cofactor.base.errors import CofactorError
from cofactor.base.progress import SILENT
from cofactor.base.run import Run
from cofactor.base.search import Choices, Search
from cofactor.data.split import Part, Split
from cofactor.evaluation.evaluate import evaluate
from cofactor.models import registry

RESULTS = Path(__file__).parent / "results"


class Kind(NamedTuple):
    """What is measured where, and by which metric; the first model is the baseline."""

    tried: dict[str, list[Settings]]
    sets: dict[str, Callable[[], Split]]
    metric: str


KINDS = {
    "ranking": Kind(RANKING, panel.RANKING, "ndcg@10"),
    "rating": Kind(RATING, panel.RATING, "rmse"),
    "fresh": Kind({name: [] for name in RANKING}, panel.FRESH, "ndcg@10"),
    "few-ratings": Kind(FEW, panel.FEW, "rmse"),
    "rating-shapes": Kind(RATING, rating_shapes.SHAPES, "rmse"),
    "neural": Kind(NEURAL, panel.SMALL, "ndcg@10"),
    "order": Kind(ORDER, panel.ORDER, "ndcg@10"),
    "turning": Kind(TURNING, panel.TURNING, "ndcg@10"),
}


@dataclass
class Ledger:
    """What was measured: a line of JSON for each set, model and settings, kept in a file."""

    path: Path
    rows: dict[tuple[str, str, str], Settings] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                self._add(json.loads(line))

    def _add(self, row: Settings) -> None:
        key = (row["set"], row["model"], json.dumps(row["settings"], sort_keys=True))
        self.rows[key] = {**self.rows.get(key, {}), **row}

    def get(self, data: str, model: str, settings: Settings) -> Settings | None:
        """The row of these settings, if they were measured."""
        return self.rows.get((data, model, json.dumps(settings, sort_keys=True)))

    def put(self, row: Settings) -> None:
        """Keep a row; of equal settings the last one counts."""
        self._add(row)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")

    def compact(self) -> None:
        """Write the file again with what counts alone."""
        lines = [json.dumps(self.rows[key]) + "\n" for key in sorted(self.rows)]
        self.path.write_text("".join(lines))


def draws(kind: Any, model: str, number: int) -> Iterator[Settings]:
    """Settings from the declared search space, the same ones each time."""
    rng = np.random.default_rng(zlib.crc32(model.encode()))
    for _ in range(number):
        if kind.Config.search:
            yield {name: _drawn(space, rng) for name, space in kind.Config.search.items()}


def _drawn(space: Search, rng: np.random.Generator) -> Any:
    if isinstance(space, Choices):
        return space.values[int(rng.integers(len(space.values)))]
    low, high = (np.log(end) if space.log else end for end in space.ends)
    value = rng.uniform(low, high)
    value = float(np.exp(value) if space.log else value)
    return round(value) if space.whole else float(f"{value:.3g}")


@dataclass
class Bench:
    """Where models are measured: one set of the panel."""

    name: str
    parts: Split
    metric: str
    run: Run
    ledger: Ledger

    def measure(self, model: str, settings: Settings, part: str, *, again: bool = False) -> None:
        """Fit a model with these settings and keep its value on a part, unless it is known."""
        known = self.ledger.get(self.name, model, settings)
        if known is not None and (part in known or "error" in known) and not again:
            return
        row: Settings = {"set": self.name, "model": model, "settings": settings}
        began = time.process_time()
        name, fixed = VARIANTS.get(model, (model, {}))
        try:
            fitted = registry.create(name, **fixed | settings).fit(self.parts.train, run=self.run)
            seconds = round(time.process_time() - began, 2)
            row |= {part: self._value(fitted, getattr(self.parts, part)), "cpu_s": seconds}
        except CofactorError as error:
            row["error"] = str(error)
        self.ledger.put(row)

    def _value(self, model: Any, part: Part) -> float:
        found = evaluate(model, part, [self.metric], run=self.run, resamples=0)[self.metric]
        return round(float(found), 5)


@dataclass(frozen=True)
class Regret:
    """What a model's default is missing on a set; None where it couldn't be fitted.

    Parameters
    ----------
    to_own, to_any
        Against the model's best setting, and against the best setting of all models.
    below
        Whether it is below the baseline.
    best
        Its best settings.
    tried
        How many of its settings were measured; with the default alone there is no regret.
    """

    to_own: float | None
    to_any: float | None
    below: bool
    best: Settings
    tried: int = 2


def regret(ledger: Ledger, data: str, model: str, models: list[str], part: str) -> Regret | None:
    """The regret on a part; the best settings are those of the validation part."""
    rating = models[0] == "bias"

    def best_of(one: str) -> Settings | None:
        rows = [
            row
            for (where, who, _), row in ledger.rows.items()
            if (where, who) == (data, one) and "validation" in row
        ]
        sign = 1 if rating else -1
        return min(rows, key=lambda row: sign * row["validation"], default=None)

    default, chosen = ledger.get(data, model, {}), best_of(model)
    tried = sum(key[:2] == (data, model) for key in ledger.rows)
    if default is None or chosen is None:
        return None
    if "error" in default:
        return Regret(None, None, False, chosen["settings"])
    if part not in default or part not in chosen:
        return None
    others = [row[part] for row in map(best_of, models) if row is not None and part in row]
    mine, own = default[part], chosen[part]
    top = min(others) if rating else max(others)
    # Where nothing is found at all, the best is 0 and the default misses nothing.
    missing = tuple(
        0.0 if mine == best else mine / best - 1 if rating else 1 - mine / best
        for best in (own, top)
    )
    floor = ledger.get(data, models[0], {})
    lost = floor is not None and part in floor
    below = bool(lost and floor and (mine > floor[part] if rating else mine < floor[part]))
    return Regret(missing[0], missing[1], below, chosen["settings"], tried)


def report(ledger: Ledger, sets: list[str], models: list[str], part: str) -> list[str]:
    """Lines of a Markdown table: each model's regret on each set (- where its default alone was
    measured), its median and its worst.
    """
    lines = [
        f"| {part} | median | worst | below | {' | '.join(sets)} |",
        "|" + " --- |" * (len(sets) + 4),
    ]
    for model in models[1:]:
        found = [regret(ledger, data, model, models, part) for data in sets]
        known = [
            one.to_own
            for one in found
            if one is not None and one.to_own is not None and one.tried > 1
        ]
        if not known:
            continue
        cells = [
            "" if one is None else "refused" if one.to_own is None else _cell(one) for one in found
        ]
        below = sum(one.below for one in found if one is not None)
        middle, worst = f"{np.median(known):.1%}", f"{max(known):.1%}"
        lines.append(f"| {model} | {middle} | {worst} | {below} | {' | '.join(cells)} |")
    return lines


def above_baseline(ledger: Ledger, sets: list[str], models: list[str], part: str) -> list[str]:
    """Lines of a Markdown table: by how much the RMSE of each model's default, and of the other
    settings that were measured on all of the same sets, is above the baseline's.
    """
    lines = [f"| {part} | settings | sets | mean | worst |", "| --- | --- | ---: | ---: | ---: |"]
    for model in models[1:]:
        found: dict[str, list[float]] = {}
        for (data, who, settings), row in sorted(ledger.rows.items()):
            floor = ledger.get(data, models[0], {})
            if who == model and data in sets and part in row and floor and part in floor:
                found.setdefault(settings, []).append(row[part] / floor[part] - 1)
        for settings, above in sorted(found.items(), key=lambda each: len(each[0])):
            values = f"{len(above)} | {np.mean(above):.2%} | {max(above):.2%}"
            lines.append(f"| {model} | {settings.strip('{}') or 'default'} | {values} |")
    return lines


def of_defaults(ledger: Ledger, sets: list[str], models: list[str], part: str) -> list[str]:
    """Lines of a Markdown table: nDCG@10 of each default on each set, bold where it is more than
    2 % below the baseline.
    """
    lines = [f"| {part} | {' | '.join(models)} |", "| --- |" + " ---: |" * len(models)]
    for data in sets:
        rows = [ledger.get(data, model, {}) or {} for model in models]
        values = [row.get(part) for row in rows]
        if values[0] is None:
            continue
        marks = ["**" if value is not None and value < 0.98 * values[0] else "" for value in values]
        cells = [
            "" if value is None else f"{mark}{value:.4f}{mark}".replace("0.", ".")
            for value, mark in zip(values, marks, strict=True)
        ]
        lines.append(f"| {data} | {' | '.join(cells)} |")
    return lines


def without_and_with(ledger: Ledger, sets: list[str], models: list[str], part: str) -> list[str]:
    """Lines of a Markdown table: nDCG@10 of each shape, the mean of its seeds, without the term of
    popularity and with it as the default has it; one value where they are the same.
    """
    lines = [f"| {part} | {' | '.join(models)} |", "| --- |" + " ---: |" * len(models)]
    shapes = dict.fromkeys(name.partition(", seed")[0] for name in sets)
    for shape in shapes:
        seeds = [name for name in sets if name.partition(", seed")[0] == shape]
        cells = []
        for model in models:
            found = [
                [row[part] for row in rows if row is not None and part in row]
                for settings in ({"popularity_weight": 0.0}, {})
                for rows in [[ledger.get(name, model, settings) for name in seeds]]
            ]
            means = [f"{np.mean(values):.4f}"[1:] for values in found if values]
            cells.append(" → ".join(dict.fromkeys(means)))
        lines.append(f"| {shape} | {' | '.join(cells)} |")
    return lines


def _cell(one: Regret) -> str:
    own = f"{one.to_own:.1%}" if one.tried > 1 else "-"
    return f"{own} ({one.to_any:.1%}){' **below**' if one.below else ''}"


def _run(given: argparse.Namespace, ledger: Ledger) -> None:
    tried, sets, metric = KINDS[given.kind]
    for name in given.sets or sets:
        run = Run(seed=given.seed, threads=given.threads, progress=SILENT)
        bench = Bench(name, sets[name](), metric, run, ledger)
        models = given.models or list(tried)
        for model in models:
            kind = registry.get(VARIANTS.get(model, (model, {}))[0])
            bench.measure(model, {}, "validation", again=given.again)
            more = [*tried.get(model, []), *draws(kind, model, given.trials)][: given.trials]
            for settings in more:
                bench.measure(model, settings, "validation")
            one = regret(ledger, name, model, [next(iter(tried)), *models], "validation")
            if one is None:
                continue
            if given.test:
                for settings in ({}, one.best):
                    bench.measure(model, settings, "test", again=given.again and not settings)
            print(json.dumps({"set": name, "model": model, **vars(one)}), flush=True)


def main() -> None:
    """Measure what isn't known yet, then print each model's regret."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kind", choices=tuple(KINDS), default="ranking")
    parser.add_argument("--sets", nargs="*", default=[])
    parser.add_argument("--models", nargs="*", default=[])
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="measure the defaults once more")
    parser.add_argument("--test", action="store_true", help="measure on the test part as well")
    parser.add_argument("--report", action="store_true", help="print what is known, fit nothing")
    parser.add_argument("--out", type=Path, default=None, help="the file of what was measured")
    given = parser.parse_args()
    ledger = Ledger(given.out or RESULTS / f"defaults_{given.kind.replace('-', '_')}.jsonl")
    if not given.report:
        _run(given, ledger)
    ledger.compact()
    tried, sets, _ = KINDS[given.kind]
    models = list(dict.fromkeys([*tried, *given.models]))
    table = {
        "few-ratings": above_baseline,
        "fresh": of_defaults,
        "order": without_and_with,
        "turning": without_and_with,
    }.get(given.kind)
    if table is not None:
        print("\n".join(table(ledger, given.sets or list(sets), models, "validation")))
        return
    for part in ("validation", "test"):
        print("\n".join(report(ledger, given.sets or list(sets), models, part)))


if __name__ == "__main__":
    main()
