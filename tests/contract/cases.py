"""What the contract suite needs to know of each model: settings that make it small. Five lines for a new one."""

from __future__ import annotations

from typing import Any

# name -> settings for tiny data; how close fold-in has to come to the trained row is the same for all.
CASES: dict[str, dict[str, Any]] = {
    "popularity": {},
    "bpr": {"factors": 16, "epochs": 200},
    "warp": {"factors": 16, "epochs": 100},
    "logistic-mf": {"factors": 16, "regularization": 0.1},
}

# Models that rank everybody alike: the tests of personal taste don't concern them.
IMPERSONAL = {"popularity", "bias"}
