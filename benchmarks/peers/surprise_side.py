"""Surprise: SVD and SVD++, one thread."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.side import PrintedEpochs, Side, triples


class Epochs(Side):
    """The median epoch of SVD or SVDpp, by the lines they print."""

    def prepare(self) -> None:
        import pandas as pd
        from surprise import Dataset, Reader

        frame = pd.DataFrame(dict(zip(("user", "item", "rating"), triples(self.data), strict=True)))
        self.known = Dataset.load_from_df(frame, Reader(rating_scale=(1, 5))).build_full_trainset()

    def run(self, step: int | None = None) -> dict[str, float]:
        import surprise

        kind = getattr(surprise, self.settings["model"])
        epochs = step or self.settings["epochs"]
        self.model: Any = kind(
            n_epochs=epochs, verbose=True, random_state=0, **self.settings["set"]
        )
        return PrintedEpochs().watch(lambda: self.model.fit(self.known))

    def result(self) -> dict[str, np.ndarray]:
        users, items, _ = triples(self.data, "test")
        predict = self.model.predict
        found = [predict(u, i).est for u, i in zip(users.tolist(), items.tolist(), strict=True)]
        return {"predicted": np.array(found, np.float32)}
