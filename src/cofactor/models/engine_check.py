"""Whether a model's training can be cut into pieces for an engine."""

from __future__ import annotations

from cofactor.base.errors import TraitError
from cofactor.base.run import Run
from cofactor.models.hooks import Hooks


def check_engine(kind: type[Hooks], run: Run) -> None:
    """Refuse a run with an engine if the model's training can't be cut into pieces.

    Raises
    ------
    TraitError
        With the cure.
    """
    if run.engine is not None and not kind.fits_on_engine:
        raise TraitError(
            f"the training of {kind.name} isn't cut into pieces for an engine; train it without"
            " --engine. Those that are: ials, bpr, warp, ease, item_knn, graph_filter."
        )
