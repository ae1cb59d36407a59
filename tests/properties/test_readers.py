"""Whatever the ids, values and times are, they come back as they were written."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from cofactor.data.id_text import clean
from cofactor.data.readers import read, total_lines
from examples import examples

# No surrogates (not UTF-8) and no NUL, and ids that the rule for ids leaves as they are, and no
# words of a last line of totals.
texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30
).filter(
    lambda text: (
        clean(pa.array([text])).words[0].as_py() == text
        and text.lower().rstrip(":") not in total_lines.TOTALS | total_lines.MEANS
    )
)
numbers = st.integers(-(2**63), 2**63 - 1)
moments = st.integers(-(10**10), 10**10)
ratings = st.floats(-1e6, 1e6, width=32)


def rows_of(
    ids: st.SearchStrategy[object],
) -> st.SearchStrategy[list[tuple[object, object, float, int]]]:
    return st.lists(st.tuples(ids, ids, ratings, moments), min_size=1, max_size=12)


def assert_round_trip(rows: list[tuple[object, object, float, int]], delimiter: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.csv"
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(
                stream, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL
            )
            writer.writerow(["user", "item", "rating", "timestamp"])
            writer.writerows(rows)
        events = read(path, delimiter=delimiter, time_unit="s", now=2e10)
    assert [str(i) for i in events.users.to_pylist()] == [str(row[0]) for row in rows]
    assert [str(i) for i in events.items.to_pylist()] == [str(row[1]) for row in rows]
    np.testing.assert_array_equal(events.values, np.array([row[2] for row in rows], np.float32))
    np.testing.assert_array_equal(events.times, np.array([row[3] for row in rows]))


@settings(max_examples=examples(24))
@given(rows_of(texts), st.sampled_from([",", ";", "\t", "|"]))
def test_texts_come_back_as_they_were(
    rows: list[tuple[object, object, float, int]], delimiter: str
) -> None:
    assert_round_trip(rows, delimiter)


@settings(max_examples=examples(24))
@given(rows_of(numbers))
def test_integers_come_back_as_they_were(rows: list[tuple[object, object, float, int]]) -> None:
    assert_round_trip(rows, ",")
