"""What comes before and after training: reading, top lists, evaluation."""

from __future__ import annotations

from benchmarks.case import Case, Entrant

READING = Case(
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

CASES = (
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
    READING,
)
