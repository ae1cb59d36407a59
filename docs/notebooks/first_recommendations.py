# %% [markdown]
# # First recommendations from your own CSV
#
# From a file of purchases to recommendations with reasons, in a few minutes. The first cell writes an example
# file, so that the notebook runs anywhere; replace it by the path of your own file.

# %%
from pathlib import Path

import pyarrow.csv as csv

import cofactor
from cofactor.data.synthetic import shop_events

events = shop_events(n_users=300, n_items=120, seed=0)
lines = ["Kunde;Artikel-Nr;Bewertung;Datum"]
for user, item, value, time in zip(
    events.users.to_pylist(), events.items.to_pylist(), events.values, events.times, strict=True
):
    lines.append(f"{user};{item};{str(value).replace('.', ',')};{time}")
Path("purchases.csv").write_text("\n".join(lines) + "\n")
catalogue = events.item_table.select(["item_id", "title", "author", "year", "price"])
csv.write_csv(catalogue, "catalogue.csv")

# %% [markdown]
# ## Read
#
# Delimiter, decimal comma and columns are found; the notes say what was found. Columns with unusual names are named:
# `read("purchases.csv", user="who", item="what")`. A data frame or a sparse matrix is read too: `cofactor.read(df)`, or
# directly `model.fit(df)`.

# %%
purchases = cofactor.read("purchases.csv", items="catalogue.csv")
purchases

# %%
data = cofactor.Interactions.build(purchases)
data

# %%
cofactor.describe(data)

# %% [markdown]
# ## Hold something out, and compare
#
# A fifth of each customer's purchases is held out. Popularity is the baseline.

# %%
split = cofactor.split(data, "per-user", test=0.2, seed=0)
split

# %%
run = cofactor.Run(threads=1)
compared = cofactor.compare(
    None,
    ["popularity", "item_knn", "ease", "ials:factors=16"],
    split=split,
    metrics=["ndcg@10", "recall@20"],
    run=run,
)
compared

# %% [markdown]
# The same as numbers, for a plot of your own (or for a paper, `compared.to_latex()`), and as a report for others.

# %%
compared.to_frame().round(4)

# %%
compared.write_report("report.html")

# %% [markdown]
# ## Train on everything
#
# `ease` and `ials` don't differ significantly here, so take the simpler one.

# %%
model = cofactor.EASE().fit(data, run=run)
model

# %%
customer = data.users.ids([3])[0]
model.recommend(customer, k=5)

# %% [markdown]
# Why the first of them? The reasons add up to the score exactly.

# %%
model.explain(customer, model.recommend(customer, k=1).ids[0])

# %% [markdown]
# A customer who isn't in the data gets recommendations from a history, without training again.

# %%
model.recommend(history=data.items.ids([3, 14]), k=5)

# %% [markdown]
# ## Keep it
#
# A saved model is a folder of arrays and tables; loading it runs no code. `cofactor serve shop-model` serves it.
# In a live notebook, `model.explore()` lets you click through users, reasons and similar items.

# %%
cofactor.save(model, "shop-model")
cofactor.load("shop-model").similar_items(data.items.ids([3])[0], k=5)
