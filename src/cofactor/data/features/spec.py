"""FeatureSpec: what was learnt of a catalogue's columns, and how any catalogue with such columns
becomes a matrix.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base.errors import ArtifactError
from cofactor.base.offsets import owners_of, row_offsets
from cofactor.data.catalogue import Catalogue
from cofactor.data.features.columns import KINDS, Column, choose
from cofactor.data.features.dense import numbers_in, scale_of, standard_scores, unit_vectors
from cofactor.data.features.forms import FORMS
from cofactor.data.features.plain import plain_column, plain_table
from cofactor.data.features.texts import Tokens, joined_text, value_hashes, words_by_hash
from cofactor.data.features.token_blocks import (
    BLOCK,
    CHARACTERS,
    TEXT,
    VALUE,
    Weights,
    known_tokens,
    present,
    text_lists,
    token_blocks,
)
from cofactor.data.records import table_of

_LONGEST_VECTORS = 65_536  # numbers of all vector columns of a row together
_DENSE = 1 << 24  # numbers that rows of vectors may take while they are read


@dataclass(frozen=True)
class FeatureSpec:
    """The columns, tokens and scales that turn a catalogue into a matrix.

    A row is ``[w_t f_t / |f_t| ; w_v f_v / |f_v| ; numbers]``, with, over the tokens of all text
    columns together, ``f_t = (1 + ln tf) ln(n / df)`` (and likewise their character n-grams, at
    0.7), over the values of all categories and lists ``f_v = ln(n / df)``, and for each number its
    standard score, cut at ±3, and a mark where it is missing, both over the root of how many there
    are and times 0.3.

    Tokens and values that fewer than two rows have, or all rows, say nothing and aren't features;
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
        said = float(weights.text), float(weights.value)
        if rows is not None and len(rows) == 0:
            no_tokens = np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.uint8)
            return cls(chosen, *no_tokens, np.zeros((0, 2)), *said, notes)
        known = known_tokens(token_blocks(table, chosen, weights, characters), table.num_rows)
        scales = np.array([scale_of(column) for column in numbers_in(table, chosen)], np.float64)
        scales = scales.reshape(-1, 2)
        vectors = tuple(
            plain_column(catalogue.table.column(c.name)).type.list_size
            for c in chosen
            if c.kind == "vector"
        )
        if not (len(known[0]) or (scales[:, 1] > 0).any() or vectors):
            note = "the columns don't distinguish the items: new items can't be ranked by them"
            notes = (*notes, note)
        return cls(chosen, *known, scales, *said, notes, vectors)

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
        weights = Weights(self.text_weight, self.value_weight)
        # Long vectors so many rows at a time that what stands dense in memory stays small.
        rows = max(1, min(BLOCK, _DENSE // max(1, sum(self.vectors))))
        parts = []
        for low in range(0, max(1, table.num_rows), rows):
            part = table.slice(low, rows)
            found = [
                self._block(block, tokens)
                for block, tokens in token_blocks(
                    part, self.columns, weights, has_characters
                ).items()
            ]
            vectors = unit_vectors(part, self.columns, self.vectors, self.text_weight)
            scores = standard_scores(part, self.columns, self.scales)
            dense = np.concatenate([scores, *vectors], axis=1)
            parts.append(
                sparse.hstack([*found, sparse.csr_matrix(dense)], format="csr", dtype=np.float32)
            )
        made = sparse.vstack(parts, format="csr", dtype=np.float32) if len(parts) > 1 else parts[0]
        made.sort_indices()
        return made

    def unreadable(self, table: pa.Table) -> tuple[str, Any] | None:
        """Return a column of numbers or dates and a cell of it that is neither; None if all are
        read.
        """
        numbered = [c.name for c in self.columns if c.kind in ("number", "date")]
        plain = plain_table(table)
        for name, values in zip(numbered, numbers_in(plain, self.columns), strict=True):
            cells = table.column(name).to_pylist() if name in table.column_names else []
            for cell, value in zip(cells, values.tolist(), strict=False):
                if cell is not None and cell == cell and not np.isfinite(value):
                    return name, cell
        return None

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
            joined_text(table, present(table, self.columns, ("text",)))[0].as_py()
        ).items():
            if (TEXT, word[0]) in place:
                named[place[TEXT, word[0]]] = word[1]
        for column in self.columns:
            if column.kind in ("category", "list") and column.name in table.column_names:
                values = text_lists(table.column(column.name), column).flatten()
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
            "columns": [[c.name, c.kind, *([c.form] if c.form else [])] for c in self.columns],
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
            columns = tuple(Column(*map(str, column)) for column in said["columns"])
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
        if not fits or any(c.kind not in KINDS or c.form not in FORMS for c in columns):
            raise ArtifactError("the model's arrays 'spec...' don't fit together.")
        return cls(
            columns, hashes, arrays["spec_weights"], blocks, scales, *weights, notes, vectors
        )

    def _block(self, block: int, tokens: Tokens) -> Any:
        """One block of the matrix: weighed, each row of length 1 (or 0) times the block's
        weight.
        """
        from scipy import sparse

        mine = self.blocks == block
        known, weights = self.hashes[mine], self.weights[mine]
        place = np.minimum(np.searchsorted(known, tokens.hashes), max(0, len(known) - 1))
        hit = known[place] == tokens.hashes if len(known) else np.zeros(len(tokens.hashes), bool)
        owner = owners_of(np.diff(tokens.indptr))[hit]
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
        indptr = row_offsets(owner, len(tokens.indptr) - 1)
        return sparse.csr_matrix(
            (values, place[hit], indptr), shape=(len(tokens.indptr) - 1, len(known))
        )
