"""The rule for the text of ids: what is decided by the bytes alone equals what the patterns say."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from cofactor.data import id_text
from cofactor.data.id_text import MISSING_WORDS, clean, clean_one
from cofactor.data.readers.id_columns import canonical

SIMPLE = ["u1", "7", "-0", "007", "null", "N/A", "1E5", "a:b/c_d-e", "Z", "None", "nan"]
ODD = [
    " 1",
    "1.0",
    "é",
    "{}",
    "[1]",
    '="007"',
    "'007",
    "ObjectId(x)",
    "1E+15",
    "a b",
    "\u200b1",
    "\\N",
]


def test_simple_ids_are_cleaned_as_by_the_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = [
        SIMPLE,
        [*SIMPLE, None],
        sorted(filter(str.isalpha, MISSING_WORDS)),
        ["u1"],
        [],
        ["Ab", "aB", "c"],
    ]
    for column in columns:
        words = pa.array(column, pa.string())
        assert id_text._byte_kinds(words).all()
        quick = clean(words)
        with monkeypatch.context() as without:
            without.setattr(id_text, "_byte_kinds", lambda words: np.zeros(1, np.uint8))
            slow = clean(words)
        assert quick.words.equals(slow.words)
        assert quick.notes == slow.notes
        np.testing.assert_array_equal(quick.nested, slow.nested)


@pytest.mark.parametrize("odd", ODD)
def test_any_other_byte_leaves_the_decision_to_the_patterns(odd: str) -> None:
    words = pa.array(["u1", odd, "u2"])
    assert not id_text._byte_kinds(words).all()
    assert id_text._byte_kinds(words[:1]).all()  # a slice has its own bytes alone
    assert id_text._byte_kinds(words[2:]).all()


def test_one_late_text_makes_all_ids_texts() -> None:
    digits = [str(n) for n in range(150)]
    assert canonical(pa.array(digits)).type == pa.int64()
    assert canonical(pa.array([*digits, None])).type == pa.int64()
    assert canonical(pa.array([*digits, "007"])).type == pa.string()
    assert canonical(pa.array(["007", *digits])).type == pa.string()
    assert canonical(pa.array([None, None], pa.string())).type == pa.string()
    assert canonical(pa.array([*[None] * 150, "5"])).type == pa.int64()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('="007"', "007"),
        ("'007", "007"),
        (" '7 ", "7"),
        ("'90s", "'90s"),
        ("'7'", "'7'"),
        ("'", "'"),
    ],
)
def test_what_keeps_a_text_a_text_is_no_part_of_an_id(written: str, meant: str) -> None:
    assert clean_one(written) == meant
    assert clean(pa.array(["u1", written])).words.to_pylist() == ["u1", meant]
