"""What was logged while a test ran."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


class LogRecords(logging.Handler):
    """The log's records, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def messages(self) -> list[str]:
        return [one.getMessage() for one in self.records]

    @property
    def text(self) -> str:
        return "\n".join(self.messages)


@pytest.fixture
def caplog() -> Iterator[LogRecords]:
    """Pytest's own of this name is off: its plugin prepares each phase of each test, which takes
    more time than most of the tests.
    """
    handler = LogRecords()
    ours = logging.getLogger("cofactor.service")
    # A service that an earlier test ran in this process keeps its log apart.
    heard = [logging.getLogger()] + ([] if ours.propagate else [ours])
    for logger in heard:
        logger.addHandler(handler)
    yield handler
    for logger in heard:
        logger.removeHandler(handler)
