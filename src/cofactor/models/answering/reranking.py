"""Rules of reranking, prepared for a fitted model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cofactor.models.model import Model
from cofactor.models.user_batch import UserBatch
from cofactor.retrieval.rerank.item_attributes import ItemSide
from cofactor.retrieval.rerank.limits import Exposure
from cofactor.retrieval.rerank.reranker import Reranker
from cofactor.retrieval.rerank.rules import Rerank, as_rules
from cofactor.retrieval.topk import Exclusions, TopK


@dataclass(eq=False)
class RerankedLists:
    """A model's lists under rules, batch by batch.

    Parameters
    ----------
    model
        A fitted model.
    reranker
        The rules, prepared for its items.
    exposure
        What counts the lists, where the rules cap exposure.
    """

    model: Model
    reranker: Reranker
    exposure: Exposure | None

    @classmethod
    def of(
        cls,
        model: Model,
        rules: Rerank | str | Iterable[str] | None,
        n_lists: int,
        allowed: np.ndarray | None = None,
    ) -> RerankedLists | None:
        """Prepare rules for a model and so many lists; None where there are no rules.

        Raises
        ------
        ArgumentError
            If an item is pinned that isn't among the allowed ones, bool [n_items].
        """
        read = as_rules(rules)
        if read is None:
            return None
        vectors = model.item_vectors if model.traits.has_vectors else None
        reranker = Reranker(read, ItemSide(model.data, vectors=vectors))
        if allowed is not None:
            reranker.check_pins(allowed, "the filters leave out")
        return cls(model, reranker, reranker.exposure(n_lists))

    def topk(
        self,
        batch: UserBatch,
        k: int,
        *,
        excluded: Exclusions | None = None,
        allowed: np.ndarray | None = None,
        n_threads: int = 1,
    ) -> TopK:
        """Return the lists of a batch; parameters as for `Model.topk`."""

        def find(count: int, mask: np.ndarray | None) -> TopK:
            return self.model.topk(
                batch, count, excluded=excluded, allowed=mask, n_threads=n_threads
            )

        return self.reranker.lists(find, k, batch.seen, allowed=allowed, exposure=self.exposure)
