# %% [markdown]
# # First recommendations from your own CSV
#
# From a file of purchases to recommendations with reasons, in a few minutes. The first cell only writes
# an example file, so that the notebook runs anywhere: put the path of your own file in its place.

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
# Delimiter, decimal comma and column names are found; what was found stands in the notes. A data frame or
# a sparse matrix does as well: `cofactor.read(df)`, or at once `model.fit(df)`.

# %%
purchases = cofactor.read(
    "purchases.csv",
    user="Kunde",
    item="Artikel-Nr",
    value="Bewertung",
    time="Datum",
    items="catalogue.csv",
)
purchases

# %%
data = cofactor.Interactions.build(purchases)
data

# %%
cofactor.describe(data)

# %% [markdown]
# ## Hold something out, and compare
#
# A fifth of each customer's purchases is held out. Popularity is the baseline that every model has to beat.

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
# The same as numbers, for a plot of your own or a paper (`compared.to_latex()`), and as a page for others.

# %%
compared.to_frame().round(4)

# %%
compared.write_report("report.html")

# %% [markdown]
# ## Train the best on everything

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
# Somebody who has never bought here is answered from a history, without training again.

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
