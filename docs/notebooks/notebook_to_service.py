# %% [markdown]
# # From the notebook to a service, and back
#
# Train here, serve with one command, send events, and train again with them. (Needs `pip install 'cofactor[serve]'`.)

# %%
import json
import subprocess
import sys
import urllib.request

import cofactor
from cofactor.data.synthetic import shop
from cofactor.runs.source import Cutting

data = shop(n_users=300, n_items=120, seed=0)
run = cofactor.Run(threads=1)
trained = cofactor.train(data, "ease", "models/v1", cutting=Cutting(test=0.2, seed=0), run=run)
trained

# %% [markdown]
# ## Serve
#
# In a terminal this is `cofactor serve models`. Here it runs beside the notebook, on a free port; the first line that it prints says where.

# %%
command = [sys.executable, "-m", "cofactor", "serve", "models", "--port", "0", "--json"]
server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
served = json.loads(server.stdout.readline())
served["model"], served["version"]


# %%
def call(path, body=None):
    """A request to the service."""
    raw = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(served["url"] + path, raw, headers)
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


answer = call("/v1/users/someone-new/recommendations?k=3")
answer["source"], [item["title"] for item in answer["items"]]

# %% [markdown]
# ## Events
#
# Two ratings of a new user. When the call returns they are on disk, and the next answer uses them.

# %%
bought = data.items.ids([3, 14])
events = [
    {"user_id": "someone-new", "item_id": item, "kind": "rating", "value": 5.0} for item in bought
]
call("/v1/events", {"events": events})["outcome"]

# %%
answer = call("/v1/users/someone-new/recommendations?k=3")
answer["source"], [item["title"] for item in answer["items"]]

# %% [markdown]
# ## Back
#
# The event store is read like any other source, and `retrain` joins it with what the model was trained on.
# In a terminal: `cofactor retrain models --out models/v2`, then `cofactor promote models v2`.

# %%
store = "sqlite:///models-events.db?kinds=rating"
cofactor.read(store)

# %%
from cofactor.runs.retrain import retrain

again = retrain("models/v1", [store], "models/v2", run=run)
again.trained

# %%
call("/v1/model/promote", {"version": "v2", "force": True})["version"]

# %%
cofactor.load("models/v2").recommend("someone-new", k=3)

# %%
server.terminate()
server.wait()
