from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cofactor.base.errors import ArgumentError
from cofactor.data.catalogue import Catalogue
from cofactor.retrieval.filters import matches

CATALOGUE = Catalogue(
    pa.table(
        {
            "year": [1990, None, 2001, 1990],
            "genres": ["A|B", "b", None, "C"],
            "tags": [["x"], None, [], ["y", "x"]],
        }
    )
)
WORDS = st.sampled_from(
    [
        *(
            "year",
            "genres",
            "tags",
            "in",
            "has",
            "is",
            "missing",
            "not",
            "and",
            "or",
            "true",
            "null",
            "`year`",
            "é",
        ),
        *("=", "!=", "<", "<=", ">", ">=", "~", "(", ")", ",", ";", "\0", "'", "`", "''"),
        *("1990", "-2.5e3", "'A'", '"b"'),
    ]
)
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(WORDS, max_size=14).map(" ".join),
    st.lists(WORDS, max_size=9).map("".join),
)


@given(text=TEXTS)
@example(text="1e999 ")
@example(text="year = 1e999")
@example(text="year = ²")
@example(text="tags has '\ud800'")
@example(text="genres ~ '\0'")
@settings(max_examples=600, deadline=None)
def test_any_text_either_gives_a_mask_or_one_clear_error(text):
    try:
        mask = matches(text, CATALOGUE)
    except ArgumentError as error:
        assert str(error)  # noqa: PT017 - the law is about every text, with or without an error
        return
    assert mask.shape == (4,)
    assert mask.dtype == bool


CONDITIONS = st.recursive(
    st.sampled_from(
        ["year = 1990", "year is missing", "genres has 'a'", "tags has 'x'", "genres ~ 'b'"]
    ),
    lambda inner: st.one_of(
        inner.map(lambda a: f"not ({a})"),
        st.tuples(inner, inner).map(lambda ab: f"({ab[0]}) and ({ab[1]})"),
        st.tuples(inner, inner).map(lambda ab: f"({ab[0]}) or ({ab[1]})"),
    ),
    max_leaves=6,
)


@given(one=CONDITIONS, other=CONDITIONS)
@settings(max_examples=150, deadline=None)
def test_logic_is_two_valued_and_follows_de_morgan(one, other):
    a, b = matches(one, CATALOGUE), matches(other, CATALOGUE)
    np.testing.assert_array_equal(matches(f"not ({one})", CATALOGUE), ~a)
    np.testing.assert_array_equal(matches(f"({one}) and ({other})", CATALOGUE), a & b)
    np.testing.assert_array_equal(matches(f"not (({one}) or ({other}))", CATALOGUE), ~a & ~b)
