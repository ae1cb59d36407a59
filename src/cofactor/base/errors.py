"""The exceptions of Cofactor.

::

    CofactorError
    ├── ArgumentError (ValueError)      an argument has a wrong type, value or shape
    │   └── UnknownNameError            a name (model, metric, dataset, setting) that doesn't exist
    ├── DataError (ValueError)          the data can't be used: file, line and offending rows are
    named
    ├── UnknownIdError (KeyError)       user or item ids that the model has never seen
    ├── NotFittedError (RuntimeError)   a model was used before it was fitted
    ├── TraitError (TypeError)          the model can't do this by its nature (see its traits)
    ├── TrainingError (RuntimeError)    training diverged or can't go on
    ├── ArtifactError (ValueError)      a saved model is damaged, incomplete or from another version
    ├── MemoryLimitError (MemoryError)  a computation that would not fit is refused, with the number
    ├── StoreError (RuntimeError)       the event store; its own tree stands in
    store/exceptions.py
    ├── EngineError (RuntimeError)      a cluster can't be reached or lost too much; in
    base/engine.py
    ├── DownloadError (OSError)         a dataset couldn't be fetched or has a wrong checksum
    └── MissingExtraError (ImportError) an optional dependency is not installed

Every message says what was wrong, what was expected, what came, and the cure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence


class CofactorError(Exception):
    """Base class of the errors that Cofactor raises on purpose.

    The message says in one sentence what was expected, what came, and how to cure it.
    """


class ArgumentError(CofactorError, ValueError):
    """An argument has a wrong type, value or shape."""


class UnknownNameError(ArgumentError):
    """A name that doesn't exist; the message offers the nearest ones."""


class DataError(CofactorError, ValueError):
    """The data can't be used as it is.

    Parameters
    ----------
    message
        What is wrong and how to fix it, in one sentence.
    source
        The file, table or URL at fault.
    rows
        Offending rows as ``(line_number, text)``; the first five are shown.
    total
        How many rows are at fault in all (``rows`` may hold only the first).
    """

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        rows: Sequence[tuple[int, str]] = (),
        total: int | None = None,
    ) -> None:
        self.source = source
        self.rows = tuple(rows)
        self.total = len(self.rows) if total is None else total
        # A table may have names without end.
        self.message = _within(message, 2_000)
        super().__init__(self.located())

    def located(self, say: Callable[[str], str] = str) -> str:
        """Return the sentence with its source and rows; ``say`` puts the message (not the rows)
        into the words of a place.
        """
        return _located(say(self.message), self.source, self.rows, self.total)


class UnknownIdError(CofactorError, KeyError):
    """User or item ids that the model or the data has never seen."""

    def __str__(self) -> str:
        # KeyError shows repr(args[0]), which would print the sentence in quotes.
        return str(self.args[0]) if self.args else ""


class NotFittedError(CofactorError, RuntimeError):
    """A model was used before it was fitted."""


class TraitError(CofactorError, TypeError):
    """The model can't do this by its nature; its ``traits`` say so."""


class TrainingError(CofactorError, RuntimeError):
    """Training diverged, or can't go on."""


class ArtifactError(CofactorError, ValueError):
    """A saved model is damaged, incomplete, or of a format this version doesn't know."""

    def __init__(self, message: str) -> None:
        # A damaged or forged model may have names without end.
        super().__init__(_within(message, 1_000))


class MemoryLimitError(CofactorError, MemoryError):
    """A computation that would not fit into memory was refused before it began."""


class DownloadError(CofactorError, OSError):
    """A dataset couldn't be fetched, or what came has a wrong checksum."""


class UnwrittenError(CofactorError, OSError):
    """A file couldn't be written, and is as it was."""


class MissingExtraError(CofactorError, ImportError):
    """An optional dependency is not installed."""


def _located(message: str, source: str | None, rows: Sequence[tuple[int, str]], total: int) -> str:
    text = f"{source}: {message}" if source else message
    if not rows:
        return text
    shown = "; ".join(f"line {line}: {_short(row)}" for line, row in rows[:5])
    more = f" (and {total - min(5, len(rows))} more)" if total > min(5, len(rows)) else ""
    return f"{text} {shown}{more}"


def _within(text: str, limit: int) -> str:
    """A text without its middle where it is too long."""
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]} … {text[-half:]}"


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")
