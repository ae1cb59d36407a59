"""The cases: which task, on which data, against whom, by what measure, and the bar that is set
for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Entrant:
    """One side of a case.

    Parameters
    ----------
    name
        What it is called in the table.
    target
        ``module:class`` within `benchmarks`.
    home
        The environment of `environments` that it runs in; None for Cofactor's own.
    settings
        Given to the side.
    bar
        How many times as long as ours it should take; None for ours, and for a peer that no bar is
        set for.
    steps
        In a case of steps, after how many epochs it is judged.
    rounds
        At most so many rounds (for a peer that takes long); None for all.
    note
        What must be known beside its figure.
    """

    name: str
    target: str
    home: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    bar: float | None = None
    steps: tuple[int, ...] = ()
    rounds: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Case:
    """One comparison; the first entrant is ours.

    Parameters
    ----------
    name
        What it is asked for by; a prefix up to a hyphen is enough.
    task
        In words.
    data
        A key of `datasets.MAKERS`, or None.
    entrants
        Ours first.
    metric
        ``"ndcg@20"``, ``"rmse"``, ``"rows"`` or None: what shows that all did the same work equally
        well.
    target
        For a case of steps: what share of a quality has to be reached (of an RMSE, its reciprocal);
        0 for a case that times one thing.
    of
        Whose best quality that is: ``"all"``, or an entrant's name.
    alone
        Whether one side ends before the next begins, since the memory doesn't hold both; each runs
        once, compilation and all.
    full
        Whether the case only runs when ``--full`` is given.
    """

    name: str
    task: str
    data: str | None
    entrants: tuple[Entrant, ...]
    metric: str | None = "ndcg@20"
    target: float = 0.0
    of: str = "all"
    alone: bool = False
    full: bool = False


# iALS on Gowalla: ours and irspack minimise the same objective. implicit weighs an observed pair by
# c against 1 for all others and has a plain L2 term: c = 1 / 0.007, and its regularization is what
# ours has at the mean length of a row, 0.005 * 250 / 0.007.
_OURS_IALS = {"unobserved_weight": 0.007, "regularization": 0.005}
_IRSPACK = {"alpha0": 0.007, "reg": 0.005, "solver_type": "CG", "max_cg_steps": 3}
_IMPLICIT = {"alpha": 143.0, "regularization": 180.0}
# cmfrec has implicit's objective, its weight being 1 + alpha.
_CMFREC = {"alpha": 142.0, "lambda_": 180.0, "max_cg_steps": 3}
_BUILT = (
    "compiled on this machine, with AVX-512 where it has it; its BLAS is SciPy's; built by Cython"
    " 0.29 (see environments.py)"
)
_NO_AVX = "its extension holds no AVX code of its own"
_MF_LIKE_SURPRISE = {
    "learning_rate": 0.005,
    "bias_learning_rate": 0.005,
    "decay": 1.0,
    "regularization": 0.02,
    "bias_regularization": 0.02,
    "frequency_exponent": 1.0,
    "init_scale": 0.1,
}


def _ials(factors: int, bar: float) -> Case:
    ours = Entrant(
        "cofactor",
        "ours:Epochs",
        settings={"model": "ials", "set": {**_OURS_IALS, "factors": factors, "epochs": 5}},
    )
    theirs = (
        Entrant(
            "irspack CG",
            "peers.irspack_side:IALSEpochs",
            "ials",
            {"epochs": 5, "set": {**_IRSPACK, "n_components": factors}},
            2.0,
        ),
        Entrant(
            "implicit",
            "peers.implicit_side:ALSEpochs",
            "ials",
            {"epochs": 5, "set": {**_IMPLICIT, "factors": factors}},
            bar,
            rounds=3,
            note=_NO_AVX,
        ),
        Entrant(
            "cmfrec",
            "peers.cmfrec_side:ImplicitEpochs",
            "cmfrec",
            {"epochs": 5, "set": {**_CMFREC, "k": factors}},
            note=_BUILT,
        ),
    )
    return Case(f"ials-{factors}", f"iALS, an epoch, {factors} factors", "gowalla", (ours, *theirs))


def _ials_quality() -> Case:
    # Each with the schedule that was best for it on this validation part, at the same objective:
    # ours two epochs of one step before those of three, irspack one step in each epoch from a small
    # start. With 1, 2, 3 and 5 steps from starts of .01, .1 and 1 irspack's best within 8 epochs
    # were .0907 (this one), .0887, .0887 and .0889.
    ours = {**_OURS_IALS, "factors": 64, "warmup_epochs": 2}
    theirs = {**_IRSPACK, "n_components": 64, "max_cg_steps": 1, "init_std": 0.01}
    # cmfrec's L2 term is one number a side. One for both ends at .0886 (alpha from 50 to 200,
    # lambda from 100 to 360); with less for users and more for items, as rows of either side are
    # long, it gets to .0901: the best of 28 settings within 8 epochs.
    cmfrec = {"alpha": 100.0, "lambda_": [0, 0, 40.0, 700.0, 0, 0], "max_cg_steps": 2, "k": 64}
    return Case(
        "ials-quality",
        "iALS, seconds to 99 % of the best nDCG@20, 64 factors",
        "gowalla",
        (
            Entrant(
                "cofactor",
                "ours:Model",
                settings={"model": "ials", "set": ours},
                steps=(1, 2, 3, 4, 5, 6, 8),
            ),
            Entrant(
                "irspack CG",
                "peers.irspack_side:IALS",
                "ials",
                {"set": theirs},
                2.0,
                (4, 5, 6, 7, 8, 9, 10),
                note="one step an epoch from a small start: the best of twelve schedules",
            ),
            Entrant(
                "implicit",
                "peers.implicit_side:ALS",
                "ials",
                {"set": {**_IMPLICIT, "factors": 64}},
                2.0,
                (2, 3, 4, 6, 8, 12),
                note=_NO_AVX,
            ),
            Entrant(
                "cmfrec",
                "peers.cmfrec_side:Implicit",
                "cmfrec",
                {"set": cmfrec},
                2.0,
                (3, 4, 5, 6),
                note=_BUILT + "; the best of 28 settings",
            ),
        ),
        target=0.99,
    )


def _bpr() -> Case:
    ours = {
        "learning_rate": 0.05,
        "regularization": 0.003,
        "factors": 64,
        "schedule": "constant",
        "epochs": 6,
    }
    return Case(
        "bpr",
        "BPR, an epoch of as many draws, 64 factors",
        "gowalla",
        (
            Entrant("cofactor", "ours:Epochs", settings={"model": "bpr", "set": ours}),
            Entrant(
                "implicit",
                "peers.implicit_side:BPREpochs",
                "sgd",
                {
                    "epochs": 6,
                    "set": {"learning_rate": 0.05, "regularization": 0.003, "factors": 64},
                },
                6.0,
                note=_NO_AVX,
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


def _warp() -> Case:
    # Both may look long for a violation, which is what helps most on this validation part. LightFM
    # after 20 epochs with at most 10, 30 and 100 draws: .0778, .0842, .0906; ours with 1000 draws
    # is the preset of `models.implicit.warp`.
    return Case(
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


def _ratings() -> tuple[Case, ...]:
    mf = {"factors": 100, "epochs": 4, **_MF_LIKE_SURPRISE}
    svdpp = {"factors": 20, "epochs": 4, **_MF_LIKE_SURPRISE, "regularization": 0.02}
    surprise = {"lr_all": 0.005, "reg_all": 0.02}
    return (
        Case(
            "mf",
            "biased MF by SGD, an epoch, 100 factors",
            "ml-1m-ratings",
            (
                Entrant("cofactor", "ours:Epochs", settings={"model": "biased_mf", "set": mf}),
                Entrant(
                    "Surprise",
                    "peers.surprise_side:Epochs",
                    "ratings",
                    {"model": "SVD", "epochs": 4, "set": {"n_factors": 100, **surprise}},
                    20.0,
                    rounds=3,
                    note="one thread is all it has",
                ),
                Entrant(
                    "cornac",
                    "peers.cornac_side:MFEpochs",
                    "ratings",
                    {"epochs": 4, "set": {"k": 100, "learning_rate": 0.005, "lambda_reg": 0.02}},
                    1.3,
                ),
            ),
            "rmse",
        ),
        _als(),
        Case(
            "svdpp",
            "SVD++, an epoch, 20 factors",
            "ml-100k-ratings",
            (
                Entrant("cofactor", "ours:Epochs", settings={"model": "svdpp", "set": svdpp}),
                Entrant(
                    "Surprise",
                    "peers.surprise_side:Epochs",
                    "ratings",
                    {
                        "model": "SVDpp",
                        "epochs": 3,
                        "set": {"n_factors": 20, "cache_ratings": True, **surprise},
                    },
                    20.0,
                    rounds=2,
                    note="one thread is all it has; ratings cached",
                ),
            ),
            "rmse",
        ),
    )


def _als() -> Case:
    # Both with the best of some settings on this very part: ours of 6 (16 and 32 factors), cmfrec's
    # of 15 (16 to 40 factors, one lambda for all or one each, scaled by the number of ratings or
    # not, conjugate gradient or Cholesky).
    ours = {
        "solver": "als",
        "factors": 16,
        "regularization": 0.1,
        "bias_regularization": 0.05,
        "frequency_exponent": 0.4,
        "init_scale": 0.1,
    }
    return Case(
        "mf-als",
        "biased MF by ALS, seconds to cmfrec's best RMSE, 16 factors",
        "ml-1m-ratings",
        (
            Entrant(
                "cofactor",
                "ours:Model",
                settings={"model": "biased_mf", "set": ours},
                steps=(4, 5, 6, 7, 8, 10),
            ),
            Entrant(
                "cmfrec",
                "peers.cmfrec_side:Ratings",
                "cmfrec",
                {"set": {"k": 16, "lambda_": [5.0, 5.0, 15.0, 15.0, 0, 0]}},
                steps=(8, 12, 15),
                note=_BUILT,
            ),
        ),
        "rmse",
        target=1.0,
        of="cmfrec",
    )


def _linear() -> tuple[Case, ...]:
    cases = []
    for data in ("ml-1m", "gowalla-popular", "gowalla"):
        cases.append(
            Case(
                f"ease-{data}",
                f"EASE, fit, {data}",
                data,
                (
                    Entrant(
                        "cofactor",
                        "ours:Model",
                        settings={"model": "ease", "set": {"regularization": 200.0}},
                    ),
                    Entrant(
                        "irspack", "peers.irspack_side:EASE", "ials", {"regularization": 200.0}, 1.2
                    ),
                ),
                full=data == "gowalla",
                alone=data == "gowalla",
            )
        )
    for data in ("ml-1m", "gowalla"):
        cases.append(
            Case(
                f"knn-{data}",
                f"item kNN (cosine, 100 neighbours), fit, {data}",
                data,
                (
                    Entrant(
                        "cofactor",
                        "ours:Model",
                        settings={
                            "model": "item_knn",
                            "set": {"neighbours": 100, "neighbours_of": "past"},
                        },
                    ),
                    Entrant(
                        "implicit", "peers.implicit_side:ItemKNN", "ials", {"neighbours": 100}, 1.5
                    ),
                ),
            )
        )
    # implicit keeps the nearest of each past item, RecBole those of each item to be recommended:
    # two models, so two cases.
    cases.append(
        Case(
            "knn-recommended",
            "item kNN (cosine, 100 neighbours of the recommended item), fit, ml-1m",
            "ml-1m",
            (
                Entrant(
                    "cofactor",
                    "ours:Model",
                    settings={
                        "model": "item_knn",
                        "set": {"neighbours": 100, "neighbours_of": "recommended"},
                    },
                ),
                Entrant(
                    "RecBole",
                    "peers.recbole_side:ItemKNN",
                    "recbole",
                    {"neighbours": 100},
                    10.0,
                    rounds=2,
                    note="its similarity alone, without reading its own files",
                ),
            ),
        )
    )
    return tuple(cases)


def _answers() -> tuple[Case, ...]:
    return (
        Case(
            "topk",
            "top-20 for all users, seen items excluded, 64 factors",
            "gowalla-factors",
            (
                Entrant("cofactor", "ours:TopK"),
                Entrant("implicit", "peers.implicit_side:TopK", "ials", {}, 3.0),
            ),
        ),
        Case(
            "evaluation",
            "full-ranking evaluation, five metrics, all users",
            "gowalla-factors",
            (
                Entrant("cofactor", "ours:Evaluation"),
                Entrant(
                    "irspack",
                    "peers.irspack_side:Evaluation",
                    "ials",
                    {},
                    1.0,
                    note="fed with blocks of 512 users' scores",
                ),
                Entrant(
                    "RecBole",
                    "peers.recbole_side:Evaluation",
                    "recbole",
                    {},
                    5.0,
                    rounds=2,
                    note=(
                        "its collector and metrics, fed with blocks of 512 users' scores; by"
                        " default it would take one user at a time"
                    ),
                ),
                Entrant(
                    "cornac",
                    "peers.cornac_side:Evaluation",
                    "sgd",
                    {"users": 150},
                    20.0,
                    rounds=1,
                    note="150 users, scaled to all (so it has no nDCG to compare)",
                ),
            ),
        ),
    )


def _reading() -> Case:
    return Case(
        "reading",
        "reading 25M ratings from csv into rows",
        None,
        (
            Entrant("cofactor", "ours:Reading"),
            Entrant(
                "pandas + factorize",
                "peers.pandas_side:Reading",
                "ratings",
                {},
                2.0,
                note="ids numbered, no CSR; half its memory is asked of us",
            ),
        ),
        "rows",
    )


CASES: tuple[Case, ...] = (
    _ials(64, 4.0),
    _ials(128, 3.0),
    _ials(256, 2.5),
    _ials_quality(),
    _bpr(),
    _warp(),
    *_ratings(),
    *_linear(),
    *_answers(),
    _reading(),
)
