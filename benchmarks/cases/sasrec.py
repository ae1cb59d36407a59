"""A transformer of the next item: SASRec by its usual settings, over all items."""

from __future__ import annotations

from typing import Any

from benchmarks.case import Case, Entrant

# All sides learn from the latest window of each history, by Adam at a constant rate, and their
# batches have as many true items; a sample of RecBole's is a prefix, of the others a window. Ours
# comes twice: in the precision that it takes by itself, and in float32.
_OURS = {
    "factors": 64,
    "blocks": 2,
    "heads": 2,
    "expansion": 1,
    "positions": "learned",
    "loss": "softmax",
    "popularity_prior": 0.0,
    "dropout": 0.2,
    "attention_dropout": 0.2,
    "latest_windows": 1,
    "learning_rate": 0.001,
    "schedule": "constant",
}
_RECTOOLS = {
    "n_factors": 64,
    "n_blocks": 2,
    "n_heads": 2,
    "dropout_rate": 0.2,
    "loss": "softmax",
    "lr": 0.001,
}
_RECBOLE = {
    "hidden_size": 64,
    "inner_size": 64,
    "n_layers": 2,
    "n_heads": 2,
    "hidden_dropout_prob": 0.2,
    "attn_dropout_prob": 0.2,
    "hidden_act": "relu",
    "loss_type": "CE",
    "learning_rate": 0.001,
}


def _case(length: int, sequences: int, epochs: tuple[int, int, int], few: int = 0) -> Case:
    """Epochs are of us, RecTools and RecBole, which has ``few`` users alone where an epoch of all
    would take too long.
    """
    ours = {**_OURS, "max_length": length, "history_length": length, "epochs": epochs[0]}
    rectools = {**_RECTOOLS, "session_max_len": length, "batch_size": sequences}
    recbole: dict[str, Any] = {
        "epochs": epochs[2],
        "sequences": sequences,
        "set": {**_RECBOLE, "MAX_ITEM_LIST_LENGTH": length},
    }
    note = "a sample for each prefix"
    counts = "" if few else f"; epochs: {' '.join(map(str, epochs))}"
    if few:
        recbole["users"] = few
        note += f"; {few} users, scaled to all (so no nDCG)"
    sides = (
        ("RecTools", "rectools", {"epochs": epochs[1], "set": rectools}, ""),
        ("RecBole", "recbole", recbole, note),
    )
    settings = {"model": "transformer", "sequences": sequences, "set": ours}
    exact = {**settings, "set": {**ours, "precision": "float32"}}
    users = "250 users" if few else "1,000 users"
    return Case(
        f"sasrec-{length}{'' if few else '-all'}",
        f"SASRec, an epoch, windows of {length}, {sequences} a batch, {users} of ml-1m{counts}",
        "sasrec-ml-1m-250" if few else "sasrec-ml-1m",
        (
            Entrant("cofactor", "ours:NextItem", settings=settings, rounds=1),
            Entrant("cofactor in float32", "ours:NextItem", settings=exact, rounds=1),
            *(
                Entrant(name, f"peers.{home}_side:SASRec", home, given, 3.0, rounds=1, note=noted)
                for name, home, given, noted in sides
            ),
        ),
        full=not few,
    )


CASES = (
    _case(200, 16, (3, 3, 2), few=6),
    _case(50, 8, (3, 3, 2), few=20),
    # Of all users, each side learns for about as long: nDCG after a minute and a half of two cores.
    _case(50, 8, (40, 20, 2)),
)
