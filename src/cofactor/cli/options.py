"""Options that several commands share, and how their words become runs' arguments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from cofactor.base.durations import SECONDS_OF
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.cli.groups import option
from cofactor.cli.output import Output
from cofactor.runs.source import Cutting

if TYPE_CHECKING:
    from cofactor.cli.keeping import Keeping
    from cofactor.store import Retention

SourceArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help=(
            "Files (csv, tsv, dat, parquet, feather, jsonl, json, xlsx; gz, bz2, xz, zip, tar;"
            " several are read as one; - for standard input), a folder (also of shards), a"
            " dataset's name, or a database URL."
        ),
    ),
]
ModelFolder = Annotated[
    str, typer.Argument(metavar="DIR", help="A saved model: the folder that train wrote.")
]
Items = Annotated[
    str | None, typer.Option(metavar="FILE", help="The catalogue: titles and columns of the items.")
]
ItemId = Annotated[str | None, typer.Option(metavar="NAME", help="The column of ids in --items.")]
Kinds = Annotated[
    str | None,
    typer.Option(
        metavar="KIND=WEIGHT,...",
        help="Weights of the kinds of events: view=1,purchase=5; others are left out.",
    ),
]
Repeats = Annotated[
    str,
    typer.Option(
        metavar="HOW",
        help=(
            "How to merge several events of a user with an item: last, sum, mean or max; keep"
            " merges none, for sequence models."
        ),
    ),
]
Device = Annotated[
    str,
    typer.Option(
        metavar="DEVICE",
        help="Device of PyTorch models and ials: auto, cpu, cuda, cuda:1, mps, xpu.",
    ),
]
Metrics = Annotated[
    str | None,
    typer.Option(metavar="NAME,...", help="Metrics: ndcg@10,recall@20,auc,rmse ..."),
]
K = Annotated[int, typer.Option("-k", help="Number of items.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No messages and no progress on stderr.")
]


@dataclass(frozen=True)
class HeldOutOptions:
    """Held-out data."""

    split: str = option(
        "per-user",
        "How to split off the test part: per-user, time, random, leave-last, sessions, next,"
        " users, items.",
        metavar="HOW",
    )
    test: float = option(
        0.2, "The share held out for the test (leave-last: how many); 0 holds nothing out."
    )
    validation: float = option(
        0.0, "The share held out for early stopping, in models that have it."
    )

    def cutting(self, seed: int) -> Cutting:
        """Return what the runs take."""
        return Cutting(how=self.split, test=self.test, validation=self.validation, seed=seed)


@dataclass(frozen=True)
class SplitOptions(HeldOutOptions):
    """Held-out data."""

    metrics: Metrics = None


@dataclass(frozen=True)
class MeasuredOn(SplitOptions):
    """Held-out data."""

    test: float = option(0.2, "The share held out for the test (leave-last: how many).")


@dataclass(frozen=True)
class RetentionOptions:
    """Options."""

    keep_impressions: str | None = option(
        None, "Delete logged lists that are older (s, m, h, d).", metavar="90d"
    )
    max_impressions: int | None = option(None, "Delete the oldest logged lists beyond this many.")

    def retention(self) -> Retention:
        """Return which impressions are kept."""
        from cofactor.store import Retention

        age, most = self.keep_impressions, self.max_impressions
        seconds = _amount(age, "keep-impressions", SECONDS_OF, "90d, 12h or 30m")
        if most is not None and most < 1:
            raise ArgumentError(f"--max-impressions must be at least 1, not {most}.")
        return Retention(seconds=seconds, most=most)


@dataclass(frozen=True)
class ShowOptions:
    """Output."""

    json: Json = False
    quiet: Quiet = False

    def output(self) -> Output:
        """Return where results and progress go."""
        return Output(self.json, self.quiet)


@dataclass(frozen=True)
class ThreadOptions:
    """Computation."""

    threads: int = option(0, "Number of threads; 0 means all cores.")

    def run(self, output: Output) -> Run:
        """Return a Run that reports to the command's output."""
        given = vars(self)
        return Run(
            seed=given.get("seed", 0),
            threads=self.threads,
            device=given.get("device", "auto"),
            progress=output.progress,
        )


@dataclass(frozen=True)
class SeededOptions(ThreadOptions):
    """Computation."""

    seed: int = option(0, "Seed of all random numbers.")


@dataclass(frozen=True)
class ComputeOptions(SeededOptions):
    """Computation."""

    device: Device = "auto"


@dataclass(frozen=True)
class SettingOptions:
    """Model."""

    set_: list[str] | None = option(
        None, "A setting: factors=64; may be repeated.", "--set", metavar="NAME=VALUE"
    )
    text: str | None = option(
        None, "Columns of the catalogue that models with content read as text.", metavar="NAME,..."
    )
    features: str | None = option(
        None,
        "Columns that those models read as categories, lists, numbers or dates.",
        metavar="NAME,...",
    )

    def settings(self) -> list[str]:
        """Return the settings as words NAME=VALUE."""
        lacking = next((word for word in self.set_ or [] if "=" not in word), None)
        if lacking is not None:
            raise ArgumentError(f"--set must be written NAME=VALUE, not {lacking!r}.")
        content = {"text": self.text, "features": self.features}
        given = [f"{name}={words}" for name, words in content.items() if words]
        if given:
            _check_content(vars(self)["model"], given[0].partition("=")[0])
        return [*given, *(self.set_ or [])]


def _check_content(model: str, name: str) -> None:
    from cofactor.models import registry
    from cofactor.runs.auto import AUTO

    if model != AUTO and name not in registry.get(model).Config.settings():
        raise ArgumentError(
            f"--{name} names columns of the catalogue, which {model} doesn't read; leave it out, or"
            " choose a model with content (`cofactor models` lists them)."
        )


@dataclass(frozen=True)
class ModelOptions(SettingOptions):
    """Model."""

    model: str = option(..., "The model's name; `cofactor models` lists them.", metavar="NAME")


@dataclass(frozen=True)
class AnyModelOptions(SettingOptions):
    """Model."""

    model: str = option(
        "auto",
        "The model's name (`cofactor models` lists them); auto tries several and chooses.",
        metavar="NAME",
    )


@dataclass(frozen=True)
class KeepingOptions:
    """Runs."""

    runs: str | None = option(
        None, "Keep what was measured in DIR, for `cofactor runs`.", metavar="DIR"
    )
    track: list[str] | None = option(
        None, "Log to mlflow:EXPERIMENT or tensorboard:DIR; may be repeated.", metavar="TRACKER"
    )

    @property
    def wanted(self) -> bool:
        """Whether runs are kept or logged at all."""
        return self.runs is not None or bool(self.track)

    def prepare(self) -> Keeping:
        """Return what keeps and logs a run; what would stop it then is raised now."""
        from cofactor.cli.keeping import Keeping

        return Keeping.prepared(self.runs, self.track or ())


def one_or_several(source: list[str]) -> str | list[str]:
    """Return the one source itself, or several as a list."""
    return source[0] if len(source) == 1 else source


def seconds(text: str | None, name: str = "max-time") -> float | None:
    """Read a time such as ``90``, ``90s``, ``5m`` or ``2h``; None stays None."""
    return _amount(text, name, {"": 1, "s": 1, "m": 60, "h": 3600}, "90s, 5m or 2h")


def duration(text: str, name: str) -> int:
    """Read a time such as ``30m``, ``6h`` or ``7d`` in whole seconds."""
    return int(_amount(text, name, SECONDS_OF, "30m, 6h or 7d") or 0)


def n_bytes(text: str | None, name: str = "max-memory") -> int | None:
    """Read a size such as ``500MB`` or ``2GB``; None stays None."""
    units = {"b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40}
    amount = _amount(text, name, units, "500MB or 2GB")
    return None if amount is None else int(amount)


def _amount(text: str | None, name: str, units: dict[str, int], example: str) -> float | None:
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)", text.strip().casefold())
    if found is None or found[2] not in units or float(found[1]) <= 0:
        raise ArgumentError(
            f"--{name} must be a number with a unit, as {example}, above 0, not {text!r}."
        )
    return float(found[1]) * units[found[2]]


def names(words: str | None) -> list[str] | None:
    """Split ``a,b,c`` into names; None stays None."""
    return None if words is None else [word.strip() for word in words.split(",") if word.strip()]
