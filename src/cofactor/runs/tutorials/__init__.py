"""The tutorials' experiments, one file each, run again with models that are trained well."""

from __future__ import annotations

# Name -> what it shows; each is a module of this package with a function ``recipe(run) ->
# Reproduced``.
RECIPES: dict[str, str] = {
    "mf": "matrix factorisation of ml-100k's ratings scaled to 0..1",
    "dense": "a dense network on the same ratings",
    "lstm": "an LSTM over the same users' histories",
    "collab_fnet": (
        "factorisation without and with biases, and CollabFNet, on ml-latest-small and ml-1m"
    ),
    "book_crossing": "full-batch descent with gravity on Book-Crossing, and a book's nearest books",
    "bias": (
        "biases against the mean, ten latent factors against biases, and rounded predictions, on"
        " ml-1m"
    ),
    "bpr": "BPR with 5 and 10 factors: AUC over 10 held-out items per user, on ml-1m and Gowalla",
    "tour": "one prediction, recommendations, similar items, factors as arrays, on ml-100k",
}
