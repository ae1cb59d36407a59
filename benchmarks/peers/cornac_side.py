"""cornac: BPR, MF, ranking evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.side import Side, clocked, per_epoch, triples


def dataset(data: dict[str, np.ndarray], part: str = "train") -> Any:
    """A part as cornac's data set."""
    from cornac.data import Dataset

    return Dataset.from_uir(
        list(zip(*(column.tolist() for column in triples(data, part)), strict=True))
    )


class BPREpochs(Side):
    """An epoch of BPR, by the difference of two fits."""

    def prepare(self) -> None:
        self.known = dataset(self.data)

    def make(self, epochs: int) -> None:
        from cornac.models import BPR

        self.model: Any = BPR(
            max_iter=epochs, num_threads=self.threads, seed=0, verbose=False, **self.settings["set"]
        )
        self.model.fit(self.known)

    def run(self, step: int | None = None) -> dict[str, float]:
        return (
            per_epoch(self.make, 1, self.settings["epochs"])
            if step is None
            else clocked(lambda: self.make(step))
        )

    def result(self) -> dict[str, np.ndarray]:
        """Its rows are numbered as they come; ours as they stand."""
        n_users, n_items = len(self.data["train_indptr"]) - 1, int(self.data["n_items"])
        k = self.model.u_factors.shape[1]
        x, y, b = (
            np.zeros((n_users, k), np.float32),
            np.zeros((n_items, k), np.float32),
            np.full(n_items, -1e3, np.float32),
        )
        x[list(self.known.uid_map)] = self.model.u_factors
        y[list(self.known.iid_map)] = self.model.i_factors
        b[list(self.known.iid_map)] = self.model.i_biases
        return {"user_factors": x, "item_factors": y, "item_bias": b}


class MFEpochs(BPREpochs):
    """An epoch of biased matrix factorisation."""

    def make(self, epochs: int) -> None:
        from cornac.models import MF

        settings = {
            "num_threads": self.threads,
            "seed": 0,
            "early_stop": False,
            **self.settings["set"],
        }
        self.model = MF(max_iter=epochs, **settings)
        self.model.fit(self.known)

    def result(self) -> dict[str, np.ndarray]:
        users, items, _ = triples(self.data, "test")
        known_u, known_i = self.known.uid_map, self.known.iid_map
        model, mean = self.model, self.known.global_mean
        found = []
        for u, i in zip(users.tolist(), items.tolist(), strict=True):
            a, b = known_u.get(u), known_i.get(i)
            value = (
                mean
                + (model.u_biases[a] if a is not None else 0)
                + (model.i_biases[b] if b is not None else 0)
            )
            if a is not None and b is not None:
                value += model.u_factors[a] @ model.i_factors[b]
            found.append(value)
        return {"predicted": np.clip(np.array(found, np.float32), 1, 5)}


class Evaluation(Side):
    """Its ranking evaluation of some users, in Python one after another; the seconds are scaled
    to all.
    """

    def prepare(self) -> None:
        from cornac.data import Dataset
        from cornac.models import MF

        self.train = dataset(self.data)
        uid, iid = self.train.uid_map, self.train.iid_map
        users, items, _ = triples(self.data, "test")
        asked = np.unique(users)
        drawn = np.random.default_rng(0).permutation(asked)[: self.settings["users"]]
        self.scale = len(asked) / len(drawn)
        few = [
            (u, i, 1.0)
            for u, i in zip(users.tolist(), items.tolist(), strict=True)
            if u in set(drawn.tolist())
        ]
        self.test = Dataset.build(
            few, global_uid_map=uid, global_iid_map=iid, exclude_unknowns=True
        )
        factors = {
            "U": self.data["user_factors"][list(uid)].astype(np.float32),
            "V": self.data["item_factors"][list(iid)].astype(np.float32),
            "Bu": np.zeros(len(uid), np.float32),
            "Bi": np.zeros(len(iid), np.float32),
        }
        k = factors["U"].shape[1]
        self.model = MF(
            k=k, trainable=False, use_bias=True, init_params=factors, num_threads=self.threads
        ).fit(self.train)

    def run(self, step: int | None = None) -> dict[str, float]:
        found = clocked(self._measure)
        return {name: value * self.scale for name, value in found.items()}

    def _measure(self) -> None:
        from cornac.eval_methods.base_method import ranking_eval
        from cornac.metrics import MAP, MRR, NDCG, Precision, Recall

        metrics = [NDCG(k=20), Recall(k=20), Precision(k=20), MAP(), MRR()]
        self.found, _ = ranking_eval(self.model, metrics, self.train, self.test)
