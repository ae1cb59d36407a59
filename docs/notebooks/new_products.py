# %% [markdown]
# # New products, with words
#
# A product that nobody has bought yet can be recommended by its description: text, categories and numbers.

# %%
import cofactor
from cofactor.data.synthetic import shop

data = shop(n_users=400, n_items=150, seed=0)
data.catalogue

# %% [markdown]
# ## How good, for items without a single interaction?
#
# `split(..., "items")` holds out whole items: training sees none of their interactions, and the models rank them among each
# other by their descriptions alone. The baseline here is chance, since new items have no popularity.

# %%
split = cofactor.split(data, "items", test=0.2, seed=0)
split

# %%
run = cofactor.Run(threads=1)
words = {"text": ("title", "description"), "features": ("genres",)}
models = {
    "content_knn": cofactor.ContentKNN(**words),
    "content_ridge": cofactor.ContentRidge(**words),
    "feature_ials": cofactor.FeatureIALS(factors=16, **words),
}
for name, model in models.items():
    model.fit(split.train, run=run)
    print(cofactor.evaluate(model, split, ["ndcg@10", "recall@10"], label=name, run=run))

# %% [markdown]
# ## Warm and cold in one model
#
# `feature_ials` computes an item's vector from its features, and adapts it as the item gains interactions.

# %%
model = cofactor.FeatureIALS(factors=16, **words).fit(data, run=run)
model

# %% [markdown]
# A new title arrives. `with_items` returns a model that knows it; the old model stays as it is, and nothing is trained.

# %%
new = {
    "item_id": "book-new",
    "title": "The Lighthouse Letters",
    "description": "A detective finds letters in a quiet lighthouse, and a murder that nobody has solved.",
    "genres": ["Crime"],
    "price": 12.9,
}
wider = model.with_items([new])
wider.similar_items("book-new", k=5)

# %% [markdown]
# Who might like it? The users for whom it scores highest:

# %%
import numpy as np

scores = wider.score(data.users.ids(range(data.n_users)), ["book-new"])[:, 0]
best = data.users.ids(np.argsort(-scores)[:3])
wider.recommend(best[0], k=5)

# %% [markdown]
# ## Which words contributed
#
# The explanation divides the score among past items, and the content part among words and features.

# %%
wider.explain(best[0], "book-new")

# %% [markdown]
# ## Search by a sentence

# %%
wider.similar_to("dragons and a forgotten kingdom", k=5)
