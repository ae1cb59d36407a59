"""Training a factorisation with biases in PyTorch: where it begins, its steps, and its arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.defaults.damped_biases import damped_biases, damping_of
from cofactor.models.neural import fitting
from cofactor.models.neural.factor_fold_in import Factors, cold_row, l2_weights
from cofactor.models.neural.factor_settings import FactorConfig
from cofactor.models.neural.latent_factor_module import FactorTables, TableSettings, initial_rows
from cofactor.models.traits import UNBOUNDED
from cofactor.retrieval.topk import unit_length
from cofactor.training.loop import Control
from cofactor.training.torch.device import device_of
from cofactor.training.torch.learner import Step
from cofactor.training.torch.train import train

if TYPE_CHECKING:
    from cofactor.training.curve import LearningCurve

# Tables with more rows than this many times a batch's get sparse gradients; below, one dense pass
# is faster.
_SPARSE_FROM = 8


def rating_bounds(data: Interactions, config: FactorConfig) -> np.ndarray:
    """Return the mean that ratings are learnt as differences from, and their lowest and highest,
    float64 [3]; 0 and no bounds where none are learnt.
    """
    if not config.fits(data):
        return np.array([0.0, -UNBOUNDED, UNBOUNDED])
    mean = float(data.weights.astype(np.float64).mean()) if config.mean else 0.0
    return np.array([mean, data.weights.min(), data.weights.max()], np.float64)


def begin(
    data: Interactions,
    config: FactorConfig,
    run: Run,
    name: str,
    make: Callable[[torch.Tensor, torch.Tensor, TableSettings], FactorTables] = FactorTables,
    prior: np.ndarray | None = None,
) -> FactorTables:
    """Return the tables as training begins: small normal vectors, and the damped means as biases.

    Parameters
    ----------
    data, config, run
        On what, how, and with which seed.
    name
        What the seed is derived for.
    make
        Makes the tables of their rows [n, factors + 1] and their settings.
    prior
        float32 [n_items]: what items' biases are differences from; None: 0.
    """
    fits, counts = config.fits(data), (data.user_counts, data.item_counts)
    biases = [np.zeros(len(n), np.float32) for n in counts]
    if fits and config.biases:
        damping = damping_of(data, config.user_damping, config.item_damping)
        mean, *biases = damped_biases(data, *damping)
        # Without a mean the biases have to carry it: half each.
        more, unit = 0.0 if config.mean else mean / 2, fitting.unit_of(data, config)
        biases = [((bias + more) / unit).astype(np.float32) for bias in biases]
    generator = torch.Generator().manual_seed(int(run.generator(name, "init").integers(2**62)))
    users, items = (
        initial_rows(
            len(bias), config.factors, config.init_scale, torch.from_numpy(bias), generator
        )
        for bias in biases
    )
    weights: list[torch.Tensor | None] = [None, None]
    if fits:
        weights = [torch.from_numpy(l2_weights(n, n, config.frequency_exponent)) for n in counts]
    l2, item_l2 = config.bias_regularization, config.item_bias_regularization
    settings = TableSettings(
        biases=config.biases and not config.objective.uses_cosine,
        user_biases=config.objective.sees_user_bias,
        cosine=config.objective.uses_cosine,
        sparse=_is_sparse(data, config),
        regularization=config.regularization,
        bias_regularization=(l2, l2 if item_l2 is None else item_l2),
        user_weight=weights[0],
        item_weight=weights[1],
        item_prior=None if prior is None else torch.from_numpy(prior),
    )
    return make(users, items, settings).to(device_of(run))


def _is_sparse(data: Interactions, config: FactorConfig) -> bool:
    n_rows, per_batch = data.n_users + data.n_items, max(1, config.batch_of(len(data)) or len(data))
    return config.sparse == "yes" or (
        config.sparse == "auto"
        and n_rows > _SPARSE_FROM * per_batch
        and not config.gravity
        and not config.weight_decay
    )


def train_factors(
    module: FactorTables,
    data: Interactions,
    config: FactorConfig,
    run: Run,
    *,
    name: str,
    wrap: Callable[[Step], Step] = lambda step: step,
    control: Control = Control(),  # noqa: B008 (frozen)
) -> LearningCurve:
    """Train tables with the Config's loss; return its learning curve.

    Parameters
    ----------
    module
        What `begin` returned.
    data, config, run
        On what, how, and with which seed, threads and device.
    name
        What seeds and the progress bar call it.
    wrap
        Makes the step that is taken of the loss's own.
    control
        Monitors, checkpoint, callbacks and the time budget.
    """
    device = device_of(run)
    step = fitting.step_of(
        data,
        config,
        device,
        fitting.PairScorer(module.pairs, module.penalty, module.whole),
        (lambda: config.gravity * module.gravity()) if config.gravity else None,
    )
    mean = float(rating_bounds(data, config)[0])
    return train(
        module,
        wrap(step),
        fitting.examples(data, config, run, device, mean, name),
        config,
        run,
        control=control,
        name=name,
    )


def factors_of(module: FactorTables, data: Interactions, config: FactorConfig) -> Factors:
    """Return a copy of the module's weights; who has no interaction gets what an empty history
    gets.
    """
    users, items = (
        table.weight.detach().to("cpu", copy=True).numpy() for table in (module.users, module.items)
    )
    found = Factors(
        users[:, :-1].copy(), items[:, :-1].copy(), users[:, -1].copy(), items[:, -1].copy()
    )
    if module.item_prior is not None:
        found.item_bias[:] += module.item_prior.cpu().numpy()
    if config.objective.uses_cosine:
        for factors in found[:2]:
            factors[:] = unit_length(factors)
    fits = config.fits(data)
    warm = data.user_counts > 0
    found.user_factors[~warm], found.user_bias[~warm] = cold_row(
        found.user_factors, found.user_bias, warm, config, fits
    )
    # Of ratings, users' vectors and all biases go from the unit of learning to the data's own.
    for learned in (found.user_factors, found.user_bias, found.item_bias):
        learned *= np.float32(fitting.unit_of(data, config))
    # A cold item keeps no chance direction; where negatives are drawn, training itself has pushed
    # it down.
    if fits:
        warm = data.item_counts > 0
        found.item_factors[~warm], found.item_bias[~warm] = cold_row(
            found.item_factors, found.item_bias, warm, config, fits
        )
    return found
