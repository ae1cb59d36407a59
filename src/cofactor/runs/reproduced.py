"""The result of repeating an experiment: our figures beside the published ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from cofactor.training.curve import LearningCurve


class PublishedFigure(Protocol):
    """One figure, or one model's figures, ours or published."""

    @property
    def reached(self) -> bool | None:
        """Whether every bar was reached; None where there is none."""

    def to_row(self) -> dict[str, Any]:
        """Return it as a line of a table."""


FigureT = TypeVar("FigureT", bound=PublishedFigure)


@dataclass
class Reproduction(Generic[FigureT]):
    """The result of a recipe.

    Parameters
    ----------
    name, title
        Of the recipe.
    protocol
        How it was measured, in sentences.
    figures
        Ours beside theirs.
    shown
        Further lines to print: neighbours of a book, checksums, cost.
    curves
        The learning curves of its fits, by model.
    """

    name: str
    title: str
    protocol: str = ""
    figures: list[FigureT] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    curves: dict[str, LearningCurve] = field(default_factory=dict)

    @property
    def reached(self) -> bool:
        """Whether every bar was reached."""
        return all(figure.reached is not False for figure in self.figures)

    def plot(self, path: Path) -> Path:
        """Draw the learning curves of all fits as one self-contained page."""
        from cofactor.training.curves import draw

        return draw(self.curves, path, self.title)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "protocol": self.protocol,
            "figures": [figure.to_row() for figure in self.figures],
            "shown": self.shown,
        }
