"""Whether what is held out was learned: a model that was fitted on interactions predicts them too
well.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from cofactor.base.errors import ArgumentError
from cofactor.base.offsets import among, pick_rows
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part


def refuse_fitted(data: Interactions, part: Part, what: str = "the held-out interactions") -> None:
    """Raise ArgumentError if a model is fitted on interactions that it shall predict; see
    `fitted_share`.

    Parameters
    ----------
    data, part
        What the model is fitted on, and what it shall predict.
    what
        What the part is called in the message.
    """
    share = fitted_share(data, part)
    if share > 0:
        raise ArgumentError(
            f"the model was fitted on {share:.1%} of {what}, so what it scores on them says"
            " nothing; fit it on this split's train, or measure interactions that came later."
        )


def fitted_share(data: Interactions, part: Part) -> float:
    """Return the share of a part's held-out interactions that a model was fitted on.

    What the model may know (the part's history) doesn't count: where items may come back, a pair
    can stand in both.

    Parameters
    ----------
    data
        What the model was fitted on, over the part's items.
    part
        What is to be predicted.
    """
    if not len(part.truth) or data is part.history:
        return 0.0
    # One look-up per held-out pair: which of them are in the data, and which in the history.
    fitted = _holds(data, part.truth, part.owners)
    if not fitted.any():
        return 0.0
    return float((fitted & ~_holds(part.history, part.truth)).mean())


def _holds(data: Interactions, queried: Interactions, owners: pa.Array | None = None) -> np.ndarray:
    """Whether each pair of some interactions, of their users or of these instead, is among others
    over the same items, bool [n].
    """
    if owners is None and data.users is queried.users:
        rows = np.arange(data.n_users)
    else:
        ids = queried.users.arrow if owners is None else owners
        rows = data.users.find(ids).astype(np.int64)
    users, n_items = rows[queried.user_rows], np.int64(max(data.n_items, queried.n_items))
    # Pairs in CSR order are ascending numbers; only those of the users in question are made.
    wanted = np.unique(users[users >= 0])
    indptr, positions = pick_rows(data.indptr, wanted)
    known = np.repeat(wanted, np.diff(indptr)) * n_items + data.item_rows[positions]
    return (users >= 0) & among(known, users * n_items + queried.item_rows)
