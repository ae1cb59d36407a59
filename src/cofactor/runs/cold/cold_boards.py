"""What the boards of new items share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cofactor.models import registry
from cofactor.runs.board import BoardEntry, Measure

METRICS = ("recall@100", "ndcg@100")
MEASURE = Measure(metrics=METRICS, repeats=None)

PROTOCOL = (
    "Settings were chosen on a fifth of the training items, held out as if they were new. The new"
    " items alone are ranked."
)


def entries_of(
    models: Mapping[str, tuple[str, ...]],
    columns: tuple[str, ...],
    bars: Mapping[str, Mapping[str, float]] | None = None,
) -> Iterator[BoardEntry]:
    """Yield the models of a board.

    Parameters
    ----------
    models
        Settings as text, by name.
    columns
        Which columns of the catalogue all of them read, as settings.
    bars
        By name and metric.
    """
    for name, settings in models.items():
        config = registry.get(name).Config.from_text((*columns, *settings))
        reached = (bars or {}).get(name, {})
        yield BoardEntry(name, config.to_dict(), reads="text", bars=reached)
