"""Settings chosen on training data alone, by ``--choose`` and ``validate`` of the scripts in
``benchmarks/`` that are named for Gowalla, and the published figures."""

from __future__ import annotations

from typing import Any

NAME = "lightgcn-gowalla"
METRICS = ("recall@20", "ndcg@20")

PROTOCOL = (
    "Settings were chosen on the last tenth of each user's training line, or on a random one; all"
    " items without a training interaction of the user are ranked."
)

CLOSED_FORM: dict[str, dict[str, Any]] = {
    "popularity": {},
    "item_knn": {
        "neighbours": 300,
        "similarity": "asymmetric",
        "asymmetry": 0.8,
        "shrinkage": 40.0,
        "weighting": "tfidf",
    },
    "ease": {"regularization": 100.0, "frequency_exponent": 0.5},
    "graph_filter": {
        "factors": 1024,
        "user_exponent": 0.4,
        "item_exponent": 0.4,
        "ideal_weight": 1.0,
        "spectral_power": 1.0,
        "iterations": 3,
    },
    "graph_filter:recency": {
        "factors": 1024,
        "user_exponent": 0.4,
        "item_exponent": 0.4,
        "ideal_weight": 0.6,
        "spectral_power": 1.0,
        "iterations": 3,
        "recency_half_life": 5.0,
        "recency_floor": 0.1,
    },
}

# By factors. Recall .1778 and nDCG .0988 on the tenth without item_weight_power at 256 factors
# (unobserved_weight .015, regularization .003), .1814 and .1012 with .3; .4: .1806 and .1012, .5:
# .1799 and .1005. At 64: .1520 and .0853 without, .1528 and .0867 with .2, .1526 and .0869 with .4.
IALS: dict[int, dict[str, Any]] = {
    64: {
        "unobserved_weight": 0.015,
        "regularization": 0.003,
        "epochs": 6,
        "item_weight_power": 0.2,
    },
    256: {
        "unobserved_weight": 0.035,
        "regularization": 0.0015,
        "epochs": 6,
        "item_weight_power": 0.3,
    },
}

PUBLISHED = (
    ("NGCF (Wang et al. 2019; in He et al. 2020)", "ids", (0.1570, 0.1327)),
    ("LightGCN (He et al. 2020)", "ids", (0.1830, 0.1554)),
    ("UltraGCN (Mao et al. 2021)", "ids", (0.1862, 0.1580)),
    ("NESCL (its README)", "ids", (0.1917, 0.1617)),
    ("BSPM-EM (its README)", "ids", (0.1920, 0.1597)),
)
