"""Item embeddings from the graph of items that occur near each other: where networks may begin."""

from __future__ import annotations

import numpy as np

from cofactor.data.histories import Histories
from cofactor.data.sorting import sparse_rows
from cofactor.models.content.reduction import main_directions

_WINDOW, _DECAY = 20, 0.8  # of the counts; near the best of `Transitions` on sparse data
_DAMPING = 1.0  # added to the counts' sums, so that items of few counts are less extreme
_NOTHING = 1e-6  # a vector's length below which its direction is rounding
_NOISE = 0.3  # length of the random part of each vector beside the spectral one


def spectral_embeddings(
    histories: Histories, factors: int, generator: np.random.Generator, n_threads: int
) -> np.ndarray:
    """Return a spectral embedding of the items that occur near each other in histories.

    With M_ij = Σ d^(gap - 1) over all pairs of events of one history at most 20 apart, in either
    order, d = .8, D the sums of its rows plus 1, and U, Λ the main eigenvectors and eigenvalues of
    ``D^(-1/2) M D^(-1/2)``: the rows of ``U |Λ|^(1/2)``, each divided by its length, turned at
    random, plus normal noise of length .3; for an item that occurs near none, noise of length 1.

    Parameters
    ----------
    histories
        What to count.
    factors
        Length of the vectors, at least 1. Where the graph has a lower rank, the rest is noise.
    generator
        Of the turn, the noise and the first directions.
    n_threads
        Of the counts.

    Returns
    -------
    ndarray
        float32 [n_items, factors], rows of length 1 or so.

    Raises
    ------
    MemoryLimitError
        If there are more pairs than fit.

    References
    ----------
    Ng, Jordan and Weiss. 2001. On Spectral Clustering. NIPS (rows of length 1). Belkin and Niyogi.
    2003. Laplacian Eigenmaps. Neural Computation. Levy and Goldberg. 2014. Neural Word Embedding as
    Implicit Matrix Factorization. NIPS (``|Λ|^(1/2)``).
    """
    from cofactor.kernels.cpu.transitions import transition_counts

    n_items = histories.n_items
    noise = generator.standard_normal((n_items, factors), np.float32) / np.float32(factors**0.5)
    indptr, columns, counts = transition_counts(
        histories.indptr,
        histories.item_rows,
        n_items,
        window=_WINDOW,
        decay=_DECAY,
        backward=1.0,
        n_threads=n_threads,
    )
    scale = (np.bincount(columns, counts, n_items) + _DAMPING) ** -0.5
    counts *= np.repeat(scale, np.diff(indptr)) * scale[columns]
    graph = sparse_rows(indptr, columns, n_items, counts.astype(np.float32))
    main = main_directions(graph, factors, generator)
    vectors = np.zeros_like(noise)
    vectors[:, : main.shape[1]] = main * np.sqrt(np.linalg.norm(graph @ main, axis=0))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    near = lengths > _NOTHING
    vectors /= np.where(near, lengths, 1)
    turn = np.linalg.qr(generator.standard_normal((factors, factors)))[0].astype(np.float32)
    return np.where(near, vectors @ turn + np.float32(_NOISE) * noise, noise)
