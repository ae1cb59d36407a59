"""Features: what a column is, what bad input means."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest

from cofactor.base.errors import ArtifactError, UnknownNameError
from cofactor.data.catalogue import Catalogue
from cofactor.data.features import FeatureSpec


def spec_of(columns: dict[str, list], **how: object) -> tuple[FeatureSpec, np.ndarray]:
    catalogue = Catalogue(pa.table(columns))
    spec = FeatureSpec.fit(catalogue, **how)
    return spec, spec.transform(catalogue).toarray()


def test_columns_are_detected_by_what_they_hold_and_shown() -> None:
    n = 40
    spec, _ = spec_of(
        {
            "title": [f"some thing number {i}" for i in range(n)],
            "genre": ["a", "b"] * (n // 2),
            "tags": [["x", "y"]] * n,
            "piped": ["p|q", "q|r"] * (n // 2),
            "year": list(range(n)),
            "released": [datetime.date(2000, 1, 1 + i % 28) for i in range(n)],
            "sku": [f"S{i}" for i in range(n)],
            "popularity": list(range(n)),
            "said": ["01-Jan-1995"] * n,
        }
    )
    kinds = {c.name: c.kind for c in spec.columns}
    assert kinds == {
        "title": "text",
        "genre": "category",
        "tags": "list",
        "piped": "list",
        "year": "number",
        "released": "date",
        "said": "date",
    }
    assert any("features found: title (text), genre (category)" in note for note in spec.notes)
    assert any("'sku' was left out: it looks like an id" in note for note in spec.notes)
    assert any("'popularity' was left out: it reveals how popular" in note for note in spec.notes)


def test_declared_leaks_are_used_but_warned_of() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 100, 50)
    catalogue = Catalogue(
        pa.table({"n_ratings": counts, "hidden": counts * 3 + 1, "fine": rng.random(50)})
    )
    spec = FeatureSpec.fit(catalogue, features=("n_ratings", "hidden", "fine"), counts=counts)
    assert [c.name for c in spec.columns] == ["n_ratings", "hidden", "fine"]
    assert any("'n_ratings' leaks" in note for note in spec.notes)
    assert any(
        "'hidden' leaks: it goes with the number of interactions" in note for note in spec.notes
    )
    assert not any("'fine'" in note for note in spec.notes)


def test_unknown_column_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="did you mean.*genre"):
        spec_of({"genre": ["a", "b"]}, features=("gendre",))


def test_category_unseen_in_training_and_empty_text_give_zeros() -> None:
    spec, _ = spec_of(
        {"text": ["red car", "red boat", "blue car"], "kind": ["a", "b", "a"]},
        text=("text",),
        features=("kind",),
    )
    new = spec.transform(
        pa.table({"text": ["", None, "  \t", "zebra"], "kind": ["unheard", None, "", "zzz"]})
    ).toarray()
    assert spec.width == 3
    np.testing.assert_array_equal(new, 0)
    np.testing.assert_array_equal(spec.transform(pa.table({"other": [1, 2]})).toarray(), 0)


def test_constant_column_says_nothing() -> None:
    spec, matrix = spec_of(
        {"text": ["same"] * 5, "kind": ["k"] * 5, "size": [3.0] * 5},
        text=("text",),
        features=("kind", "size"),
    )
    np.testing.assert_array_equal(matrix, 0)
    assert any("distinguish the items" in note for note in spec.notes)


@pytest.mark.parametrize("unit", [1e-300, 1e300])
def test_numbers_whose_squares_float64_does_not_hold_are_read(unit: float) -> None:
    usual, far = (
        FeatureSpec.fit(catalogue).transform(catalogue).toarray()
        for catalogue in (
            Catalogue(pa.table({"size": [n * times for n in (1.0, 2.0, 4.0, 4.0)]}))
            for times in (1.0, unit)
        )
    )
    assert usual.any()
    np.testing.assert_allclose(far, usual, rtol=1e-6)


def test_missing_and_infinite_numbers_are_marked() -> None:
    _, matrix = spec_of(
        {"size": [1.0, 2.0, 3.0, float("nan"), None, float("inf")]}, features=("size",)
    )
    np.testing.assert_allclose(matrix[:, 0] / 0.3, [-1.2247, 0, 1.2247, 0, 0, 0], atol=1e-3)
    np.testing.assert_allclose(matrix[:, 1] / 0.3, [0, 0, 0, 1, 1, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<p>Good <b>coffee</b> &amp; cake</p>", "good coffee cake"),
        ("<script>var coffee = 1</script>tea", "tea"),
        ("Crème brûlée", "creme brulee"),
        ("e\u0301clair", "eclair"),
        ("شَاي", "شاي"),
        ("\u200fשלום\u200e עולם", "שלום עולם"),
        ("ＦＵＬＬ width", "full width"),
        ("👍🏽 yes", "👍 yes"),
    ],
)
def test_the_same_text_written_otherwise_has_the_same_features(one: str, other: str) -> None:
    spec, _ = spec_of(
        {"text": [one, other, one, "quite another", "quite different", "thing"]}, text=("text",)
    )
    matrix = spec.transform(pa.table({"text": [one, other]})).toarray()
    assert matrix[0].any()
    np.testing.assert_allclose(matrix[0], matrix[1], atol=1e-6)


def test_text_without_spaces_is_compared_by_its_characters() -> None:
    texts = ["日本の小説", "小説を読む", "車の修理", "車を洗う", "ไทยเทส", "ไทย"]
    spec, _ = spec_of({"text": texts}, text=("text",))
    matrix = (
        spec.transform(pa.table({"text": ["小説", "車", "ไทย"]}))
        @ spec.transform(pa.table({"text": texts})).T
    )
    dots = matrix.toarray()
    assert set(np.argsort(-dots[0])[:2]) == {0, 1}
    assert set(np.argsort(-dots[1])[:2]) == {2, 3}
    assert set(np.argsort(-dots[2])[:2]) == {4, 5}


def test_a_megabyte_of_text_is_read_to_its_bound() -> None:
    long = "word " * 200_000 + "tail"
    spec, matrix = spec_of({"text": [long, "word and tail", "tail"]}, text=("text",))
    named = set(spec.names({"text": "word tail"}).values())
    assert named == {"word", "tail"}
    tail = next(k for k, v in spec.names({"text": "word tail"}).items() if v == "tail")
    assert matrix[0, tail] == 0
    assert matrix[1, tail] > 0


def test_letters_bring_spellings_together_where_asked() -> None:
    texts = ["photographs", "photography", "gardening", "gardeners", "photo", "garden"]
    spec, _ = spec_of({"text": texts}, text=("text",), characters=True)
    matrix = spec.transform(pa.table({"text": texts}))
    likeness = (matrix @ matrix.T).toarray()
    assert likeness[0, 1] > 0.2
    assert likeness[0, 2] == 0


def test_spec_comes_back_from_its_arrays_and_damaged_ones_are_refused() -> None:
    columns = {
        "text": ["red car", "red boat", "blue car"],
        "tags": [["a"], ["a", "b"], None],
        "size": [1, 2, None],
    }
    spec, matrix = spec_of(columns, text=("text",), features=("tags", "size"))
    again = FeatureSpec.from_arrays(spec.arrays())
    np.testing.assert_array_equal(again.transform(pa.table(columns)).toarray(), matrix)
    with pytest.raises(ArtifactError, match="doesn't describe features"):
        FeatureSpec.from_arrays({**spec.arrays(), "spec": np.frombuffer(b"[1", np.uint8)})
    with pytest.raises(ArtifactError, match="don't fit together"):
        FeatureSpec.from_arrays({**spec.arrays(), "spec_blocks": spec.blocks[:-1]})


def test_rows_of_the_matrix_do_not_depend_on_what_else_is_in_the_table() -> None:
    columns = {
        "text": ["red car", "red boat", "blue car", "blue sky boat"],
        "tags": ["a|b", "a", "b|c", "c"],
    }
    spec, matrix = spec_of(columns, text=("text",), features=("tags",))
    alone = spec.transform(
        pa.table({name: values[2:3] for name, values in columns.items()})
    ).toarray()
    np.testing.assert_array_equal(alone[0], matrix[2])
