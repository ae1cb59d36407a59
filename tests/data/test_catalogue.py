"""Titles found by words."""

from __future__ import annotations

import pyarrow as pa
import pytest

from cofactor.data.catalogue import Catalogue

TITLES = ["The red house", "Red", "Redder", "A tired red", None, "猫の本", "黒い猫"]


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        ("red", [1, 2, 3, 0]),
        ("RED house", [0]),
        ("ed", []),
        ("", []),
        ("猫", [5, 6]),
        ("猫 本", [5]),
    ],
)
def test_words_begin_those_of_titles_and_stand_anywhere_in_scripts_without_spaces(
    words: str, rows: list[int]
) -> None:
    catalogue = Catalogue(pa.table({"title": TITLES}))
    assert catalogue.search(words).tolist() == rows
