"""LSTMRating: a history of items and their ratings in, the rating of any next item out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Self

import numpy as np
import torch
from torch import Tensor

from cofactor.base import rng
from cofactor.base.config import setting
from cofactor.base.errors import ArgumentError, ArtifactError
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.defaults.bias_term import (
    BIAS_TERM_ARRAYS,
    BiasedTermHooks,
    BiasTerm,
    BiasTermConfig,
)
from cofactor.models.defaults.damped_biases import damped_biases
from cofactor.models.factors import FactorModel
from cofactor.models.iterative import CURVE_ARRAYS, IterativeModel
from cofactor.models.liked import rated_csr, ratings_of
from cofactor.models.neural.embedding_tables import Tables
from cofactor.models.neural.fitting import weights_of
from cofactor.models.neural.latent_factor import LatentFactor
from cofactor.models.rating_scale import spread_in, spread_of
from cofactor.models.sequence.encoder import last_windows, padded, training_windows
from cofactor.models.sequence.rating_lstm import RatingLSTM
from cofactor.models.traits import UNBOUNDED, ArraySpec, Traits
from cofactor.models.user_batch import States
from cofactor.models.warm_start import KeptRows
from cofactor.training.torch.batches import Batches
from cofactor.training.torch.device import device_of
from cofactor.training.torch.penalties import l2_of_batch
from cofactor.training.torch.seeding import seeded
from cofactor.training.torch.train import train
from cofactor.training.training_config import TrainingConfig

# Histories of so many users are read together when states are made.
_USERS = 256
_TABLES = Tables((), ("inputs", "outputs", "item_bias"))


class LSTMRatingConfig(TrainingConfig, BiasTermConfig):
    """Settings of `LSTMRating`."""

    new_defaults = {"max_grad_norm": 1.0}

    epochs: int = setting(20, low=1, high=1_000_000, doc="Passes over the data.")
    factors: int = setting(
        32, low=1, high=4096, doc="Length of the item vectors and of the user state."
    )
    hidden: int = setting(64, low=1, high=8192, doc="Width of the LSTM's state.")
    dropout: float = setting(
        0.3,
        low=0.0,
        below=1.0,
        doc="Dropout probability of inputs and states.",
    )
    damping: float = setting(
        10.0,
        above=0.0,
        doc="Shrinkage: pseudo-ratings at the items' means in a user's initial running bias.",
    )
    max_length: int = setting(0, low=0, doc="Maximum length of a history window; 0: no limit.")
    init_scale: float = setting(
        0.05, above=0.0, high=10.0, doc="Standard deviation of the initial item vectors."
    )
    regularization: float = setting(
        0.1, low=0.0, doc="L2 on the item vectors that a batch touches, per rating."
    )
    pretrain_epochs: int = setting(
        15,
        low=0,
        doc="Epochs of factorisation that initialise the item vectors; 0: random initialisation.",
    )
    batch_size: int = setting(
        32, low=0, high=2**30, doc="Batch size in histories; 0 takes all of them."
    )


class LSTMRating(BiasedTermHooks, IterativeModel, FactorModel):
    """An LSTM over a user's ratings, in order of time, that predicts the rating of any next item.

    ``ρ_t = r_t − μ − b_t``; ``h_t = LSTM(h_{t−1}, [e_t ; ρ_t])``; ``[m_t ; β_t] = Σ_{s≤t} ρ_s [e_s
    ; 1] / (t + λ)``; ``x_t = [P h_t + M m_t ; w · h_t + β_t]``; ``r̂ = μ + b_j + x_t · [q_j ; 1]``

    It is trained on each rating of each history at once, predicted from those before it. Histories
    of any length are packed, so no item stands for padding. A user is represented by the history
    alone, so trained and unseen users are answered alike. Recommendations are the items with the
    highest expected ratings. Predictions have a share ``bias_weight`` of the mean and damped biases
    alone, as those of `BiasedMF`.

    Notes
    -----
    The running means stand beside the LSTM because most of what a rating says about a
    user doesn't depend on the order: β is the user's bias, and ``M m`` a user vector as in
    factorisation (M is near the inverse mean Gram matrix, a ridge regression's). The LSTM learns
    what is left: drift, mood, what follows what. Source: Hochreiter and Schmidhuber, "Long
    Short-Term Memory", 1997; Wu et al., "Recurrent Recommender Networks", WSDM 2017 (which keeps an
    LSTM for the items too).
    """

    name = "lstm_rating"
    uses_device = True
    Config = LSTMRatingConfig
    traits = Traits(predicts_ratings=True, has_vectors=True, uses_order=True)
    arrays = {
        "user_states": ArraySpec("float32", ("users", "state_width")),
        "item_inputs": ArraySpec.of_items("items", "factors"),
        "item_factors": ArraySpec.of_items("items", "factors"),
        "item_bias": ArraySpec("float32", ("items",)),
        "weights": ArraySpec("float32", ("weights",)),
        "scale": ArraySpec("float64", ("bounds",), most=UNBOUNDED),
        **CURVE_ARRAYS,
        **BIAS_TERM_ARRAYS,
    }

    adds_user_bias = True

    module: RatingLSTM
    user_states: np.ndarray
    item_bias: np.ndarray

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        if data.values is None:
            raise ArgumentError(
                "LSTMRating learns ratings, and this data has no values; use an implicit model."
            )
        device = device_of(run)
        mean, _, item_bias = damped_biases(data)
        unit = spread_of(data)
        self.scale = np.array([mean, data.values.min(), data.values.max(), unit], np.float64)
        with seeded(int(run.generator(self.name, "init").integers(2**62))):
            module = RatingLSTM(torch.from_numpy(item_bias) / unit, self.config)
        if self.config.pretrain_epochs:
            vectors, item_bias = self._pretrained(data, run)
            counts = torch.from_numpy(data.item_counts).float()
            module.begin_with(torch.from_numpy(vectors), counts, self.config.regularization)
            with torch.no_grad():
                module.item_bias.weight.copy_(torch.from_numpy(item_bias)[:, None] / unit)
        module.to(device)
        self.curve = train(
            module,
            self._step(module, data.histories(), device),
            Batches(
                tuple(
                    torch.from_numpy(a).to(device)
                    for a in training_windows(data.indptr, self.config.max_length)
                ),
                self.config.batch_size,
                seed=rng.state64(run.seed, self.name, "batches"),
            ),
            self.config,
            run,
            control=self._control(data, validation, run, lambda: self._copy_weights(module, data)),
            name=self.name,
        )
        self._copy_weights(module, data)

    def _begin_with(
        self, before: Self, fresh: Mapping[str, np.ndarray], rows: KeptRows
    ) -> Mapping[str, np.ndarray]:
        return _TABLES.moved(before.module, fresh, rows)

    def _pretrained(self, data: Interactions, run: Run) -> tuple[np.ndarray, np.ndarray]:
        """Item vectors and biases of a factorisation of the same ratings."""
        config = self.config
        model = LatentFactor(
            factors=config.factors,
            epochs=config.pretrain_epochs,
            regularization=config.regularization,
            bias_regularization=0.005,
            batch_size=2048,
            schedule="cosine",
            init_scale=config.init_scale,
            bias_weight=0.0,
        ).fit(data, run=run)
        return model.item_factors, model.item_bias

    def _step(
        self, module: RatingLSTM, histories: Histories, device: torch.device
    ) -> Callable[[tuple[Tensor, ...], torch.Generator], Tensor]:
        assert histories.values is not None
        all_items = torch.from_numpy(histories.item_rows.astype(np.int64)).to(device)
        all_values = torch.from_numpy(self._in_unit(histories.values)).to(device)
        first = torch.from_numpy(np.repeat(histories.indptr[:-1], histories.lengths)).to(device)
        nth = torch.arange(len(first), device=device) - first
        strength, damping = self.config.regularization, self.config.damping

        def step(batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
            begin, size = batch
            where, inside = padded(begin, size)
            items = all_items[where]
            residuals = all_values[where] - module.item_bias(items).squeeze(2)
            # What the LSTM reads is data: the bias learns from the prediction alone. The running
            # bias knows the whole past, also where the LSTM begins in the middle of it.
            with torch.no_grad():
                each = (all_values - module.item_bias(all_items).squeeze(1))[:, None]
                each = torch.cat((each * module.inputs(all_items), each), 1)
                summed = torch.cat((each.new_zeros(1, each.shape[1]), each.cumsum(0)))
                before = (summed[where] - summed[first[where]]) / (nth[where] + damping)[:, :, None]
            running = torch.cat((before, before[:, -1:]), 1)
            expected = module(items, residuals.detach(), running, size.cpu())
            loss = (expected[inside] - residuals[inside]).square().mean()
            if strength:
                own = items[inside]
                loss = loss + strength * l2_of_batch(module.inputs(own), module.outputs(own))
            return loss

        return step

    def _copy_weights(self, module: RatingLSTM, data: Interactions) -> None:
        self.module = RatingLSTM(torch.zeros(data.n_items), self.config)
        self.module.load_state_dict(weights_of(module))
        cold = torch.from_numpy(data.item_counts == 0)
        with torch.no_grad():
            for table in (self.module.inputs, self.module.outputs, self.module.item_bias):
                table.weight[cold] = 0
        self._build_cache()
        self.user_states = self._read(data.histories())

    def _build_cache(self) -> None:
        self.module.eval().requires_grad_(False)
        self.item_factors = self.module.outputs.weight.detach().numpy()
        self.item_bias, term = self._own_item_bias(), self._term
        if term is not None:
            self.item_bias = self._own_share * self.item_bias + term.of_items[:-1]

    def _own_item_bias(self) -> np.ndarray:
        own = self.module.item_bias.weight.detach().numpy()[:, 0]
        return np.asarray(own * np.float32(spread_in(self.scale)))

    @property
    def _level(self) -> float:
        return self.global_mean

    def _take_term(self, term: BiasTerm, data: Interactions) -> None:
        self._keep_term(term)
        self._build_cache()
        rated = data.indptr, data.item_rows, data.weights
        self.user_states = self._with_term(self.user_states, rated, 0.0)

    def _in_unit(self, values: np.ndarray) -> np.ndarray:
        """Ratings less their mean, in the unit of learning, float32."""
        mean, unit = np.float32(self.scale[0]), np.float32(spread_in(self.scale))
        return np.asarray((values - mean) / unit, np.float32)

    @torch.no_grad()
    def _read(self, histories: Histories) -> np.ndarray:
        """What is kept of each user after the whole history, float32 [B, factors + 1]."""
        biases = self.module.item_bias.weight.numpy()[:, 0]
        residuals = self._in_unit(ratings_of(self, histories)) - biases[histories.item_rows]
        vectors = np.concatenate(
            (self.module.inputs.weight.numpy(), np.ones((len(self.item_bias), 1), np.float32)), 1
        )
        states = np.empty((len(histories), self.config.factors + 1), np.float32)
        empty = self.module.project(torch.zeros(1, self.config.hidden)).numpy()
        states[histories.lengths == 0] = empty
        for users, window in last_windows(histories, self.config.max_length, _USERS):
            lengths = torch.from_numpy(window.size)
            place = padded(torch.from_numpy(window.begin), lengths).place.numpy()
            # The means over the whole past, also where the LSTM reads its end alone; only the last
            # place is looked at.
            spans = [slice(histories.indptr[u], histories.indptr[u + 1]) for u in users]
            sums = np.stack(
                [residuals[span] @ vectors[histories.item_rows[span]] for span in spans]
            )
            means = sums / (histories.lengths[users, None] + self.config.damping)
            running = np.repeat(means[:, None, :].astype(np.float32), place.shape[1] + 1, 1)
            items = torch.from_numpy(histories.item_rows[place].astype(np.int64))
            read = self.module.states(
                items, torch.from_numpy(residuals[place]), torch.from_numpy(running), lengths
            )
            states[users] = read[torch.arange(len(users)), lengths].numpy()
        return states * np.float32(spread_in(self.scale))

    # Answers.

    def _states(self, user_rows: np.ndarray) -> States:
        return np.asarray(self.user_states[user_rows])

    def _fold_in(self, histories: Histories) -> States:
        return self._with_term(self._read(histories), rated_csr(self, histories), 0.0)

    def predict_next(self, data: Interactions) -> np.ndarray:
        """Return what each rating of some histories was expected to be from those before it,
        float32 [n].

        Parameters
        ----------
        data
            Histories with values over the model's items; the order is that of
            ``data.chronological``.

        Returns
        -------
        ndarray
            float32 [n], in the order of ``data.chronological``, on the data's scale.
        """
        histories = data.histories()
        if histories.values is None:
            raise ArgumentError("predict_next needs data with values.")
        expected: np.ndarray = np.empty(len(data), np.float32)
        values, biases = self._in_unit(histories.values), self.module.item_bias.weight.numpy()[:, 0]
        for user in np.flatnonzero(histories.lengths):
            span = slice(histories.indptr[user], histories.indptr[user + 1])
            items = histories.item_rows[span].astype(np.int64)
            residuals = values[span] - biases[items]
            each = residuals[:, None] * np.concatenate(
                (self.module.inputs.weight.numpy()[items], np.ones((len(items), 1))), 1
            )
            summed = np.concatenate((np.zeros((1, each.shape[1])), np.cumsum(each, 0)))
            running = summed / (np.arange(len(items) + 1) + self.config.damping)[:, None]
            rows = (
                torch.from_numpy(a)[None] for a in (items, residuals, running.astype(np.float32))
            )
            with torch.no_grad():
                found = self.module(*rows, torch.tensor([len(items)]))[0].numpy()
            expected[span] = found + biases[items]
        expected = expected * np.float32(spread_in(self.scale)) + np.float32(self.scale[0])
        if (term := self._term) is not None:
            before = term.each_before(histories.indptr, histories.item_rows, histories.values)
            expected = self._own_share * expected + term.weight * before
        return np.clip(expected, self.scale[1], self.scale[2]).astype(np.float32)

    # State.

    def _state(self) -> dict[str, np.ndarray]:
        return {
            **super()._state(),  # what are attributes
            "item_inputs": self.module.inputs.weight.detach().numpy(),
            "item_bias": self._own_item_bias(),
            "weights": _TABLES.free(self.module),
        }

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.bias_term, self.bias_term_items = map(arrays.get, BIAS_TERM_ARRAYS)
        unit = spread_in(np.asarray(arrays["scale"]))
        self.module = RatingLSTM(torch.tensor(arrays["item_bias"]) / unit, self.config)
        wanted, found = len(_TABLES.free(self.module)), len(arrays["weights"])
        if wanted != found or arrays["user_states"].shape[1] != self.config.factors + 1:
            raise ArtifactError(
                f"the state of {self.name} doesn't fit its settings: {found} weights, not {wanted}."
            )
        with torch.no_grad():
            self.module.inputs.weight.copy_(torch.tensor(arrays["item_inputs"]))
            self.module.outputs.weight.copy_(torch.tensor(arrays["item_factors"]))
        _TABLES.put_free(self.module, arrays["weights"])
        self.scale, self.user_states = (
            np.asarray(arrays["scale"]),
            np.asarray(arrays["user_states"]),
        )
        self._build_cache()
