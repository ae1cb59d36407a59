# %% [markdown]
# # The tutorials' networks
#
# Matrix factorisation, a dense network, CollabFNet, NeuMF and an LSTM are what most tutorials build first, often
# with a training loop that never looks at held-out data. Here all five are trained by one loop, with early stopping on a
# validation part, and measured beside the simplest baseline. (Needs `pip install 'cofactor[torch]'`.)

# %%
import cofactor
from cofactor.data.synthetic import shop

data = shop(n_users=400, n_items=150, seed=0)
split = cofactor.split(data, "random", test=0.2, validation=0.1, seed=0)
split

# %% [markdown]
# ## One of them, with its curve
#
# The validation part stops training, and the weights of the best epoch are kept.

# %%
run = cofactor.Run(seed=0, threads=1, device="cpu")
common = {"epochs": 12, "batch_size": 256, "patience": 3}
mf = cofactor.LatentFactor(factors=8, regularization=0.05, **common)
mf.fit(split.train, validation=split.validation, run=run)
mf.curve

# %% [markdown]
# ## All of them beside the baseline
#
# `bias` is the global mean plus a bias for each user and item. A model that isn't better has learned nothing about who likes what.

# %%
models = {
    "bias": cofactor.Bias(),
    "matrix factorisation": mf,
    "dense network": cofactor.DenseNet(factors=16, **common),
    "CollabFNet": cofactor.CollabFNet(factors=16, **common),
    "NeuMF": cofactor.NeuMF(factors=8, loss="squared", **common),
    "LSTM": cofactor.LSTMRating(epochs=4, patience=2),
}
results = []
for name, model in models.items():
    if not model.is_fitted:
        model.fit(split.train, validation=split.validation, run=run)
    results.append(cofactor.evaluate(model, split, ["rmse", "mae"], label=name, run=run))

# %%
import pandas as pd

pd.concat([result.to_frame().assign(model=result.model) for result in results]).pivot(
    index="model", columns="metric", values="value"
).sort_values("rmse").round(4)

# %% [markdown]
# Are the differences more than chance? The tests are paired by user and corrected for their number:

# %%
from cofactor.evaluation.significance import compare

compare(results, ["rmse"], baseline="bias")

# %% [markdown]
# ## What a network recommends
#
# Unseen users are folded in: their vector is computed with the items held fixed, in a few milliseconds.

# %%
titles = data.catalogue.titles([5, 9])
print("who rated", titles[0], "5 and", titles[1], "1:")
mf.recommend(history=dict(zip(data.items.ids([5, 9]), [5.0, 1.0], strict=True)), k=5, run=run)
