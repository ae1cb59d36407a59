"""Times of few rows are read as those of many, which Arrow's own expressions split."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cofactor.data.readers.times import seconds
from examples import examples

MANY = 100
DATES = (
    *("2019-01-05", "2019-1-5 7:08", "2019-01-05T07:08:09.5+02:00", "2019/01/05", "2019年1月5日"),
    *(
        "Sat Jan  5 07:08:09 EST 2019",
        "05/Jan/2019:07:08:09 +0000",
        "1 5, 2019",
        "1/5/2019 7:08 PM",
    ),
    *("Sat Jan 05 2019 07:08:09 GMT+0100 (CET)", "Sat, 05 Jan 2019 07:08:09 GMT", "20190105T0708"),
    *("January 5th, 2019 at 7:08 a.m.", "05.01.2019 07:08 Uhr", "5. Januar 2019", "le 5 mai 2019"),
    *("samedi 5 janvier 2019 à 07:08", "12 de mayo de 2019", "Mai 5, 2019", "31/12/2019", "x"),
)
# What damages a date, or only seems to.
SIGNS = st.sampled_from([*"0123456789 :-/.,TZ+\n\r\x0b\xa0\u0665å[]()", "2019", "PM", " GMT"])


@st.composite
def written(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(DATES))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(SIGNS) + text[at + draw(st.integers(0, 1)) :]
    return text


@settings(max_examples=examples(48))
@given(st.lists(written(), min_size=1, max_size=4))
@example([*DATES])
@example(["l\x0be 5 mai 2019"])
def test_few_times_are_read_as_many_are(texts: list[str]) -> None:
    few, many = seconds(pa.array(texts)), seconds(pa.array(texts * MANY))
    n = len(texts)
    np.testing.assert_array_equal(few.times, many.times[:n], err_msg=repr(texts))
    assert few.bare == many.bare
    assert (few.day_first is None) == (many.day_first is None)
    if few.day_first is not None and many.day_first is not None:
        np.testing.assert_array_equal(few.day_first, many.day_first[:n], err_msg=repr(texts))
