"""Items that came after the training, for models that read content: placed by their words and
features, at once.
"""

from __future__ import annotations

import logging

import numpy as np
import pyarrow as pa

from cofactor.base.errors import CofactorError
from cofactor.data.id_queries import whole
from cofactor.models.recommender import Recommender
from cofactor.service.answering.items import LiveItems, as_table
from cofactor.store import Store, StoredItem

log = logging.getLogger("cofactor.service")
# Where the store's free text goes, if the catalogue has a column of such a name.
_TEXT_NAMES = ("text", "description", "plot", "summary", "abstract")


def unknown_items(model: Recommender, live: LiveItems) -> list[str]:
    """Return the ids of visible items that the store describes and the model doesn't have, if it
    could place them.
    """
    if not model.traits.uses_features:
        return []
    ids = [item_id for item_id, item in list(live.described.items()) if item.state == "visible"]
    if model.data.items.kind == "int64":
        ids = [item_id for item_id in ids if whole(item_id) is not None]
    if not ids:
        return []
    missing = model.data.items.find(ids) < 0
    return [ids[n] for n in np.flatnonzero(missing)]


def with_stored_items(model: Recommender, live: LiveItems, store: Store) -> Recommender:
    """Return a model that knows the store's items too, or the same one when there are none; the
    given one isn't changed.

    Parameters
    ----------
    model
        The model that answers now; requests go on using it meanwhile.
    live, store
        Which items there are, and what is said of them.
    """
    ids = unknown_items(model, live)
    if not ids:
        return model
    try:
        lines = _lines(model, store.items(ids), ids)
        return model.with_items(lines, id_column="item_id", known="skip")
    except Exception as error:
        # One shop's odd columns must not stop the service, nor keep it from being started again:
        # the items wait for the next training.
        log.warning(
            "new items not placed",
            exc_info=not isinstance(error, CofactorError),
            extra={"facts": {"items": len(ids), "problem": str(error)}},
        )
        return model


def _lines(model: Recommender, stored: dict[str, StoredItem], ids: list[str]) -> pa.Table:
    """The new items as a table of the catalogue's columns."""
    catalogue = model.data.catalogue
    names = catalogue.column_names
    text = next((name for name in _TEXT_NAMES if name in names), None)
    lines = []
    for item_id in ids:
        item = stored[item_id]
        line = {name: value for name, value in (item.features or {}).items() if name in names}
        if text is not None and item.text is not None:
            line.setdefault(text, item.text)
        if catalogue.title_column is not None and item.title is not None:
            line[catalogue.title_column] = item.title
        lines.append(line)
    schema = pa.schema([field for field in catalogue.table.schema if field.name in names])
    table = as_table(lines, schema)
    column = pa.array([int(i) for i in ids]) if model.data.items.kind == "int64" else pa.array(ids)
    return (
        table.append_column("item_id", column)
        if table.num_columns
        else pa.table({"item_id": column})
    )
