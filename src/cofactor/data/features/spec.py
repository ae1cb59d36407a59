"""FeatureSpec: what was learnt of a catalogue's columns, and how any catalogue with such columns
becomes a matrix.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.errors import ArtifactError
from cofactor.data.catalogue import Catalogue
from cofactor.data.features.columns import KINDS, Column, choose, dates
from cofactor.data.features.plain import numbers_of, plain_table
from cofactor.data.features.texts import (
    Tokens,
    as_text,
    cleaned,
    joined_text,
    tokens_of,
    value_hashes,
    words_by_hash,
)
from cofactor.data.records import table_of

TEXT, CHARACTERS, VALUE = 0, 1, 2
# Texts are read so many at a time: the tokens of one block, not of the whole catalogue, stand in
# memory uncounted.
_BLOCK = 20_000
_LONGEST_VECTORS = 65_536  # numbers of all vector columns of a row together


_MIN_ROWS = 2  # that must have a token for it to be a feature


class Weights(NamedTuple):
    """What text, and categories and lists, count for; 0 leaves them out."""

    text: float = 1.0
    value: float = 1.0


@dataclass(frozen=True)
class FeatureSpec:
    """The columns, tokens and scales that turn a catalogue into a matrix.

    A row is ``[w_t f_t / |f_t| ; w_v f_v / |f_v| ; numbers]``, with, over the tokens of all text
    columns together, ``f_t = (1 + ln tf) ln(n / df)`` (and likewise their character n-grams, at
    0.7), over the values of all categories and lists ``f_v = ln(n / df)``, and for each number its
    standard score, cut at ±3, and a mark where it is missing, both over the root of how many there
    are and times 0.3.

    Tokens and values that fewer than two rows have, or all rows, say nothing and are no features;
    so a constant column, an unknown category, an empty text or a missing column gives zeros. A
    number that is missing (null, NaN, infinite) is 0 with its mark.

    Parameters
    ----------
    columns
        What is read.
    hashes
        int64 [n_tokens], by block and ascending within each.
    weights
        float32 [n_tokens]: ln(n / df).
    blocks
        uint8 [n_tokens]: 0 words, 1 character n-grams, 2 values.
    scales
        float64 [n_numbers, 2]: mean and standard deviation.
    text_weight, value_weight
        w_t and w_v.
    notes
        What was found and what is doubtful.
    vectors
        The length of each vector column; vectors are brought to length w_t each and stand last.
    """

    columns: tuple[Column, ...]
    hashes: np.ndarray
    weights: np.ndarray
    blocks: np.ndarray
    scales: np.ndarray
    text_weight: float
    value_weight: float
    notes: tuple[str, ...]
    vectors: tuple[int, ...] = ()

    @classmethod
    def fit(
        cls,
        catalogue: Catalogue,
        *,
        text: Iterable[str] = (),
        features: Iterable[str] = (),
        rows: np.ndarray | None = None,
        counts: np.ndarray | None = None,
        characters: bool = False,
        weights: Weights = Weights(),  # noqa: B008 (frozen)
    ) -> FeatureSpec:
        """Learn tokens and scales from some rows of a catalogue.

        Parameters
        ----------
        catalogue
            Of items, or of users.
        text, features
            Columns by name; if neither is given they are detected.
        rows
            int [m]: the rows to learn from; all if None. New items must not be among them where
            they are to be new.
        counts
            int64 [n]: interactions of each row, against columns that leak.
        characters
            Whether words count by their 4- and 5-grams too.
        weights
            Of text beside that of categories and lists.
        """
        chosen, notes = choose(catalogue, text, features, counts)
        table = plain_table(
            catalogue.table
            if rows is None
            else catalogue.table.take(pa.array(np.asarray(rows, np.int64)))
        )
        blank = cls(
            chosen,
            np.zeros(0, np.int64),
            np.zeros(0, np.float32),
            np.zeros(0, np.uint8),
            np.zeros((0, 2)),
            float(weights.text),
            float(weights.value),
            notes,
        )
        if rows is not None and len(rows) == 0:
            return blank
        hashes, idfs, blocks = [], [], []
        for block, tokens in blank._tokens(table, characters).items():
            kept, idf = _known(tokens, table.num_rows, _MIN_ROWS)
            hashes.append(kept)
            idfs.append(idf)
            blocks.append(np.full(len(kept), block, np.uint8))
        numbers = [_scale(column) for column in blank._numbers(table)]
        made = cls(
            chosen,
            np.concatenate(hashes),
            np.concatenate(idfs),
            np.concatenate(blocks),
            np.array(numbers, np.float64).reshape(-1, 2),
            float(weights.text),
            float(weights.value),
            notes,
            tuple(
                catalogue.table.column(c.name).type.list_size for c in chosen if c.kind == "vector"
            ),
        )
        if made.width == 0 or not (
            len(made.hashes) or (made.scales[:, 1] > 0).any() or made.vectors
        ):
            return _noted(
                made,
                "the columns don't distinguish the items: new items can't be ranked by them",
            )
        return made

    @property
    def width(self) -> int:
        """The number of features."""
        return len(self.hashes) + 2 * len(self.scales) + sum(self.vectors)

    def transform(self, catalogue: Catalogue | pa.Table) -> Any:
        """Return the features of a catalogue's rows, SciPy CSR float32 [n_rows, width]; missing
        columns give zeros.
        """
        from scipy import sparse

        table = plain_table(catalogue.table if isinstance(catalogue, Catalogue) else catalogue)
        has_characters = bool((self.blocks == CHARACTERS).any())
        parts = []
        for low in range(0, max(1, table.num_rows), _BLOCK):
            part = table.slice(low, _BLOCK)
            found = [
                self._block(block, tokens)
                for block, tokens in self._tokens(part, has_characters).items()
            ]
            dense = np.concatenate([self._numbers_of(part), *self._vectors_of(part)], axis=1)
            parts.append(
                sparse.hstack([*found, sparse.csr_matrix(dense)], format="csr", dtype=np.float32)
            )
        made = sparse.vstack(parts, format="csr", dtype=np.float32) if len(parts) > 1 else parts[0]
        made.sort_indices()
        return made

    def names(self, row: Mapping[str, Any]) -> dict[int, str]:
        """Return the names of one row's features by their place: words as they stand in its
        text, and ``column: value``.
        """
        table = plain_table(table_of([row]))
        place = {
            (int(b), int(h)): n
            for n, (b, h) in enumerate(zip(self.blocks, self.hashes, strict=True))
        }
        named: dict[int, str] = {}
        for word in words_by_hash(
            joined_text(table, self._present(table, ("text",)))[0].as_py()
        ).items():
            if (TEXT, word[0]) in place:
                named[place[TEXT, word[0]]] = word[1]
        for column in self.columns:
            if column.kind in ("category", "list") and column.name in table.column_names:
                values = _values(table.column(column.name), column.kind).flatten()
                for value, token in zip(
                    values.to_pylist(), value_hashes(values, column.name), strict=True
                ):
                    if (VALUE, int(token)) in place:
                        named[place[VALUE, int(token)]] = f"{column.name}: {str(value).strip()}"
        for n, column in enumerate(c for c in self.columns if c.kind in ("number", "date")):
            named[len(self.hashes) + 2 * n] = f"{column.name}: {row.get(column.name)}"
            named[len(self.hashes) + 2 * n + 1] = f"{column.name} is missing"
        return named

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the spec as named arrays of plain numbers (words of its own as UTF-8 bytes of
        JSON).
        """
        said = {
            "columns": [[c.name, c.kind] for c in self.columns],
            "text_weight": self.text_weight,
            "value_weight": self.value_weight,
            "notes": list(self.notes),
            "vectors": list(self.vectors),
        }
        return {
            "spec": np.frombuffer(json.dumps(said).encode(), np.uint8),
            "spec_hashes": self.hashes,
            "spec_weights": self.weights,
            "spec_blocks": self.blocks,
            "spec_scales": self.scales,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> FeatureSpec:
        """Make a spec from what `arrays` gave.

        Raises
        ------
        ArtifactError
            If it isn't one.
        """
        try:
            said = json.loads(bytes(arrays["spec"]))
            columns = tuple(Column(str(name), str(kind)) for name, kind in said["columns"])
            vectors = tuple(int(length) for length in said["vectors"])
            notes, weights = (
                tuple(map(str, said["notes"])),
                (float(said["text_weight"]), float(said["value_weight"])),
            )
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ArtifactError(
                f"the model's array 'spec' doesn't describe features: {error}."
            ) from None
        hashes, blocks, scales = arrays["spec_hashes"], arrays["spec_blocks"], arrays["spec_scales"]
        numbers = sum(c.kind in ("number", "date") for c in columns)
        fits = len(hashes) == len(arrays["spec_weights"]) == len(blocks) and scales.shape in (
            (numbers, 2),
            (0, 2),
        )
        fits &= len(vectors) == sum(c.kind == "vector" for c in columns)
        # Vectors stand in a dense matrix, so their lengths cost memory that no file has to hold.
        fits &= all(length > 0 for length in vectors) and sum(vectors) <= _LONGEST_VECTORS
        fits &= all(0 <= weight < np.inf for weight in weights)
        if not fits or any(c.kind not in KINDS for c in columns):
            raise ArtifactError("the model's arrays 'spec...' don't fit together.")
        return cls(
            columns, hashes, arrays["spec_weights"], blocks, scales, *weights, notes, vectors
        )

    def _present(self, table: pa.Table, kinds: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(
            c.name for c in self.columns if c.kind in kinds and c.name in table.column_names
        )

    def _tokens(self, table: pa.Table, characters: bool) -> dict[int, Tokens]:
        """The tokens of a table's text (words and character n-grams apart) and of its values."""
        names = self._present(table, ("text",)) if self.text_weight else ()
        parts = []
        for low in range(0, max(1, table.num_rows), _BLOCK):
            parts.append(
                tokens_of(
                    cleaned(joined_text(table.slice(low, _BLOCK), names)), characters=characters
                )
            )
        whole = _concatenated(parts)
        found = {TEXT: _where(whole, whole.hashes >= 0)}
        if characters:
            found[CHARACTERS] = _where(whole, whole.hashes < 0)
        found[VALUE] = self._value_tokens(table)
        return found

    def _value_tokens(self, table: pa.Table) -> Tokens:
        owners, hashes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for column in self.columns if self.value_weight else ():
            if column.kind not in ("category", "list") or column.name not in table.column_names:
                continue
            lists = _values(table.column(column.name), column.kind)
            lengths = np.asarray(pc.list_value_length(lists).fill_null(0)).astype(np.int64)
            tokens = value_hashes(lists.flatten(), column.name)
            owner = np.repeat(np.arange(len(lengths)), lengths)
            owners.append(owner[tokens >= 0])
            hashes.append(tokens[tokens >= 0])
        owner, token = np.concatenate(owners), np.concatenate(hashes)
        order = np.lexsort((token, owner))
        owner, token = owner[order], token[order]
        first = np.ones(len(owner), bool)
        first[1:] = (owner[1:] != owner[:-1]) | (token[1:] != token[:-1])
        indptr = np.zeros(table.num_rows + 1, np.int64)
        np.cumsum(np.bincount(owner[first], minlength=table.num_rows), out=indptr[1:])
        return Tokens(indptr, token[first], np.ones(int(first.sum()), np.float32))

    def _block(self, block: int, tokens: Tokens) -> Any:
        """One block of the matrix: weighed, each row of length 1 (or 0) times the block's
        weight.
        """
        from scipy import sparse

        mine = self.blocks == block
        known, weights = self.hashes[mine], self.weights[mine]
        place = np.minimum(np.searchsorted(known, tokens.hashes), max(0, len(known) - 1))
        hit = known[place] == tokens.hashes if len(known) else np.zeros(len(tokens.hashes), bool)
        owner = np.repeat(np.arange(len(tokens.indptr) - 1), np.diff(tokens.indptr))[hit]
        values = (
            ((1 + np.log(tokens.counts[hit])) * weights[place[hit]]).astype(np.float32)
            if len(known)
            else np.zeros(0, np.float32)
        )
        lengths = np.sqrt(
            np.bincount(owner, values.astype(np.float64) ** 2, minlength=len(tokens.indptr) - 1)
        )
        scale = {
            TEXT: self.text_weight,
            CHARACTERS: 0.7 * self.text_weight,
            VALUE: self.value_weight,
        }[block]
        values *= (scale / np.maximum(lengths, 1e-12))[owner].astype(np.float32)
        indptr = np.zeros(len(tokens.indptr), np.int64)
        np.cumsum(np.bincount(owner, minlength=len(tokens.indptr) - 1), out=indptr[1:])
        return sparse.csr_matrix(
            (values, place[hit], indptr), shape=(len(tokens.indptr) - 1, len(known))
        )

    def _numbers(self, table: pa.Table) -> list[np.ndarray]:
        """Numbers and dates (in days), float64, NaN where missing; a column that isn't there is
        missing everywhere.
        """
        return [
            _number(table, column) for column in self.columns if column.kind in ("number", "date")
        ]

    def _vectors_of(self, table: pa.Table) -> list[np.ndarray]:
        """Each vector column, float32 [n_rows, length], at length w_t; zeros where it is
        missing.
        """
        made = []
        for column, length in zip(
            (c for c in self.columns if c.kind == "vector"), self.vectors, strict=True
        ):
            rows = np.zeros((table.num_rows, length), np.float32)
            if column.name in table.column_names and not pa.types.is_null(
                table.column(column.name).type
            ):
                lists = table.column(column.name).to_pylist()
                for n, one in enumerate(lists):
                    if isinstance(one, list) and len(one) == length and _numeric(one):
                        rows[n] = [np.nan if cell is None else cell for cell in one]
            rows = np.where(np.isfinite(rows), rows, 0)
            made.append(
                rows
                * (
                    self.text_weight
                    / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
                ).astype(np.float32)
            )
        return made

    def _numbers_of(self, table: pa.Table) -> np.ndarray:
        made = np.zeros((table.num_rows, 2 * len(self.scales)), np.float32)
        for n, (values, (mean, deviation)) in enumerate(
            zip(self._numbers(table), self.scales, strict=False)
        ):
            missing = ~np.isfinite(values)
            if deviation > 0:
                made[:, 2 * n] = np.clip(
                    np.where(missing, 0, (np.where(missing, mean, values) - mean) / deviation),
                    -3,
                    3,
                )
            made[:, 2 * n + 1] = missing
        return made * np.float32(0.3 / np.sqrt(max(1, len(self.scales))))


def _numeric(cells: list[Any]) -> bool:
    return all(cell is None or isinstance(cell, (int, float)) for cell in cells)


def _known(tokens: Tokens, n_rows: int, min_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The tokens that enough rows have but not all, ascending, and ln(n / df)."""
    distinct, times = np.unique(tokens.hashes, return_counts=True)
    keep = (times >= min(min_rows, max(1, n_rows - 1))) & (times < n_rows)
    return distinct[keep], np.log(n_rows / times[keep]).astype(np.float32)


def _scale(values: np.ndarray) -> tuple[float, float]:
    good = values[np.isfinite(values)]
    return (float(good.mean()), float(good.std())) if len(good) else (0.0, 0.0)


def _number(table: pa.Table, column: Column) -> np.ndarray:
    if column.name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    values = table.column(column.name)
    if pa.types.is_null(values.type):
        return np.full(table.num_rows, np.nan)
    if column.kind == "date":
        if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
            return (
                np.asarray(
                    values.cast(pa.timestamp("s"))
                    .cast(pa.int64())
                    .cast(pa.float64())
                    .fill_null(np.nan),
                    np.float64,
                )
                / 86400
            )
        return dates(as_text(values))[0]
    return numbers_of(values)


def _values(column: pa.ChunkedArray, kind: str) -> pa.Array:
    """A category or list column as lists of text; text with ``|`` between its values is a list."""
    array = column.combine_chunks()
    array = pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        return array.cast(pa.list_(pa.string()))
    text = as_text(array)
    if kind != "list":
        return pc.split_pattern(text, "\x00")
    # Bars divide where there are any; else commas do.
    text = pc.if_else(pc.match_substring(text, "|"), text, pc.replace_substring(text, ", ", "|"))
    return pc.split_pattern(text, "|")


def _concatenated(parts: list[Tokens]) -> Tokens:
    if len(parts) == 1:
        return parts[0]
    lengths = np.concatenate([np.diff(p.indptr) for p in parts])
    indptr = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=indptr[1:])
    return Tokens(
        indptr, np.concatenate([p.hashes for p in parts]), np.concatenate([p.counts for p in parts])
    )


def _where(tokens: Tokens, keep: np.ndarray) -> Tokens:
    before = np.zeros(len(keep) + 1, np.int64)
    np.cumsum(keep, out=before[1:])
    return Tokens(before[tokens.indptr], tokens.hashes[keep], tokens.counts[keep])


def _noted(spec: FeatureSpec, note: str) -> FeatureSpec:
    from dataclasses import replace

    return replace(spec, notes=(*spec.notes, note))
