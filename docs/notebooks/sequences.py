# %% [markdown]
# # What comes next
#
# Sequence models use the order of a history. Those in closed form need no PyTorch, are fitted in seconds, and use each click
# in the next answer.

# %%
import numpy as np
import pyarrow as pa

import cofactor
from cofactor.data.sessions import sessions_by_gap
from cofactor.data.splits import by_session
from cofactor.evaluation.next_item import evaluate_next

# Visits to a site: each walks from page to page, mostly to the next one, sometimes anywhere.
draw = np.random.default_rng(0)
visits, steps, pages = 1500, 6, 40
at = draw.integers(0, pages, visits)
clicks = []
for _ in range(steps):
    clicks.append(at)
    at = np.where(draw.random(visits) < 0.7, (at + 1) % pages, draw.integers(0, pages, visits))
events = cofactor.Events(
    users=pa.array(np.repeat(draw.integers(0, 200, visits), steps)),
    items=pa.array([f"page {page:02d}" for page in np.stack(clicks, 1).ravel()]),
    times=np.repeat(np.arange(visits) * 7200, steps) + np.tile(np.arange(steps) * 60, visits),
    source="visits",
)
events

# %% [markdown]
# ## Sessions
#
# A visit ends after half an hour without a click. The last tenth of the visits is held out; the models predict the next page of each prefix.

# %%
sessions = cofactor.Interactions.build(sessions_by_gap(events, gap=1800), repeats="keep")
split = by_session(sessions, test=0.1)
split

# %%
run = cofactor.Run(threads=1)
models = {
    "popularity": cofactor.Popularity(),
    "transitions": cofactor.Transitions(),
    "sequence_linear": cofactor.SequenceLinear(),
    "session_knn": cofactor.SessionKNN(),
}
for name, model in models.items():
    model.fit(split.train, run=run)
    print(name, evaluate_next(model, split, "hit@1,hit@5,mrr@5", repeats="exclude"), sep="\n")

# %% [markdown]
# ## The next click counts at once

# %%
model = models["transitions"]
model.recommend(history=["page 03", "page 04"], k=3)

# %%
model.recommend(history=["page 03", "page 04", "page 20"], k=3)

# %%
model.explain(history=["page 03", "page 04"], item="page 05")

# %% [markdown]
# ## New events are learned without a refit
#
# `update` gives the model that fitting on all of the events would give.

# %%
more = cofactor.Events(
    users=pa.array([f"new/{n}" for n in range(30) for _ in range(2)]),
    items=pa.array(["page 04", "page 33"] * 30),
    times=np.repeat(20_000_000 + np.arange(30) * 7200, 2) + np.tile([0, 60], 30),
)
model.update(more)
model.recommend(history=["page 03", "page 04"], k=3)
