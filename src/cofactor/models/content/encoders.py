"""Text encoders: texts in, a float32 matrix out; their vectors travel as a column of the catalogue,
which every model with content reads.

An encoder is anything that can be called with a list of texts and gives one row for each.
`TfidfSVD` and `SentenceTransformer` are two; a function of your own is another; and a matrix that
is there already goes into `with_vectors` as it is."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base import rng
from cofactor.base.errors import ArgumentError
from cofactor.base.extras import require
from cofactor.data.catalogue import Catalogue
from cofactor.data.features import FeatureSpec
from cofactor.data.features.texts import joined_text
from cofactor.data.interactions import Interactions
from cofactor.models.content.reduction import main_directions

Encoder = Callable[[Sequence[str]], np.ndarray]


class TfidfSVD:
    """TF-IDF of words, brought to its main directions: ``Z = F V`` with V the right singular
    vectors of the texts learnt from.

    Parameters
    ----------
    texts
        What words and directions are learnt from.
    length
        Of the vectors, at most.
    seed
        Of the randomised decomposition.
    """

    def __init__(self, texts: Sequence[str], length: int = 128, seed: int = 0) -> None:
        self.spec = FeatureSpec.fit(
            Catalogue(pa.table({"text": pa.array(list(texts), pa.string())})), text=("text",)
        )
        if self.spec.width == 0:
            raise ArgumentError(
                "the texts hold no word that some of them share and others lack; there is nothing"
                " to learn."
            )
        features = self.spec.transform(pa.table({"text": pa.array(list(texts), pa.string())}))
        self.directions = main_directions(features, length, rng.generator(seed, "tfidf", "svd"))

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Return float32 [n_texts, length]."""
        return np.asarray(
            self.spec.transform(pa.table({"text": pa.array(list(texts), pa.string())}))
            @ self.directions
        )


class SentenceTransformer:
    """A sentence-transformer from a local folder (extra ``text``); nothing is fetched.

    Parameters
    ----------
    folder
        Where the model is.
    batch_size
        Texts encoded at a time.
    device
        ``"cpu"``, ``"cuda"`` ...
    """

    def __init__(
        self, folder: str | os.PathLike[str], batch_size: int = 64, device: str = "cpu"
    ) -> None:
        if not Path(folder).is_dir():
            raise ArgumentError(
                f"there is no folder {os.fspath(folder)!r}; a sentence-transformer is loaded from a"
                " local folder alone."
            )
        package = require(
            "sentence_transformers", purpose="encoding text with a sentence-transformer"
        )
        self.model: Any = package.SentenceTransformer(
            os.fspath(folder), device=device, local_files_only=True
        )
        self.batch_size = batch_size

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Return float32 [n_texts, length]."""
        return np.asarray(
            self.model.encode(list(texts), batch_size=self.batch_size, show_progress_bar=False),
            np.float32,
        )


class Cached:
    """An encoder that remembers: each text is encoded once, by its content, in memory and, if a
    folder is given, on disk.

    Parameters
    ----------
    encoder
        What encodes.
    folder
        Where vectors are kept between sessions, one file a text; None keeps them in memory alone.
        Use one folder for one encoder.
    """

    def __init__(self, encoder: Encoder, folder: str | os.PathLike[str] | None = None) -> None:
        self.encoder = encoder
        self.folder = None if folder is None else Path(folder)
        self._known: dict[str, np.ndarray] = {}

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Return float32 [n_texts, length]."""
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if self._found(key) is None}
        if new:
            for key, vector in zip(new, encoded(list(new.values()), self.encoder), strict=True):
                self._known[key] = vector
                if self.folder is not None:
                    self.folder.mkdir(parents=True, exist_ok=True)
                    partial = self.folder / f".{key}-{os.getpid()}.npy"
                    np.save(partial, vector, allow_pickle=False)
                    os.replace(partial, self.folder / f"{key}.npy")
        return (
            np.stack([self._known[key] for key in keys]) if keys else np.zeros((0, 0), np.float32)
        )

    def _found(self, key: str) -> np.ndarray | None:
        if (
            key not in self._known
            and self.folder is not None
            and (self.folder / f"{key}.npy").is_file()
        ):
            self._known[key] = np.load(self.folder / f"{key}.npy", allow_pickle=False)
        return self._known.get(key)


def encoded(texts: Sequence[str], encoder: Encoder) -> np.ndarray:
    """Return what an encoder gives for some texts, checked: float32 [n_texts, length], finite.

    Raises
    ------
    ArgumentError
        If it isn't such a matrix.
    """
    made = np.asarray(encoder(texts), np.float32)
    if made.ndim != 2 or len(made) != len(texts) or not np.isfinite(made).all():
        raise ArgumentError(
            f"an encoder must give a finite matrix with a row for each of the {len(texts)} texts,"
            f" not shape {made.shape}."
        )
    return made


def with_vectors(
    data: Interactions,
    encoder: Encoder | np.ndarray,
    *,
    text: Sequence[str] = (),
    name: str = "vector",
) -> Interactions:
    """Return the data with encoded text as one more column of the catalogue; name it in a model's
    ``features``.

    Parameters
    ----------
    data
        The interactions.
    encoder
        An encoder, or its vectors, float [n_items, length], in row order.
    text
        The columns that are encoded, joined by spaces; not needed for vectors that are there.
    name
        Of the new column. New items for `with_items` need it too: a list of numbers of the same
        length.
    """
    if callable(encoder):
        if not text:
            raise ArgumentError("text must name the columns to encode.")
        matrix = encoded(joined_text(data.catalogue.table, tuple(text)).to_pylist(), encoder)
    else:
        matrix = np.asarray(encoder, np.float32)
    if matrix.ndim != 2 or len(matrix) != data.n_items or not np.isfinite(matrix).all():
        raise ArgumentError(
            f"vectors must be a finite matrix of {data.n_items} items, not of shape {matrix.shape}."
        )
    column = pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])
    return replace(
        data,
        catalogue=Catalogue(
            data.catalogue.table.append_column(name, column), data.catalogue.title_column
        ),
    )
