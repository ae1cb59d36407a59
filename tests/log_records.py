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
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)
