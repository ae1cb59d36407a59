"""NeuMF: generalised matrix factorisation and a tower, side by side."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cofactor.base.config import setting
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.iterative import IterativeModel
from cofactor.models.neural import fitting
from cofactor.models.neural.embedding_tables import Tables
from cofactor.models.neural.mlp import DenseTower
from cofactor.models.neural.module_fold_in import ModuleConfig
from cofactor.models.neural.torch_model import Builder, ModuleHooks, train_module
from cofactor.models.traits import Traits
from cofactor.training.losses import LOSSES, Loss
from cofactor.training.torch.seeding import seeded


class NeuMFNet(nn.Module):
    """``s_ui = h · (p_u ∘ q_i) + tower([p'_u ; q'_i])``; either half can be left out.

    Parameters
    ----------
    n_users, n_items
        Rows of the tables.
    config
        Widths, layers, dropout.
    halves
        Which of ``"gmf"`` and ``"mlp"`` it has.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        config: NeuMFConfig,
        halves: tuple[str, ...] = ("gmf", "mlp"),
    ) -> None:
        super().__init__()
        tables: dict[str, nn.Embedding] = {}
        if "gmf" in halves:
            tables |= {
                "user_gmf": nn.Embedding(n_users, config.factors),
                "item_gmf": nn.Embedding(n_items, config.factors),
            }
            self.output = nn.Linear(config.factors, 1, bias=False)
            nn.init.normal_(self.output.weight, mean=1.0, std=0.1)
        if "mlp" in halves:
            tables |= {
                "user_mlp": nn.Embedding(n_users, config.factors),
                "item_mlp": nn.Embedding(n_items, config.factors),
            }
            self.tower = DenseTower(2 * config.factors, config.hidden, config.dropout)
        for table in tables.values():
            nn.init.normal_(table.weight, std=config.init_scale)
        self.tables = nn.ModuleDict(tables)
        self.halves = halves

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Return the scores [n] of pairs, before any sigmoid."""
        scores = torch.zeros((), device=users.device)
        if "gmf" in self.halves:
            scores = scores + self.output(
                self.tables["user_gmf"](users) * self.tables["item_gmf"](items)
            ).squeeze(1)
        if "mlp" in self.halves:
            scores = scores + self.tower(
                torch.cat((self.tables["user_mlp"](users), self.tables["item_mlp"](items)), 1)
            )
        return scores


class NeuMFConfig(ModuleConfig):
    """Settings of `NeuMF`."""

    new_defaults = {"popularity_prior": 1.0, "regularization": 0.01}

    factors: int = setting(16, low=2, high=4096, doc="Length of each half's embeddings.")
    hidden: tuple[int, ...] = setting(
        (32, 16, 8), low=1, high=65536, doc="Widths of the tower's hidden layers."
    )
    dropout: float = setting(0.0, low=0.0, below=1.0, doc="Dropout probability of hidden values.")
    init_scale: float = setting(
        0.05, above=0.0, high=10.0, doc="Standard deviation of the initial embeddings."
    )
    pretrain_epochs: int = setting(
        0,
        low=0,
        doc="Epochs of pretraining of each half alone; 0: none.",
    )
    loss: str | Loss = setting(
        "logistic", choices=LOSSES, doc="Training loss; the paper's is logistic."
    )


def _initialise(
    module: nn.Module, tables: Tables, data: Interactions, config: NeuMFConfig, run: Run
) -> None:
    """Train each half alone, if settings say so, and begin with both."""
    if config.pretrain_epochs == 0:
        return
    whole, alone_config = module.state_dict(), config.replace(epochs=config.pretrain_epochs)
    for half in ("gmf", "mlp"):
        with seeded(int(run.generator("neumf", "init", half).integers(2**62))):
            alone = NeuMFNet(data.n_users, data.n_items, config, (half,))
        its = Tables.found(alone, data.n_users, data.n_items)
        prior = fitting.popularity_prior(data, config, config.popularity_prior)
        train_module(alone, its, data, alone_config, run, name=f"neumf {half}", prior=prior)
        whole |= {name: weight.to("cpu") for name, weight in alone.state_dict().items()}
    n_layers = len(module.get_submodule("tower.layers"))  # type: ignore[arg-type]
    last = f"tower.layers.{n_layers - 1}"
    for name in ("output.weight", f"{last}.weight", f"{last}.bias"):
        whole[name] = whole[name] / 2
    module.load_state_dict(whole)


class NeuMF(IterativeModel, ModuleHooks):
    """Generalised matrix factorisation plus a tower, on embeddings of their own.

    ``s_ui = h · (p_u ∘ q_i) + tower([p'_u ; q'_i])``; the score for implicit data is its sigmoid.

    Notes
    -----
    The paper joins both halves in one last layer over ``[p ∘ q ; φ]``; that is this sum, since the
    layer is linear. After pre-training its weights are halved, as in the paper (α = 0.5). Source:
    He et al., "Neural Collaborative Filtering", WWW 2017, eq. 12 and section 3.4.1.
    """

    name = "neumf"
    Config = NeuMFConfig
    traits = Traits()
    builder = Builder(NeuMFNet, _initialise)
