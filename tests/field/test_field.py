"""The living suite: inputs as people bring them, each with its right value."""

from __future__ import annotations

from pathlib import Path

import pytest

from field.calendars import CALENDARS
from field.case import Case, assert_case
from field.contents import CONTENTS
from field.counts import COUNTS
from field.dialects import DIALECTS
from field.documents import DOCUMENTS
from field.dumps import DUMPS
from field.exports import EXPORTS
from field.foreign import FOREIGN
from field.frames import FRAMES
from field.heads import HEADS
from field.ids import IDS
from field.layouts import LAYOUTS
from field.lines import LINES
from field.links import LINKS
from field.locales import LOCALES
from field.logs import LOGS
from field.memory import MEMORY
from field.moments import MOMENTS
from field.nested import NESTED
from field.numbers import NUMBERS
from field.numerals import NUMERALS
from field.pairs import PAIRS
from field.parts import PARTS
from field.services import SERVICES
from field.text import TEXT
from field.times import TIMES
from field.tools import TOOLS
from field.typed import TYPED
from field.writings import WRITINGS

CASES = (
    *(*TEXT, *LAYOUTS, *IDS, *TIMES, *NUMBERS, *FRAMES, *EXPORTS, *TOOLS, *FOREIGN),
    *(*WRITINGS, *TYPED, *DOCUMENTS, *PARTS, *NESTED, *DIALECTS),
    *(
        *LOCALES,
        *SERVICES,
        *HEADS,
        *CALENDARS,
        *COUNTS,
        *MEMORY,
        *LINES,
        *LINKS,
        *LOGS,
        *PAIRS,
        *NUMERALS,
        *MOMENTS,
        *CONTENTS,
        *DUMPS,
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_has_its_right_value(case: Case, tmp_path: Path) -> None:
    assert_case(case, tmp_path)


def test_names_are_distinct() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
