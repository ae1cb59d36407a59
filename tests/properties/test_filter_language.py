from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cofactor.base.errors import ArgumentError
from cofactor.data.catalogue import Catalogue
from cofactor.retrieval.filters import matches
from examples import examples

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
@settings(max_examples=examples(120))
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
@settings(max_examples=examples(36))
def test_logic_is_two_valued_and_follows_de_morgan(one, other):
    a, b = matches(one, CATALOGUE), matches(other, CATALOGUE)
    np.testing.assert_array_equal(matches(f"not ({one})", CATALOGUE), ~a)
    np.testing.assert_array_equal(matches(f"({one}) and ({other})", CATALOGUE), a & b)
    np.testing.assert_array_equal(matches(f"not (({one}) or ({other}))", CATALOGUE), ~a & ~b)


NUMBERS = st.one_of(
    st.integers(-3, 9),
    st.sampled_from([0.0, -0.0, 0.5, 1.5, 2.0, 2**31, -(2**31), 2**53 + 1, -129, 255, 256, 1e300]),
)
KINDS = (pa.int8(), pa.uint8(), pa.int32(), pa.int64(), pa.uint64(), pa.float32(), pa.float64())


@given(
    column=st.lists(st.none() | st.integers(0, 100), max_size=12),
    kind=st.sampled_from(KINDS),
    values=st.lists(NUMBERS, min_size=1, max_size=30),
)
@example(column=[0, None], kind=pa.float64(), values=[-0.0] * 12)
@example(column=[0, 7], kind=pa.uint8(), values=[-1, 256, 7] * 4)
@settings(max_examples=examples(60))
def test_many_values_are_as_each_of_them(column, kind, values):
    catalogue = Catalogue(pa.table({"n": pa.array(column, kind)}))
    together = matches(f"n in ({', '.join(map(repr, values))})", catalogue)
    alone = [matches(f"n in ({one!r})", catalogue) for one in values]
    assert np.array_equal(together, np.logical_or.reduce(alone))


@given(
    column=st.lists(st.none() | st.text("ab'|", max_size=2), max_size=12),
    values=st.lists(st.text("ab'|", max_size=2), min_size=1, max_size=30),
)
@settings(max_examples=examples(30))
def test_many_texts_are_as_each_of_them(column, values):
    catalogue = Catalogue(pa.table({"n": pa.array(column, pa.string())}))
    quoted = ["'" + one.replace("'", "''") + "'" for one in values]
    together = matches(f"n in ({', '.join(quoted)})", catalogue)
    assert np.array_equal(
        together, np.logical_or.reduce([matches(f"n = {q}", catalogue) for q in quoted])
    )


def test_many_values_are_compared_in_one_pass(monkeypatch):
    import pyarrow.compute as pc

    from cofactor.retrieval import filters

    compared = []
    equal = lambda column, one: compared.append(1) or pc.equal(column, one)  # noqa: E731
    monkeypatch.setitem(filters._COMPARE, "=", equal)
    catalogue = Catalogue(
        pa.table(
            {
                "year": [1990, None, 2001],
                "name": ["a", "b", None],
                "day": pa.array(["2020-01-01", None, "2021-01-02"]).cast(pa.timestamp("s")),
            }
        )
    )
    for text, expected in (
        (f"year in ({', '.join(map(str, range(1500, 1999)))})", [True, False, False]),
        (f"name in ({', '.join(repr(str(n)) for n in range(900))}, 'b')", [False, True, False]),
        ("day in (" + "'2020-01-01', " * 500 + "'2021-01-02')", [True, False, True]),
    ):
        assert matches(text, catalogue).tolist() == expected
    assert len(compared) < 10
