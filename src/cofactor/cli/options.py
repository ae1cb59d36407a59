"""Options that several commands share, and how their words become runs' arguments."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from cofactor.base.durations import SECONDS_OF
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
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
Columns = Annotated[
    str | None,
    typer.Option(
        metavar="ROLE=NAME,...",
        help=(
            "Columns, if their names aren't recognised:"
            " user=uid,item=sku (also value, time); `time=` leaves times out."
        ),
    ),
]
Items = Annotated[
    str | None,
    typer.Option("--items", metavar="FILE", help="The catalogue: titles and columns of the items."),
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
MinValue = Annotated[
    float | None,
    typer.Option(help="Keep only interactions of at least this value, e.g. ratings from 4."),
]
Core = Annotated[
    int, typer.Option(help="Keep only users and items with at least this many interactions.")
]
OnBad = Annotated[
    str,
    typer.Option(metavar="error|skip", help="What to do with lines that can't be read."),
]
KeepImpressions = Annotated[
    str | None,
    typer.Option(metavar="90d", help="Delete logged lists that are older (s, m, h, d)."),
]
MaxImpressions = Annotated[
    int | None, typer.Option(help="Delete the oldest logged lists beyond this many.")
]
How = Annotated[
    str,
    typer.Option(
        "--split",
        metavar="HOW",
        help=(
            "How to split off the test part: per-user, time, random, leave-last, sessions, next,"
            " users, items."
        ),
    ),
]
Test = Annotated[
    float,
    typer.Option(
        help="The share held out for the test (leave-last: how many); 0 holds nothing out."
    ),
]
Validation = Annotated[
    float, typer.Option(help="The share held out for early stopping, in models that have it.")
]
Seed = Annotated[int, typer.Option(help="Seed of all random numbers.")]
Threads = Annotated[int, typer.Option(help="Number of threads; 0 means all cores.")]
Device = Annotated[
    str,
    typer.Option(metavar="DEVICE", help="Device of PyTorch models: auto, cpu, cuda, cuda:1, mps."),
]
Metrics = Annotated[
    str | None,
    typer.Option(metavar="NAME,...", help="Metrics: ndcg@10,recall@20,auc,rmse ..."),
]
K = Annotated[int, typer.Option("-k", help="Number of items.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help=("No messages and no progress on stderr."))
]


@dataclass(frozen=True)
class SplitOptions:
    """Held-out data."""

    split: How = "per-user"
    test: Test = 0.2
    validation: Validation = 0.0
    metrics: Metrics = None

    def cutting(self, seed: int) -> Cutting:
        """Return what the runs take."""
        return Cutting(how=self.split, test=self.test, validation=self.validation, seed=seed)


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

    threads: Threads = 0

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

    seed: Seed = 0


@dataclass(frozen=True)
class ComputeOptions(SeededOptions):
    """Computation."""

    device: Device = "auto"


@dataclass(frozen=True)
class SettingOptions:
    """Model."""

    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help=("A setting: factors=64; may be repeated.")
        ),
    ] = None
    text: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Columns of the catalogue that models with content read as text.",
        ),
    ] = None
    features: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...", help="Columns that it reads as categories, lists, numbers, dates."
        ),
    ] = None

    def settings(self) -> list[str]:
        """Return the settings as words NAME=VALUE."""
        content = (("text", self.text), ("features", self.features))
        return [*(f"{name}={words}" for name, words in content if words), *(self.set_ or [])]


@dataclass(frozen=True)
class ModelOptions(SettingOptions):
    """Model."""

    model: Annotated[
        str,
        typer.Option(metavar="NAME", help="The model's name; `cofactor models` lists them."),
    ] = field(kw_only=True)


@dataclass(frozen=True)
class AnyModelOptions(SettingOptions):
    """Model."""

    model: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The model's name (`cofactor models` lists them); auto tries them and chooses.",
        ),
    ] = "auto"


@dataclass(frozen=True)
class KeepingOptions:
    """Keeping."""

    runs: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Keep what was measured in DIR, for `cofactor runs`."),
    ] = None
    track: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TRACKER", help="Log to mlflow:EXPERIMENT or tensorboard:DIR; may be repeated."
        ),
    ] = None

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


def retention(age: str | None, most: int | None) -> Retention:
    """Read which impressions are kept."""
    from cofactor.store import Retention

    seconds = _amount(age, "keep-impressions", SECONDS_OF, "90d, 12h or 30m")
    if most is not None and most < 1:
        raise ArgumentError(f"--max-impressions must be at least 1, not {most}.")
    return Retention(seconds=seconds, most=most)


def n_bytes(text: str | None, name: str = "max-memory") -> int | None:
    """Read a size such as ``500MB`` or ``2GB``; None stays None."""
    units = {"": 1, "b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40}
    amount = _amount(text, name, units, "500MB or 2GB")
    return None if amount is None else int(amount)


def _amount(text: str | None, name: str, units: dict[str, int], example: str) -> float | None:
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)", text.strip().casefold())
    if found is None or found[2] not in units or float(found[1]) <= 0:
        raise ArgumentError(f"--{name} must be a number with a unit, as {example}, not {text!r}.")
    return float(found[1]) * units[found[2]]


def names(words: str | None) -> list[str] | None:
    """Split ``a,b,c`` into names; None stays None."""
    return None if words is None else [word.strip() for word in words.split(",") if word.strip()]
