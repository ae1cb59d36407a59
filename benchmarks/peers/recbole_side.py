"""RecBole: item neighbours, full-ranking evaluation, SASRec."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.side import Side, between, clocked, matrix


class ItemKNN(Side):
    """The similarity of its ItemKNN, without the reading of its own files."""

    def prepare(self) -> None:
        self.matrix = matrix(self.data)

    def run(self, step: int | None = None) -> dict[str, float]:
        return clocked(self._fit)

    def _fit(self) -> None:
        from recbole.model.general_recommender.itemknn import ComputeSimilarity

        made = ComputeSimilarity(
            self.matrix, topk=self.settings["neighbours"], shrink=0.0, method="item"
        ).compute_similarity()
        self.weights = made[1] if isinstance(made, tuple) else made

    def result(self) -> dict[str, np.ndarray]:
        found = []
        for start in range(0, self.matrix.shape[0], 2048):
            rows = self.matrix[start : start + 2048]
            scores = np.asarray((rows @ self.weights).todense())
            scores[rows.nonzero()] = -np.inf
            top = np.argpartition(-scores, 20, axis=1)[:, :20]
            found.append(
                np.take_along_axis(
                    top, np.argsort(-np.take_along_axis(scores, top, 1), axis=1, kind="stable"), 1
                )
            )
        return {"lists": np.concatenate(found).astype(np.int32)}


class Evaluation(Side):
    """Its full-ranking evaluation, as its trainer does it batch by batch: scores, the history
    left out, collector, metrics.
    """

    BLOCK = 512

    def prepare(self) -> None:
        import torch

        torch.set_num_threads(self.threads)
        np.float = float  # type: ignore[attr-defined]  # noqa: NPY001  # its metrics still ask NumPy for this name
        self.asked = np.flatnonzero(np.diff(self.data["test_indptr"]))
        self.x, self.y = (
            torch.from_numpy(self.data[name]) for name in ("user_factors", "item_factors")
        )
        self.config = {
            "metrics": ["NDCG", "Recall", "Precision", "MAP", "MRR"],
            "topk": [20],
            "metric_decimal_place": 6,
            "eval_args": {"mode": {"valid": "full", "test": "full"}},
            "device": torch.device("cpu"),
        }
        self.batches = [
            self._batch(self.asked[at : at + self.BLOCK])
            for at in range(0, len(self.asked), self.BLOCK)
        ]

    def _batch(self, users: np.ndarray) -> tuple[object, ...]:
        """What its data loader gives for some users: their rows, and where their history and
        their truth are.
        """
        import torch

        places = []
        for part in ("train", "test"):
            indptr, items = self.data[f"{part}_indptr"], self.data[f"{part}_items"]
            of = np.repeat(np.arange(len(users)), np.diff(indptr)[users])
            rows = np.concatenate([items[indptr[u] : indptr[u + 1]] for u in users]).astype(
                np.int64
            )
            places += [torch.from_numpy(of), torch.from_numpy(rows)]
        return torch.from_numpy(users), *places

    def run(self, step: int | None = None) -> dict[str, float]:
        return clocked(self._measure)

    def _measure(self) -> None:
        import torch
        from recbole.evaluator import Collector, Evaluator

        collector = Collector(self.config)
        with torch.no_grad():
            for users, seen_u, seen_i, true_u, true_i in self.batches:
                scores = self.x[users] @ self.y.T
                scores[seen_u, seen_i] = -torch.inf
                collector.eval_batch_collect(scores, None, true_u, true_i)
        self.found = Evaluator(self.config).evaluate(collector.get_data_struct())

    def result(self) -> dict[str, np.ndarray]:
        return {"own": np.array(self.found["ndcg@20"])}


class SASRec(Side):
    """The median epoch of its SASRec, the first left out, scaled to all users where it has some
    alone: ``{"epochs": 3, "users": 60, "set": {...}}``.

    A sample of it is a prefix of a history, so its batches are counted in those: as many as the
    other sides' batches have true items.
    """

    def prepare(self) -> None:
        """Its own files, of the latest events that a window holds, and what it makes of them."""
        import torch
        from recbole.config import Config
        from recbole.data import create_dataset, data_preparation
        from recbole.utils import init_logger, init_seed

        torch.set_num_threads(self.threads)
        counts = np.diff(self.data["train_indptr"])
        self.length = self.settings["set"]["MAX_ITEM_LIST_LENGTH"]
        self.targets = np.minimum(counts - 1, self.length)
        self.own = np.arange(self.settings.get("users", len(counts)))
        self.folder = tempfile.TemporaryDirectory()
        os.chdir(self.folder.name)  # it writes folders where it stands
        self._write(Path(self.folder.name) / "data" / "events")
        fixed = {
            "data_path": str(Path(self.folder.name) / "data"),
            "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
            "eval_args": {"split": {"LS": "valid_only"}, "order": "TO", "mode": "full"},
            "train_neg_sample_args": None,
            "train_batch_size": round(self.settings["sequences"] * float(self.targets.mean())),
            "use_gpu": False,
            "show_progress": False,
        }
        self.config = Config("SASRec", "events", config_dict={**fixed, **self.settings["set"]})
        init_seed(0, True)
        init_logger(self.config)
        self.dataset = create_dataset(self.config)
        self.train, *_ = data_preparation(self.config, self.dataset)

    def _write(self, place: Path) -> None:
        """The events; the last one of each user is for its validation, which isn't used."""
        place.mkdir(parents=True)
        lines = ["user_id:token\titem_id:token\ttimestamp:float"]
        for user in self.own:
            events = self._latest(user, self.length + 1)
            lines += [f"{user}\t{item}\t{at}" for at, item in enumerate([*events, events[-1]])]
        (place / "events.inter").write_text("\n".join(lines))

    def _latest(self, user: int, length: int) -> np.ndarray:
        low, high = self.data["train_indptr"][user : user + 2]
        found: np.ndarray = self.data["train_items"][max(low, high - length) : high]
        return found

    def run(self, step: int | None = None) -> dict[str, float]:
        """The epochs of its trainer, without its evaluation."""
        from recbole.utils import get_model, get_trainer, init_seed

        init_seed(0, True)
        self.model = get_model("SASRec")(self.config, self.train.dataset)
        trainer = get_trainer(self.config["MODEL_TYPE"], "SASRec")(self.config, self.model)
        stamps = []
        for epoch in range(step or self.settings["epochs"]):
            stamps.append((time.perf_counter(), time.process_time()))
            trainer._train_epoch(self.train, epoch)
        stamps.append((time.perf_counter(), time.process_time()))
        share = self.targets[self.own].sum() / self.targets.sum()
        return {name: value / share for name, value in between(stamps[1:]).items()}

    def result(self) -> dict[str, np.ndarray]:
        """The 20 best of each user by its scores; nothing where it had some users alone."""
        if "users" in self.settings:
            return {}
        return {
            "lists": np.concatenate([self._lists(part) for part in np.array_split(self.own, 20)])
        }

    def _lists(self, users: np.ndarray) -> np.ndarray:
        import torch
        from recbole.data.interaction import Interaction

        tokens = self.dataset.field2token_id["item_id"]
        read = np.zeros((len(users), self.length), np.int64)
        histories = [self._latest(user, self.length) for user in users]
        for row, history in zip(read, histories, strict=True):
            row[: len(history)] = [tokens[str(item)] for item in history]
        lengths = torch.tensor([len(history) for history in histories])
        asked = Interaction({"item_id_list": torch.from_numpy(read), "item_length": lengths})
        self.model.eval()
        with torch.no_grad():
            theirs = self.model.full_sort_predict(asked).numpy()
        scores = np.full((len(users), int(self.data["n_items"])), -np.inf, np.float32)
        for token, row in tokens.items():
            if token != "[PAD]":
                scores[:, int(token)] = theirs[:, row]
        for n, user in enumerate(users):
            scores[n, self._latest(user, len(self.data["train_items"]))] = -np.inf
        best: np.ndarray = np.argsort(-scores, axis=1, kind="stable")[:, :20].astype(np.int32)
        return best
