"""Models that sample negatives: BPR and WARP."""

from __future__ import annotations

from benchmarks.case import Case, Entrant
from benchmarks.notes import NO_AVX

_BPR = {
    "learning_rate": 0.05,
    "regularization": 0.003,
    "factors": 64,
    "schedule": "constant",
    "epochs": 6,
}
BPR = Case(
    "bpr",
    "BPR, an epoch of as many draws, 64 factors",
    "gowalla",
    (
        Entrant("cofactor", "ours:Epochs", settings={"model": "bpr", "set": _BPR}),
        Entrant(
            "implicit",
            "peers.implicit_side:BPREpochs",
            "sgd",
            {
                "epochs": 6,
                "set": {"learning_rate": 0.05, "regularization": 0.003, "factors": 64},
            },
            6.0,
            note=NO_AVX,
        ),
        Entrant(
            "cornac",
            "peers.cornac_side:BPREpochs",
            "sgd",
            {"epochs": 6, "set": {"learning_rate": 0.05, "lambda_reg": 0.003, "k": 64}},
            6.0,
        ),
    ),
)

# Both may look long for a violation, which is what helps most on this validation part. LightFM
# after 20 epochs with at most 10, 30 and 100 draws: .0778, .0842, .0906; ours with 1000 draws
# is the preset of `models.implicit.warp`.
WARP = Case(
    "warp",
    "WARP, seconds to LightFM's best nDCG@20, 64 factors",
    "gowalla",
    (
        Entrant(
            "cofactor",
            "ours:Model",
            settings={"model": "warp", "set": {"factors": 64, "max_trials": 1000}},
            steps=(3, 4, 5, 6, 8),
        ),
        Entrant(
            "LightFM",
            "peers.lightfm_side:WARP",
            "sgd",
            {"set": {"no_components": 64, "learning_rate": 0.05, "max_sampled": 100}},
            5.0,
            (10, 15, 20),
            1,
            "rectools-lightfm",
        ),
    ),
    target=1.0,
    of="LightFM",
)

CASES = (BPR, WARP)
