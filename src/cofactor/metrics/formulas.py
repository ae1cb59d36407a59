"""The definition of each metric in one line, for choosing one."""

from __future__ import annotations

# y_i is 1 where the item at rank i is a true one; n true items; hits@k = Σ_{i<=k} y_i.
FORMULAS: dict[str, str] = {
    "ndcg": "Σ_{i≤k} y_i / log2(i + 1), divided by that of the ideal list",
    "recall": "hits@k / n: the share of the true items in the first k",
    "precision": "hits@k / k: the share of the first k that are true items",
    "map": "Σ_{i≤k} y_i hits@i / i, over min(k, n): mean average precision",
    "mrr": "1 / rank of the first true item, 0 if it is beyond k",
    "hit": "1 if a true item is in the first k, else 0 (also hr)",
    "auc": "share of pairs (true item, other item) in the right order, equal scores half",
    "auc_sampled": "auc against m unseen items drawn for each user",
    "rmse": "√(mean of (predicted − true)²)",
    "mse": "mean of (predicted − true)²",
    "mae": "mean of |predicted − true|",
    "rmse_rounded": "rmse of predictions rounded to the scale's steps",
    "mse_rounded": "mse of predictions rounded to the scale's steps",
    "mae_rounded": "mae of predictions rounded to the scale's steps",
    "coverage": "share of the items that are in at least one user's first k",
    "novelty": "mean of −log2 (share of users who have the item): surprise, in bits",
    "gini": "how unevenly items are recommended: 0 if all equally often, near 1 if one takes all",
    "popularity": "share of the first k that belong to the most popular fifth",
}
