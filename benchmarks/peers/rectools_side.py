"""RecTools: SASRec."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np

from benchmarks.side import Side, between, triples


class SASRec(Side):
    """The median epoch of its SASRec, the first left out: ``{"epochs": 3, "set": {...}}``."""

    # In a list of the class: the trainer that it is handed to is copied, whatever it holds.
    stamps: ClassVar[list[tuple[float, float]]] = []

    def prepare(self) -> None:
        """Interactions with seconds in place of times; days reach too far for its type."""
        import pandas as pd
        import torch
        from rectools import Columns
        from rectools.dataset import Dataset

        torch.set_num_threads(self.threads)
        users, items, _ = triples(self.data)
        frame = pd.DataFrame(
            {
                Columns.User: users,
                Columns.Item: items,
                Columns.Weight: 1,
                Columns.Datetime: np.datetime64("2000-01-01", "s") + np.arange(len(items)),
            }
        )
        frame[Columns.Datetime] = frame[Columns.Datetime].astype("datetime64[ns]")
        self.dataset, self.users = Dataset.construct(frame), np.unique(users)

    def run(self, step: int | None = None) -> dict[str, float]:
        """One fit."""
        import torch
        from rectools.models import SASRecModel

        torch.manual_seed(0)
        self.stamps.clear()
        self.model = SASRecModel(
            **self.settings["set"],
            get_trainer_func=_trainer,
            get_trainer_func_kwargs={"epochs": step or self.settings["epochs"]},
        ).fit(self.dataset)
        return between(self.stamps[1:])

    def result(self) -> dict[str, np.ndarray]:
        """Its 20 best of each user, by its own ranking."""
        found = self.model.recommend(self.users, self.dataset, k=20, filter_viewed=True)
        lists = np.full((len(self.data["train_indptr"]) - 1, 20), -1, np.int32)
        lists[found["user_id"].to_numpy(), found["rank"].to_numpy() - 1] = found["item_id"]
        return {"lists": lists}


def _trainer(epochs: int) -> Any:
    from pytorch_lightning import Callback, Trainer

    class Stamps(Callback):
        def on_train_epoch_start(self, *_: Any) -> None:
            SASRec.stamps.append((time.perf_counter(), time.process_time()))

        def on_train_end(self, *_: Any) -> None:
            SASRec.stamps.append((time.perf_counter(), time.process_time()))

    return Trainer(
        max_epochs=epochs,
        min_epochs=epochs,
        callbacks=[Stamps()],
        accelerator="cpu",
        devices=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        logger=False,
    )
